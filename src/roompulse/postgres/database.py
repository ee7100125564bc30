"""The database of reports in PostgreSQL, for any number of workers. It has the methods of `store/engine.py`."""

import asyncio
import os
import secrets
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from functools import partial
from pathlib import Path
from threading import Thread
from typing import Any, TypeVar

import asyncpg  # type: ignore[import-untyped]
from sqlalchemy import Connection, Executable, text, update
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from roompulse.errors import StartupError, StoreError
from roompulse.postgres.errors import database_errors, driver_errors
from roompulse.postgres.place import place_of, url_of
from roompulse.settings import Settings
from roompulse.store.migrate import migrate
from roompulse.store.schema import beat

OLDEST = 14
"""The oldest version of PostgreSQL that is supported."""

MIGRATING = 715_001
"""Key of the advisory lock under which one worker at a time migrates; the keys of the log and the lease follow."""

EXCLUSIVE = MIGRATING + 4

# With any collation of the database, texts are ordered as in Python and SQLite.
BY_BYTES = text("""DO $$
DECLARE found record;
BEGIN
    FOR found IN SELECT table_name, column_name FROM information_schema.columns
        WHERE table_schema = current_schema() AND data_type = 'text' AND collation_name IS DISTINCT FROM 'C'
    LOOP
        EXECUTE format('ALTER TABLE %I ALTER COLUMN %I TYPE text COLLATE "C"', found.table_name, found.column_name);
    END LOOP;
END $$""")

UNMOVED = "SELECT source FROM move WHERE NOT is_complete"
"""The source of an unfinished migration."""

MOVE_AGAIN = "run roompulse migrate-to again to continue"

_CONNECT_TIMEOUT = 5.0
_CONNECTIONS = 4

_SLACK = 1.0
"""Seconds to wait for a statement after PostgreSQL should have cancelled it: then the network is lost."""

T = TypeVar("T")


