"""Streams, as a client of the real process sees them."""

import json
import signal
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from itertools import count
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import httpx
import pytest
from httpx_sse import ServerSentEvent, connect_sse

from roompulse.report.model import Entry, Event
from tests.access import bearer
from tests.api import assert_problem, url
from tests.api.test_doors import DOORS
from tests.builders import REFERENCE, body, network, stream
from tests.databases import make_databases
from tests.process import DEADLINE, eventually
from tests.process.asgi import AsgiProcess
from tests.server import Server

MakeServer = Callable[..., Server]

JSON_STREAM = "/report/stream/room-1"
ROOM = ("notice", "alerts-firing", "name", "summary", "room-alerts", "users", "grid", "timeline")
OWN_STREAMS = ["/stream", "/rooms/room-1/stream", "/rooms/room-1/users/u1/stream"]
PAGE_STREAMS = [*OWN_STREAMS, f"/views/stream?{urlencode([('view', path[1:]) for path in OWN_STREAMS])}"]


@pytest.fixture(scope="module", params=["pushed past ASGI", "sent by ASGI"])
def make_stream_server(request: pytest.FixtureRequest) -> Callable[[Path, Mapping[str, str]], Server]:
    """Servers whose connections offer the push extension, and stock uvicorn, whose connections do not."""
    return Server if request.param == "pushed past ASGI" else AsgiProcess


@pytest.fixture(scope="module")
def server(
    tmp_path_factory: pytest.TempPathFactory, make_stream_server: Callable[[Path, Mapping[str, str]], Server]
) -> Iterator[Server]:
    """One server for all tests that do not stop it."""
    data = tmp_path_factory.mktemp("streams") / "data"
    make_databases(data)
    with make_stream_server(data, {}).running() as server:
        yield server


@pytest.fixture
def make_server(tmp_path: Path, make_stream_server: Callable[[Path, Mapping[str, str]], Server]) -> MakeServer:
    """Make servers (not started yet), with settings as in `make_server(MAX_VIEWERS=2)`."""
    numbers = count(1)

    def make(**settings: Any) -> Server:
        environment = {f"ROOMPULSE_{name}": str(value) for name, value in settings.items()}
        data = tmp_path / f"server-{next(numbers)}"
        make_databases(data)
        return make_stream_server(data, environment)

    return make


class Viewer:
    """The events of one stream, one after the other; fails when none comes for long."""

    def __init__(self, response: httpx.Response, events: Iterator[ServerSentEvent]) -> None:
        self.headers = response.headers
        self._events = events

    def next(self, *names: str) -> ServerSentEvent:
        """The next event with one of these names."""
        return next(event for event in self._events if event.event in names)

    def room(self) -> Any:
        return json.loads(self.next("room").data)

    def rest(self) -> list[str]:
        """The names of all events until the stream ends."""
        return [event.event for event in self._events]


@contextmanager
def watching(server: Server, path: str = JSON_STREAM, key: str = "") -> Iterator[Viewer]:
    headers = bearer(key) if key else {}
    with (
        server.client(headers=headers) as client,
        connect_sse(client, "GET", path) as source,
    ):
        assert source.response.status_code == 200, source.response.read()
        yield Viewer(source.response, source.iter_sse())


def lossy(packet_loss: float) -> bytes:
    return body(metrics=[Entry("u1", [stream(network=network(packet_loss=packet_loss))])])


def test_the_first_event_is_the_room_as_it_is(server: Server) -> None:
    server.post(REFERENCE)
    with watching(server) as viewer:
        assert viewer.room() == server.get("/report/metrics/room-1").json()["data"]


def test_each_change_arrives_by_itself(server: Server) -> None:
    server.post(REFERENCE)
    with watching(server) as viewer:
        viewer.room()
        for packet_loss in range(1, 8):
            server.post(lossy(packet_loss))
            room = viewer.room()
            assert room["users"][0]["streams"][0]["network"]["packet_loss"] == packet_loss


def test_every_viewer_gets_the_same_bytes(server: Server) -> None:
    server.post(REFERENCE)
    with watching(server) as first, watching(server) as second:
        assert first.next("room").data == second.next("room").data
        server.post(lossy(5))
        assert first.next("room").data == second.next("room").data


def test_a_slow_reader_is_behind_by_no_more_than_one_state(server: Server) -> None:
    server.post(REFERENCE)
    with watching(server) as slow, watching(server) as quick:
        for packet_loss in range(1, 6):
            server.post(lossy(packet_loss))
        last = 0
        while last != 5:
            last = quick.room()["users"][0]["streams"][0]["network"]["packet_loss"]
        seen = [slow.room()["users"][0]["streams"][0]["network"]["packet_loss"]]
        while seen[-1] != 5:
            seen.append(slow.room()["users"][0]["streams"][0]["network"]["packet_loss"])
        assert seen == sorted(set(seen))


