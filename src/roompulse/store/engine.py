"""Open the database: one connection that writes and checkpoints, a few that only read, one process at a time.

SQLite before 3.51.3 can corrupt a write-ahead log when two connections write or checkpoint at once, so exactly one
does both. It has its own thread, which runs a transaction as a whole: switching threads for each of its statements
would take twice as long as the commit itself.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, asynccontextmanager, contextmanager, nullcontext
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import URL, Connection, Executable, create_engine, make_url, select, update
from sqlalchemy.exc import ArgumentError
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine

from roompulse.errors import DatabaseDamagedError, StartupError, StoreError
from roompulse.settings import Settings
from roompulse.store.files import LOG_KEPT, OpenFiles, is_postgres, only_process_on
from roompulse.store.migrate import migrate
from roompulse.store.schema import beat, metadata
from roompulse.store.sqlite import set_pragmas, startup_errors, store_errors

_READER_PRAGMAS = ("busy_timeout=5000", "query_only=ON")
_READERS = 4

_LOCK_TIMEOUT = 5.0
"""Seconds for which the writer waits for a lock, but at most a quarter of COMMIT_TIMEOUT: it waits twice before a
report is rejected, in the transaction and in the probe that follows."""

_HEAD_START = 10e-6
"""Seconds for which the event loop releases the interpreter's lock; the kernel makes it about 0.1 ms."""

_LOG_ATTEMPTS, _LOG_PAUSE = 20, 0.25

T = TypeVar("T")


