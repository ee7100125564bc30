"""`roompulse backup`, and servers on its copies."""

import re
import resource
import shutil
import sqlite3
import subprocess
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from tests.builders import REFERENCE
from tests.process import DEADLINE, eventually
from tests.process.load import Load, assert_sound
from tests.process.test_start import COMMAND, assert_one_line, environment, run
from tests.server import Server

MakeServer = Callable[..., Server]


def back_up(server: Server, file: Path) -> subprocess.CompletedProcess[str]:
    return run("backup", "--data", str(server.data), str(file))


def restored(file: Path, tmp_path: Path) -> Server:
    """A server (not started yet) in a new folder, as docs/operations.md says to restore."""
    data = tmp_path / "restored"
    data.mkdir()
    for copied, name in ((file, "roompulse.db"), (file.with_name(f"{file.stem}-access.db"), "roompulse-access.db")):
        shutil.copy(copied, data / name)
    return Server(data, {})


def files(folder: Path) -> dict[str, bytes]:
    """Database and log. (SQLite's shared memory is no part of either.)"""
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.suffix in {".db", ".db-wal"}}


@pytest.fixture
def stopped(make_server: MakeServer) -> Server:
    """A server that has taken one report, and is not running."""
    server = make_server()
    with server.running():
        server.post(REFERENCE)
    return server


@pytest.fixture
def file(tmp_path: Path) -> Path:
    (tmp_path / "backups").mkdir()
    return tmp_path / "backups" / "roompulse.backup.db"


def test_what_was_acknowledged_before_is_in_a_backup_under_load(server: Server, tmp_path: Path, file: Path) -> None:
    with Load(server).running() as load:
        eventually(lambda: load.acknowledged > 200)
        acknowledged = [len(sender.acknowledged) for sender in load.senders]
        ended = back_up(server, file)
        assert (ended.returncode, ended.stderr) == (0, "")
        during = load.acknowledged
        eventually(lambda: load.acknowledged > during + 50)  # no client is delayed
    assert ended.stdout.startswith(f"{file}: 4 rooms, ")
    assert ended.stdout.endswith(f" UTC; {file.stat().st_size} bytes\n")
    with restored(file, tmp_path).running() as again:
        for sender, before in zip(load.senders, acknowledged, strict=True):
            sender.assert_kept(again, before)
            assert sender.user_id in again.get(f"/rooms/{sender.room_id}").text
        assert "room-0" in again.get("/").text
        assert again.post(REFERENCE).status_code == 200
    assert_sound(again.data)


def test_backups_under_load_harm_neither_each_other_nor_the_original(server: Server, file: Path) -> None:
    with Load(server).running() as load:
        for number in range(5):
            assert back_up(server, file.with_name(f"{number}.db")).returncode == 0
    server.kill()
    assert_sound(server.data)
    server.start()
    load.assert_kept(server)


def test_a_backup_after_a_crash_has_what_is_in_the_log_only_and_leaves_that_as_it_is(
    server: Server, tmp_path: Path, file: Path
) -> None:
    assert server.post(REFERENCE).status_code == 200
    server.kill()
    for shared in server.data.glob("*-shm"):
        shared.unlink()  # as after a power loss
    before = files(server.data)
    assert b"room-1" in before["roompulse.db-wal"]
    assert b"room-1" not in before["roompulse.db"]
    assert back_up(server, file).returncode == 0
    assert files(server.data) == before
    with restored(file, tmp_path).running() as again:
        assert again.get("/report/metrics/room-1").json()["data"]["users"][0]["quality"]["score"] == 4.37
    server.start()
    assert server.get("/report/metrics/room-1").json()["data"]["users"][0]["quality"]["score"] == 4.37


def test_a_backup_of_a_server_that_is_stopped_leaves_its_database_as_it_is(stopped: Server, file: Path) -> None:
    before = files(stopped.data)["roompulse.db"]
    assert ": 1 rooms, 1 reports, newest 20" in back_up(stopped, file).stdout
    assert files(stopped.data)["roompulse.db"] == before