def test_a_change_of_another_room_is_none_of_this_one(server: Server) -> None:
    server.post(REFERENCE)
    with watching(server) as viewer:
        viewer.room()
        server.post(body(room_id="room-2"))
        server.post(lossy(7))
        assert viewer.room()["users"][0]["streams"][0]["network"]["packet_loss"] == 7


def test_a_room_that_is_not_live_yet_is_waited_for(server: Server) -> None:
    with watching(server, url("report", "stream", "a/b")) as viewer:
        assert viewer.next("ping", "room", "gone").event == "ping"
        server.post(body(room_id="a/b"))
        assert viewer.room()["room_id"] == "a/b"


def test_it_says_when_the_room_turns_stale_and_ends_and_begins_again(make_server: MakeServer) -> None:
    with make_server(STALE_AFTER=1, LEAVE_AFTER=2).running() as server:
        server.post(REFERENCE)
        with watching(server) as viewer:
            assert viewer.room()["users"][0]["stale"] is False
            assert viewer.room()["users"][0]["stale"] is True
            gone = viewer.next("room", "gone")
            assert (gone.event, json.loads(gone.data)) == ("gone", {"room_id": "room-1"})
            assert server.get("/report/rooms").json()["data"] == []
            server.post(REFERENCE)
            assert viewer.room()["users"][0]["stale"] is False


def test_the_id_of_an_event_names_the_state_as_the_tag_of_the_room_does(server: Server) -> None:
    ids, tags = [], []
    server.post(REFERENCE)
    with watching(server) as viewer:
        for report in (lossy(5), REFERENCE):
            ids.append(viewer.next("room").id)
            tags.append(server.get("/report/metrics/room-1").headers["etag"])
            server.post(report)
    assert tags == [f'W/"{ident}"' for ident in ids]
    assert ids[0] != ids[1]


def test_ids_of_events_and_tags_survive_a_restart(make_server: MakeServer) -> None:
    with make_server(STALE_AFTER=600, LEAVE_AFTER=600).running() as server:
        server.post(REFERENCE)
        path, seen = "/report/metrics/room-1", []
        for _ in range(2):
            with watching(server) as viewer:
                seen.append((viewer.next("room").id, server.get(path).headers["etag"], server.get(path).content))
            server.stop()
            server.start()
        assert seen[0] == seen[1]
        assert server.get(path, **{"If-None-Match": seen[0][1]}).status_code == 304


@pytest.mark.parametrize("path", [JSON_STREAM, *PAGE_STREAMS])
def test_the_first_event_says_that_the_stream_is_open_and_what_time_it_is(server: Server, path: str) -> None:
    with watching(server, path) as viewer:
        ping = viewer.next("ping", "room", "message")
        assert ping.event == "ping"
        assert abs(float(ping.data) - time.time()) < DEADLINE


def test_a_quiet_stream_has_a_heartbeat(server: Server) -> None:
    with server.client() as client, connect_sse(client, "GET", "/report/stream/quiet") as source:
        # A machine that is busy makes the server push less often, which it says.
        told = (event for event in source.iter_sse() if event.event != "interval")
        pings = [event for _, event in zip(range(2), told, strict=False)]
    assert [ping.event for ping in pings] == ["ping", "ping"]
    assert 9 < float(pings[1].data) - float(pings[0].data) < 15


@pytest.mark.parametrize("path", [JSON_STREAM, *PAGE_STREAMS])
def test_its_headers_keep_proxies_from_holding_it_back(server: Server, path: str) -> None:
    with watching(server, path) as viewer:
        assert viewer.headers["content-type"].startswith("text/event-stream")
        assert viewer.headers["x-accel-buffering"] == "no"
        assert viewer.headers["cache-control"] == "no-store"
        assert "content-encoding" not in viewer.headers  # compressed, an event would wait for those after it


@pytest.mark.parametrize("path", [JSON_STREAM, *PAGE_STREAMS])
def test_lines_end_in_a_line_feed_alone(server: Server, path: str) -> None:
    server.post(REFERENCE)
    read = b""
    with server.client() as client, client.stream("GET", path) as response:
        for chunk in response.iter_raw():
            read += chunk
            if b"4.37" in read:
                break
    assert b"\r" not in read
    assert read.endswith(b"\n\n")


