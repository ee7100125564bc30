"""A database whose file is no longer the opened one: nothing is acknowledged that a restart would not find.

Tests change the files while the application runs.
"""

import os
import re
import shutil
import sqlite3
from collections.abc import AsyncIterator, Callable
from contextlib import closing
from pathlib import Path

import httpx
import msgspec
import pytest

from roompulse.app import create_app
from roompulse.errors import StartupError
from roompulse.settings import Settings
from tests.api import assert_problem, data, serving
from tests.builders import NOW, body
from tests.conftest import Clock, client_of
from tests.process import soon

pytestmark = pytest.mark.one_process

PAGES = ["/", "/rooms/room-1", "/rooms/room-1/users/u0", "/ingest"]


@pytest.fixture
async def client(settings: Settings, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[httpx.AsyncClient]:
    """A client of an application that has one report, by u0."""
    monkeypatch.setattr("roompulse.store.availability.CHECK_EVERY", 0.01)
    async with serving(msgspec.structs.replace(settings, stale_after=1000, leave_after=1000), clock) as client:
        assert (await post(client, "u0")).status_code == 200
        yield client


async def post(client: httpx.AsyncClient, user_id: str) -> httpx.Response:
    return await client.post("/report/metrics", content=body(user_id=user_id))


def folder_moved(folder: Path) -> None:
    folder.rename(folder.with_name("moved"))


def folder_deleted(folder: Path) -> None:
    shutil.rmtree(folder)


def folder_made_anew(folder: Path) -> None:
    shutil.rmtree(folder)
    folder.mkdir()


def file_deleted(folder: Path) -> None:
    (folder / "roompulse.db").unlink()


def file_replaced(folder: Path) -> None:
    copy = folder / "restored.db"
    shutil.copy(folder / "roompulse.db", copy)
    copy.replace(folder / "roompulse.db")


def log_deleted(folder: Path) -> None:
    (folder / "roompulse.db-wal").unlink()


def index_deleted(folder: Path) -> None:
    (folder / "roompulse.db-shm").unlink()


def overwritten_by_another_database(folder: Path) -> None:
    other = folder.with_name("other.db")
    with closing(sqlite3.connect(other)) as connection, connection:
        connection.execute("CREATE TABLE song (title TEXT)")
    shutil.copy(other, folder / "roompulse.db")


def overwritten_by_text(folder: Path) -> None:
    (folder / "roompulse.db").write_text("not a database " * 10_000)


def overwritten_by_an_older_self(folder: Path) -> None:
    path = folder / "roompulse.db"
    path.write_bytes(path.read_bytes())


def emptied(folder: Path) -> None:
    (folder / "roompulse.db").write_bytes(b"")


MOVED = [folder_moved, folder_deleted, folder_made_anew, file_deleted, file_replaced, log_deleted, index_deleted]
OVERWRITTEN = [overwritten_by_another_database, overwritten_by_text, overwritten_by_an_older_self, emptied]
Harm = Callable[[Path], None]
WORDS: dict[Harm, str] = {
    **dict.fromkeys(MOVED, "ts file was moved, deleted or replaced while the server was running"),
    # A read may meet the damage before a write finds the cause, and SQLite deletes the log of an emptied file.
    **dict.fromkeys(OVERWRITTEN, "ts file (was (overwritten|moved, deleted or replaced) while|is damaged)"),
}


async def started(client: httpx.AsyncClient) -> None:
    """Wait until a first start has written the default rules of alerts: commits are made one by one."""

    async def has_rules() -> bool:
        return bool((await client.get("/report/alerts/rules")).json()["data"])

    await soon(has_rules)
    assert (await post(client, "u1")).status_code == 200


@pytest.mark.parametrize("harm", WORDS, ids=lambda harm: harm.__name__)
async def test_reports_are_refused_and_everybody_is_told(
    client: httpx.AsyncClient, settings: Settings, harm: Harm, caplog: pytest.LogCaptureFixture
) -> None:
    await started(client)
    harm(settings.data)
    for number in range(3):
        answer = await post(client, f"u{number}")
        assert_problem(answer, 503, "the database cannot be written now")
        assert int(answer.headers["retry-after"]) >= 1
    answer = await client.get("/readyz")
    assert answer.status_code == 503
    assert re.search(WORDS[harm], answer.json()["reason"])
    for page in PAGES:

        async def shown(page: str = page) -> bool:
            return bool(re.search(WORDS[harm], (await client.get(page)).text))

        await soon(shown)
    assert "roompulse_store_failing 1.0" in (await client.get("/metrics")).text
    assert caplog.text.count("the database cannot be written") <= 2
    assert "reports could not be saved" not in caplog.text
    # Earlier acknowledged reports are shown as long as the process lives.
    assert (await data(client, "/report/metrics/room-1/u0"))["user_id"] == "u0"


@pytest.mark.parametrize("harm", WORDS, ids=lambda harm: harm.__name__)
async def test_it_is_known_though_nobody_reports(client: httpx.AsyncClient, settings: Settings, harm: Harm) -> None:
    await started(client)
    harm(settings.data)

    async def told() -> bool:
        return (await client.get("/readyz")).status_code == 503

    async def shown() -> bool:
        return bool(re.search(WORDS[harm], (await client.get("/")).text))

    await soon(told)
    await soon(shown)


async def test_a_folder_that_is_put_back_is_used_again(client: httpx.AsyncClient, settings: Settings) -> None:
    folder_moved(settings.data)
    assert (await post(client, "u1")).status_code == 503
    settings.data.with_name("moved").rename(settings.data)

    async def taken() -> bool:
        return (await post(client, "u2")).status_code == 200

    await soon(taken)
    assert (await client.get("/readyz")).status_code == 200
    assert "Database not writable" not in (await client.get("/")).text
    with closing(sqlite3.connect(settings.data / "roompulse.db")) as connection:
        kept = {row[0] for row in connection.execute("SELECT reporter_id FROM sample")}
    assert {"u0", "u2"} <= kept


async def test_a_folder_that_is_made_anew_is_used_by_the_next_start(
    settings: Settings, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    async with serving(settings, clock) as client:
        folder_made_anew(settings.data)
        assert (await post(client, "u1")).status_code == 503
        assert "Traceback" not in caplog.text
    async with serving(settings, clock) as client:
        assert (await post(client, "u2")).status_code == 200
    async with serving(settings, clock) as client:
        assert await data(client, "/report/rooms") == ["room-1"]


def scribble(settings: Settings, name: str) -> None:
    """Damage the first page of a table or index on the disk without a trace, as a disk does that rots."""
    path = settings.data / "roompulse.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        (page,) = connection.execute("SELECT rootpage FROM sqlite_master WHERE name = ?", [name]).fetchone()
        (size,) = connection.execute("PRAGMA page_size").fetchone()
    before = path.stat()
    with path.open("r+b") as file:
        file.seek((page - 1) * size)
        file.write(b"\xff" * size)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


READS = {
    "/report/history/room-1": "snapshot_by_room",
    "/report/history/room-1/u0": "sample_by_reporter",
    f"/rooms/room-1?at={NOW - 10}": "sample_by_reporter",
    f"/rooms/room-1/users/u0?at={NOW - 10}": "sample_by_reporter",
    "/rooms/room-1/users.csv": "sample_by_reporter",
}


@pytest.mark.parametrize("path", READS)
async def test_a_read_that_meets_damage_is_503_and_counted_and_ends_writing(
    settings: Settings, clock: Clock, path: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with serving(settings, clock) as client:
        assert (await post(client, "u0")).status_code == 200
    async with serving(settings, clock) as client:
        scribble(settings, READS[path])
        clock.advance(1)
        answer = await client.get(path)
        assert answer.status_code == 503
        assert "the database cannot be read now" in answer.text
        assert "its file is damaged (database disk image is malformed); run roompulse check" in caplog.text
        assert "roompulse_store_read_errors_total 0.0" not in (await client.get("/metrics")).text
        assert "is damaged" in (await client.get("/readyz")).json()["reason"]
        assert (await post(client, "u1")).status_code == 503
        assert "Its file is damaged" in (await client.get("/rooms/room-1")).text


@pytest.mark.parametrize("table", ["sample", "snapshot", "session", "beat", "alembic_version"])
async def test_a_start_on_a_damaged_table_says_what_to_do(settings: Settings, clock: Clock, table: str) -> None:
    scribble(settings, table)
    with pytest.raises(StartupError, match=r"roompulse.db cannot be used: its file is damaged .* run roompulse check"):
        async with client_of(create_app(settings, clock)):
            pass


async def test_a_start_with_any_page_damaged_starts_or_says_what_to_do(settings: Settings, clock: Clock) -> None:
    async with serving(settings, clock) as client:
        for number in range(20):
            assert (await post(client, f"u{number}")).status_code == 200
    path = settings.data / "roompulse.db"
    whole, refused = path.read_bytes(), list[str]()
    for page in range(0, len(whole), 4096):
        path.write_bytes(whole[:page] + bytes([page // 4096 % 256]) * 4096 + whole[page + 4096 :])
        try:
            async with client_of(create_app(settings, clock)) as client:
                assert (await client.get("/report/rooms")).status_code == 200
        except StartupError as error:
            refused.append(str(error))
    assert len(refused) > 5
    for message in refused:
        assert "\n" not in message
        assert "run roompulse check" in message