def test_a_backup_is_one_file_and_that_of_access_beside_it_for_nobody_else(stopped: Server, file: Path) -> None:
    with closing(sqlite3.connect(stopped.data / "roompulse-access.db")) as access, access:
        access.execute("INSERT INTO operator VALUES ('ann', 'admin', 'hash', 0)")
    assert back_up(stopped, file).returncode == 0
    beside = file.with_name("roompulse.backup-access.db")
    assert sorted(file.parent.iterdir()) == [beside, file]
    for path in (file, beside):
        assert path.stat().st_mode & 0o777 == 0o600
        with closing(sqlite3.connect(path)) as copy:
            assert copy.execute("PRAGMA journal_mode").fetchone() == ("delete",)
    with closing(sqlite3.connect(beside)) as copy:
        assert copy.execute("SELECT name FROM operator").fetchall() == [("ann",)]


def test_a_database_without_one_of_access_is_copied_alone(stopped: Server, file: Path) -> None:
    (stopped.data / "roompulse-access.db").unlink()
    assert back_up(stopped, file).returncode == 0
    assert list(file.parent.iterdir()) == [file]


def test_another_place_of_the_database_is_known_to_both(stopped: Server, file: Path, tmp_path: Path) -> None:
    elsewhere = {"DATABASE_URL": f"sqlite:///{stopped.data / 'roompulse.db'}", "DATA": str(tmp_path / "nowhere")}
    assert run("backup", str(file), **elsewhere).returncode == 0
    with Server(tmp_path / "nowhere", {"ROOMPULSE_DATABASE_URL": f"sqlite:///{file}"}).running() as again:
        assert again.get("/report/rooms").json()["data"] == ["room-1"]


@pytest.mark.parametrize("existing", ["roompulse.backup.db", "roompulse.backup-access.db"])
def test_what_is_there_already_is_not_overwritten(stopped: Server, file: Path, existing: str) -> None:
    file.with_name(existing).write_text("something else")
    assert_one_line(back_up(stopped, file), existing, "already exists")
    assert [path.read_text() for path in file.parent.iterdir()] == ["something else"]


def test_without_a_database_there_is_no_backup(tmp_path: Path, file: Path) -> None:
    ended = run("backup", "--data", str(tmp_path / "nowhere"), str(file))
    assert_one_line(ended, "there is no database", str(tmp_path / "nowhere"))
    assert list(file.parent.iterdir()) == []
    assert not (tmp_path / "nowhere").exists()


@pytest.mark.parametrize("content", [b"", b"not a database " * 100])
def test_a_database_that_is_none_is_not_backed_up(tmp_path: Path, file: Path, content: bytes) -> None:
    (tmp_path / "roompulse.db").write_bytes(content)
    assert_one_line(run("backup", "--data", str(tmp_path), str(file)), str(file))
    assert list(file.parent.iterdir()) == []


def test_a_damaged_database_is_told_and_makes_no_backup(stopped: Server, file: Path) -> None:
    database = stopped.data / "roompulse.db"
    with closing(sqlite3.connect(database)) as connection:
        (page,) = connection.execute("SELECT rootpage FROM sqlite_master WHERE name = 'sample_by_reporter'").fetchone()
        (size,) = connection.execute("PRAGMA page_size").fetchone()
    with database.open("r+b") as damaged:
        damaged.seek((page - 1) * size)
        damaged.write(b"\xff" * size)
    assert_one_line(back_up(stopped, file), "damaged")
    assert list(file.parent.iterdir()) == []


def test_a_place_that_cannot_be_written_is_told(stopped: Server, file: Path) -> None:
    assert_one_line(back_up(stopped, file.parent / "missing" / "x.db"), "x.db", "No such file or directory")
    file.write_text("a file")
    assert_one_line(back_up(stopped, file / "x.db"), "x.db", "Not a directory")


def test_a_disk_that_is_full_is_told_and_nothing_is_left_on_it(stopped: Server, file: Path) -> None:
    full = 30_000  # bytes, less than the database has
    ended = subprocess.run(
        [*COMMAND, "backup", "--data", str(stopped.data), str(file)],
        env=environment({}) | {"PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        timeout=2 * DEADLINE,
        check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (full, full)),
    )
    assert_one_line(ended, str(file), "cannot be copied")
    assert list(file.parent.iterdir()) == []


def test_wrong_settings_end_it(file: Path) -> None:
    assert_one_line(run("backup", str(file), DATABASE_URL="nonsense"), "DATABASE_URL")


def test_it_is_listed() -> None:
    listed = r"\n  backup +Copy the database to FILE, while a server may be running on it\.\n"
    assert re.search(listed, run("--help").stdout)
