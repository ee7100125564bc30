"""POST /report/metrics."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Callable
from typing import Any

import httpx
import msgspec
import pytest
from hypothesis import HealthCheck, example, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from roompulse.report.model import Entry, Network
from roompulse.settings import Settings
from tests.api import assert_problem, data, refusing, serving, url
from tests.api.test_get import NO_MORE_AUDIO, NO_MORE_VIDEO
from tests.builders import NOW, REFERENCE, body, report, stream
from tests.conftest import Clock
from tests.server import Server

HOSTILE_IDS = [
    "a/b",
    "a/../b",
    "../x",
    "...",
    "/",
    "//",
    "http://elsewhere/x?y#z",
    "two words",
    "100%",
    "a%2Fb",
    "a+b",
    "a?b",
    "a#b",
    "a;b&c=d",
    "\\\"'`",
    "<script>alert(1)</script>",
    "{{ 7 * 7 }}",
    "😀👩🏽",
    "مرحبا",
    "שלום",
    "会議室",
    "e\u0301",
    "\u00e9",
    "علی\u200cرضا",
    "👩\u200d💻 dev",
    "x" * 128,
    "😀" * 128,
    "NULL",
    "0",
]


async def post(client: httpx.AsyncClient, content: bytes, **headers: str) -> httpx.Response:
    return await client.post("/report/metrics", content=content, headers={"content-type": "application/json"} | headers)


def changed(field: str, value: Any) -> bytes:
    """The reference report with another value at `field`, a path like `metrics.0.user_id`; ... removes it."""
    *path, last = field.split(".")
    whole = json.loads(REFERENCE)
    part = whole
    for step in path:
        part = part[int(step) if step.isdigit() else step]
    if value is ...:
        del part[last]
    else:
        part[last] = value
    return json.dumps(whole).encode()


def in_room(room_id: str, content: bytes = REFERENCE) -> bytes:
    """The same report of another room."""
    return content.replace(b'"room-1"', json.dumps(room_id).encode())


@pytest.fixture(scope="module")
async def taking(make_settings: Callable[[], Settings]) -> AsyncIterator[httpx.AsyncClient]:
    """A client of one application for tests whose reports are taken; those of `kept` are all refused.

    A snapshot is due ten real seconds after the start, and users have no history before it.
    """
    async with serving(msgspec.structs.replace(make_settings(), snapshot_interval=3600), Clock()) as client:
        yield client


async def test_it_answers_with_the_envelope(taking: httpx.AsyncClient) -> None:
    answer = await post(taking, REFERENCE)
    assert answer.status_code == 200
    assert answer.content == b'{"code":0,"message":"success","data":null}'
    assert answer.headers["content-type"] == "application/json"


async def test_it_shows_the_report_as_soon_as_it_has_answered(taking: httpx.AsyncClient, room_id: str) -> None:
    await post(taking, in_room(room_id))
    assert (await data(taking, "/report/rooms")).count(room_id) == 1
    assert (await data(taking, f"/report/metrics/{room_id}/u1"))["quality"]["score"] == 4.37


@pytest.mark.parametrize("hostile", HOSTILE_IDS)
async def test_an_id_round_trips_byte_for_byte(taking: httpx.AsyncClient, hostile: str) -> None:
    entries = [Entry(hostile, [stream(hostile)])]
    assert (await post(taking, body(user_id=hostile, room_id=hostile, metrics=entries))).status_code == 200
    assert (await data(taking, "/report/rooms")).count(hostile) == 1
    assert (await data(taking, url("report", "metrics", hostile)))["room_id"] == hostile
    user = await data(taking, url("report", "metrics", hostile, hostile))
    assert (user["user_id"], user["reporters"]) == (hostile, [hostile])
    assert (user["streams"][0]["stream_id"], user["streams"][0]["reporter_id"]) == (hostile, hostile)
    assert await data(taking, url("report", "history", hostile)) == []


@given(room_id=st.text(max_size=130), user_id=st.text(max_size=130))
@example(room_id="a/b", user_id="\u00a0")
@example(room_id="..", user_id="u1")
@example(room_id="\u202e", user_id="u1")
@hypothesis_settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, derandomize=True)
async def test_every_id_that_is_accepted_can_be_fetched(
    client: httpx.AsyncClient, clock: Clock, room_id: str, user_id: str
) -> None:
    clock.advance(120)
    answer = await post(client, body(room_id=room_id, user_id=user_id))
    if answer.status_code == 200:
        assert await data(client, "/report/rooms") == [room_id]
        assert (await data(client, url("report", "metrics", room_id)))["room_id"] == room_id
        assert (await data(client, url("report", "metrics", room_id, user_id)))["user_id"] == user_id
    else:
        assert_problem(answer, 400, "_id: ")
        assert await data(client, "/report/rooms") == []


@pytest.mark.parametrize(
    "wrong",
    [
        "",
        ".",
        "..",
        " a",
        "a ",
        "\ta",
        "a\nb",
        "a\x00b",
        "a\u200bb",
        "\u202eabc",
        "\ufeffx",
        "x" * 129,
        "\u3000",
        "a\u2028b",
        "\u200da",
        "a\u200d\u200db",
    ],
)
async def test_it_refuses_what_is_no_id(kept: httpx.AsyncClient, wrong: str) -> None:
    for field, named in (
        ("user_id", "$.user_id"),
        ("room_id", "$.room_id"),
        ("metrics.0.user_id", "$.metrics[0].user_id"),
        ("metrics.0.streams.0.stream_id", "$.metrics[0].streams[0].stream_id"),
    ):
        assert_problem(await post(kept, changed(field, wrong)), 400, f"{named}: ")


@pytest.mark.parametrize(
    ("sent", "kept"), [(1746616000123, 1746616000), (10**11, 10**8), (10**11 - 1, 10**11 - 1), (0, 0), (10**14, 10**11)]
)
async def test_a_report_time_of_a_hundred_billion_and_more_is_in_milliseconds(
    taking: httpx.AsyncClient, room_id: str, sent: int, kept: int
) -> None:
    await post(taking, body(room_id=room_id, report_time=sent))
    assert (await data(taking, f"/report/metrics/{room_id}/u1"))["report_time"] == kept


@pytest.mark.parametrize("sent_as", [None, ...], ids=["null", "absent"])
async def test_figures_that_are_not_known_come_back_as_null(
    taking: httpx.AsyncClient, room_id: str, sent_as: Any
) -> None:
    unknown: dict[str, dict[str, Any]] = {
        "video": dict.fromkeys(("timestamp", "frame_rate", "width", "height", "bitrate")) | NO_MORE_VIDEO,
        "audio": dict.fromkeys(("timestamp", "sample_rate", "channels", "bitrate")) | NO_MORE_AUDIO,
        "network": dict.fromkeys(("rtt", "packet_loss", "jitter")),
    }
    parts = unknown if sent_as is None else {part: {} for part in unknown}
    one = {"stream_id": "camera", "direction": "send"} | parts
    await post(taking, in_room(room_id, changed("metrics.0.streams", [one])))
    got = (await data(taking, f"/report/metrics/{room_id}/u1"))["streams"][0]
    assert {part: got[part] for part in unknown} == unknown
    assert got["quality"] == {"score": None, "level": "unknown", "terms": []}


@pytest.mark.parametrize("sent_as", [None, ...], ids=["null", "absent"])
async def test_parts_that_were_not_sent_come_back_as_null(
    taking: httpx.AsyncClient, room_id: str, sent_as: Any
) -> None:
    one: dict[str, Any] = {"stream_id": "camera", "direction": "send"}
    if sent_as is None:
        one |= {"video": None, "audio": None, "network": None}
    await post(taking, in_room(room_id, changed("metrics.0.streams", [one])))
    got = (await data(taking, f"/report/metrics/{room_id}/u1"))["streams"][0]
    assert (got["video"], got["audio"], got["network"]) == (None, None, None)


async def test_every_figure_that_was_sent_comes_back(taking: httpx.AsyncClient, room_id: str) -> None:
    await post(taking, in_room(room_id))
    sent = json.loads(REFERENCE)["metrics"][0]["streams"][0]
    got = (await data(taking, f"/report/metrics/{room_id}/u1"))["streams"][0]
    for part in ("video", "audio", "network"):
        assert {name: got[part][name] for name in sent[part]} == sent[part]


async def test_it_ignores_fields_that_it_does_not_know(taking: httpx.AsyncClient, room_id: str) -> None:
    newer = (
        in_room(room_id)
        .replace(b'"rtt":45', b'"rtt":45,"mos":{"a":[1,"\xc3\xa9",null]}')
        .replace(b"{", b'{"new":[{}],', 1)
    )
    assert (await post(taking, newer)).status_code == 200
    assert (await data(taking, f"/report/metrics/{room_id}/u1"))["quality"]["score"] == 4.37


@pytest.mark.parametrize("first", ['"first"', "5", "null"])
async def test_the_last_of_duplicate_keys_wins(taking: httpx.AsyncClient, room_id: str, first: str) -> None:
    twice = in_room(room_id).replace(b"{", b'{"room_id":' + first.encode() + b",", 1)
    assert (await post(taking, twice)).status_code == 200
    rooms = await data(taking, "/report/rooms")
    assert (rooms.count(room_id), "first" in rooms) == (1, False)


async def test_a_number_like_1280_0_is_fine_where_an_integer_is_meant(taking: httpx.AsyncClient, room_id: str) -> None:
    assert (await post(taking, in_room(room_id).replace(b":1280,", b":1280.0,"))).status_code == 200
    assert (await data(taking, f"/report/metrics/{room_id}/u1"))["streams"][0]["video"]["width"] == 1280
    assert_problem(
        await post(taking, in_room(room_id).replace(b":1280,", b":1280.5,")),
        400,
        "$.metrics[0].streams[0].video.width: ",
    )


@pytest.mark.parametrize(
    "media_type",
    ["application/json", "application/json; charset=utf-8", "Application/JSON", "text/plain;charset=UTF-8"],
)
async def test_it_reads_json_under_the_types_that_browsers_can_send(taking: httpx.AsyncClient, media_type: str) -> None:
    assert (await post(taking, REFERENCE, **{"content-type": media_type})).status_code == 200


async def test_it_reads_json_without_a_type(taking: httpx.AsyncClient) -> None:
    answer = await taking.post("/report/metrics", content=REFERENCE)
    assert "content-type" not in answer.request.headers
    assert answer.status_code == 200


@pytest.mark.parametrize(
    "media_type", ["application/xml", "application/x-www-form-urlencoded", "multipart/form-data", "json", "text/html"]
)
async def test_it_refuses_other_types(kept: httpx.AsyncClient, media_type: str) -> None:
    assert_problem(await post(kept, REFERENCE, **{"content-type": media_type}), 415, "Content-Type")


@pytest.mark.parametrize("encoding", ["gzip", "br", "identity"])
async def test_it_refuses_every_content_encoding(kept: httpx.AsyncClient, encoding: str) -> None:
    assert_problem(await post(kept, REFERENCE, **{"content-encoding": encoding}), 415, "Content-Encoding")


async def test_it_refuses_a_body_that_is_too_long(settings: Settings, clock: Clock) -> None:
    small = msgspec.structs.replace(settings, max_body=len(REFERENCE))
    async with serving(small, clock) as client:
        assert (await post(client, REFERENCE)).status_code == 200
        assert_problem(await post(client, REFERENCE + b" "), 413, f"{len(REFERENCE)} bytes")


async def test_it_refuses_a_body_that_is_too_long_without_saying_so(settings: Settings, clock: Clock) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        yield REFERENCE[:100]
        yield REFERENCE[100:]
        while True:
            yield b" "

    small = msgspec.structs.replace(settings, max_body=len(REFERENCE))
    async with serving(small, clock) as client:
        assert_problem(await client.post("/report/metrics", content=pieces()), 413, f"{len(REFERENCE)} bytes")


async def test_a_body_may_come_in_pieces(taking: httpx.AsyncClient) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        for byte in REFERENCE:
            yield bytes([byte])

    assert (await taking.post("/report/metrics", content=pieces())).status_code == 200


async def test_it_does_not_wait_for_a_body_for_ever(settings: Settings, clock: Clock) -> None:
    async def stalled() -> AsyncIterator[bytes]:
        yield REFERENCE[:100]
        await asyncio.Event().wait()

    async with serving(msgspec.structs.replace(settings, body_timeout=0.02), clock) as client:
        answer = await client.post("/report/metrics", content=stalled())
        assert_problem(answer, 408, "0.02 s")
        assert answer.headers["connection"] == "close"
        assert await data(client, "/report/rooms") == []


def test_a_sender_that_leaves_in_the_middle_of_a_body_does_no_harm(server: Server) -> None:
    with socket.create_connection(("127.0.0.1", server.port)) as sender:
        sender.sendall(b"POST /report/metrics HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n" + REFERENCE[:100])
    assert server.get("/report/rooms").json()["data"] == []
    assert server.post(REFERENCE).status_code == 200
    assert "Traceback" not in server.log.read_text()


async def test_an_entry_about_another_user_is_what_the_reporter_receives(
    taking: httpx.AsyncClient, room_id: str
) -> None:
    await post(taking, body(room_id=room_id, user_id="u1", metrics=[Entry("u2", [stream("camera", "recv")])]))
    room = await data(taking, f"/report/metrics/{room_id}")
    reporter, sender = room["users"]
    assert (reporter["user_id"], reporter["reporters"], reporter["streams"]) == ("u1", [], [])
    assert reporter["receiving"] == [{"user_id": "u2", "stream_id": "camera", "score": 4.37, "level": "good"}]
    assert (reporter["quality"]["uplink"], reporter["quality"]["downlink"]) == (None, 4.37)
    assert (sender["user_id"], sender["reporters"], sender["receiving"]) == ("u2", ["u1"], [])
    assert [(one["reporter_id"], one["direction"]) for one in sender["streams"]] == [("u1", "recv")]
    assert sender["quality"]["score"] is None  # how others receive it is their downlink


async def test_empty_metrics_are_a_sign_of_life(client: httpx.AsyncClient, clock: Clock) -> None:
    await post(client, body(metrics=[]))
    clock.advance(50)
    await post(client, body(metrics=[]))
    clock.advance(50)
    user = await data(client, "/report/metrics/room-1/u1")
    assert (user["received_at"], user["streams"], user["reporters"]) == (NOW + 50, [], [])
    assert user["quality"] == {"score": None, "level": "unknown", "uplink": None, "downlink": None, "reasons": []}


@pytest.mark.parametrize(
    ("field", "value", "named"),
    [
        ("user_id", ..., "$.user_id: required"),
        ("room_id", 7, "$.room_id"),
        ("sdk_version", ..., "$.sdk_version: required"),
        ("sdk_version", "", "$.sdk_version"),
        ("sdk_version", "x" * 65, "$.sdk_version"),
        ("report_time", ..., "$.report_time: required"),
        ("report_time", -1, "$.report_time"),
        ("report_time", 10**14 + 1, "$.report_time"),
        ("report_time", 1.5, "$.report_time"),
        ("report_time", "1746616000", "$.report_time"),
        ("report_time", True, "$.report_time"),
        ("report_time", 2**63, "$.report_time"),
        ("report_time", 2**64, "$.report_time"),
        ("report_time", 1e300, "$.report_time"),
        ("metrics", ..., "$.metrics: required"),
        ("metrics", None, "$.metrics"),
        ("metrics", {}, "$.metrics"),
        ("metrics.0.user_id", ..., "$.metrics[0].user_id: required"),
        ("metrics.0.streams", ..., "$.metrics[0].streams: required"),
        ("metrics.0.streams.0.stream_id", ..., "$.metrics[0].streams[0].stream_id: required"),
        ("metrics.0.streams.0.direction", ..., "$.metrics[0].streams[0].direction: required"),
        ("metrics.0.streams.0.direction", "up", "$.metrics[0].streams[0].direction"),
        ("metrics.0.streams.0.video.frame_rate", 1000.5, "$.metrics[0].streams[0].video.frame_rate"),
        ("metrics.0.streams.0.video.width", 65536, "$.metrics[0].streams[0].video.width"),
        ("metrics.0.streams.0.video.height", -1, "$.metrics[0].streams[0].video.height"),
        ("metrics.0.streams.0.video.bitrate", 10**7 + 1, "$.metrics[0].streams[0].video.bitrate"),
        ("metrics.0.streams.0.video.timestamp", 2**63, "$.metrics[0].streams[0].video.timestamp"),
        ("metrics.0.streams.0.audio.sample_rate", 10**6 + 1, "$.metrics[0].streams[0].audio.sample_rate"),
        ("metrics.0.streams.0.audio.channels", 65, "$.metrics[0].streams[0].audio.channels"),
        ("metrics.0.streams.0.audio.bitrate", "64", "$.metrics[0].streams[0].audio.bitrate"),
        ("metrics.0.streams.0.network.rtt", -0.1, "$.metrics[0].streams[0].network.rtt"),
        ("metrics.0.streams.0.network.rtt", 600_000.5, "$.metrics[0].streams[0].network.rtt"),
        ("metrics.0.streams.0.network.packet_loss", 100.1, "$.metrics[0].streams[0].network.packet_loss"),
        ("metrics.0.streams.0.network.jitter", [], "$.metrics[0].streams[0].network.jitter"),
    ],
)
async def test_it_refuses_a_wrong_field_by_its_name(
    kept: httpx.AsyncClient, field: str, value: Any, named: str
) -> None:
    assert_problem(await post(kept, changed(field, value)), 400, named)
    assert await data(kept, "/report/rooms") == []


@pytest.mark.parametrize(
    "malformed",
    [
        b"",
        b" ",
        b"null",
        b"[]",
        b"7",
        b'"text"',
        b"<report/>",
        REFERENCE[:-1],
        REFERENCE[:100],
        REFERENCE + b"{}",
        REFERENCE + REFERENCE,
        b"\xef\xbb\xbf" + REFERENCE,
        REFERENCE.decode().encode("utf-16"),
        REFERENCE.replace(b"u1", b"\xff\xfe"),
        REFERENCE.replace(b"{", b'{"unknown":"\xff",', 1),
        REFERENCE.replace(b"u1", rb"\ud800"),
        REFERENCE.replace(b"1.2.0", rb"\udfff"),
        REFERENCE.replace(b":45", b":NaN"),
        REFERENCE.replace(b":45", b":Infinity"),
        REFERENCE.replace(b":45", b":1e999"),
        REFERENCE.replace(b":45", b":" + b"9" * 5000),
        b"[" * 100_000,
        b'{"a":' * 50_000,
        REFERENCE.replace(b"{", b'{"unknown":' + b"[" * 100_000 + b"]" * 100_000 + b",", 1),
        REFERENCE.replace(b":1280,", b':1280.0,"unknown":' + b"[" * 100_000 + b"]" * 100_000 + b",", 1),
    ],
    ids=lambda malformed: malformed[:12].decode("ascii", "replace") + f"…{len(malformed)}",
)
async def test_it_refuses_what_is_no_report_and_is_well_afterwards(
    taking: httpx.AsyncClient, room_id: str, malformed: bytes
) -> None:
    before = await data(taking, "/report/rooms")
    assert_problem(await post(taking, malformed), 400, "$")
    assert await data(taking, "/report/rooms") == before
    assert (await post(taking, in_room(room_id))).status_code == 200


async def test_it_takes_a_report_whole_or_not_at_all(kept: httpx.AsyncClient) -> None:
    entries = json.loads(REFERENCE)["metrics"]
    wrong = [*entries, {"user_id": "u2", "streams": [{"stream_id": "camera", "direction": "sideways"}]}]
    assert_problem(await post(kept, changed("metrics", wrong)), 400, "$.metrics[1].streams[0].direction")
    assert await data(kept, "/report/rooms") == []


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "PATCH", "DELETE"])
async def test_other_methods_are_not_allowed(kept: httpx.AsyncClient, method: str) -> None:
    answer = await kept.request(method, "/report/metrics")
    assert answer.status_code == 405
    assert answer.headers["allow"] == "POST, OPTIONS"


async def test_a_browser_may_ask_whether_it_may_post(taking: httpx.AsyncClient) -> None:
    asking = {
        "origin": "https://calls.example",
        "access-control-request-method": "POST",
        "access-control-request-headers": "content-type, authorization",
    }
    answer = await taking.options("/report/metrics", headers=asking)
    assert (answer.status_code, answer.content) == (204, b"")
    assert answer.headers["access-control-allow-origin"] == "*"
    assert answer.headers["access-control-allow-methods"] == "POST"
    assert answer.headers["access-control-allow-headers"] == "Content-Type, Authorization"
    assert "access-control-allow-credentials" not in answer.headers


async def test_a_page_of_another_site_may_read_the_answer_and_the_error(taking: httpx.AsyncClient) -> None:
    for content in (REFERENCE, b"{"):
        answer = await post(taking, content, origin="https://calls.example")
        assert answer.headers["access-control-allow-origin"] == "*"
        assert answer.headers["access-control-expose-headers"] == "Retry-After"


@pytest.mark.one_process  # SENDER_RATE is of each worker
async def test_a_sender_that_posts_too_often_is_told_when_to_come_again(settings: Settings, clock: Clock) -> None:
    async with serving(msgspec.structs.replace(settings, sender_rate=0.5), clock) as client:
        answers = [await post(client, REFERENCE) for _ in range(4)]
        assert [answer.status_code for answer in answers] == [200, 200, 429, 429]
        assert_problem(answers[-1], 429, "0.5 reports a second")
        wait = int(answers[-1].headers["retry-after"])
        assert wait == 1  # half a report was left of the 2.5 that five seconds are worth
        clock.advance(wait)
        assert (await post(client, REFERENCE)).status_code == 200


async def test_a_sender_rate_of_zero_is_no_limit(settings: Settings, clock: Clock) -> None:
    async with serving(msgspec.structs.replace(settings, sender_rate=0), clock) as client:
        answers = [await post(client, b"{") for _ in range(1500)]
        assert {answer.status_code for answer in answers} == {400}


async def test_it_has_no_more_rooms_than_its_limit(settings: Settings, clock: Clock) -> None:
    async with serving(msgspec.structs.replace(settings, max_rooms=1), clock) as client:
        assert (await post(client, body(room_id="room-1"))).status_code == 200
        answer = await post(client, body(room_id="room-2"))
        assert_problem(answer, 503, "$.room_id", "1 room")
        assert await data(client, "/report/rooms") == ["room-1"]
        assert (await post(client, body(room_id="room-1", user_id="u2"))).status_code == 200
        clock.advance(int(answer.headers["retry-after"]))
        assert (await post(client, body(room_id="room-2"))).status_code == 200


async def test_a_room_has_no_more_users_than_its_limit(settings: Settings, clock: Clock) -> None:
    async with serving(msgspec.structs.replace(settings, max_room_users=2), clock) as client:
        assert (await post(client, body(metrics=[Entry("u2", [])]))).status_code == 200
        assert (await post(client, body(user_id="u2"))).status_code == 200
        answer = await post(client, body(user_id="u3"))
        assert_problem(answer, 429, "2 users")
        assert (await data(client, "/report/metrics/room-1"))["aggregate"]["user_count"] == 2
        assert (await post(client, body(user_id="u3", room_id="room-2"))).status_code == 200
        clock.advance(int(answer.headers["retry-after"]))
        assert (await post(client, body(user_id="u3"))).status_code == 200


async def test_a_user_has_no_more_streams_than_its_limit(settings: Settings, clock: Clock) -> None:
    async with serving(msgspec.structs.replace(settings, max_user_streams=2), clock) as client:
        two = [stream("camera"), stream("mic")]
        assert (await post(client, body(metrics=[Entry("u1", two)]))).status_code == 200
        assert (await post(client, body(metrics=[Entry("u1", two)]))).status_code == 200
        answer = await post(client, body(metrics=[Entry("u1", [stream("screen")])]))
        assert_problem(answer, 429, "2 streams")
        assert len((await data(client, "/report/metrics/room-1/u1"))["streams"]) == 2
        clock.advance(int(answer.headers["retry-after"]))
        assert (await post(client, body(metrics=[Entry("u1", [stream("screen")])]))).status_code == 200


async def test_a_report_that_is_too_big_for_a_limit_alone_is_refused_whole(settings: Settings, clock: Clock) -> None:
    async with serving(msgspec.structs.replace(settings, max_user_streams=2), clock) as client:
        three = [stream(name) for name in ("camera", "mic", "screen")]
        assert_problem(await post(client, body(metrics=[Entry("u1", three)])), 429, "2 streams")
        assert await data(client, "/report/rooms") == []


@pytest.mark.one_process  # MAX_QUEUE is of each worker
async def test_it_refuses_reports_when_too_many_wait_to_be_saved(settings: Settings, clock: Clock) -> None:
    async with serving(msgspec.structs.replace(settings, max_queue=2), clock) as client:
        answers = await asyncio.gather(*(post(client, body(user_id=f"u{number}")) for number in range(6)))
        refused = [answer for answer in answers if answer.status_code != 200]
        assert refused
        for answer in refused:
            assert_problem(answer, 503, "too many reports wait")
            assert int(answer.headers["retry-after"]) >= 1
        shown = (await data(client, "/report/metrics/room-1"))["aggregate"]["user_count"]
        assert shown == len(answers) - len(refused)


async def test_reports_that_wait_together_are_all_saved(taking: httpx.AsyncClient, room_id: str) -> None:
    answers = await asyncio.gather(
        *(post(taking, body(room_id=room_id, user_id=f"u{number}")) for number in range(100))
    )
    assert {answer.status_code for answer in answers} == {200}
    assert (await data(taking, f"/report/metrics/{room_id}"))["aggregate"]["user_count"] == 100


async def test_what_could_not_be_saved_is_neither_acknowledged_nor_shown(
    client: httpx.AsyncClient, settings: Settings
) -> None:
    async with refusing(settings, "sample"):
        answer = await post(client, REFERENCE)
        assert_problem(answer, 503, "could not be saved")
        assert int(answer.headers["retry-after"]) >= 1
        assert await data(client, "/report/rooms") == []
    assert (await post(client, REFERENCE)).status_code == 200


async def test_a_poisonous_report_fails_alone(client: httpx.AsyncClient, settings: Settings) -> None:
    users = [f"u{number}" for number in range(9)]
    async with refusing(settings, "sample", when="NEW.reporter_id = 'u4'"):
        answers = await asyncio.gather(*(post(client, body(user_id=user)) for user in users))
    assert [answer.status_code for answer in answers] == [503 if user == "u4" else 200 for user in users]
    shown = (await data(client, "/report/metrics/room-1"))["users"]
    assert [user["user_id"] for user in shown] == [user for user in users if user != "u4"]


async def test_a_device_whose_clock_lies_is_live_by_the_server_s_clock(taking: httpx.AsyncClient, room_id: str) -> None:
    for number, report_time in enumerate((0, 1746616000, int(NOW) + 10**7)):
        await post(taking, body(room_id=room_id, user_id=f"u{number}", report_time=report_time))
    users = (await data(taking, f"/report/metrics/{room_id}"))["users"]
    assert [(user["received_at"], user["stale"]) for user in users] == [(NOW, False)] * 3


async def test_the_builder_posts_what_the_reference_says() -> None:
    assert report().metrics[0].streams[0].network == Network(rtt=45, packet_loss=0.3, jitter=8)
