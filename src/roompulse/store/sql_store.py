"""The store in an SQL database, by SQLAlchemy Core."""

from collections.abc import AsyncIterator, Iterable, Sequence
from functools import partial
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, Table, delete, exists, func, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from roompulse.report.model import Received
from roompulse.rooms.aggregate import newest_steps
from roompulse.rooms.model import Aggregate, Snapshot
from roompulse.store.contract import HistoryQuery
from roompulse.store.engine import Database
from roompulse.store.packing import PackedSnapshots, unpack_score_and_users, unpack_snapshots
from roompulse.store.row_codec import (
    FETCH_AT_ONCE,
    REPORT_COLUMNS,
    insert_reports,
    reports_of,
    rows_of,
    snapshot_row,
)
from roompulse.store.schema import events, samples, sessions, snapshots
from roompulse.store.sqlite import store_errors

PRUNE_AT_ONCE = 500
"""Rows of each table that one call of `prune` deletes: few enough not to delay ingest."""

_FARTHEST = 40
"""2 to this power is more rows than there will ever be."""


class SqlStore:
    """Implements `Store` and `ScoreHistory`."""

    def __init__(self, database: Database) -> None:
        self._write = database.write
        self._reader = database.reader

    async def append(self, reports: Sequence[Received]) -> None:
        rows = rows_of(reports)
        with store_errors():
            await self._write(partial(insert_reports, rows=rows))

    async def recent(self, since: float) -> AsyncIterator[Received]:
        with store_errors():
            async with self._reader.connect() as connection:
                first = await connection.run_sync(_first_since, since * 1000)
                recent = (samples.c.id >= first) & (samples.c.received_at > since * 1000)
                async with connection.stream(select(*REPORT_COLUMNS).where(recent).order_by(samples.c.id)) as result:
                    async for rows in result.partitions(FETCH_AT_ONCE):
                        for received in reports_of(rows):
                            yield received

    async def add_snapshots(self, timestamp: float, aggregates: Iterable[tuple[str, Aggregate]]) -> None:
        rows = [snapshot_row(room_id, timestamp, aggregate) for room_id, aggregate in aggregates]
        with store_errors():
            await self._write(lambda connection: connection.execute(insert(snapshots), rows))

    async def history(self, query: HistoryQuery) -> Sequence[Snapshot] | None:
        with store_errors():
            async with self._reader.connect() as connection:
                async with connection.stream(_newest_snapshots(query)) as result:
                    found = await _oldest_first(result.partitions(FETCH_AT_ONCE), query)
                if found:
                    return found
                return [] if await _is_kept(connection, query.room_id) else None

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
            _oldest(events, "time", snapshots_before),
            _ended(snapshots_before),
        )
        with store_errors():
            return await self._write(lambda connection: sum(connection.execute(rows).rowcount for rows in oldest))


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


async def _oldest_first(newest_first: AsyncIterator[Sequence[Any]], query: HistoryQuery) -> Sequence[Snapshot]:
    if query.step is not None:
        return await newest_steps((unpack_snapshots(rows) async for rows in newest_first), query.step, query.limit)
    found: list[Any] = []
    async for rows in newest_first:
        found += rows
    return PackedSnapshots(found[::-1])


def _first_since(connection: Connection, since: float) -> int:
    """The id from which on rows may have been received after `since` (Unix milliseconds).

    Ids grow with the time of receipt, so this needs no index: from the newest row back, one row in FETCH_AT_ONCE is
    read, until one is too old.
    """
    row_id = connection.scalar(select(func.max(samples.c.id))) or 0
    read = select(samples.c.id, samples.c.received_at).order_by(samples.c.id.desc()).limit(1)
    while row := connection.execute(read.where(samples.c.id <= row_id)).first():
        row_id, received_at = row
        if received_at <= since:
            break
        row_id -= FETCH_AT_ONCE
    return row_id


async def _is_kept(connection: AsyncConnection, room_id: str) -> bool:
    kept = exists().where(snapshots.c.room_id == room_id) | exists().where(samples.c.room_id == room_id)
    return bool(await connection.scalar(select(kept)))


def _oldest(table: Table, column: str, before: float) -> Any:
    # Ids grow with time, so the oldest rows are found without an index on their time.
    row_id, time = table.c.id, table.c[column]
    oldest = select(row_id).order_by(row_id).limit(PRUNE_AT_ONCE).scalar_subquery()
    return delete(table).where(row_id.in_(oldest), (time < before * 1000) | _from_the_future(table, time, before))


def _from_the_future(table: Table, time: ColumnElement[int], before: float) -> ColumnElement[bool]:
    """Rows with a time in the future, from a clock that was far ahead, which are followed by rows that are too old.

    Without this, they and all rows after them would stay until that time has come. To find the rows that follow, a few
    are read, each twice as far from the oldest row as the one before.
    """
    first = select(func.min(table.c.id)).scalar_subquery()
    newest = select(time).order_by(table.c.id.desc()).limit(1).scalar_subquery()
    some = table.c.id.in_([first + 2**power for power in range(_FARTHEST)])
    too_old = select(func.max(table.c.id)).where(some, time < before * 1000).scalar_subquery()
    return (time > newest) & (table.c.id < too_old)


def _ended(before: float) -> Any:
    ended = select(sessions.c.id).where(sessions.c.ended_at < before * 1000).limit(PRUNE_AT_ONCE).scalar_subquery()
    return delete(sessions).where(sessions.c.id.in_(ended))
