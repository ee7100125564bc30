"""The bridge's HTTP server, and the command: posted events arrive at a roompulse, despite malformed ones."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Thread
from typing import Any

import httpx
import pytest
from click.testing import CliRunner

from roompulse.bridge import run as bridge_run
from roompulse.bridge.run import Bridge, receiver
from roompulse.cli import main
from roompulse.client import Reporter
from tests.bridge.test_janus import OTHER, SENDS, joined, room_event
from tests.process import DEADLINE, eventually
from tests.server import PLAIN, Server


@contextmanager
def receiving(url: str) -> Iterator[tuple[str, Bridge]]:
    with Reporter(url) as reporter:
        bridge = Bridge(reporter)
        server = receiver("127.0.0.1", 0, bridge)
        thread = Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}", bridge
        finally:
            server.shutdown()
            thread.join()
            server.server_close()


def post(url: str, content: bytes = b"[]", **headers: str) -> int:
    return httpx.post(url, content=content, headers=headers, verify=PLAIN, timeout=DEADLINE).status_code


def users(server: Server) -> list[str]:
    answer = server.get("/report/metrics/1234").json()["data"]
    return [user["user_id"] for user in answer["users"]] if answer else []


def test_what_janus_posts_is_reported(server: Server) -> None:
    with receiving(server.url) as (url, bridge):
        events: list[Any] = [joined(7, SENDS), joined(8, OTHER), "nonsense", 7]
        assert httpx.post(f"{url}/any/path", json=events).status_code == 200
        bridge.report()
        eventually(lambda: users(server) == ["7", "8"])
        assert httpx.post(url, json=room_event("leaving", id=7)).status_code == 200
        eventually(lambda: users(server) == ["8"])


def test_what_is_no_event_is_refused_and_breaks_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bridge_run, "MAX_BODY", 1000)
    with receiving("http://127.0.0.1:1") as (url, _):
        assert post(url, b"{") == 400
        assert post(url, b" " * 1001) == 413
        assert post(url, b"[]", **{"Content-Encoding": "deflate"}) == 415
        assert httpx.get(url).status_code == 501
        host, port = url.removeprefix("http://").split(":")
        for raw in (b"\x00\xff\r\n\r\n", b"POST / HTTP/1.1\r\nContent-Length: x\r\n\r\n", b"POST / HTTP/9\r\n"):
            with socket.create_connection((host, int(port)), DEADLINE) as connection:
                connection.sendall(raw)
        assert post(url) == 200


def test_connections_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bridge_run, "MAX_REQUESTS", 2)
    with receiving("http://127.0.0.1:1") as (url, _):
        address = ("127.0.0.1", int(url.rpartition(":")[2]))
        waiting = [socket.create_connection(address, DEADLINE) for _ in range(2)]
        with socket.create_connection(address, DEADLINE) as third:
            third.sendall(b"POST / HTTP/1.1\r\n\r\n")
            with pytest.raises(ConnectionError):
                eventually(lambda: _closed(third))
        for one in waiting:
            one.close()
        eventually(lambda: _answers(url))


def _closed(connection: socket.socket) -> bool:
    if connection.recv(1) == b"":
        raise ConnectionError
    return False


def _answers(url: str) -> bool:
    try:
        return post(url) == 200
    except httpx.TransportError:
        return False


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["ftp://x"], "URL or --key"),
        (["--key", "a b"], "URL or --key"),
        (["--interval", "0"], "--interval"),
        (["--host", "203.0.113.1"], "cannot listen on 203.0.113.1 port 8181"),
    ],
)
def test_the_command_says_what_is_wrong(arguments: list[str], says: str) -> None:
    answer = CliRunner().invoke(main, ["bridge", "janus", *arguments])
    assert answer.exit_code
    assert says in answer.output
