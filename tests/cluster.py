"""`make cluster`: a PostgreSQL of its own, three workers and haproxy before them, for trying out. Data stays."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from benchmarks.processes import free_port

from tests.haproxy import haproxy
from tests.postgres_server import PostgresServer
from tests.process import DEADLINE

FOLDER = Path(__file__).parents[1] / "build" / "cluster"
WORKERS = 3


def main(folder: Path = FOLDER) -> None:
    """Serve on ROOMPULSE_PORT, or 8180, until SIGINT or SIGTERM, which end all."""
    stopped = threading.Event()
    for how in (signal.SIGINT, signal.SIGTERM):
        signal.signal(how, lambda *_: stopped.set())
    folder.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        postgres = PostgresServer(folder, "fsync=on")
        postgres.start()
        stack.callback(postgres.stop)
        ports = [free_port() for _ in range(WORKERS)]
        for number, port in enumerate(ports, 1):
            stack.enter_context(_worker(folder / f"worker-{number}.log", port, postgres.url))
        url = stack.enter_context(haproxy(folder, ports, int(os.environ.get("ROOMPULSE_PORT", "8180"))))
        print(f"{WORKERS} workers serve {url}, data and logs in {folder}", flush=True)
        stopped.wait()


@contextmanager
def _worker(log: Path, port: int, database_url: str) -> Iterator[None]:
    """A worker that is started again when it dies, on a port of its own."""
    command = [sys.executable, "-m", "roompulse", "serve", "--workers", "1", "--port", str(port), "--behind-proxy"]
    environment = os.environ | {"ROOMPULSE_DATABASE_URL": database_url}
    with log.open("ab") as output:
        # Ctrl-C is for the process that started it.
        process = subprocess.Popen(command, stdout=output, stderr=output, env=environment, process_group=0)
    try:
        yield
    finally:
        process.terminate()
        process.wait(DEADLINE)


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
