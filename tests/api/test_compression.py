"""Which answers are compressed, for which clients, and the headers for caches."""

import threading
import zlib
from collections.abc import Sequence
from typing import Any

import httpx
import pytest

from roompulse.report.model import Entry
from roompulse.web.http import compression
from roompulse.web.http.compression import SMALLEST, accepts_gzip, compressing
from tests.api.test_pages import post
from tests.builders import body, stream

LARGE = [
    "/report/metrics/room-1",
    "/report/metrics/room-1/u1",
    "/report/history/room-1/u1",
    "/report/openapi.json",
    "/rooms/room-1/users.csv",
    "/rooms/room-1/users.json",
    "/",
    "/rooms/room-1",
    "/rooms/room-1?q=1",
    "/rooms/room-1/users/u1",
    "/ingest",
    "/metrics",
    "/nothing-here",
    "/static/css/roompulse.css",
    "/static/sdk/roompulse.js",
]
"""Answers of more than a kilobyte, of every kind."""

SMALL = [
    "/static/icon.svg",
    "/report/rooms",
    "/report/history/room-1",
    "/rooms/room-1/history.csv",
    "/healthz",
    "/report/metrics/nobody",
]


@pytest.fixture(scope="module")
async def filled(kept: httpx.AsyncClient) -> httpx.AsyncClient:
    await post(kept, body(metrics=[Entry("u1", [stream(f"s{number}") for number in range(20)])]))
    return kept


@pytest.mark.parametrize("path", LARGE)
async def test_large_answers_are_compressed_and_are_the_same(filled: httpx.AsyncClient, path: str) -> None:
    # Compared with both, as the session is saved in the background, and pages list it from then on.
    plain = await filled.get(path, headers={"accept-encoding": "identity"})
    small = await filled.get(path, headers={"accept-encoding": "br, gzip;q=0.9"})
    again = await filled.get(path, headers={"accept-encoding": "identity"})
    assert len(plain.content) >= SMALLEST
    assert "content-encoding" not in plain.headers
    assert small.headers["content-encoding"] == "gzip"
    assert small.num_bytes_downloaded < len(plain.content)
    for answer in (plain, small):
        assert answer.headers.get_list("vary").count("Accept-Encoding") == 1
    if path not in {"/metrics"}:
        assert small.content in (plain.content, again.content)


@pytest.mark.parametrize("path", [path for path in LARGE if "static" not in path])  # Litestar's have no type
async def test_head_tells_what_get_would(filled: httpx.AsyncClient, path: str) -> None:
    for accepted in ("gzip", "identity"):
        headers = {"accept-encoding": accepted}
        get, head = await filled.get(path, headers=headers), await filled.head(path, headers=headers)
        assert head.content == b""
        for name in ("content-encoding", "vary", "etag", "content-type"):
            assert head.headers.get(name) == get.headers.get(name), name
        if accepted == "gzip":
            assert head.headers.get("content-length") in {None, get.headers.get("content-length")}


@pytest.mark.parametrize("path", SMALL)
async def test_small_answers_are_sent_as_they_are(filled: httpx.AsyncClient, path: str) -> None:
    answer = await filled.get(path, headers={"accept-encoding": "gzip"})
    assert answer.content
    if "content-length" in answer.headers:
        assert "content-encoding" not in answer.headers
        assert int(answer.headers["content-length"]) == len(answer.content)


@pytest.mark.parametrize("path", ["/report/metrics/room-1", "/report/history/room-1/u1", "/report/openapi.json"])
async def test_a_tag_holds_for_either_encoding(filled: httpx.AsyncClient, path: str) -> None:
    seen = {}
    for accepted in ("gzip", "identity"):
        answer = await filled.get(path, headers={"accept-encoding": accepted})
        seen[accepted] = answer.headers["etag"]
        for other in ("gzip", "identity"):
            headers = {"accept-encoding": other, "if-none-match": seen[accepted]}
            known = await filled.get(path, headers=headers)
            assert (known.status_code, known.content) == (304, b"")
            assert known.headers["vary"] == "Accept-Encoding"
            assert "content-encoding" not in known.headers
    assert seen["gzip"] == seen["identity"]
    assert seen["gzip"].startswith("W/")


async def test_a_strong_tag_of_a_file_is_weak_once_it_is_compressed(filled: httpx.AsyncClient) -> None:
    path = "/static/css/roompulse.css"
    plain = (await filled.get(path, headers={"accept-encoding": "identity"})).headers["etag"]
    assert (await filled.get(path, headers={"accept-encoding": "gzip"})).headers["etag"] == f"W/{plain}"


async def test_a_large_body_is_compressed_off_the_event_loop(
    client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    threads = []
    compress = compression._Compression._compress

    def noted(one: Any, content: bytes, is_last: bool) -> bytes:  # noqa: FBT001  (as it is called)
        threads.append(threading.current_thread().name.split("_")[0])
        return compress(one, content, is_last)

    monkeypatch.setattr(compression._Compression, "_compress", noted)
    for number in range(10):
        await post(client, body(user_id=f"u{number}", metrics=[Entry("u1", [stream(f"s{n}") for n in range(20)])]))
    threads.clear()
    assert len((await client.get("/report/metrics/room-1")).content) > compression._IN_THREAD_FROM
    assert threads == ["roompulse-gzip"]


async def sent(*pieces: bytes) -> tuple[dict[bytes, bytes], Sequence[bytes]]:
    """The messages sent for an answer of these pieces."""
    messages: list[Any] = []

    async def send(message: Any) -> None:
        messages.append(message)

    scope = {"method": "GET", "headers": [(b"accept-encoding", b"gzip")]}
    through = compressing(scope, send)
    await through({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/csv")]})
    for number, piece in enumerate(pieces, 1):
        await through({"type": "http.response.body", "body": piece, "more_body": number < len(pieces)})
    return dict(messages[0]["headers"]), [message["body"] for message in messages[1:]]


async def test_each_piece_of_a_long_answer_can_be_read_when_it_comes() -> None:
    pieces = [b"head\n", b"x" * 70_000, b"", b"tail", b""]
    headers, compressed = await sent(*pieces)
    assert headers[b"content-encoding"] == b"gzip"
    assert b"content-length" not in headers
    reader = zlib.decompressobj(wbits=31)
    assert [reader.decompress(piece) for piece in compressed] == pieces
    assert reader.eof


@pytest.mark.parametrize(
    ("header", "accepted"),
    [
        ("gzip", True),
        ("GZIP", True),
        ("gzip, deflate, br, zstd", True),
        ("br;q=1.0, gzip;q=0.8, *;q=0.1", True),
        ("*", True),
        ("gzip ; q=0.5", True),
        ("", False),
        ("identity", False),
        ("br", False),
        ("gzip;q=0", False),
        ("gzip;q=0.000, *", False),
        ("*;q=0", False),
        ("gzip;q=x", False),
        ("gzip;q=\xff", False),
        ("gzip;p=1", False),
        ("gzip;q=nan", False),
        ("identity, gzip;q=0.5", False),
        ("identity;q=0.5, gzip", True),
        ("notgzip", False),
        (",;,", False),
    ],
)
def test_gzip_is_accepted_where_it_is_named_with_a_weight(header: str, *, accepted: bool) -> None:
    assert accepts_gzip(header) is accepted