@pytest.mark.parametrize("path", [JSON_STREAM, *PAGE_STREAMS])
def test_head_ends(server: Server, path: str) -> None:
    with server.client() as client:
        for _ in range(3):  # over one connection
            answer = client.head(path)
            assert (answer.status_code, answer.content) == (200, b"")
            assert answer.headers["content-type"].startswith("text/event-stream")


def test_head_takes_no_place_of_a_viewer(make_server: MakeServer) -> None:
    with make_server(MAX_VIEWERS=1).running() as server:
        for _ in range(3):
            assert server.request("HEAD", JSON_STREAM).status_code == 200
        with watching(server) as viewer:
            viewer.next("ping")


@pytest.mark.parametrize(
    ("path", "targets"),
    [
        ("/stream", ["alerts-firing", "alerts-now", "notice", "rooms", "totals"]),
        ("/rooms/room-1/stream", sorted(ROOM)),
        ("/rooms/room-1/users/u1/stream", ["alerts-firing", "name", "notice", "timeline", "user"]),
    ],
)
def test_a_page_s_stream_sends_its_parts_and_then_what_changed(server: Server, path: str, targets: list[str]) -> None:
    server.post(REFERENCE)
    with watching(server, path) as viewer:
        parts = [viewer.next("message").data for _ in targets]
        assert sorted(part.partition('hx-target="#')[2].partition('"')[0] for part in parts) == targets
        assert all(part.startswith("<hx-partial ") and part.endswith("</hx-partial>") for part in parts)
        assert "4.37" in "".join(parts)
        server.post(body(metrics=[Entry("u1", [stream(network=network(300, 30, 5))])]))
        while "2.30" not in viewer.next("message").data:
            pass


def test_a_page_of_a_room_that_is_not_live_says_so_and_fills_by_itself(server: Server) -> None:
    with watching(server, "/rooms/room-9/users/u1/stream") as viewer:
        parts = "".join(viewer.next("message").data for _ in range(5))
        assert "notice" in parts
        assert "not in the room" in parts
        server.post(body(room_id="room-9"))
        assert "4.37" in viewer.next("message").data


@pytest.mark.parametrize("path", [JSON_STREAM, "/stream"])
def test_there_are_no_more_viewers_than_the_limit(make_server: MakeServer, path: str) -> None:
    with make_server(MAX_VIEWERS=2).running() as server:
        with watching(server, path) as first, watching(server):
            first.next("ping")
            refused = server.get(path)
            assert refused.status_code == 503
            assert int(refused.headers["retry-after"]) >= 1
            if path.startswith("/report/"):
                assert_problem(refused, 503, "maximum of 2 viewers")
            assert server.post(REFERENCE).status_code == 200

        def is_free() -> bool:
            with server.client() as client, client.stream("GET", path) as response:
                return response.status_code == 200

        assert eventually(is_free)


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_streams_end_with_a_last_event_when_the_server_is_told_to_stop(
    make_server: MakeServer, how: signal.Signals
) -> None:
    with make_server().running() as server, ExitStack() as stack:
        server.post(REFERENCE)
        viewers = [stack.enter_context(watching(server, path)) for path in [JSON_STREAM, *PAGE_STREAMS] * 2]
        for viewer in viewers:
            viewer.next("room", "message")
        assert server.stop(how) in {0, -how}  # uvicorn raises its signal again
        for viewer in viewers:
            assert viewer.rest()[-1] == "bye"
        assert "Traceback" not in server.log.read_text()


def test_a_viewer_that_leaves_does_no_harm(server: Server) -> None:
    server.post(REFERENCE)
    for _ in range(20):
        with watching(server) as viewer:
            viewer.room()
    server.post(lossy(5))
    with watching(server) as viewer:
        assert viewer.room()["users"][0]["streams"][0]["network"]["packet_loss"] == 5
    assert "Traceback" not in server.log.read_text()


LIST = ("notice", "alerts-firing", "alerts-now", "totals", "rooms")


