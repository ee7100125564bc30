"""Every GET route of the real process, with ids and parameters that no page links to."""

import json
from collections.abc import Iterator
from urllib.parse import quote

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests import unit
from tests.builders import REFERENCE
from tests.process.raw import Raw
from tests.server import Server

assert unit  # its profile makes the examples the same in every run

METHODS = ["GET"] * 8 + ["HEAD", "OPTIONS", "TRACE", "DELETE", "PUT", "PATCH", "PROPFIND", "M-SEARCH"]
ROUTES = [
    *("/", "/{}", "/stream", "/rooms/{}", "/rooms/{}/stream", "/rooms/{}/sessions", "/rooms/{}/users/{}"),
    *("/rooms/{}/users/{}/stream", "/rooms/{}/users/{}/visits", "/rooms/{}/history.csv", "/rooms/{}/history.json"),
    *("/rooms/{}/users.csv", "/rooms/{}/events.json", "/report/rooms", "/report/metrics/{}", "/report/metrics/{}/{}"),
    *("/report/history/{}", "/report/history/{}/{}", "/report/events/{}", "/report/stream/{}", "/report/{}"),
    *("/report/openapi.json", "/users", "/users/stream", "/report/overview", "/report/stream"),
    *("/static/{}", "/static/css/{}", "/static/sdk/{}", "/assets/{}/{}", "/demo/call"),
]
SEGMENTS = [
    "room-1",
    "u1",
    "",
    ".",
    "..",
    "%2e%2e",
    "%2E",
    "..%2f..%2fetc%2fpasswd",
    "%2fetc%2fpasswd",
    "%252e%252e",
    "%00",
]
SEGMENTS += [
    "a%0a",
    "a%0d%0aX:%20y",
    "%e2%80%ae",
    "%e2%80%a8",
    "%c0%ae",
    "%ed%a0%80",
    "%f4%90%80%80",
    "%ff",
    "%",
    "%z",
    "%u202e",
]
SEGMENTS += [
    "x" * 128,
    "x" * 129,
    "x" * 10_000,
    "%F0%9F%98%80" * 128,
    "a;b=c",
    "a,b",
    "a&b",
    "a=b",
    "a+b",
    "~",
    "-",
    "*",
    "'",
    "!()",
]
SEGMENTS += [
    "roompulse.js",
    "roompulse.css",
    "roompulse.css/x",
    "roompulse.css%00",
    "css",
    "css/roompulse.css/",
    "/",
    "//x",
    "\\",
    "|",
]
NAMES = [
    "at",
    "ago",
    "from",
    "to",
    "step",
    "limit",
    "page",
    "q",
    "sort",
    "level",
    "ended",
    "wall",
    "about",
    "stream_id",
    "direction",
]
VALUES = [
    "",
    "0",
    "-0",
    "-1",
    "1",
    "1.5",
    "1e3",
    "1e308",
    "1e309",
    "nan",
    "NaN",
    "inf",
    "-inf",
    "null",
    "true",
    "[]",
    "0x10",
]
VALUES += [
    "9" * 20,
    "9" * 5_000,
    "99999999999",
    "253402300800",
    "9999-12-31T23:59:59-14:00",
    "0001-01-01",
    "2026-02-30",
]
VALUES += [
    "2026-01-01T00:00:00%2B23:59",
    "%00",
    "%0d%0a",
    "%ff",
    "%ed%a0%80",
    "%e2%80%ae",
    "x" * 10_000,
    "%",
    "score",
    "send",
]
VALUES += ["%D9%A1", "%C2%B2", "1_0", "+1", "%201", "1%20", "'", '"', "<script>", "{{7*7}}"]


segments = st.sampled_from(SEGMENTS) | st.text(max_size=20).map(
    lambda text: quote(text.encode("utf-8", "surrogatepass"))
)
values = st.sampled_from(VALUES) | st.floats().map(str) | st.integers().map(str) | segments
queries = st.lists(st.tuples(st.sampled_from(NAMES) | segments, values), max_size=5)


@st.composite
def targets(draw: st.DrawFn) -> str:
    route = draw(st.sampled_from(ROUTES))
    path = route.format(*(draw(segments) for _ in range(route.count("{}"))))
    query = "&".join("=".join(pair) for pair in draw(queries))
    return f"{path}?{query}" if query else path


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with Server(tmp_path_factory.mktemp("urls") / "data", {"ROOMPULSE_DEMO": "1"}).running() as server:
        assert server.post(REFERENCE).status_code == 200
        yield server
        assert "Traceback" not in server.log.read_text()


@given(st.sampled_from(METHODS), targets())
@settings(max_examples=400)
@example("GET", "/static/css/roompulse.css/x")
@example("GET", f"/static/{'x' * 400}")
@example("GET", f"/static/{'x/' * 5_000}")
@example("GET", "//report//nothing")
@example("GET", f"/?{'&'.join(f'q={number}' for number in range(9_000))}")
@example("GET", f"/report/history/room-1?{'limit=1&' * 8_000}limit=nan")
def test_no_url_is_answered_by_a_mistake_of_the_server(server: Server, method: str, target: str) -> None:
    with Raw(server.port) as raw:
        answer = raw.send(f"{method} {target} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()).answer(method=method)
    assert answer.status < 500
    assert answer.headers["x-content-type-options"] == "nosniff"
    if answer.status >= 400 and method != "HEAD":
        assert answer.body is not None
        if answer.headers["content-type"] == "application/json":
            envelope = json.loads(answer.body)
            assert (list(envelope), envelope["code"]) == (["code", "message", "data"], answer.status)
            assert len(envelope["message"]) < 400
        else:
            assert not target.startswith("/report/")
            assert answer.body.startswith(b"<!doctype html>")
    assert b"root:" not in (answer.body or b"")


@pytest.mark.parametrize(
    "target",
    [
        "/static/..%2f..%2fetc/passwd",
        "/static/../pyproject.toml",
        "/static/%2e%2e/pyproject.toml",
        "/static//etc/passwd",
        "/static/sdk/../../pyproject.toml",
        "/static/sdk/../css/roompulse.css",
        "/static/css/%2e%2e/%2e%2e/README.md",
    ],
)
def test_nothing_outside_of_its_folder_is_a_static_file(server: Server, target: str) -> None:
    with Raw(server.port) as raw:
        assert raw.send(f"GET {target} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()).answer().status == 404
