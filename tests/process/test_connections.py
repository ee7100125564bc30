"""More connections than a process may open, of one address, while others report."""

import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.builders import REFERENCE
from tests.process import eventually
from tests.process.raw import Raw
from tests.server import Server

FILES = 256
"""The limit of open files of the process."""

ATTACKERS, SENDER = "127.0.0.1", "127.0.0.2"
HALF_A_HEAD = b"POST /report/metrics HTTP/1.1\r\nHost: localhost\r\nX-Half: "
REPORT = b"POST /report/metrics HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n" % len(REFERENCE) + REFERENCE


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    limited = f'ulimit -n {FILES}; exec "{sys.executable}" -m roompulse "$@"'
    with Server(tmp_path / "data", {}, ["bash", "-c", limited, "roompulse"]).running() as server:
        yield server


def test_half_sent_heads_of_one_address_keep_no_other_one_out(server: Server) -> None:
    with ExitStack() as stack:
        for _ in range(400):
            attacker = stack.enter_context(Raw(server.port, source=ATTACKERS))
            attacker.send_if_open(HALF_A_HEAD)
        for _ in range(20):
            with Raw(server.port, source=SENDER) as sender:
                assert sender.send(REPORT).answer().status == 200
    assert eventually(lambda: server.post(REFERENCE).status_code == 200)
    log = server.log.read_text()
    assert log.count("connections are refused") == 1
    assert "of 127.0.0.1: this address has 96 connections open already" in log
    refused = [line for line in server.get("/metrics").text.splitlines() if "connections_refused_total " in line]
    assert 400 - 96 <= float(refused[-1].split()[1]) < 400


def test_a_refused_connection_says_why(server: Server) -> None:
    with ExitStack() as stack:
        for _ in range(96):
            stack.enter_context(Raw(server.port, source=ATTACKERS)).send(HALF_A_HEAD)
        refused = stack.enter_context(Raw(server.port, source=ATTACKERS)).send(REPORT).answer()
        assert (refused.status, refused.headers["retry-after"]) == (429, "10")
        assert refused.body
        assert b"this address has 96 connections open already" in refused.body
