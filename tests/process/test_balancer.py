"""Three workers behind a real haproxy, by the configuration in deploy/: no stickiness, and any of them may end."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory

import httpx
import pytest
from benchmarks.processes import free_port
from httpx_sse import connect_sse

from tests.builders import body
from tests.haproxy import haproxy
from tests.postgres_server import database
from tests.process import DEADLINE, eventually
from tests.senders import Senders
from tests.server import Server

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
WORKERS = 3

MakeServer = Callable[..., Server]
Cluster = tuple[str, list[Server]]


@pytest.fixture
def cluster(postgres_url: str, make_server: MakeServer, tmp_path: Path) -> Iterator[Cluster]:
    """The URL of the balancer, and the workers behind it."""
    with database(postgres_url) as url, ExitStack() as stack:
        servers = [stack.enter_context(make_server(DATABASE_URL=url, BEHIND_PROXY=1).running()) for _ in range(WORKERS)]
        yield stack.enter_context(haproxy(tmp_path, [server.port for server in servers])), servers


def users(url: str) -> set[str]:
    answer = httpx.get(f"{url}/report/metrics/room-1", timeout=DEADLINE)
    return {user["user_id"] for user in answer.json()["data"]["users"]}


def test_each_request_goes_to_another_worker_and_the_answers_are_those_of_one(cluster: Cluster) -> None:
    url, servers = cluster
    headers = {"Content-Type": "application/json"}
    for number in range(2 * WORKERS):
        answer = httpx.post(f"{url}/report/metrics", content=body(user_id=f"u{number}"), headers=headers)
        assert answer.status_code == 200
        assert len(users(url)) == number + 1
    accepted = 'roompulse_reports_total{outcome="accepted"} '
    taken = [re.search(rf"^{re.escape(accepted)}(\S+)", one.get("/metrics").text, re.MULTILINE) for one in servers]
    assert all(one and float(one[1]) for one in taken)


def test_a_stream_of_a_worker_that_dies_is_opened_again_at_another(cluster: Cluster) -> None:
    url, servers = cluster
    assert servers[0].post(body(user_id="u0")).status_code == 200
    for number in (1, 2):
        with (
            httpx.Client(timeout=DEADLINE) as client,
            connect_sse(client, "GET", f"{url}/report/stream/room-1") as source,
        ):
            events = source.iter_sse()
            assert "u0" in next(event.data for event in events if "users" in event.data)
            (shows,) = eventually(
                lambda: [one for one in servers if "roompulse_viewers 1.0" in one.get("/metrics").text]
            )
            takes = next(one for one in servers if one is not shows)
            assert takes.post(body(user_id=f"u{number}")).status_code == 200
            assert next(event for event in events if f'"u{number}"' in event.data)
            shows.kill()
            with pytest.raises(httpx.TransportError):
                list(events)
        assert users(url) == {f"u{one}" for one in range(number + 1)}
        shows.start()
        eventually(lambda: shows.get("/readyz").status_code == 200)  # noqa: B023  (called at once)


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_workers_that_end_one_after_the_other_lose_no_report(cluster: Cluster, how: signal.Signals) -> None:
    url, servers = cluster
    with Senders([url]) as senders:
        for server in servers:
            senders.go_on()
            server.stop(how)
            senders.go_on()
            server.start()
    assert users(url) >= senders.acknowledged
    assert len({server.get("/report/metrics/room-1").content for server in servers}) == 1


@pytest.fixture
def folder() -> Iterator[Path]:
    """One that the user that PostgreSQL runs for can reach."""
    with TemporaryDirectory(prefix="roompulse-") as folder:
        yield Path(folder)


def test_make_cluster_serves_one_url_until_ctrl_c(folder: Path) -> None:
    environment = os.environ | {"ROOMPULSE_PORT": str(free_port())}
    command = [sys.executable, "-m", "tests.cluster", str(folder)]
    with subprocess.Popen(
        command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True, process_group=0
    ) as process:
        assert process.stdout
        try:
            line = process.stdout.readline()
            found = re.match(r"3 workers serve (\S+), data and logs in ", line)
            assert found, line
            answer = httpx.post(
                f"{found[1]}/report/metrics", content=body(), headers={"Content-Type": "application/json"}
            )
            assert answer.status_code == 200
            assert users(found[1]) == {"u1"}
            os.killpg(process.pid, signal.SIGINT)
            assert process.wait(DEADLINE) == 0
        finally:
            process.kill()
    with pytest.raises(httpx.ConnectError):
        httpx.get(found[1])
    assert not (folder / "postgres" / "postmaster.pid").exists()
