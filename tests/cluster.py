"""`make cluster`: workers on one port and a PostgreSQL of their own, for trying out. Ctrl-C ends all; data stays."""

import os
import signal
import subprocess
import sys
from pathlib import Path

from tests.postgres_server import PostgresServer

FOLDER = Path(__file__).parents[1] / "build" / "cluster"
WORKERS = 3


def main(*arguments: str) -> int:
    """Serve until SIGINT or SIGTERM, with further arguments of `roompulse serve`; returns its exit code."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    postgres = PostgresServer(FOLDER, "fsync=on")
    postgres.start()
    try:
        command = [sys.executable, "-m", "roompulse", "serve", "--workers", str(WORKERS), *arguments]
        workers = subprocess.Popen(command, env=os.environ | {"ROOMPULSE_DATABASE_URL": postgres.url})
        # Ctrl-C is for the workers, PostgreSQL ends after them.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, lambda *_: workers.terminate())
        return workers.wait()
    finally:
        postgres.stop()


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
