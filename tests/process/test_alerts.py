"""Alerts of the real process, at a receiver that verifies them, while the server is killed."""

import signal
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest
from standardwebhooks import Webhook

from roompulse.report.model import Entry
from tests.builders import body, network, stream
from tests.process import eventually
from tests.process.test_start import COMMAND, environment
from tests.server import Server

pytestmark = pytest.mark.slow

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"  # noqa: S105  (of the specification's example)
RULE: dict[str, Any] = {
    "name": "Poor",
    "severity": "critical",
    "subject": "user",
    "when": [{"metric": "score", "op": "<", "value": 3.1}],
    "for": 2,
}


class Received:
    """Messages that were verified, by their ids; while `down` the receiver answers 503."""

    def __init__(self) -> None:
        self.messages: dict[str, Any] = {}
        self.down = False

    def types(self) -> list[str]:
        return [message["type"] for message in self.messages.values()]


@contextmanager
def receiver() -> Iterator[tuple[Received, str]]:
    received = Received()

    class Receiver(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            content = self.rfile.read(int(self.headers["Content-Length"]))
            message = Webhook(SECRET).verify(content, dict(self.headers))
            if not received.down:
                received.messages[self.headers["webhook-id"]] = message
            self.send_response(503 if received.down else 204)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Receiver)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield received, f"http://127.0.0.1:{server.server_port}/"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def post(server: Server, loss: float) -> bool:
    """Report a user whose camera loses so many percent; for use as a condition, which is true."""
    entries = [Entry("u1", [stream(network=network(packet_loss=loss))])]
    return server.post(body(metrics=entries)).status_code == 200


def alerts(server: Server, state: str) -> list[Any]:
    found: list[Any] = server.get(f"/report/alerts?state={state}").json()["data"]
    return found


def send(server: Server, path: str, content: Any) -> Any:
    answer = server.request("POST", f"/report/alerts/{path}", json=content)
    assert answer.status_code == 201, answer.text
    return answer.json()["data"]


def test_a_kill_neither_repeats_nor_forgets(make_server: Callable[..., Server]) -> None:
    server = make_server(ALERT_PRIVATE_TARGETS="true")
    with receiver() as (received, url), server.running():
        channel = send(server, "channels", {"name": "hook", "kind": "webhook", "url": url, "secret": SECRET})
        send(server, "rules", RULE | {"channels": [channel["id"]]})
        eventually(lambda: post(server, 20) and alerts(server, "pending"))
        server.kill()
        server.start()
        received.down = True
        eventually(lambda: post(server, 20) and alerts(server, "firing"))
        server.kill()
        server.start()
        received.down = False
        eventually(lambda: post(server, 20) and received.messages)
        (firing,) = received.messages.values()
        server.kill()
        server.start()
        assert [alert["id"] for alert in alerts(server, "firing")] == [firing["data"]["id"]]
        eventually(lambda: post(server, 0) and len(received.messages) > 1)
        assert received.types() == ["alert.firing", "alert.resolved"]
        (resolved,) = alerts(server, "resolved")
        assert resolved["id"] == firing["data"]["id"]
        path = f"/report/alerts/{resolved['id']}/deliveries"
        assert eventually(lambda: {one["outcome"] for one in server.get(path).json()["data"]} == {"delivered"})


def test_the_report_on_a_call_is_sent_once_whatever_is_killed(make_server: Callable[..., Server]) -> None:
    server = make_server(ALERT_PRIVATE_TARGETS="true", STALE_AFTER=1, LEAVE_AFTER=2)
    with receiver() as (received, url), server.running():
        send(server, "channels", {"name": "h", "kind": "webhook", "url": url, "secret": SECRET, "call_ended": True})
        assert post(server, 20)
        (call,) = eventually(lambda: server.get("/report/calls").json()["data"]["calls"])
        server.kill()  # the call ends while there is no server
        server.start()
        eventually(lambda: server.get("/report/calls").json()["data"]["calls"][0]["ended_at"])
        server.kill()  # the message waits
        server.start()
        path = f"/report/calls/room-1/{call['started_at']}"
        eventually(lambda: received.messages)
        server.kill()
        server.start()
        (message,) = received.messages.values()
        assert (message["type"], message["data"]) == ("call.ended", server.get(path).json()["data"])
        assert [user["user_id"] for user in message["data"]["users"]] == ["u1"]


TROUBLE = ("--rooms", "1", "--users", "6", "--trouble", "congested-room", "--seed", "25")
"""The room is congested from its 7th to its 52nd second."""
ROOM = "design-review"
RULE_ID = "most-users-poor"
"""A default rule: it fires after 30 s, and is resolved after 15."""


@contextmanager
def simulated(server: Server) -> Iterator[None]:
    with subprocess.Popen([*COMMAND, "simulate", server.url, *TROUBLE], env=environment({})) as process:
        try:
            yield
        finally:
            process.send_signal(signal.SIGINT)


def told(server: Server) -> list[tuple[str, float]]:
    """The kinds and times of the events about this rule's alerts in the room's timeline."""
    events = server.get(f"/report/events/{ROOM}?limit=10000").json()["data"]
    return [(one["kind"], one["time"]) for one in events if "Most users of a room are poor" in one["text"]]


def test_a_congested_room_is_told_everywhere_and_so_is_its_end(make_server: Callable[..., Server]) -> None:
    server = make_server(ALERT_PRIVATE_TARGETS="true")
    with receiver() as (received, url), server.running():
        channel = send(server, "channels", {"name": "hook", "kind": "webhook", "url": url, "secret": SECRET})
        rule = server.get(f"/report/alerts/rules/{RULE_ID}").json()["data"]
        rule["channels"] = [channel["id"]]
        assert server.request("PUT", f"/report/alerts/rules/{RULE_ID}", json=rule).status_code == 200
        with simulated(server):
            (firing,) = eventually(lambda: [one for one in alerts(server, "firing") if one["rule_id"] == RULE_ID])
            assert (firing["severity"], firing["room_id"], firing["path"]) == ("critical", ROOM, f"rooms/{ROOM}")
            assert 'class="badge" data-severity="critical"' in server.get("/").text
            page = server.get(f"/rooms/{ROOM}").text
            assert 'class="alert-banner" data-severity="critical"' in page
            assert "critical alert: Most users of a room are poor" in page
            assert told(server) == [("alert_firing", firing["fired_at"])]
            eventually(lambda: received.types() == ["alert.firing"])
            server.kill()
            server.start()
            assert [one["id"] for one in alerts(server, "firing") if one["rule_id"] == RULE_ID] == [firing["id"]]
            assert told(server) == [("alert_firing", firing["fired_at"])]
            (resolved,) = eventually(lambda: [one for one in alerts(server, "resolved") if one["rule_id"] == RULE_ID])
        assert resolved["id"] == firing["id"]
        eventually(lambda: received.types() == ["alert.firing", "alert.resolved"])
        assert {message["data"]["id"] for message in received.messages.values()} == {firing["id"]}
        assert told(server) == [("alert_firing", firing["fired_at"]), ("alert_resolved", resolved["resolved_at"])]
