"""The schema, and how databases of other versions come to it."""

from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from msgspec.structs import replace
from sqlalchemy import Connection, MetaData, text

from roompulse.access.database import VERSIONS as ACCESS_VERSIONS
from roompulse.access.database import AccessDatabase
from roompulse.access.schema import metadata as access_metadata
from roompulse.errors import StartupError
from roompulse.settings import Settings
from roompulse.store.engine import Database
from roompulse.store.migrate import MIGRATIONS, VERSIONS, known_revisions, migrate
from roompulse.store.schema import metadata
from roompulse.store.sql_store import SqlStore
from tests.builders import received


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Those of a server that was never started."""
    return Settings(data=tmp_path / "data")


def differences(connection: Connection, schema: MetaData = metadata) -> list[Any]:
    return list(compare_metadata(MigrationContext.configure(connection), schema))


async def test_the_migrations_make_the_schema(settings: Settings) -> None:
    database = Database(settings)
    async with database.open(), database.reading() as connection:
        assert await connection.run_sync(differences) == []


async def test_the_migrations_of_access_make_its_schema(settings: Settings) -> None:
    access = AccessDatabase(settings)
    async with access.open():
        assert await access.run(lambda connection: differences(connection, access_metadata)) == []
        assert await access.run(differences) != []


@pytest.mark.parametrize("versions", [VERSIONS, ACCESS_VERSIONS])
def test_the_schemas_that_are_known_are_those_of_alembic(versions: Path) -> None:
    scripts = ScriptDirectory(str(MIGRATIONS), version_locations=[str(versions)])
    assert known_revisions(versions) == [script.revision for script in scripts.walk_revisions()]


async def test_a_difference_would_be_noticed(settings: Settings) -> None:
    database = Database(settings)
    async with database.open():
        await database.write(lambda connection: connection.exec_driver_sql("DROP INDEX snapshot_by_room"))
        await database.write(
            lambda connection: connection.exec_driver_sql("ALTER TABLE sample DROP COLUMN sdk_version")
        )
        async with database.reading() as connection:
            assert len(await connection.run_sync(differences)) == 2


async def test_a_database_that_is_up_to_date_stays_as_it_is(settings: Settings) -> None:
    for _ in range(2):
        database = Database(settings)
        async with database.open():
            store = SqlStore(database)
            if not [one async for one in store.recent(0)]:
                await store.append([received()])
            await database.write(migrate)
            assert [replace(one, position=0) async for one in store.recent(0)] == [received()]
            async with database.reading() as connection:
                assert await connection.run_sync(differences) == []


async def test_a_database_of_a_newer_version_ends_the_start(settings: Settings) -> None:
    database = Database(settings)
    newer = text("UPDATE alembic_version SET version_num = 'from_the_future'")
    async with database.open():
        await database.write(lambda connection: connection.execute(newer))
    with pytest.raises(StartupError, match="newer roompulse") as raised:
        async with database.open():
            pass
    message = str(raised.value)
    assert "from_the_future" in message
    assert str(database.path) in message
    assert "\n" not in message


async def test_a_migration_that_fails_leaves_nothing_behind(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(connection: Connection) -> None:
        migrate(connection)
        raise StartupError("half way")

    with monkeypatch.context() as patch:
        patch.setattr("roompulse.store.engine.migrate", fail)
        with pytest.raises(StartupError, match="half way"):
            async with Database(settings).open():
                pass
    database = Database(settings)
    async with database.open(), database.reading() as connection:
        assert await connection.run_sync(differences) == []


async def test_only_one_process_uses_a_database(settings: Settings) -> None:
    async with Database(settings).open():
        with pytest.raises(StartupError, match="another roompulse is running"):
            async with Database(settings).open():
                pass
    async with Database(settings).open():
        pass


@pytest.mark.parametrize(
    "url", ["nonsense", "sqlite://", "sqlite:///:memory:", "postgresql://localhost/x", "mysql://x", ""]
)
def test_a_url_that_is_no_file_of_sqlite_ends_the_start(settings: Settings, url: str) -> None:
    with pytest.raises(StartupError, match="DATABASE_URL"):
        Database(Settings(data=settings.data, database_url=url))


@pytest.mark.parametrize("scheme", ["sqlite", "sqlite+aiosqlite", "sqlite+pysqlite"])
async def test_a_url_of_a_file_of_sqlite_is_used(settings: Settings, scheme: str) -> None:
    path = settings.data / "elsewhere" / "rooms.db"
    async with Database(Settings(data=settings.data, database_url=f"{scheme}:///{path}")).open():
        assert path.is_file()
