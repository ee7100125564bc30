"""`roompulse serve --workers`: several processes on one port, of which any may end, and all be replaced, unnoticed."""

import os
import signal
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Self

import httpx
import pytest

from tests.builders import body
from tests.forked import run_forked
from tests.postgres_server import database
from tests.process import DEADLINE, eventually
from tests.senders import PAUSE
from tests.server import PLAIN, Server

pytestmark = pytest.mark.slow

WORKERS = 2


@pytest.fixture
def server(postgres_url: str, make_server: Callable[..., Server]) -> Iterator[Server]:
    with database(postgres_url) as url:
        server = make_server(DATABASE_URL=url)
        server.arguments = ["--workers", str(WORKERS)]
        with server.running():
            yield server


def workers_of(server: Server) -> set[int]:
    """The processes of its workers."""
    children = Path(f"/proc/{server.pid}/task/{server.pid}/children").read_text().split()
    return {int(pid) for pid in children if b"--listener" in Path(f"/proc/{pid}/cmdline").read_bytes()}


def is_there(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


class Senders:
    """Post reports, half of them on connections that stay open, and record unacknowledged ones."""

    def __init__(self, server: Server) -> None:
        self.acknowledged = 0
        self.failed: list[str] = []
        self._url = f"{server.url}/report/metrics"
        self._stopped = threading.Event()
        self._threads = [threading.Thread(target=self._run, args=(bool(number % 2),)) for number in range(4)]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped.set()
        for thread in self._threads:
            thread.join()

    def _run(self, stays_open: bool) -> None:  # noqa: FBT001
        headers = {"Content-Type": "application/json"} | ({} if stays_open else {"Connection": "close"})
        with httpx.Client(headers=headers, verify=PLAIN, timeout=DEADLINE) as client:
            while not self._stopped.wait(PAUSE):
                try:
                    answer = client.post(self._url, content=body())
                except httpx.HTTPError as error:
                    self.failed.append(repr(error))
                    continue
                if answer.status_code == 200:
                    self.acknowledged += 1
                else:
                    self.failed.append(answer.text)


def test_several_workers_answer_on_one_port_as_one(server: Server) -> None:
    assert len(workers_of(server)) == WORKERS
    for number in range(20):
        assert server.post(body(user_id=f"u{number}")).status_code == 200
        users = server.get("/report/metrics/room-1").json()["data"]["users"]
        assert len(users) == number + 1


def test_a_worker_that_dies_is_replaced(server: Server) -> None:
    before = workers_of(server)
    server.post(body())
    killed = min(before)
    os.kill(killed, signal.SIGKILL)
    assert server.get("/report/rooms").json()["data"] == ["room-1"]
    eventually(lambda: len(workers_of(server) - {killed}) == WORKERS)
    assert f"worker {killed} ended with -9: another one is started" in server.log.read_text()
    assert server.get("/report/rooms").json()["data"] == ["room-1"]


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_a_stop_ends_all_workers(server: Server, how: signal.Signals) -> None:
    before = workers_of(server)
    assert server.stop(how) == 0
    assert not [pid for pid in before if is_there(pid)]


def test_workers_end_with_a_supervisor_that_is_killed(server: Server) -> None:
    before = workers_of(server)
    server.kill()
    eventually(lambda: not [pid for pid in before if is_there(pid)])


def test_all_workers_are_replaced_without_a_refused_report(server: Server) -> None:
    before = workers_of(server)
    with Senders(server) as senders:
        eventually(lambda: senders.acknowledged > 20)
        os.kill(server.pid, signal.SIGHUP)
        eventually(lambda: not before & workers_of(server) and len(workers_of(server)) == WORKERS)
        seen = senders.acknowledged
        eventually(lambda: senders.acknowledged > seen + 20)
    assert senders.failed == []


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({}, "--workers needs PostgreSQL, as in ROOMPULSE_DATABASE_URL=postgresql://"),
        ({"ROOMPULSE_DATABASE_URL": "postgresql://x@127.0.0.1:1/x"}, "x at 127.0.0.1:1 cannot be reached"),
        ({"ROOMPULSE_DATABASE_URL": "postgresql://x@127.0.0.1:1/x", "ROOMPULSE_DEMO": "1"}, "--demo is for one"),
    ],
)
def test_workers_that_cannot_start_end_it_with_one_line(tmp_path: Path, settings: dict[str, str], says: str) -> None:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("ROOMPULSE_")} | settings
    arguments = ["serve", "--port", "0", "--data", str(tmp_path / "data"), "--workers", "3"]
    ended = run_forked(arguments, environment, DEADLINE)
    assert ended.returncode == 1
    assert len(ended.stderr.splitlines()) == 1, ended.stderr
    assert says in ended.stderr
