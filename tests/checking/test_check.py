"""`roompulse check` names each thing that is broken on purpose here, and leaves everything as it is."""

import os
import resource
import shutil
import socket
import sqlite3
from collections.abc import Callable, Mapping
from contextlib import closing
from pathlib import Path

import pytest

from roompulse.checking import folder as folder_checks
from roompulse.checking.finding import in_bytes
from roompulse.checking.run import check
from roompulse.net import listen
from roompulse.settings import Settings
from roompulse.store.engine import Database
from roompulse.store.files import LOG_KEPT, access_path
from roompulse.store.sql_store import SqlStore
from tests.access import new_key
from tests.builders import NOW, REFERENCE, received
from tests.process.test_start import run
from tests.server import Server

Names = tuple[str, ...]


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Those of a server that was never started."""
    return Settings(data=tmp_path / "data")


def findings(
    settings: Settings, environment: Mapping[str, str] | None = None, now: float = NOW, *, full: bool = False
) -> list[tuple[str, str]]:
    """The findings of a check of a server with the data of `settings`, at `now`."""
    named = {f"ROOMPULSE_{name}": value for name, value in {"PORT": "0", **(environment or {})}.items()}
    found = check(named, {"data": settings.data}, listen, lambda: now, full=full)
    return [(finding.level, finding.text) for finding in found]


def assert_found(found: list[tuple[str, str]], level: str, *names: str) -> None:
    """There is one finding of this level with all of these names in it."""
    matching = [text for is_level, text in found if is_level == level and all(name in text for name in names)]
    assert len(matching) == 1, found


def assert_fine(found: list[tuple[str, str]]) -> None:
    assert {level for level, _ in found} == {"ok"}, found


async def fill(settings: Settings, *times: float) -> None:
    """A database with a report received at each of these times."""
    database = Database(settings)
    async with database.open():
        for at in times:
            await SqlStore(database).append([received(at)])


def damage(path: Path, statement: str) -> None:
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(statement)


def rewrite(path: Path, name: str, change: Callable[[bytes], bytes]) -> None:
    """Change the first page of a table or an index."""
    with closing(sqlite3.connect(path)) as connection:
        (page,) = connection.execute("SELECT rootpage FROM sqlite_master WHERE name = ?", [name]).fetchone()
        (size,) = connection.execute("PRAGMA page_size").fetchone()
    with path.open("r+b") as file:
        file.seek((page - 1) * size)
        changed = change(file.read(size))
        file.seek((page - 1) * size)
        file.write(changed)


@pytest.fixture
def path(settings: Settings) -> Path:
    return settings.data / "roompulse.db"


@pytest.fixture(autouse=True)
def many_files(monkeypatch: pytest.MonkeyPatch) -> None:
    """The limit of the user that runs the tests does not matter."""
    monkeypatch.setattr(resource, "getrlimit", lambda _kind: (65_536, 65_536))


# Settings


async def test_nothing_is_wrong_with_a_server_that_has_just_been_set_up(settings: Settings) -> None:
    assert_fine(findings(settings))
    await fill(settings, NOW - 1)
    assert_fine(findings(settings))
    assert_fine(findings(settings, full=True))


def test_every_wrong_setting_is_named_and_the_others_are_still_used(settings: Settings) -> None:
    found = findings(settings, {"PORT": "http", "LEAVE_AFTER": "5", "MAX_BODY": "none"})
    assert_found(found, "error", "ROOMPULSE_PORT", "'http'")
    assert_found(found, "error", "ROOMPULSE_MAX_BODY", "'none'")
    assert_found(found, "warning", "LEAVE_AFTER (5)", "STALE_AFTER")


def test_a_name_that_is_no_setting_is_named_with_the_one_that_is_meant(settings: Settings) -> None:
    assert_found(
        findings(settings, {"MAX_ROOM": "5"}),
        "warning",
        "ROOMPULSE_MAX_ROOM is set",
        "did you mean ROOMPULSE_MAX_ROOMS?",
    )
    assert_found(findings(settings, {"NONSENSE": "5"}), "warning", "ROOMPULSE_NONSENSE is set")


@pytest.mark.parametrize(
    ("environment", "names"),
    [
        ({"LEAVE_AFTER": "14"}, ("LEAVE_AFTER (14)", "STALE_AFTER (15)")),
        ({"PUSH_INTERVAL": "16"}, ("STALE_AFTER (15)", "PUSH_INTERVAL (16)")),
        ({"SNAPSHOT_INTERVAL": "61"}, ("LEAVE_AFTER (60)", "SNAPSHOT_INTERVAL (61)")),
        ({"SNAPSHOT_RETENTION": "86399"}, ("SNAPSHOT_RETENTION (86399)", "SAMPLE_RETENTION (86400)")),
        ({"SAMPLE_RETENTION": "119"}, ("SAMPLE_RETENTION", "LEAVE_AFTER", "restart")),
        ({"SESSION_LIFETIME": "43199"}, ("SESSION_LIFETIME", "SESSION_IDLE")),
        ({"MAX_VIEWERS": "999"}, ("MAX_VIEWERS (999)", "MAX_ADDRESS_VIEWERS (1000)")),
        ({"SYNCHRONOUS": "NORMAL"}, ("SYNCHRONOUS", "power loss")),
    ],
)
def test_settings_at_odds_with_each_other_are_named(
    settings: Settings, environment: dict[str, str], names: Names
) -> None:
    found = findings(settings, environment)
    assert_found(found, "warning", *names)
    assert [level for level, _ in found].count("warning") == 1


def test_settings_that_just_agree_are_fine(settings: Settings) -> None:
    assert_fine(findings(settings, {"LEAVE_AFTER": "15", "PUSH_INTERVAL": "15", "SNAPSHOT_INTERVAL": "15"}))


@pytest.mark.parametrize("url", ["nonsense", "mysql://localhost/roompulse"])
def test_a_database_url_that_cannot_be_used_is_named(settings: Settings, url: str) -> None:
    assert_found(findings(settings, {"DATABASE_URL": url}), "error", "DATABASE_URL")


# The machine


def test_a_port_that_is_taken_is_named(settings: Settings) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        assert_found(findings(settings, {"PORT": port}), "error", f"port {port}", "in use")


def test_an_address_that_is_not_ours_is_named(settings: Settings) -> None:
    assert_found(findings(settings, {"HOST": "192.0.2.1"}), "error", "cannot listen", "192.0.2.1")


def test_too_few_open_files_for_the_viewers_are_named(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda _kind: (1024, 4096))
    assert_found(findings(settings), "warning", "1024", "MAX_VIEWERS (5000)")
    assert_fine(findings(settings, {"MAX_VIEWERS": "774", "MAX_ADDRESS_VIEWERS": "10"}))
    monkeypatch.setattr(resource, "getrlimit", lambda _kind: (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    assert_fine(findings(settings))


@pytest.mark.parametrize("year", [1970, 2001, 2106])
def test_a_clock_that_cannot_be_right_is_named(settings: Settings, year: int) -> None:
    assert_found(findings(settings, now=(year - 1970) * 31_557_600 + 86_400), "error", "clock", str(year))


def test_the_version_of_sqlite_is_named_and_what_goes_with_it(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    for version, warned in (((3, 51, 2), True), ((3, 51, 3), False)):
        monkeypatch.setattr(sqlite3, "sqlite_version_info", version)
        said = [text for _, text in findings(settings) if text.startswith(f"SQLite {sqlite3.sqlite_version}")]
        assert len(said) == 1
        assert ("no other program may write" in said[0]) is warned


# The folder


def test_a_folder_that_cannot_be_made_is_named(settings: Settings) -> None:
    settings.data.write_text("a file")
    assert_found(findings(settings), "error", str(settings.data), "cannot be written")
    below = Settings(data=settings.data / "below")
    assert_found(findings(below), "error", str(below.data), "cannot be created")


@pytest.mark.parametrize(
    ("line", "level", "names"),
    [
        ("server:/export {} nfs4 rw 0 0", "error", ("nfs4", "network")),
        ("//server/share {} cifs rw 0 0", "error", ("cifs", "network")),
        ("tmpfs {} tmpfs rw 0 0", "warning", ("tmpfs", "next boot")),
        ("overlay {} overlay rw 0 0", "warning", ("overlay", "container")),
        ("/dev/sdb {} ext4 rw 0 0", "ok", ("is on ext4",)),
    ],
)
def test_a_file_system_that_does_not_keep_data_is_named(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, line: str, level: str, names: Names
) -> None:
    parent = settings.data.parent / "a folder"
    parent.mkdir()
    mounts = settings.data.parent / "mounts"
    mounts.write_text("/dev/sda / xfs rw 0 0\n" + line.format(str(parent.resolve()).replace(" ", "\\040")) + "\n")
    monkeypatch.setattr(folder_checks, "MOUNTS", mounts)
    assert_found(findings(Settings(data=parent / "data")), level, str(parent), *names)
    assert_found(findings(settings), "ok", "is on xfs")


def test_a_system_that_does_not_say_what_is_mounted_is_fine(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(folder_checks, "MOUNTS", settings.data / "missing")
    assert_fine(findings(settings))


def free(monkeypatch: pytest.MonkeyPatch, count: int) -> None:
    usage = type("Usage", (), {"free": count})
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: usage)


async def test_a_disk_that_is_about_to_be_full_is_named(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    free(monkeypatch, 99_000_000)
    assert_found(findings(settings), "error", "99 MB", "almost full")


async def test_a_disk_that_will_be_full_before_reports_are_deleted_is_named(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    database = Database(settings)
    async with database.open():
        await SqlStore(database).append([received(NOW + 2 * number) for number in range(2_000)])
    free(monkeypatch, 100_000_000)
    a_month = {"SAMPLE_RETENTION": "2592000", "SNAPSHOT_RETENTION": "2592000"}
    found = findings(settings, a_month, now=NOW + 4000)
    assert_found(found, "warning", "free disk space: 100 MB", "growth at the present rate", "SAMPLE_RETENTION")
    assert_fine(findings(settings, now=NOW + 4000))
    free(monkeypatch, 10**12)
    assert_fine(findings(settings, a_month, now=NOW + 4000))


async def test_a_day_is_estimated_from_an_hour_at_least(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    free(monkeypatch, 100_000_000)
    database = Database(settings)
    async with database.open():
        # Some 500 reports a second, for 10 s: a burst would fill the disk if it lasted for a day.
        await SqlStore(database).append([received(NOW + number / 500) for number in range(5_000)])
        assert_found(findings(settings, now=NOW + 10), "ok", "growth: not known before there are reports of an hour")
        await SqlStore(database).append([received(NOW + 3600 + number / 500) for number in range(5_000)])
        assert_found(findings(settings, now=NOW + 3611), "ok", "growth at the present rate: ")


# The database


@pytest.mark.parametrize("content", [b"not a database " * 100, b"SQLite format 3\0" + b"\xff" * 5000])
def test_a_database_that_is_none_is_named_and_left_as_it_is(settings: Settings, path: Path, content: bytes) -> None:
    settings.data.mkdir()
    path.write_bytes(content)
    assert_found(findings(settings), "error", str(path), "cannot be read")
    assert path.read_bytes() == content


def test_an_empty_file_is_a_database_to_be_made(settings: Settings, path: Path) -> None:
    settings.data.mkdir()
    path.touch()
    assert_fine(findings(settings))
    assert path.stat().st_size == 0


def test_a_database_of_something_else_is_named(settings: Settings, path: Path) -> None:
    settings.data.mkdir()
    damage(path, "CREATE TABLE customers (name)")
    assert_found(findings(settings), "error", "not a database of roompulse", "customers")


async def test_a_schema_of_another_version_is_named(settings: Settings, path: Path) -> None:
    await fill(settings)
    damage(path, "UPDATE alembic_version SET version_num = 'from_the_future'")
    assert_found(findings(settings), "error", "newer roompulse", "from_the_future")
    damage(path, "UPDATE alembic_version SET version_num = '0001'")
    assert_found(findings(settings), "ok", "schema 0001", "the server will upgrade it to")


async def test_a_damaged_page_is_named(settings: Settings, path: Path) -> None:
    await fill(settings, NOW)
    rewrite(path, "sample_by_reporter", lambda page: b"\xff" * len(page))
    assert ("error", True) in {(level, "damaged" in text) for level, text in findings(settings)}


async def test_an_index_that_differs_from_its_table_is_named_by_the_full_check(settings: Settings, path: Path) -> None:
    await fill(settings, NOW)
    rewrite(path, "sample", lambda page: page.replace(b"room-1", b"room-2"))
    assert_fine(findings(settings))
    assert_found(findings(settings, full=True), "error", "damaged", "sample_by_reporter")


async def test_rows_of_the_future_are_named(settings: Settings) -> None:
    await fill(settings, NOW, NOW + 3600)
    assert_found(findings(settings), "warning", "samples with a time in the future: 1;")
    assert_fine(findings(settings, now=NOW + 3600 - 59))


async def test_a_clock_that_was_set_back_is_named(settings: Settings) -> None:
    await fill(settings, NOW - 600, NOW - 300, NOW - 500)
    assert_found(findings(settings), "warning", "the clock was set back by 200 s at 2027-01-15 07:51:40 UTC")


async def test_a_clock_that_was_set_forward_is_named_where_a_server_does_not_delete(settings: Settings) -> None:
    await fill(settings, NOW - 200_000, NOW)
    async with Database(settings).open():
        assert_found(findings(settings), "warning", "200000 s old", "waits: for an hour, as the clock was set")


async def test_a_time_beyond_all_calendars_is_no_failure(settings: Settings, path: Path) -> None:
    await fill(settings, NOW)
    damage(path, f"UPDATE sample SET received_at = {2**62}")  # noqa: S608
    assert_found(findings(settings), "warning", "samples with a time in the future: 1;")


async def test_retention_that_does_not_keep_up_is_named_where_a_server_runs(settings: Settings) -> None:
    await fill(settings, NOW - 86_400 - 601)
    assert_fine(findings(settings))
    async with Database(settings).open():
        assert_found(findings(settings), "warning", "SAMPLE_RETENTION", "does not keep up")
        assert_fine(findings(settings, now=NOW - 2))


async def test_beside_a_server_it_says_so_and_does_not_try_its_port(settings: Settings) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        async with Database(settings).open():
            found = findings(settings, {"PORT": port})
    assert_found(found, "ok", "a server is running on this database")
    assert_fine(found)


async def test_a_log_that_has_grown_is_named(settings: Settings, path: Path) -> None:
    await fill(settings, NOW)
    log = path.with_name("roompulse.db-wal")
    log.touch()
    os.truncate(log, LOG_KEPT)
    assert_fine(findings(settings))
    os.truncate(log, LOG_KEPT + 1)
    assert_found(findings(settings), "warning", "write-ahead log has 67 MB", "next start")
    async with Database(settings).open():
        os.truncate(log, LOG_KEPT + 1)
        assert_found(findings(settings), "warning", "write-ahead log has 67 MB", "a reader keeps it open")


# The command


def test_the_command_changes_nothing_beside_a_server_and_after_a_crash(server: Server) -> None:
    server.post(REFERENCE)
    beside = run("check", "--data", str(server.data), "--port", str(server.port))
    assert (beside.returncode, beside.stderr) == (0, "")
    assert "ok       a server is running on this database" in beside.stdout
    server.kill()
    before = {path.name: path.read_bytes() for path in server.data.iterdir() if not path.name.endswith("-shm")}
    after = run("check", "--full", "--data", str(server.data), "--port", "0")
    assert after.returncode == 0, after.stdout
    assert "(integrity_check)" in after.stdout
    assert "what a crash left there" in after.stdout
    assert before == {path.name: path.read_bytes() for path in server.data.iterdir() if not path.name.endswith("-shm")}


def test_the_command_makes_nothing_where_nothing_is(settings: Settings) -> None:
    ended = run("check", "--data", str(settings.data), "--port", "0")
    assert ended.returncode == 0
    assert "there is no database" in ended.stdout
    assert not settings.data.exists()


def test_an_error_is_the_exit_code_and_every_line_begins_with_its_level(settings: Settings) -> None:
    ended = run("check", "--data", str(settings.data), PORT="http", MAX_ROOM="5")
    assert ended.returncode == 1
    assert {line.split()[0] for line in ended.stdout.splitlines()} >= {"ok", "warning", "error"}
    assert ended.stderr == ""


def test_it_is_listed_and_has_the_flags_of_serve() -> None:
    assert "\n  check       Find problems with the settings, the machine and the database.\n" in run("--help").stdout
    text = run("check", "--help").stdout
    for flag in ("--host", "--port", "--data", "--full", "exit code"):
        assert flag in text


@pytest.mark.parametrize(
    ("count", "said"),
    [(0, "0 B"), (999, "999 B"), (1000, "1.0 kB"), (67_108_864, "67 MB"), (4.2e9, "4.2 GB"), (2e15, "2000 TB")],
)
def test_bytes_are_said_for_people(count: float, said: str) -> None:
    assert in_bytes(count) == said


class TestWhoGetsIn:
    def test_a_server_that_others_reach_needs_somebody_to_ask_for(self, settings: Settings) -> None:
        found = findings(settings, {"HOST": "0.0.0.0"})  # noqa: S104
        assert_found(found, "error", "roompulse key add", "--behind-proxy", "--open")

    async def test_it_says_where_nobody_can_look(self, settings: Settings) -> None:
        await new_key(settings, "ingest")
        assert_found(findings(settings, {"HOST": "0.0.0.0"}), "warning", "no one can read")  # noqa: S104

    async def test_keys_that_others_may_read_are_told(self, settings: Settings) -> None:
        await new_key(settings, "token")
        assert_found(findings(settings), "ok", "access: operators: 0, API keys: 1")
        access_path(settings).chmod(0o644)
        assert_found(findings(settings), "warning", "can be read by other users")

    def test_a_database_that_is_none_is_named(self, settings: Settings) -> None:
        settings.data.mkdir()
        access_path(settings).write_bytes(b"x" * 5000)
        assert_found(findings(settings), "error", "roompulse-access.db", "not a database")
