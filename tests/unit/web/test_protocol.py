"""Deadlines of a silent connection. Its answers are tested in tests/process/test_oddities.py."""

import asyncio
from collections.abc import Callable, Iterable
from typing import Any

import uvicorn
from uvicorn.server import ServerState

from roompulse.meters import Meters
from roompulse.settings import Settings
from roompulse.web.server.connection_limit import MAX_LINGERING, ConnectionLimit
from roompulse.web.server.protocol import HEAD_TIMEOUT, KEEP_ALIVE, LINGER, BoundedProtocol

GET = b"GET / HTTP/1.1\r\nHost: localhost\r\n"


class Timer:
    def __init__(self, at: float, call: Callable[[], None]) -> None:
        self.at = at
        self.call = call
        self.is_over = False

    def when(self) -> float:
        return self.at

    def cancel(self) -> None:
        self.is_over = True


class Loop:
    """The parts of an event loop that a connection needs, with a time that only a test moves."""

    def __init__(self) -> None:
        self.now = 0.0
        self.timers: list[Timer] = []

    def time(self) -> float:
        return self.now

    def call_at(self, time: float, call: Callable[[], None]) -> Timer:
        self.timers.append(Timer(time, call))
        return self.timers[-1]

    def call_soon(self, call: Callable[[], None]) -> None:
        self.call_at(self.now, call)

    def create_task(self, coroutine: Any, **_: Any) -> Any:
        """Requests here are answered by hand."""
        coroutine.close()
        return asyncio.get_running_loop().create_future()

    def advance(self, seconds: float) -> None:
        self.now += seconds
        for timer in self.timers:
            if timer.at <= self.now and not timer.is_over:
                timer.is_over = True
                timer.call()


class Transport:
    closed = False
    written = b""

    def get_extra_info(self, name: str) -> Any:
        return ("192.0.2.1", 1234) if name == "peername" else None

    def is_closing(self) -> bool:
        return self.closed

    def close(self) -> None:
        self.closed = True

    def writelines(self, pieces: Iterable[bytes]) -> None:
        self.written += b"".join(pieces)

    def abort(self) -> None:
        self.closed = True

    def write_eof(self) -> None: ...
    def pause_reading(self) -> None: ...
    def resume_reading(self) -> None: ...


async def application(_scope: Any, _receive: Any, _send: Any) -> None: ...


def limit(most: int) -> ConnectionLimit:
    return ConnectionLimit(Settings(), Meters(), most)


def connected(one: ConnectionLimit | None = None) -> tuple[Any, Loop, Transport]:
    loop, transport = Loop(), Transport()
    config = uvicorn.Config(application, timeout_keep_alive=KEEP_ALIVE, log_config=None)
    protocol = type("Limited", (BoundedProtocol,), {"limit": one or limit(most=9)})
    connection: Any = protocol(config, ServerState(), {}, loop)
    connection.connection_made(transport)
    return connection, loop, transport


async def answer(connection: Any) -> None:
    await connection.cycle.send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"0")]})
    await connection.cycle.send({"type": "http.response.body", "body": b""})


async def test_a_connection_that_asks_for_nothing_is_closed() -> None:
    _, loop, transport = connected()
    loop.advance(HEAD_TIMEOUT - 1)
    assert not transport.closed
    loop.advance(1)
    assert transport.closed


async def test_a_connection_that_asks_for_nothing_more_is_closed_later() -> None:
    connection, loop, transport = connected()
    connection.data_received(GET + b"\r\n")
    await answer(connection)
    loop.advance(KEEP_ALIVE - 1)
    assert not transport.closed
    loop.advance(1)
    assert transport.closed


async def test_bytes_of_a_head_that_never_ends_win_no_time() -> None:
    connection, loop, transport = connected()
    for byte in GET:
        connection.data_received(bytes([byte]))
        loop.advance(1 + HEAD_TIMEOUT / len(GET))
    assert transport.closed


async def test_a_head_that_began_while_another_request_was_answered_has_as_long() -> None:
    connection, loop, transport = connected()
    connection.data_received(GET + b"\r\n")
    connection.data_received(GET)
    loop.advance(10 * KEEP_ALIVE)
    await answer(connection)
    loop.advance(HEAD_TIMEOUT - 1)
    assert not transport.closed
    loop.advance(1)
    assert transport.closed


async def test_a_connection_that_is_one_too_many_reads_why_and_is_closed() -> None:
    one = limit(most=2)
    connection, _, first = connected(one)
    refused, loop, transport = connected(one)
    loop.advance(0)
    assert transport.written.startswith(b"HTTP/1.1 429 Too Many Requests\r\n")
    assert b"Retry-After: 10\r\n" in transport.written
    assert b"this address has 1 connections open already" in transport.written
    refused.data_received(GET + b"\r\n")
    loop.advance(LINGER)
    assert (transport.closed, first.closed) == (True, False)
    refused.connection_lost(None)
    connection.connection_lost(None)
    assert connected(one)[2].written == b""


async def test_refused_connections_that_linger_are_bounded() -> None:
    one = limit(most=1)
    kept, *_ = connected(one)
    lingering = [connected(one) for _ in range(MAX_LINGERING)]
    assert not any(transport.closed for *_, transport in lingering)
    _, loop, transport = connected(one)
    loop.advance(0)
    assert (transport.closed, transport.written) == (True, b"")
    for connection, *_ in [*lingering, (kept,)]:
        connection.connection_lost(None)
    assert one.lingering == set()


async def test_an_answer_may_take_its_time_and_a_next_request_has_as_long_as_the_first() -> None:
    connection, loop, transport = connected()
    for _ in range(3):
        connection.data_received(GET)
        loop.advance(HEAD_TIMEOUT - 1)
        connection.data_received(b"\r\n")
        loop.advance(10 * KEEP_ALIVE)
        await answer(connection)
        loop.advance(KEEP_ALIVE - 1)
        assert not transport.closed
    connection.data_received(GET)
    loop.advance(HEAD_TIMEOUT)
    assert transport.closed


async def test_a_body_that_nobody_waits_for_has_two_seconds() -> None:
    connection, loop, transport = connected()
    connection.data_received(GET + b"Content-Length: 10\r\n\r\n12345")
    await answer(connection)
    loop.advance(LINGER - 0.1)
    connection.data_received(b"6789")
    assert not transport.closed
    loop.advance(0.1)
    assert transport.closed


async def test_a_body_that_comes_in_these_leaves_the_connection_as_it_was() -> None:
    connection, loop, transport = connected()
    connection.data_received(GET + b"Content-Length: 10\r\n\r\n12345")
    await answer(connection)
    connection.data_received(b"67890")
    loop.advance(KEEP_ALIVE - 1)
    assert not transport.closed
    loop.advance(1)
    assert transport.closed


async def test_a_connection_that_is_lost_leaves_nothing_waiting() -> None:
    connection, loop, _ = connected()
    connection.connection_lost(OSError())
    assert all(timer.is_over for timer in loop.timers)
