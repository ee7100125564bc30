"""Migrates everything from SQLite into an empty PostgreSQL database, in steps that continue after a kill.

Rows keep their ids. A step copies the next rows of a table, in the order of SQLite's row ids, and notes in the same
transaction its progress: so it is done once, or not at all. Until all is copied, no server opens the database.
"""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractContextManager, asynccontextmanager
from typing import Any

import asyncpg  # type: ignore[import-untyped]
import msgspec
from sqlalchemy import ColumnClause, Integer, Select, Table, func, literal_column, select
from sqlalchemy.dialects import postgresql

from roompulse.access import schema as access_schema
from roompulse.access.database import AccessDatabase
from roompulse.errors import StartupError
from roompulse.postgres.access import PostgresAccess
from roompulse.postgres.database import PostgresDatabase
from roompulse.postgres.errors import driver_errors
from roompulse.postgres.lease import LEASE
from roompulse.postgres.log import KEPT, packed
from roompulse.postgres.partitions import SPANS, TIMES
from roompulse.postgres.place import place_of
from roompulse.quality import FRAME_RATE_WINDOW
from roompulse.report.model import Received
from roompulse.settings import Settings
from roompulse.store import schema
from roompulse.store.engine import Database
from roompulse.store.files import access_path
from roompulse.store.sql_store import SqlStore

ROWS_AT_ONCE = 500

TABLES = tuple(
    table
    for table in (*schema.metadata.sorted_tables, *access_schema.metadata.sorted_tables)
    if table is not schema.beat  # It holds no data, and its one row exists already.
)

Progress = Callable[[str, int], AbstractContextManager[Callable[[int], None]]]
"""Shows the number of rows of a table to copy; the context's result is called with the number copied."""

_ROW_ID: ColumnClause[int] = literal_column("rowid", Integer)
_DIALECT = postgresql.dialect()  # type: ignore[no-untyped-call]

# The triggers that note changes for running workers are not needed.
_UNNOTED = "SELECT set_config('roompulse.noted', 'yes', true)"


async def move(source: Settings, target: Settings, progress: Progress) -> bool:
    """Copy everything, or the rest of it; False if it was complete before.

    Raises:
        StartupError: one of the two cannot be used, as while a server runs on it, or the target has other data. Rows
            already copied stay, and the next call continues from there.

    """
    origin, database = _Source(source), PostgresDatabase(target, receives=True)
    async with origin.open(), database.open(), PostgresAccess(database, is_open=True).open():
        with database.startup_errors():
            connection = await database.connect(waits=True)
            try:
                with driver_errors():
                    return await _Move(origin, connection, place_of(database.url), source.leave_after).run(progress)
            finally:
                connection.terminate()


class _Source:
    """The databases of a server in SQLite, which are only read; no server uses them meanwhile."""

    def __init__(self, settings: Settings) -> None:
        self._database, self._access = Database(settings), AccessDatabase(settings)
        self._paths = self._database.path, access_path(settings)
        self.name = str(self._database.path.resolve())

    @asynccontextmanager
    async def open(self) -> AsyncIterator[None]:
        """Migrate them to the schema of this version; raises StartupError."""
        if not self._database.path.exists():
            raise StartupError(f"there is no database {self._database.path}: name its folder by --data")
        async with self._database.open(), self._access.open():
            with self._database.startup_errors():
                await self._database.empty_log()
            yield

    def state(self) -> str:
        """A value that changes when one of the files is written."""
        found = [path.stat() for path in self._paths]
        return " ".join(f"{one.st_size} {one.st_mtime_ns}" for one in found)

    async def fetch(self, table: Table, statement: Select[Any]) -> Sequence[Any]:
        """The rows of a statement on this table."""
        with self._database.startup_errors():
            if table.metadata is schema.metadata:
                return self._database.fetch(statement)
            return await self._access.run(lambda connection: connection.execute(statement).all())

    async def recent(self, seconds: float) -> AsyncIterator[Received]:
        """The newest seconds of reports."""
        store = SqlStore(self._database)
        with self._database.startup_errors():
            newest = await store.newest()
            if newest is not None:
                async for received in store.recent(newest - seconds):
                    yield received


