"""The pages of examples/, as an application of their own serves them."""

import json
import re
from contextlib import AbstractContextManager
from functools import partial
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from playwright.sync_api import WebSocketRoute
from tests.server import Server

from e2e.libraries import bundle, read
from e2e.sdk.origin import served_by

HERE = Path(__file__).parent
EXAMPLES = HERE.parents[1] / "examples"
DOCUMENTED = "http://localhost:8180"

SCRIPTS = {
    "/peerjs.min.js": ("peerjs-1.5.5", "dist/peerjs.min.js"),
    "/simplepeer.min.js": ("simple-peer-9.11.1", "simplepeer.min.js"),
    "/livekit-client.umd.js": ("livekit-client-2.23.0", "dist/livekit-client.umd.js"),
}


class _Examples(BaseHTTPRequestHandler):
    """Pages in which the documented address is that of the server under test, and the libraries that they name."""

    def __init__(self, *args: Any, server_url: str) -> None:
        self._server_url = server_url
        super().__init__(*args)

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        if path == "/mediasoup-client.js":
            self._answer("text/javascript", bundle("mediasoup-client").encode())
        elif path == "/signalling.js":
            self._answer("text/javascript", (HERE / "call" / "mediasoup_server.js").read_bytes())
        elif path in SCRIPTS:
            self._answer("text/javascript", read(*SCRIPTS[path]))
        elif (page := EXAMPLES / path.removeprefix("/")).is_file():
            text = page.read_text()
            assert DOCUMENTED in text
            self._answer("text/html", text.replace(DOCUMENTED, self._server_url).encode())
        elif path == "/favicon.ico":
            self._answer("image/x-icon", b"")
        else:
            self.send_error(404)

    def _answer(self, kind: str, body: bytes) -> None:
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        pass


def serve_examples(server_url: str) -> AbstractContextManager[str]:
    """Serve examples/ with `server_url` in place of the documented address; the context is their origin."""
    return served_by(partial(_Examples, server_url=server_url))


PEER_SERVER = re.compile("wss://0.peerjs.com/")


class PeerServer:
    """Like PeerJS's own server: delivers each message to its addressee once that is connected."""

    def __init__(self) -> None:
        self._peers: dict[str, WebSocketRoute] = {}
        self._waiting: dict[str, list[str]] = {}

    def accept(self, socket: WebSocketRoute) -> None:
        (peer,) = parse_qs(urlsplit(socket.url).query)["id"]
        self._peers[peer] = socket
        socket.on_message(lambda text: self._pass_on(peer, text))
        socket.send(json.dumps({"type": "OPEN"}))
        for text in self._waiting.pop(peer, []):
            socket.send(text)

    def _pass_on(self, peer: str, text: str | bytes) -> None:
        message = json.loads(text)
        if "dst" not in message:
            return  # a sign of life
        text = json.dumps(message | {"src": peer})
        if other := self._peers.get(message["dst"]):
            other.send(text)
        else:
            self._waiting.setdefault(message["dst"], []).append(text)


def received(server: Server, room: str = "room-1") -> set[tuple[str, str, str]]:
    """Whose stream each user receives with figures: receiver, sender, stream."""
    answer = server.get(f"/report/metrics/{room}")
    users: list[dict[str, Any]] = answer.json()["data"]["users"] if answer.status_code == 200 else []
    return {
        (stream["reporter_id"], user["user_id"], stream["stream_id"])
        for user in users
        for stream in user["streams"]
        if stream["direction"] == "recv" and stream["network"]
    }
