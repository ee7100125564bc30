"""Acknowledged reports survive a power loss: `disk.py` keeps flushed data, and more only by chance."""

import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from random import Random

import pytest

from tests.builders import REFERENCE
from tests.process import DEADLINE, SOAK, eventually
from tests.process.load import ENTRIES, Load, assert_sound
from tests.server import Server

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
MORE_THAN_THE_LOG_HOLDS = 600
"""Reports: SQLite takes the log into the database, and flushes both, after a thousand pages."""

ROUNDS = 200 if SOAK else 5

WRITE = """
import os, sqlite3, sys
from pathlib import Path
from tests.process.disk import install
install(Path(sys.argv[1]), 1)
connection = sqlite3.connect("rows.db", isolation_level=None)
connection.execute("PRAGMA journal_mode=WAL")
connection.execute("PRAGMA synchronous=FULL")
connection.execute("CREATE TABLE row (number)")
connection.execute(f"PRAGMA synchronous={sys.argv[2]}")
for number in range(100):
    connection.execute("INSERT INTO row VALUES (?)", [number])
os._exit(0)
"""


def on_that_disk(data: Path, seed: int, **environment: str) -> Server:
    """A server (not started yet), and a folder `safe-…` beside `data` with the state after a power loss."""
    safe = data.with_name(f"safe-{seed}")
    if data.exists():
        shutil.copytree(data, safe)
    else:
        safe.mkdir(parents=True)
    return Server(data, environment, (sys.executable, "-m", "tests.process.disk", str(safe), str(seed)))


def test_what_was_acknowledged_survives_power_losses(tmp_path: Path) -> None:
    chance = Random(5)  # noqa: S311
    past: list[Load] = []
    for seed in range(ROUNDS):
        data = tmp_path / f"data-{seed}"
        with on_that_disk(data, seed).running() as server:
            for load in past[-1:]:
                load.assert_kept(server)
                load.assert_live(server)
            with Load(server, f"round-{seed}").running() as load:
                enough = chance.randint(1, 300)
                eventually(lambda: load.acknowledged >= enough)  # noqa: B023
                server.kill()
            past.append(load)
        shutil.copytree(tmp_path / f"safe-{seed}", tmp_path / f"data-{seed + 1}")
        assert_sound(tmp_path / f"data-{seed + 1}")
    with Server(tmp_path / f"data-{ROUNDS}", {}).running() as server:
        for load in past:
            load.assert_kept(server)


def test_with_normal_a_power_loss_takes_the_newest_reports_at_most(
    tmp_path: Path,
) -> None:
    server = on_that_disk(tmp_path / "data", 1, ROOMPULSE_SYNCHRONOUS="NORMAL")
    with server.running(), Load(server).running() as load:
        eventually(lambda: load.acknowledged > MORE_THAN_THE_LOG_HOLDS)
        server.kill()
    assert_sound(tmp_path / "safe-1")
    with Server(tmp_path / "safe-1", {}).running() as server:
        for sender in load.senders:
            found = sender.found(server)
            # The last ones may be missing, and none in between.
            assert sorted(found) == list(range(1, len(found) + 1))
            assert set(found.values()) <= {ENTRIES}
        assert server.post(REFERENCE).status_code == 200


@pytest.mark.parametrize(("synchronous", "everything"), [("FULL", True), ("NORMAL", False), ("OFF", False)])
def test_that_disk_loses_what_was_not_flushed(tmp_path: Path, synchronous: str, *, everything: bool) -> None:
    safe = tmp_path / "safe"
    safe.mkdir()
    command = [sys.executable, "-c", WRITE, str(safe), synchronous]
    subprocess.run(command, cwd=tmp_path, env={"PYTHONPATH": str(ROOT)}, check=True, timeout=DEADLINE)
    with closing(sqlite3.connect(tmp_path / "rows.db")) as connection:
        assert connection.execute("SELECT count(*) FROM row").fetchone() == (100,)
    with closing(sqlite3.connect(safe / "rows.db")) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        assert (connection.execute("SELECT count(*) FROM row").fetchone() == (100,)) is everything