class _Move:
    def __init__(self, origin: _Source, connection: Any, place: str, leave_after: float) -> None:
        self._origin = origin
        self._connection = connection
        self._place = place
        self._kept = leave_after + FRAME_RATE_WINDOW + KEPT
        self._copied: dict[str, int] = {}
        """The row id of the last row that was copied, by table."""

    async def run(self, progress: Progress) -> bool:
        await self._be_alone()
        if not await self._begin():
            return False
        for table in TABLES:
            await self._copy(table, progress)
        if self._origin.state() != self._state:
            raise StartupError(f"{self._origin.name} was changed meanwhile: run this again, which starts over")
        await self._finish()
        return True

    async def _be_alone(self) -> None:
        """Hold the lease of the singleton jobs, so that no server does."""
        try:
            await self._connection.execute(f"SELECT pg_advisory_lock({LEASE}, hashtext(current_schema()))")
        except asyncpg.LockNotAvailableError:
            raise StartupError(f"a server is running on {self._place}, or another migrate-to: stop it first") from None

    async def _begin(self) -> bool:
        """Whether there is something to copy."""
        self._state = self._origin.state()
        found = await self._connection.fetchrow("SELECT source, state, copied, is_complete FROM move")
        if found is None:
            await self._check_empty()
            new = self._origin.name, self._state
            await self._connection.execute("INSERT INTO move VALUES ($1, $2, '{}', false)", *new)
            return True
        is_same = found["source"] == self._origin.name and found["state"] == self._state
        if found["is_complete"] and is_same:
            return False
        if found["is_complete"] or found["source"] != self._origin.name:
            raise StartupError(f"{self._place} has the data of {found['source']} already: {_EMPTY}")
        if is_same:
            self._copied = msgspec.json.decode(found["copied"], type=dict[str, int])
        else:
            await self._start_over()
        return True

    async def _check_empty(self) -> None:
        for name in (*(table.name for table in TABLES), "batch"):
            if await self._connection.fetchval(f'SELECT EXISTS (SELECT FROM "{name}")'):  # noqa: S608
                raise StartupError(f"{self._place} has data of its own already (in {name}): {_EMPTY}")

    async def _start_over(self) -> None:
        """Delete the rows copied from the earlier state of the source."""
        async with self._connection.transaction():
            await self._connection.execute(f"TRUNCATE {', '.join(table.name for table in TABLES)}")
            await self._connection.execute("UPDATE move SET state = $1, copied = '{}'", self._state)

    async def _copy(self, table: Table, progress: Progress) -> None:
        after, insert = self._copied.get(table.name, 0), _insert_into(table)
        rows = _count(table)
        ((total,),) = await self._origin.fetch(table, rows)
        ((already,),) = await self._origin.fetch(table, rows.where(after >= _ROW_ID))
        with progress(table.name, total) as advance:
            advance(already)
            while found := await self._origin.fetch(table, _rows_after(table, after)):
                row_ids, *columns = zip(*found, strict=True)
                after = self._copied[table.name] = row_ids[-1]
                async with self._connection.transaction():
                    await self._connection.execute(_UNNOTED)
                    if name := TIMES.get(table.name):
                        await self._make_partitions(table.name, columns[table.c.keys().index(name)])
                    await self._connection.execute(insert, *columns)
                    copied = msgspec.json.encode(self._copied).decode()
                    await self._connection.execute("UPDATE move SET copied = $1", copied)
                advance(len(found))

    async def _make_partitions(self, parent: str, times: Sequence[int]) -> None:
        span = round(1000 * SPANS[parent])
        for number in sorted({time // span for time in times}):
            await self._connection.execute("SELECT make_partition($1, $2)", parent, number * span)

    async def _finish(self) -> None:
        """Let new ids follow the copied ones, and put the reports of live rooms into the log."""
        async with self._connection.transaction():
            for table in TABLES:
                if table.autoincrement_column is not None:
                    await self._connection.execute(_ids_go_on(table))
            batch: list[Received] = []
            async for received in self._origin.recent(self._kept):
                batch.append(received)
                if len(batch) == ROWS_AT_ONCE:
                    await self._log(batch)
                    batch = []
            if batch:
                await self._log(batch)
            await self._connection.execute("UPDATE move SET is_complete = true")

    async def _log(self, batch: Sequence[Received]) -> None:
        values = round(1000 * max(one.at for one in batch)), packed(batch)
        await self._connection.execute("INSERT INTO batch (worker, ticket, at, reports) VALUES (0, 0, $1, $2)", *values)


_EMPTY = "name an empty database, or add ?schema=NAME to the URL for a schema of its own"


def _count(table: Table) -> Select[Any]:
    return select(func.count()).select_from(table)


def _rows_after(table: Table, row_id: int) -> Select[Any]:
    """SQLite's row ids, and all columns."""
    return select(_ROW_ID, *table.c).where(row_id < _ROW_ID).order_by(_ROW_ID).limit(ROWS_AT_ONCE)


def _insert_into(table: Table) -> str:
    """With one array for each column. A duplicate event of SQLite is stored once, as workers that find the same do."""
    names = ", ".join(f'"{column.name}"' for column in table.c)
    arrays = ", ".join(f"${place}::{column.type.compile(_DIALECT)}[]" for place, column in enumerate(table.c, 1))
    return f'INSERT INTO "{table.name}" ({names}) SELECT * FROM unnest({arrays}) ON CONFLICT DO NOTHING'  # noqa: S608


def _ids_go_on(table: Table) -> str:
    sequence = f"pg_get_serial_sequence('{table.name}', 'id')"
    return f"SELECT setval({sequence}, coalesce(max(id), 1), max(id) IS NOT NULL) FROM {table.name}"  # noqa: S608
