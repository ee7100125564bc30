"""Alerts of the real process, at a receiver that verifies them, while the server is killed."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import httpx
import pytest
from standardwebhooks import Webhook

from roompulse.report.model import Entry
from tests.builders import body, network, stream
from tests.process import eventually
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
    """Report a user whose camera loses so many percent; for use in a condition, which it fulfils."""
    entries = [Entry("u1", [stream(network=network(packet_loss=loss))])]
    return server.post(body(metrics=entries)).status_code == 200


def alerts(server: Server, state: str) -> list[Any]:
    found: list[Any] = server.get(f"/report/alerts?state={state}").json()["data"]
    return found


def send(server: Server, path: str, content: Any) -> Any:
    answer = httpx.post(f"{server.url}/report/alerts/{path}", json=content)
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
