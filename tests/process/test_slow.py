"""Slow clients of the real process, on purpose or not: the server does not wait for them for ever."""

import re
import select
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

import pytest
from msgspec import json

from roompulse.web.api.unfinished_bodies import OF_ADDRESS
from tests.api import url
from tests.builders import REFERENCE, body
from tests.process import DEADLINE, eventually
from tests.server import Server

MakeServer = Callable[..., Server]

HEAD = f"POST /report/metrics HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(REFERENCE)}\r\n\r\n".encode()
GET = b"GET /report/rooms HTTP/1.1\r\nHost: localhost\r\n\r\n"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One that waits for half a second only."""
    with Server(tmp_path_factory.mktemp("slow") / "data", {"ROOMPULSE_BODY_TIMEOUT": "0.5"}).running() as server:
        yield server


@contextmanager
def connected(server: Server, receive_buffer: int | None = None) -> Iterator[socket.socket]:
    with closing(socket.socket()) as client:
        if receive_buffer:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        client.settimeout(DEADLINE)
        client.connect(("127.0.0.1", server.port))
        yield client


def until_closed(client: socket.socket) -> bytes:
    """All that the server still says; fails if it does not close the connection."""
    said = b""
    try:
        while fragment := client.recv(65536):
            said += fragment
    except ConnectionResetError:
        pass
    return said


def answer(client: socket.socket) -> bytes:
    """One whole answer with a body of known length."""
    said = b""
    while b"\r\n\r\n" not in said:
        said += client.recv(65536)
    head, _, rest = said.partition(b"\r\n\r\n")
    length = re.search(rb"content-length: (\d+)", head)
    assert length
    while len(rest) < int(length[1]):
        rest += client.recv(65536)
    return head + b"\r\n\r\n" + rest


@contextmanager
def trickling(client: socket.socket, what: bytes, every: float = 0.1) -> Iterator[None]:
    """Send this byte by byte, until the server has had enough or this ends."""
    enough = threading.Event()

    def trickle() -> None:
        for byte in what:
            if enough.wait(every):
                return
            try:
                client.sendall(bytes([byte]))
            except OSError:
                return

    thread = threading.Thread(target=trickle)
    thread.start()
    try:
        yield
    finally:
        enough.set()
        thread.join()


def let_a_body_time_out(server: Server) -> None:
    """Let as much time pass as a body has, and a little more."""
    with connected(server) as other:
        other.sendall(HEAD)
        assert_408(until_closed(other))


def assert_408(said: bytes) -> None:
    assert said.startswith(b"HTTP/1.1 408 "), said
    assert b"connection: close" in said.lower()
    assert b'{"code":408,"message":"the body did not arrive within 0.5 s","data":null}' in said


def test_a_body_of_which_nothing_comes_is_refused_with_408_and_the_connection_closed(server: Server) -> None:
    with connected(server) as client:
        client.sendall(HEAD)
        assert_408(until_closed(client))


def test_a_body_that_stops_in_the_middle_is_refused_with_408_and_the_connection_closed(server: Server) -> None:
    with connected(server) as client:
        client.sendall(HEAD + REFERENCE[:100])
        assert_408(until_closed(client))


def test_a_body_that_does_not_come_is_refused_behind_another_report_too(server: Server) -> None:
    with connected(server) as client:
        client.sendall(HEAD + REFERENCE + HEAD)
        assert answer(client).startswith(b"HTTP/1.1 200 ")
        assert_408(until_closed(client))


def test_a_body_that_trickles_is_refused_though_something_comes_all_the_time(server: Server) -> None:
    with connected(server) as client:
        client.sendall(HEAD)
        with trickling(client, REFERENCE):
            assert_408(until_closed(client))


def test_bodies_that_stop_in_the_middle_are_bounded_and_whole_reports_are_taken(make_server: MakeServer) -> None:
    head = b"POST /report/metrics HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10000\r\n\r\n"
    with make_server(MAX_BODY=10_000).running() as server, ExitStack() as stack:
        clients = [stack.enter_context(connected(server)) for _ in range(OF_ADDRESS + 1)]
        for client in clients:
            client.sendall(head + 9_900 * b" ")
        (refused,), _, _ = select.select(clients, [], [], DEADLINE)
        said = until_closed(refused)
        assert said.startswith(b"HTTP/1.1 429 ")
        assert b"connection: close" in said.lower()
        assert server.post(REFERENCE).status_code == 200


def test_a_body_that_comes_after_its_headers_and_in_pieces_is_taken(server: Server) -> None:
    with connected(server) as client:
        client.sendall(HEAD)
        for start in range(0, len(REFERENCE), 100):
            client.sendall(REFERENCE[start : start + 100])
        assert answer(client).startswith(b"HTTP/1.1 200 ")
        client.sendall(HEAD + REFERENCE)
        assert answer(client).startswith(b"HTTP/1.1 200 ")


def test_reports_that_come_all_at_once_over_one_connection_are_all_taken(server: Server) -> None:
    with connected(server) as client:
        client.sendall((HEAD + REFERENCE) * 10)
        said = b""
        while said.count(b"success") < 10:
            fragment = client.recv(65536)
            assert fragment
            said += fragment
    assert said.count(b"HTTP/1.1 200 ") == 10


def test_a_connection_that_is_idle_between_two_reports_stays(server: Server) -> None:
    with connected(server) as client:
        for _ in range(2):
            client.sendall(HEAD + REFERENCE)
            assert answer(client).startswith(b"HTTP/1.1 200 ")
            let_a_body_time_out(server)


def test_a_stream_is_not_cut_off_for_saying_nothing(server: Server) -> None:
    with connected(server) as viewer:
        viewer.sendall(b"GET /report/stream/quiet HTTP/1.1\r\nHost: localhost\r\n\r\n")
        let_a_body_time_out(server)
        server.post(body(room_id="quiet"))
        said = b""
        while b"event: room" not in said:
            fragment = viewer.recv(65536)
            assert fragment
            said += fragment


@pytest.fixture
def impatient(make_server: MakeServer) -> Iterator[Server]:
    """A server that waits only half a second for clients that do not read."""
    with make_server(SEND_TIMEOUT=0.5, PUSH_INTERVAL=0, MAX_VIEWERS=1).running() as server:
        yield server


def big_room(server: Server) -> None:
    """A room whose every state is too large for the buffers of a connection."""
    entries = [{"user_id": f"user-{number}", "streams": []} for number in range(5000)]
    report = {"user_id": "u1", "room_id": "big", "sdk_version": "1", "report_time": 0, "metrics": entries}
    assert server.post(json.encode(report)).status_code == 200


def is_free(server: Server) -> bool:
    """Whether there is a place for a viewer."""
    with connected(server) as viewer:
        viewer.sendall(b"GET /report/stream/other HTTP/1.1\r\nHost: localhost\r\n\r\n")
        return viewer.recv(100).startswith(b"HTTP/1.1 200 ")


def test_a_viewer_that_does_not_read_is_dropped_and_makes_place(impatient: Server) -> None:
    with connected(impatient, receive_buffer=4096) as viewer:
        viewer.sendall(b"GET /report/stream/big HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert viewer.recv(100).startswith(b"HTTP/1.1 200 ")
        assert not is_free(impatient)

        def makes_place() -> bool:
            big_room(impatient)  # one state more, until buffers are full
            return is_free(impatient)

        assert eventually(makes_place)
    assert "roompulse_readers_dropped_total 1.0" in impatient.get("/metrics").text


def test_a_viewer_that_reads_is_not_dropped(impatient: Server) -> None:
    with connected(impatient) as viewer:
        viewer.sendall(b"GET /report/stream/big HTTP/1.1\r\nHost: localhost\r\n\r\n")
        said = b""
        for number in range(1, 6):
            big_room(impatient)
            while said.count(b"event: room") < number:
                fragment = viewer.recv(2**20)
                assert fragment
                said += fragment


def test_a_viewer_that_does_not_read_does_not_hold_up_the_end(make_server: MakeServer) -> None:
    with make_server(PUSH_INTERVAL=0).running() as server:
        big_room(server)
        with connected(server, receive_buffer=4096) as viewer:
            viewer.sendall(b"GET /report/stream/big HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert viewer.recv(100).startswith(b"HTTP/1.1 200 ")
            for _ in range(10):
                big_room(server)
            server.stop()
        assert "Traceback" not in server.log.read_text()
        assert "ERROR" not in server.log.read_text()


def test_whoever_does_not_read_an_answer_is_cut_off(impatient: Server) -> None:
    big_room(impatient)
    path = url("report", "metrics", "big")
    whole = len(impatient.get(path).content)
    with connected(impatient, receive_buffer=4096) as client:
        client.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode() * 10)
        assert client.recv(100).startswith(b"HTTP/1.1 200 ")
        opened = open_files(impatient)
        assert eventually(lambda: open_files(impatient) < opened)
        assert len(until_closed(client)) < 10 * whole
    assert "Traceback" not in impatient.log.read_text()


def open_files(server: Server) -> int:
    return len(list(Path(f"/proc/{server.pid}/fd").iterdir()))