class Database:
    """Writes go to `write`, reads to `reading` or, where they may be long, to `fetch`.

    Errors are logged without parameters: they are the users' data. `read_failed` is called with each error of
    `reading`. A file that is found to be damaged is no longer written.
    """

    read_failed: Callable[[StoreError], None] = staticmethod(lambda _error: None)

    span: int | None = None
    """Milliseconds of samples in each table; None where all are in one."""

    def __init__(self, settings: Settings) -> None:
        url = database_url(settings)
        self.path = Path(url.database or "")
        self._writer = create_engine(url.set(drivername="sqlite"), pool_size=1, max_overflow=0, hide_parameters=True)
        self._reader = create_async_engine(
            url, pool_size=_READERS, max_overflow=0, pool_timeout=60, hide_parameters=True
        )
        self._steps = create_engine(url.set(drivername="sqlite"), pool_size=1, max_overflow=0, hide_parameters=True)
        self._connection: Connection | None = None
        set_pragmas(self._writer, _writer_pragmas(settings))
        set_pragmas(self._steps, _READER_PRAGMAS)
        set_pragmas(self._reader.sync_engine, _READER_PRAGMAS)

    def fetch(self, statement: Executable) -> Sequence[Any]:
        """All rows of a statement, read synchronously; raises StoreError. For the steps of a `Reader` in its thread."""
        with self._errors(), self._steps.connect() as connection:
            return connection.execute(statement).all()

    async def write(self, work: Callable[[Connection], T], *, first: bool = False) -> T:
        """Run `work` in its own transaction, after those requested before, and return its result.

        With `first`, used for reports, it waits only for the current transaction, however many others wait.
        It runs in another thread, and to its end even if the caller is cancelled. Raises its errors, and
        StoreError when the database fails; the transaction is then rolled back. With DatabaseLostError it may have
        been committed, to a file that is no longer at its path.
        """
        with self._errors():
            async with nullcontext() if first else self._turn:
                return await self._in_thread(partial(self._transact, work))

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[AsyncConnection]:
        """A connection that only reads. Raises StoreError when the database fails, or a row cannot be decoded."""
        try:
            with self._errors():
                async with self._reader.connect() as connection:
                    yield connection
        except StoreError as error:
            self.read_failed(error)
            raise

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            with store_errors():
                yield
        except DatabaseDamagedError as error:
            self._damage = str(error)
            raise

    async def _in_thread(self, work: Callable[[], T]) -> T:
        done = asyncio.get_running_loop().run_in_executor(self._thread, work)
        # Otherwise the thread waits for the interpreter's lock until the event loop is idle: under load, a third of the
        # time of a commit, during which the disk could already be at work.
        time.sleep(_HEAD_START)  # noqa: ASYNC251  (it is to stop the event loop)
        return await done

    def _disconnect(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def _transact(self, work: Callable[[Connection], T]) -> T:
        # Kept between transactions: getting it from the pool and returning it is an eighth of a commit of 32 reports.
        self._check()
        if self._connection is None:
            self._connection = self._writer.connect()
        try:
            with self._connection.begin():
                result = work(self._connection)
            self._files.wrote()
        except BaseException:
            # After a failed commit only the pool rolls back: else its changes would be in the next transaction.
            self._disconnect()
            raise
        return result

    def _check(self) -> None:
        self._files.check()
        if self._damage:
            raise DatabaseDamagedError(self._damage)

    def _close(self) -> None:
        self._disconnect()
        self._writer.dispose()
        self._files.close()

    @asynccontextmanager
    async def open(self) -> AsyncIterator[None]:
        """Lock and migrate the database, and close it at the end.

        Raises:
            StartupError: the database cannot be used; the message has the reason.

        """
        self._files, self._damage, self._turn = OpenFiles(self.path), "", asyncio.Lock()
        with only_process_on(self.path), ThreadPoolExecutor(1, "roompulse-writer") as self._thread:
            try:
                await self._prepare()
                yield
            finally:
                # The connection that closes last checkpoints, so it must be the writer.
                await self._reader.dispose()
                self._steps.dispose()
                await self._in_thread(self._close)

    def startup_errors(self) -> AbstractContextManager[None]:
        """Raise StartupError, with one line for the operator, where the database fails."""
        return startup_errors(self.path)

    async def probe(self) -> None:
        """Try a write; raises StoreError if it fails."""
        await self.write(lambda connection: connection.execute(update(beat).values(count=beat.c.count + 1)))

    async def check(self) -> None:
        """Raises DatabaseLostError if its files are lost, without a write."""
        await self._in_thread(self._check)

    async def empty_log(self) -> None:
        """Move all of the log into the database and empty it, unless a read keeps it in use for seconds on end."""
        for _ in range(_LOG_ATTEMPTS):
            if not await self._outside("PRAGMA wal_checkpoint(TRUNCATE)"):
                return
            await asyncio.sleep(_LOG_PAUSE)

    async def vacuum(self) -> None:
        """Rebuild the file, without deleted content. Needs as much disk again, and blocks writes."""
        await self._outside("VACUUM")
        await self.empty_log()

    async def _outside(self, statement: str) -> bool:
        """Run a statement outside of a transaction; whether the database was in use, as a checkpoint says."""

        def run() -> bool:
            self._check()
            self._disconnect()
            with self._writer.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
                result = connection.exec_driver_sql(statement)
                in_use = result.returns_rows and bool(result.scalar())
            self._files.wrote()
            return in_use

        with self._errors():
            return await self._in_thread(run)

    async def _prepare(self) -> None:
        with self.startup_errors():
            await self.write(_migrate)
            await self._in_thread(self._files.opened)


def database_url(settings: Settings) -> URL:
    """The SQLAlchemy URL of the database; raises StartupError if it is not an SQLite file."""
    if settings.database_url is None:
        return URL.create("sqlite+aiosqlite", database=str(settings.data / "roompulse.db"))
    if is_postgres(settings):
        raise StartupError("DATABASE_URL names PostgreSQL, and this is for an SQLite file: see docs/cluster.md")
    try:
        url = make_url(settings.database_url)
    except ArgumentError:
        raise StartupError(f"DATABASE_URL: not an SQLAlchemy URL: {settings.database_url!r}") from None
    if url.get_backend_name() != "sqlite" or not url.database or url.database == ":memory:":
        raise StartupError(f"DATABASE_URL: must be an SQLite file, such as sqlite:///roompulse.db, not {url}")
    return url.set(drivername="sqlite+aiosqlite")


def _writer_pragmas(settings: Settings) -> tuple[str, ...]:
    return (
        f"busy_timeout={round(1000 * min(_LOCK_TIMEOUT, settings.commit_timeout / 4))}",
        "journal_mode=WAL",
        # FULL flushes the log at every commit: acknowledged reports survive a power loss, not only a crash.
        f"synchronous={settings.synchronous}",
        f"journal_size_limit={LOG_KEPT}",
        # Deleted content is overwritten: erasing a user leaves nothing of it in the file.
        "secure_delete=ON",
    )


def _migrate(connection: Connection) -> None:
    # Python's sqlite3 does not begin a transaction for DDL, and a migration must be applied whole or not at all.
    # A file that cannot be written fails here, not at the first report.
    connection.exec_driver_sql("BEGIN IMMEDIATE")
    migrate(connection)
    # Damage where the next rows are written is better found now than by the first report.
    for table in metadata.sorted_tables:
        connection.execute(select(table).order_by(table.c.id.desc()).limit(1)).first()
