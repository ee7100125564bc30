"""The log of a real process, and what is never in it."""

import asyncio
import re
import socket
import sqlite3
from collections.abc import Callable
from contextlib import closing
from typing import Any

import msgspec
import pytest

from roompulse.access.database import AccessDatabase
from roompulse.access.keys import digest_of
from roompulse.access.model import Key
from roompulse.access.store import AccessStore
from roompulse.settings import Settings
from tests.builders import REFERENCE, body
from tests.process import DEADLINE, eventually
from tests.server import Server

MakeServer = Callable[..., Server]

TOKEN = "rp_k1_hunter2hunter2hunter2"  # noqa: S105  (of nobody)
LINE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z \[(info|warning|error) *\] ")


def records(server: Server, log_format: str) -> list[dict[str, Any]]:
    """The requests logged so far."""
    lines = [line for line in server.log.read_text().splitlines() if "roompulse.web.access_log" in line]
    if log_format == "json":
        return [msgspec.json.decode(line) for line in lines]
    return [dict(re.findall(r"(\w+)=(\S+)", line)) for line in lines]


def told(server: Server, log_format: str, count: int) -> list[dict[str, Any]]:
    """The requests in the log, once there are `count` of them."""
    eventually(lambda: len(records(server, log_format)) >= count)
    return records(server, log_format)


async def add_ingest_key(server: Server, shown: str) -> None:
    database = AccessDatabase(Settings(data=server.data))
    async with database.open():
        await AccessStore(database).add_key(Key(shown.split("_")[1], "ingest", "an SDK", digest_of(shown), 0))


def break_the_database(server: Server) -> None:
    """From now on reports are rejected, and stored ones cannot be unpacked."""
    with closing(sqlite3.connect(server.data / "roompulse.db")) as connection, connection:
        connection.execute("CREATE TRIGGER refuse BEFORE INSERT ON sample BEGIN SELECT RAISE(ABORT, 'refused'); END")
        connection.execute("UPDATE sample SET streams = x'ff'")


def send_raw(server: Server, request: bytes) -> bytes:
    with closing(socket.create_connection(("127.0.0.1", server.port), timeout=DEADLINE)) as connection:
        connection.sendall(request)
        return connection.recv(1000)


@pytest.mark.parametrize("log_format", ["text", "json"])
def test_a_token_is_never_in_the_log_wherever_it_was_sent(make_server: MakeServer, log_format: str) -> None:
    server = make_server(LOG_FORMAT=log_format, LOG_REQUESTS="true")
    asyncio.run(add_ingest_key(server, TOKEN))
    with server.running():
        bearer = {"Authorization": f"Bearer {TOKEN}", "X-Other": TOKEN}
        with_token = REFERENCE.replace(b'{"user_id"', b'{"token":"%s","user_id"' % TOKEN.encode(), 1)
        assert server.post(with_token, **bearer).status_code == 200
        assert server.post(with_token).status_code == 200
        assert server.post(with_token[:-1], **bearer).status_code == 400
        wrong = TOKEN.replace("hunter", "HUNTER")
        assert server.post(REFERENCE, Authorization=f"Bearer {wrong}").status_code == 401
        server.post(body(user_id=TOKEN, sdk_version=TOKEN), **bearer)
        server.get(f"/report/rooms?token={TOKEN}", **bearer)
        server.get(f"/rooms/x?q={TOKEN}&at={TOKEN}", **bearer)
        send_raw(server, b"GET /\x00%s HTTP/1.1\r\nHost: %s\r\n\r\n" % (TOKEN.encode(), TOKEN.encode()))
        break_the_database(server)
        assert server.post(body(user_id=TOKEN, sdk_version=TOKEN), **bearer).status_code == 503
        history = f"/report/history/room-1/u1?from=0&stream_id={TOKEN}&token={TOKEN}"
        assert server.get(history, **bearer).status_code == 500
        told(server, log_format, 9)
        log = server.log.read_text()
    assert "Traceback" in log
    assert "refused" in log
    assert TOKEN not in log
    assert "hunter2" not in log.lower()


@pytest.mark.parametrize("log_format", ["text", "json"])
def test_each_request_is_one_line_that_no_id_can_forge(make_server: MakeServer, log_format: str) -> None:
    with make_server(LOG_FORMAT=log_format, LOG_REQUESTS="true").running() as server:
        for room in (
            "%0A2026-01-01T00:00:00.000000Z%20[info%20%20%20%20%20]%20forged",
            "%1B%5B31m",
            "%E2%80%AE",
            "a" * 9000,
        ):
            server.get(f"/rooms/{room}")
        send_raw(server, b"GET /rooms/\xe2\x80\xae\xc2\x85x HTTP/1.1\r\nHost: localhost\r\n\r\n")
        server.post(body(room_id="\u202e\n2026-01-01T00:00:00.000000Z [info     ] forged", sdk_version="\n\x1b[31m"))
        found = told(server, log_format, 5)
        lines = server.log.read_text().splitlines()
    assert all(line.isprintable() and len(line) < 600 for line in lines)
    if log_format == "text":
        assert all(LINE.match(line) for line in lines)
    assert [str(one["status"]) for one in found[:4]] == ["404"] * 4
    assert all(len(one["path"]) <= 250 for one in found)


def test_without_the_setting_no_request_is_told(make_server: MakeServer) -> None:
    with make_server().running() as server:
        server.post(REFERENCE)
        server.get("/")
        server.stop()
        assert server.log.read_text() == ""


def test_a_stream_is_told_at_its_end(make_server: MakeServer) -> None:
    with make_server(LOG_FORMAT="json", LOG_REQUESTS="true").running() as server:
        with server.client() as client, client.stream("GET", "/stream") as stream:
            events = stream.iter_bytes()  # kept, since it closes the stream when it goes
            next(events)
            server.get("/healthz")
            assert [one["path"] for one in told(server, "json", 1)] == ["/healthz"]
        health, ended = told(server, "json", 2)
    assert (ended["path"], ended["status"]) == ("/stream", 200)
    assert ended["bytes"] > 500
    assert ended["ms"] > health["ms"]
