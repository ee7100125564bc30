"""A restart shows the same rooms; how a crash is survived under load is in `test_crash.py`."""

from collections.abc import Callable
from typing import Any

import pytest

from roompulse.report.model import Audio, Device, Entry, Network, Video
from tests.api import url
from tests.builders import REFERENCE, body, network, stream
from tests.process import eventually
from tests.process.load import assert_sound
from tests.server import Server

MakeServer = Callable[..., Server]

NOBODY_LEAVES = {"STALE_AFTER": 600, "LEAVE_AFTER": 600}

REPORTS = [
    REFERENCE,
    body(user_id="u2", metrics=[]),
    body(user_id="u3", sdk_version="2.0", report_time=1746616000123, metrics=[Entry("u1", [stream("camera", "recv")])]),
    body(user_id="u4", metrics=[Entry("u4", []), Entry("u3", [stream("screen")]), Entry("u4", [stream("mic")])]),
    body(
        user_id="u5",
        metrics=[
            Entry("u5", [stream("nothing", video=None, audio=None, network=None)]),
            Entry("u5", [stream("empty", video=Video(), audio=Audio(), network=Network())]),
            Entry(
                "u5", [stream("zero", video=Video(0, 0, 0, 0, 0), audio=Audio(0, 0, 0, 0), network=Network(0, 0, 0))]
            ),
            Entry("u6", [stream("fractions", "recv", video=Video(None, 29.97), network=network(45.5, 8.25, 0.1))]),
        ],
    ),
    body(room_id="a/b ☎", user_id="<u>", metrics=[Entry("<u>", [stream("camera"), stream("camera", "recv")])]),
    # The highest frame rate counts for a while: this one's expected rate is that of the report before.
    body(user_id="u7", metrics=[Entry("u7", [stream(video=Video(frame_rate=30))])]),
    body(user_id="u7", metrics=[Entry("u7", [stream(video=Video(frame_rate=10))])]),
    # A freeze is a share of the time since the report before; a device stays when another report gives none.
    *(
        body(
            user_id="u8",
            report_time=report_time,
            metrics=[
                Entry("u8", [stream(video=Video(None, 25, 640, 360, 900, "AV1", 7, 1, 2.5, "screen"))], device),
                Entry("u8", [stream("mic", audio=Audio(None, 48000, 1, 40, "opus", 0.125, True, 2.5))]),  # noqa: FBT003
            ],
        )
        for report_time, device in ((1746616000, Device("phone", "iOS 18", "Safari 18", "wifi")), (1746616010, None))
    ),
]


def rooms(server: Server) -> dict[str, Any]:
    """All that the server says about its live rooms."""
    return {
        room_id: server.get(url("report", "metrics", room_id)).json()["data"]
        for room_id in server.get("/report/rooms").json()["data"]
    }


def history(server: Server, room_id: str = "room-1") -> list[dict[str, Any]]:
    snapshots: list[dict[str, Any]] = server.get(f"/report/history/{room_id}").json()["data"]
    return snapshots


def test_a_report_is_there_after_the_process_is_killed_right_after_its_answer(make_server: MakeServer) -> None:
    with make_server().running() as server:
        assert server.post(REFERENCE).status_code == 200
        server.kill()
        server.start()
        user = server.get("/report/metrics/room-1/u1").json()["data"]
        assert user["quality"]["score"] == 4.37
        assert user["streams"][0]["network"] == {"rtt": 45, "packet_loss": 0.3, "jitter": 8}
        server.stop()
        assert_sound(server.data)


@pytest.mark.parametrize("end", [Server.kill, Server.stop])
def test_a_restart_shows_the_same_rooms_with_every_field(make_server: MakeServer, end: Callable[[Server], Any]) -> None:
    with make_server(**NOBODY_LEAVES).running() as server:
        for content in REPORTS:
            assert server.post(content).status_code == 200
        before = rooms(server)
        assert sorted(before) == ["a/b ☎", "room-1"]
        assert [user["user_id"] for user in before["room-1"]["users"]] == [f"u{number}" for number in range(1, 9)]
        frozen, *_ = before["room-1"]["users"][-1]["streams"]
        assert [term["value"] for term in frozen["quality"]["terms"] if term["term"] == "freeze"] == [25]
        assert before["room-1"]["users"][-1]["device"]["os"] == "iOS 18"
        end(server)
        server.start()
        assert rooms(server) == before


def test_history_is_there_after_the_process_is_killed(make_server: MakeServer) -> None:
    with make_server(SNAPSHOT_INTERVAL=0.1, **NOBODY_LEAVES).running() as server:
        server.post(REFERENCE)
        before = eventually(lambda: history(server))
        server.kill()
        server.start()
        assert history(server)[: len(before)] == before
        server.stop()
        assert_sound(server.data)


def test_rooms_from_before_the_restart_get_the_snapshot_that_they_missed(make_server: MakeServer) -> None:
    with make_server(SNAPSHOT_INTERVAL=86400, **NOBODY_LEAVES).running() as server:
        server.post(REFERENCE)
        assert history(server) == []
        aggregate = rooms(server)["room-1"]["aggregate"]
        server.kill()
    environment = {f"ROOMPULSE_{name}": str(value) for name, value in NOBODY_LEAVES.items()}
    with Server(server.data, environment | {"ROOMPULSE_SNAPSHOT_INTERVAL": "0.1"}).running() as again:
        (snapshot,) = eventually(lambda: history(again))
        assert {name: snapshot[name] for name in aggregate} == aggregate


def test_who_left_before_the_restart_stays_away(make_server: MakeServer) -> None:
    with make_server(STALE_AFTER=0.5, LEAVE_AFTER=1).running() as server:
        server.post(REFERENCE)
        assert eventually(lambda: not rooms(server))
        server.kill()
        server.start()
        assert rooms(server) == {}
        assert server.get("/report/history/room-1").status_code == 200