class PostgresDatabase:
    """Writes go to `write`, reads to `reading` or, where they may be long, to `fetch`; the log has its own connections.

    The parameter `schema` of the URL is the schema of the tables, "public" without it: so several clusters may share a
    database.
    """

    form_key = ""
    """The secret of forms' tokens, the same in all workers; once it is open."""

    read_failed: Callable[[StoreError], None] = staticmethod(lambda _error: None)

    needs_room = False
    """Whether reports did not fit on the disk: then a write succeeds only where there is room for new ones."""

    span = 3_600_000
    """Milliseconds of samples in each table."""

    def __init__(self, settings: Settings, *, receives: bool = False) -> None:
        """`receives`: to migrate data into it, which is incomplete until that is done."""
        url = url_of(settings)
        self._receives = receives
        self.schema = str(url.query.get("schema", "public"))
        self.url = url.difference_update_query(["schema"])
        self.path = Path(f"{url.host}/{url.database}")
        self._timeout = settings.commit_timeout
        self._engine = self._new_engine(_CONNECTIONS)
        self._open: set[asyncpg.Connection[Any]] = set()
        self._steps = _OtherLoop()
        self._steps_engine = self._new_engine(1)

    def _new_engine(self, connections: int, *, waits: bool = False) -> AsyncEngine:
        return create_async_engine(
            self.url.set(drivername="postgresql+asyncpg", password=None, query={}),  # in words: the next connects
            async_creator=partial(self.connect, waits=waits),
            pool_size=connections,
            max_overflow=0,
            pool_timeout=60,
            hide_parameters=True,
        )

    def _server_settings(self) -> dict[str, str]:
        milliseconds = round(self._timeout * 1000)
        return {
            "search_path": self.schema,
            "application_name": "roompulse",
            "statement_timeout": str(milliseconds),
            "lock_timeout": str(milliseconds // 2),
            "idle_in_transaction_session_timeout": "5000",
        }

    async def connect(self, *, waits: bool = False) -> "asyncpg.Connection[Any]":
        """A new connection, for its own use by the log and the lease; raises StoreError.

        Unless it `waits`, a statement without an answer raises TimeoutError: a lost network sends no error.
        """
        connecting = asyncio.create_task(
            asyncpg.connect(
                self.url.render_as_string(hide_password=False),
                server_settings=self._server_settings(),
                timeout=_CONNECT_TIMEOUT,
                command_timeout=None if waits else self._timeout + _SLACK,
            )
        )
        with driver_errors():
            try:
                connection = await asyncio.shield(connecting)
            except asyncio.CancelledError:
                # If it was cancelled itself, the event loop would log an error that no caller handles.
                with suppress(Exception):
                    (await connecting).terminate()
                raise
        self._open.add(connection)
        connection.add_termination_listener(self._open.discard)
        return connection

    def fetch(self, statement: Executable) -> Sequence[Any]:
        """All rows of a statement; raises StoreError. For the steps of a `Reader` and its thread, which it blocks."""
        with database_errors():
            return self._steps.result(self._fetch(statement))

    async def _fetch(self, statement: Executable) -> Sequence[Any]:
        async with self._steps_engine.connect() as connection, _given_up(connection):
            return (await connection.execute(statement)).all()

    async def write(self, work: Callable[[Connection], T], *, first: bool = False) -> T:
        """Run `work` in its own transaction, without waiting for others; raises its errors, and StoreError."""
        with database_errors():
            async with self._engine.begin() as connection, _given_up(connection):
                return await connection.run_sync(work)

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[AsyncConnection]:
        """A connection that only reads. Raises StoreError when the database fails, or a row cannot be decoded."""
        try:
            with database_errors():
                async with self._engine.connect() as connection, _given_up(connection):
                    yield connection
        except StoreError as error:
            self.read_failed(error)
            raise

    @asynccontextmanager
    async def open(self) -> AsyncIterator[None]:
        """Migrate the database, one worker after the other, and close all connections at the end.

        Raises:
            StartupError: the database cannot be used; the message has the reason.

        """
        with self._steps.running():
            try:
                with self.startup_errors():
                    engine = self._new_engine(1, waits=True)
                    try:
                        await self._prepare(engine)
                    finally:
                        await engine.dispose()
                yield
            finally:
                await self._engine.dispose()
                self._steps.result(self._steps_engine.dispose())
                for connection in [*self._open]:  # whose first use was cancelled: the pool does not know them
                    connection.terminate()

    async def _prepare(self, engine: AsyncEngine) -> None:
        async with engine.begin() as connection:
            version = await connection.scalar(text("SELECT current_setting('server_version_num')::int"))
            if version // 10_000 < OLDEST:
                raise StartupError(f"PostgreSQL {version // 10_000} is too old: {OLDEST} or later is needed")
            if await connection.scalar(text("SELECT pg_is_in_recovery()")):
                raise StartupError(f"{place_of(self.url)} is a replica, which cannot be written: name the primary")
            # A transaction that waits for the lock is no longer than COMMIT_TIMEOUT otherwise.
            await connection.execute(text("SET LOCAL lock_timeout = 0"))
            await connection.execute(text("SET LOCAL statement_timeout = 0"))
            await connection.execute(text("SET LOCAL idle_in_transaction_session_timeout = '60s'"))
            await connection.execute(text(f"SELECT pg_advisory_xact_lock({MIGRATING})"))
            await connection.execute(text(f'CREATE SCHEMA IF NOT EXISTS "{self.schema}"'))
            await connection.run_sync(migrate)
            await connection.execute(BY_BYTES)
            if not self._receives and (source := await connection.scalar(text(UNMOVED))):
                raise StartupError(f"{place_of(self.url)} does not have all of {source} yet: {MOVE_AGAIN}")
            made = {"name": "forms", "value": secrets.token_hex(32)}
            await connection.execute(text("INSERT INTO secret VALUES (:name, :value) ON CONFLICT DO NOTHING"), made)
            self.form_key = str(await connection.scalar(text("SELECT value FROM secret WHERE name = :name"), made))

    @contextmanager
    def startup_errors(self) -> Iterator[None]:
        """Raise StartupError, with one line for the operator, where the database fails."""
        try:
            with database_errors():
                yield
        except StoreError as error:
            raise StartupError(f"the database {place_of(self.url)} {what_is_wrong(error)}") from None

    @asynccontextmanager
    async def exclusive(self) -> AsyncIterator[None]:
        """A context that one task of all workers is in at a time; a worker that hangs in it loses it after 5 s."""
        with database_errors():
            async with self._engine.begin() as connection, _given_up(connection):
                await connection.execute(text(f"SELECT pg_advisory_xact_lock({EXCLUSIVE}, hashtext(current_schema()))"))
                yield

    async def probe(self) -> None:
        """Try a write; raises StoreError if it fails."""
        await self.write(lambda connection: connection.execute(update(beat).values(count=beat.c.count + 1)))
        if self.needs_room:
            await self.write(_take_room)
            self.needs_room = False

    async def check(self) -> None:
        """Nothing to check: writes notice a lost database."""

    async def empty_log(self) -> None:
        """Does nothing: PostgreSQL manages its own log, see docs/cluster.md."""


def _take_room(connection: Connection) -> None:
    """Take a megabyte and give it back: a full disk has no room for new rows, but often for changed ones."""
    name = f"room_{secrets.token_hex(6)}"
    connection.exec_driver_sql(f"CREATE TABLE {name} AS SELECT generate_series(1, 30000)")
    connection.exec_driver_sql(f"DROP TABLE {name}")


class _OtherLoop:
    """An event loop in its own thread: waiting for a result does not block the server's loop."""

    @contextmanager
    def running(self) -> Iterator[None]:
        self._loop = asyncio.new_event_loop()
        thread = Thread(target=self._loop.run_forever, name="roompulse-postgres")
        thread.start()
        try:
            yield
        finally:
            self._loop.call_soon_threadsafe(self._loop.stop)
            thread.join()
            self._loop.close()

    def result(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()


@asynccontextmanager
async def _given_up(connection: AsyncConnection) -> AsyncIterator[None]:
    """Close the connection if it does not answer in time, instead of rolling back on it."""
    try:
        yield
    except TimeoutError:
        await connection.invalidate()
        raise


def what_is_wrong(error: StoreError) -> str:
    """Why a database cannot be used and what to do, in one line."""
    reason, cause = str(error).partition("\n")[0], error.__cause__
    if isinstance(cause, TimeoutError):
        return f"does not answer within {_CONNECT_TIMEOUT:g} s: is the host right, and does a firewall let it through?"
    if isinstance(cause, OSError):
        reason = os.strerror(cause.errno) if cause.errno and cause.errno > 0 else cause.strerror or reason
        return f"cannot be reached ({reason}): is PostgreSQL running there, and DATABASE_URL right?"
    if isinstance(cause, asyncpg.InvalidAuthorizationSpecificationError):
        return f"cannot be used: {reason}; check user and password in DATABASE_URL"
    if isinstance(cause, asyncpg.InvalidCatalogNameError):
        return f"cannot be used: {reason}; create it with createdb"
    return f"cannot be used: {reason}"
