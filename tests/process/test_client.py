"""The client and the real server: acknowledged reports are there, and those of an outage arrive later."""

import logging
import time
from collections.abc import Callable
from threading import Thread
from typing import Any

import pytest

from roompulse.client import AsyncReporter, Entry, Lost, Network, Report, Reporter, Stream, Video
from roompulse.client.outbox import CONNECTIONS
from tests.process import DEADLINE, eventually
from tests.process.test_keys import add_key, ran
from tests.process.test_restart import NOBODY_LEAVES
from tests.server import Server

MakeServer = Callable[..., Server]


def report(user_id: str = "u1", room_id: str = "room-1") -> Report:
    camera = Stream("camera", "send", video=Video(frame_rate=25), network=Network(rtt=45, packet_loss=0.3, jitter=8))
    return Report(user_id, room_id, "1.2.0", [Entry(user_id, [camera])])


def users(server: Server, room_id: str = "room-1") -> set[str]:
    data: dict[str, Any] = server.get(f"/report/metrics/{room_id}").json()["data"]
    return {user["user_id"] for user in data["users"]}


def test_reports_arrive(server: Server) -> None:
    with Reporter(server.url) as reporter:
        made = report()
        reporter.send(made)
        assert reporter.flush(within=DEADLINE)
        user = server.get("/report/metrics/room-1/u1").json()["data"]
        assert (user["report_time"], user["sdk_version"]) == (made.report_time, "1.2.0")
        assert user["streams"][0]["network"] == {"rtt": 45, "packet_loss": 0.3, "jitter": 8}
        assert (reporter.delivered, reporter.lost, reporter.waiting, reporter.problem) == (1, 0, 0, None)


async def test_reports_arrive_from_a_task_as_well(server: Server) -> None:
    async with AsyncReporter(server.url) as reporter:
        for number in range(100):
            reporter.send(report(f"u{number}"))
        assert await reporter.flush(within=DEADLINE)
    assert reporter.delivered == 100
    assert len(users(server)) == 100


def test_leaving_delivers_what_waits(server: Server) -> None:
    with Reporter(server.url) as reporter:
        for number in range(2 * CONNECTIONS):
            reporter.send(report(f"u{number}"))
    assert (reporter.delivered, reporter.lost) == (2 * CONNECTIONS, 0)
    assert len(users(server)) == 2 * CONNECTIONS


def test_what_the_server_refuses_is_told_with_its_message(server: Server) -> None:
    lost: list[Lost] = []
    with Reporter(server.url, on_error=lost.append) as reporter:
        reporter.send(report("bad\n"))
        reporter.send(report("good"))
    assert [(one.status, one.message) for one in lost] == [
        (400, "$.user_id: must not contain control characters (U+000A at 3)")
    ]
    assert users(server) == {"good"}


def test_a_key_is_shown_and_appears_nowhere_else(make_server: MakeServer, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    server = make_server()
    keys = [add_key(server, "ingest"), ran(server, "token", "--room", "room-1", "--user", "u1").stdout.strip()]
    with server.running():
        for key in keys:
            with Reporter(server.url, key=key) as reporter:
                reporter.send(report())
            assert (reporter.delivered, reporter.lost) == (1, 0)
            assert key not in repr(reporter) + repr(vars(reporter)) + repr(vars(reporter._http))
            assert key not in caplog.text + server.log.read_text()
    assert "httpcore" in caplog.text


@pytest.mark.parametrize(
    ("key", "status", "message"),
    [(None, 401, "ingest key"), ("rp_k1_wrong", 401, "invalid key"), ("", 403, "room")],
)
def test_who_has_no_right_to_post_is_told(make_server: MakeServer, key: str | None, status: int, message: str) -> None:
    server, lost = make_server(), list[Lost]()
    token = ran(server, "token", "--room", "another", "--user", "u1").stdout.strip()
    shown = token if key == "" else key
    with server.running(), Reporter(server.url, key=shown, on_error=lost.append) as reporter:
        reporter.send(report())
        assert reporter.flush(within=DEADLINE)
        assert (reporter.delivered, reporter.lost, reporter.waiting) == (0, 1, 0)
        assert f"answers {status}" in str(reporter.problem)
    (one,) = lost
    assert one.status == status
    assert message in one.message
    assert shown is None or shown not in f"{one.message} {reporter.problem}"


@pytest.mark.parametrize("key", ["", "rp_a_b\n", "rp_a_b\r\nHost: evil", "two words", "é", "\0"])
def test_a_key_that_can_be_none_is_refused_and_not_repeated(key: str) -> None:
    with pytest.raises(ValueError, match=r"\Athe key has invalid characters\Z"):
        Reporter("http://127.0.0.1:1", key=key)


def test_nothing_is_lost_while_the_server_is_killed_and_started_again(make_server: MakeServer) -> None:
    lost: list[Lost] = []
    with make_server(**NOBODY_LEAVES).running() as server, Reporter(server.url, on_error=lost.append) as reporter:

        def send(sender: int) -> None:
            for number in range(300):
                reporter.send(report(f"u{sender}-{number}"))
                time.sleep(0.002)

        senders = [Thread(target=send, args=(number,)) for number in range(4)]
        for sender in senders:
            sender.start()
        eventually(lambda: reporter.delivered > 50)
        server.kill()
        assert eventually(lambda: reporter.problem)
        assert reporter.waiting
        server.start()
        for sender in senders:
            sender.join()
        assert reporter.flush(within=DEADLINE)
        assert (reporter.delivered, reporter.lost, lost) == (1200, 0, [])
        assert len(users(server)) == 1200


def test_a_limit_on_the_rate_slows_down_and_loses_nothing(make_server: MakeServer) -> None:
    with make_server(SENDER_RATE=20).running() as server, Reporter(server.url) as reporter:
        for number in range(130):
            reporter.send(report(f"u{number}"))
        assert reporter.flush(within=DEADLINE)
        assert (reporter.delivered, reporter.lost) == (130, 0)
        assert len(users(server)) == 130


def test_a_server_that_is_not_there_harms_nobody() -> None:
    lost: list[Lost] = []
    with Reporter("http://127.0.0.1:1", on_error=lost.append) as reporter:
        reporter.send(report())
        assert not reporter.flush(within=0.2)
        assert reporter.problem == "cannot reach http://127.0.0.1:1: connection refused"
        start = time.monotonic()
        reporter.close(within=0.5)
        assert time.monotonic() - start < 5
    assert "not delivered before the reporter was closed (cannot reach" in lost[0].message
    reporter.send(report())
    assert lost[1].message == "the reporter is closed"
    assert (reporter.delivered, reporter.lost) == (0, 2)


@pytest.mark.parametrize("url", ["127.0.0.1:8180", "ftp://host", "http://", "http://host:port", "nonsense"])
def test_a_url_that_is_none_is_refused_at_once(url: str) -> None:
    with pytest.raises(ValueError, match=r"is not (a|the) URL"):
        Reporter(url)
