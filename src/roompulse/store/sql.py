"""The store in an SQL database, by SQLAlchemy Core."""

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from functools import partial
from itertools import chain
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, Table, delete, exists, func, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from roompulse.report.model import Received
from roompulse.rooms.model import Aggregate, Snapshot
from roompulse.store.contract import HistoryQuery
from roompulse.store.engine import Database
from roompulse.store.packing import unpack_aggregate, unpack_score_and_users
from roompulse.store.rows import FETCH_AT_ONCE, received_of, sample_rows, snapshot_row, store_errors
from roompulse.store.schema import samples, sessions, snapshots
from roompulse.store.steps import newest_steps

_COLUMNS = [column.name for column in samples.c if column.name != "id"]
_INSERT = f"INSERT INTO sample ({', '.join(_COLUMNS)}) VALUES "  # noqa: S608  (our own names)
_PLACES = f"({', '.join('?' * len(_COLUMNS))})"
_ROWS_AT_ONCE = 4000
"""Rows of a statement: SQLite takes 32,766 values."""

PRUNE_AT_ONCE = 500
"""Rows of each table that one call of `prune` deletes: a step that ingest can wait for."""

_FARTHEST = 40
"""A power of two: more rows than there will ever be."""


class SqlStore:
    """Implements `Store` and `ScoreHistory`."""

    def __init__(self, database: Database) -> None:
        self._write = database.write
        self._reader = database.reader

    async def append(self, reports: Sequence[Received]) -> None:
        rows = [row for received in reports for row in sample_rows(received)]
        with store_errors():
            await self._write(partial(_append, rows=rows))

    async def recent(self, since: float) -> AsyncIterator[Received]:
        newest_first = select(samples).order_by(samples.c.id.desc())
        rows: list[Any] = []
        with store_errors():
            async with self._reader.connect() as connection, connection.stream(newest_first) as result:
                # Ids grow with the time of receipt: the first row that is too old ends the search, without an index.
                async for some in result.partitions(FETCH_AT_ONCE):
                    rows += (row for row in some if row.received_at > since * 1000)
                    if some[-1].received_at <= since * 1000:
                        break
        for row in reversed(rows):
            yield received_of(row)

    async def add_snapshots(self, timestamp: float, aggregates: Iterable[tuple[str, Aggregate]]) -> None:
        rows = [snapshot_row(room_id, timestamp, aggregate) for room_id, aggregate in aggregates]
        with store_errors():
            await self._write(lambda connection: connection.execute(insert(snapshots), rows))

    async def history(self, query: HistoryQuery) -> list[Snapshot] | None:
        with store_errors():
            async with self._reader.connect() as connection:
                async with connection.stream(_newest_snapshots(query)) as result:
                    found = await newest_steps(_snapshots(result.partitions(FETCH_AT_ONCE)), query.step, query.limit)
                if found or await _is_kept(connection, query.room_id):
                    return found
        return None

    async def scores(self, since: float) -> AsyncIterator[list[tuple[str, float, float | None]]]:
        newest_first = select(snapshots).order_by(snapshots.c.id.desc())
        with store_errors():
            async with self._reader.connect() as connection, connection.stream(newest_first) as result:
                async for rows in result.partitions(FETCH_AT_ONCE):
                    recent = [row for row in rows if row.timestamp > since * 1000]
                    yield [
                        (row.room_id, row.timestamp / 1000, unpack_score_and_users(row.aggregate)[0]) for row in recent
                    ]
                    if len(recent) < len(rows):
                        break

    async def prune(self, samples_before: float, snapshots_before: float) -> int:
        oldest = (
            _oldest(samples, "received_at", samples_before),
            _oldest(snapshots, "timestamp", snapshots_before),
            _ended(snapshots_before),
        )
        with store_errors():
            return await self._write(lambda connection: sum(connection.execute(rows).rowcount for rows in oldest))


def _append(connection: Connection, rows: Sequence[Mapping[str, Any]]) -> None:
    """Insert samples, thousands in a statement.

    Python's sqlite3 takes the interpreter's lock anew for each row of an `executemany`, and waits for it as long as
    others are busy; it does without for the whole of a statement.
    """
    for some in (rows[start : start + _ROWS_AT_ONCE] for start in range(0, len(rows), _ROWS_AT_ONCE)):
        values = tuple(chain.from_iterable(row.values() for row in some))
        connection.exec_driver_sql(_INSERT + ", ".join([_PLACES] * len(some)), values)


def _newest_snapshots(query: HistoryQuery) -> Select[Any]:
    timestamp = snapshots.c.timestamp
    statement = select(timestamp, snapshots.c.aggregate).where(snapshots.c.room_id == query.room_id)
    if query.start is not None:
        statement = statement.where(timestamp >= query.start * 1000)
    if query.end is not None:
        statement = statement.where(timestamp <= query.end * 1000)
    if query.step is None:
        statement = statement.limit(query.limit)
    return statement.order_by(timestamp.desc())


async def _snapshots(partitions: AsyncIterator[Sequence[Any]]) -> AsyncIterator[Snapshot]:
    async for rows in partitions:
        for row in rows:
            yield Snapshot(timestamp=row.timestamp / 1000, **unpack_aggregate(row.aggregate))


async def _is_kept(connection: AsyncConnection, room_id: str) -> bool:
    kept = exists().where(snapshots.c.room_id == room_id) | exists().where(samples.c.room_id == room_id)
    return bool(await connection.scalar(select(kept)))


def _oldest(table: Table, column: str, before: float) -> Any:
    # Ids grow with time, so the oldest rows are found without an index on their time.
    row_id, time = table.c.id, table.c[column]
    oldest = select(row_id).order_by(row_id).limit(PRUNE_AT_ONCE).scalar_subquery()
    return delete(table).where(row_id.in_(oldest), (time < before * 1000) | _from_the_future(table, time, before))


def _from_the_future(table: Table, time: ColumnElement[int], before: float) -> ColumnElement[bool]:
    """Rows that a clock far ahead stamped, and that others follow which are too old: so they are that as well.

    Without this they would stay until their time comes, and all that follow them. Of those, a few are looked at, each
    twice as far from the oldest row as the one before.
    """
    first = select(func.min(table.c.id)).scalar_subquery()
    newest = select(time).order_by(table.c.id.desc()).limit(1).scalar_subquery()
    some = table.c.id.in_([first + 2**power for power in range(_FARTHEST)])
    too_old = select(func.max(table.c.id)).where(some, time < before * 1000).scalar_subquery()
    return (time > newest) & (table.c.id < too_old)


def _ended(before: float) -> Any:
    ended = select(sessions.c.id).where(sessions.c.ended_at < before * 1000).limit(PRUNE_AT_ONCE).scalar_subquery()
    return delete(sessions).where(sessions.c.id.in_(ended))