class TestOfEvents:
    """The timeline of a room on its JSON stream."""

    def said(self, viewer: Viewer, count: int) -> list[tuple[str, str | None, str]]:
        events = [json.loads(viewer.next("timeline").data) for _ in range(count)]
        return [(event["kind"], event["user_id"], event["text"]) for event in events]

    def test_the_newest_come_first_and_then_each_as_it_happens(self, make_server: MakeServer) -> None:
        with make_server().running() as server:
            server.post(body(events=[Event("camera off", None, "camera")]))
            path = "/report/events/room-1"
            eventually(lambda: len(server.get(path).json()["data"]) == 3)
            with watching(server) as viewer:
                first = [
                    ("room_started", None, "call started"),
                    ("user_joined", "u1", "joined"),
                    ("sdk", "u1", "camera off"),
                ]
                assert sorted(self.said(viewer, 3)) == sorted(first)
                server.post(body(user_id="u2"))
                assert self.said(viewer, 1) == [("user_joined", "u2", "joined")]
                server.post(body(user_id="u2", events=[Event("left")]))
                assert self.said(viewer, 1) == [("user_left", "u2", "left")]

    def test_they_are_those_of_the_answer(self, make_server: MakeServer) -> None:
        with make_server().running() as server:
            with watching(server) as viewer:
                server.post(REFERENCE)
                told = [json.loads(viewer.next("timeline").data) for _ in range(2)]
            assert told == server.get("/report/events/room-1").json()["data"]

    def test_the_end_of_a_room_is_told_to_who_watches_it(self, make_server: MakeServer) -> None:
        with make_server().running() as server:
            server.post(REFERENCE)
            with watching(server, f"{JSON_STREAM}?users=0") as viewer:
                viewer.room()
                server.post(body(events=[Event("left")]))
                assert [kind for kind, _, _ in self.said(viewer, 4)][2:] == ["user_left", "room_ended"]


class TestOfManyViews:
    """The shared connection of one browser's windows."""

    def path(self, *views: str) -> str:
        return f"/views/stream?{urlencode([('view', view) for view in views])}"

    def test_each_section_is_told_whose_it_is(self, make_server: MakeServer) -> None:
        with make_server().running() as server:
            for room in ("a/b", "room-2"):
                server.post(body(room_id=room))
            views = ["rooms/room-2/stream", "rooms/a%2Fb/stream", "stream?q=a"]
            with watching(server, self.path(*views)) as viewer:
                assert sorted(self.sections(viewer, 2 * len(ROOM) + len(LIST))) == sorted(
                    [
                        *((0, section) for section in ROOM),
                        *((1, section) for section in ROOM),
                        *((2, section) for section in LIST),
                    ]
                )
                server.post(body(room_id="a/b", user_id="new"))
                assert set(self.sections(viewer, 7)) == {
                    *((1, section) for section in ("summary", "users", "grid", "timeline")),
                    *((2, section) for section in ("totals", "rooms", "found-users")),
                }

    def sections(self, viewer: Viewer, count: int) -> list[tuple[int, str]]:
        """The views and targets of the next `count` sections."""
        found: list[tuple[int, str]] = []
        while len(found) < count:
            event = viewer.next("view", "message")
            if event.event == "view":
                self.view = int(event.data)
            else:
                found.append((self.view, event.data.partition('"#')[2].partition('"')[0]))
        return found

    view = 0

    def test_each_view_is_a_viewer_and_a_refusal_keeps_no_place(self, make_server: MakeServer) -> None:
        with make_server(MAX_VIEWERS=2).running() as server:
            for _ in range(3):
                assert server.get(self.path("stream", "rooms/a/stream", "rooms/b/stream")).status_code == 503
            with watching(server, self.path("stream", "rooms/a/stream")) as viewer:
                viewer.next("ping")
                assert server.get("/stream").status_code == 503
            assert eventually(lambda: server.request("HEAD", self.path("stream", "stream")).status_code == 200)
        with make_server(MAX_ADDRESS_VIEWERS=2).running() as server:
            assert server.get(self.path("stream", "rooms/a/stream", "rooms/b/stream")).status_code == 429

    @pytest.mark.parametrize(
        ("views", "status"),
        [
            ([], 400),
            ([f"rooms/{number}/stream" for number in range(33)], 400),
            (["stream", "nowhere"], 404),
            (["/stream"], 404),
            (["rooms/%00/stream"], 404),
            (["views/stream?view=stream"], 404),
        ],
    )
    def test_what_asks_for_too_many_or_for_none_is_refused(self, server: Server, views: list[str], status: int) -> None:
        assert server.get(self.path(*views)).status_code == status

    def test_the_stream_of_each_page_can_be_among_them(self, server: Server) -> None:
        own = [
            route.split()[1].removeprefix("/")
            for route in DOORS
            if route.endswith("/stream") and route not in {"GET /views/stream", "GET /report/stream"}
        ]
        views = [path.replace("{room_id:str}", "room-1").replace("{user_id:str}", "u1") for path in own]
        assert len(views) == 8
        assert server.request("HEAD", self.path(*views)).status_code == 200

    def test_as_many_as_a_connection_may_have_come(self, server: Server) -> None:
        views = [f"rooms/{number}/stream" for number in range(32)]
        with watching(server, self.path(*views)) as viewer:
            assert {view for view, _ in self.sections(viewer, 32 * len(ROOM))} == set(range(32))
