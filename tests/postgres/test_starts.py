"""Starts: of several workers together, and on unusable databases, each with one line that says what to do."""

import asyncio
import socket
import tempfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
from msgspec.structs import replace
from sqlalchemy import Connection

from roompulse.engines import access_of, engine_of
from roompulse.errors import StartupError
from roompulse.postgres import database as postgres_database
from roompulse.settings import Settings
from tests.conftest import Clock
from tests.postgres_server import PostgresServer, execute, schema_of

pytestmark = pytest.mark.anyio


async def reason(settings: Settings) -> str:
    """The line that a start on this database ends with."""
    with pytest.raises(StartupError) as raised:
        async with engine_of(settings, Clock()).database.open():
            pass
    found = str(raised.value)
    assert "\n" not in found
    return found


@pytest.fixture
def silent() -> Iterator[int]:
    """The port of a server that takes connections and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()[1]


async def test_a_database_that_is_not_there_is_named(settings: Settings) -> None:
    found = await reason(replace(settings, database_url="postgresql://me:secret@127.0.0.1:1/calls"))
    assert found == (
        "the database calls at 127.0.0.1:1 cannot be reached (Connection refused): "
        "is PostgreSQL running there, and DATABASE_URL right?"
    )


async def test_a_host_that_does_not_exist_is_named(settings: Settings) -> None:
    found = await reason(replace(settings, database_url="postgresql://me@no-such-host.invalid/calls"))
    assert found.startswith("the database calls at no-such-host.invalid:5432 cannot be reached (")


async def test_a_server_that_says_nothing_is_given_up(
    settings: Settings, silent: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgres_database, "_CONNECT_TIMEOUT", 0.2)
    found = await reason(replace(settings, database_url=f"postgresql://me@127.0.0.1:{silent}/calls"))
    assert "does not answer within 0.2 s" in found


async def test_a_wrong_password_is_named_and_not_shown(settings: Settings, postgres_url: str) -> None:
    await execute(postgres_url, "CREATE USER locked PASSWORD 'secret'")
    url = postgres_url.replace("roompulse@", "locked:not-the-password@")
    found = await reason(replace(settings, database_url=url))
    assert 'password authentication failed for user "locked"' in found
    assert "check user and password in DATABASE_URL" in found
    assert "not-the-password" not in found


async def test_a_database_that_was_not_created_is_named(settings: Settings, postgres_url: str) -> None:
    found = await reason(replace(settings, database_url=postgres_url.removesuffix("postgres") + "nothing"))
    assert found.endswith('cannot be used: database "nothing" does not exist; create it with createdb')


async def test_a_url_that_is_none_is_named_and_not_shown(settings: Settings) -> None:
    with pytest.raises(StartupError) as raised:
        engine_of(replace(settings, database_url="postgresql://me:secret@host:port/calls"), Clock())
    assert "DATABASE_URL: not a URL" in str(raised.value)
    assert "secret" not in str(raised.value)


async def test_a_postgresql_that_is_too_old_is_named(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(postgres_database, "OLDEST", 99)
    assert "is too old: 99 or later is needed" in await reason(settings)


async def test_a_newer_schema_is_named(settings: Settings) -> None:
    newer = "UPDATE alembic_version SET version_num = 'newer'", "UPDATE readable_by SET revision = 'newer'"
    database = engine_of(settings, Clock()).database
    async with database.open():
        for statement in newer:
            await database.write(partial(Connection.exec_driver_sql, statement=statement))
    found = await reason(settings)
    assert found == (
        f"the database {database.path.name} is of a newer roompulse (schema newer); start that version or a later one"
    )


async def test_a_database_that_only_reads_is_named(settings: Settings, postgres_url: str) -> None:
    await execute(postgres_url, "CREATE USER reader", "ALTER USER reader SET default_transaction_read_only = on")
    url = postgres_url.replace("roompulse@", "reader@")
    found = await reason(replace(settings, database_url=schema_of(url)))
    assert "read-only" in found


def test_a_replica_is_named(tmp_path: Path) -> None:
    with tempfile.TemporaryDirectory(prefix="roompulse-") as folder:
        primary = PostgresServer(Path(folder))
        primary.start()
        standby = primary.standby(Path(folder) / "standby")
        try:
            standby.start()
            settings = Settings(data=tmp_path, database_url=standby.url)
            found = asyncio.run(reason(settings))
        finally:
            standby.stop()
            primary.stop()
    assert found.endswith("is a replica, which cannot be written: name the primary")


async def test_four_workers_that_start_at_once_on_an_empty_database_make_one_schema(settings: Settings) -> None:
    async def start() -> None:
        engine = engine_of(settings, Clock())
        async with engine.database.open(), engine.access.open():
            await engine.database.probe()

    await asyncio.gather(*(start() for _ in range(4)))
    async with access_of(settings).open():
        pass
