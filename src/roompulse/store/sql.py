"""The store in an SQL database, by SQLAlchemy Core."""

from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Select, Table, delete, exists, insert, select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection

from roompulse.errors import StoreError
from roompulse.report.model import Entry, Received, Report
from roompulse.rooms.model import Aggregate, Snapshot
from roompulse.store.contract import HistoryQuery
from roompulse.store.engine import Database
from roompulse.store.packing import pack_aggregate, pack_streams, unpack_aggregate, unpack_score, unpack_streams
from roompulse.store.schema import samples, snapshots
from roompulse.store.steps import newest_steps

PRUNE_AT_ONCE = 500
"""Rows of each table that one call of `prune` deletes: a step that ingest can wait for."""

_FETCH_AT_ONCE = 1000


class SqlStore:
    """Implements `Store` and `ScoreHistory`. The writing engine has one connection, so writers take turns."""

    def __init__(self, database: Database) -> None:
        self._writer = database.writer
        self._reader = database.reader

    async def append(self, reports: Sequence[Received]) -> None:
        rows = [row for received in reports for row in _sample_rows(received)]
        with _store_errors():
            async with self._writer.begin() as connection:
                await connection.execute(insert(samples), rows)

    async def recent(self, since: float) -> AsyncIterator[Received]:
        newest_first = select(samples).order_by(samples.c.id.desc())
        rows: list[Any] = []
        with _store_errors():
            async with self._reader.connect() as connection, connection.stream(newest_first) as result:
                # Ids grow with the time of receipt: the first row that is too old ends the search, without an index.
                async for some in result.partitions(_FETCH_AT_ONCE):
                    rows += (row for row in some if row.received_at > since * 1000)
                    if some[-1].received_at <= since * 1000:
                        break
        for row in reversed(rows):
            yield _received(row)

    async def add_snapshots(self, timestamp: float, aggregates: Iterable[tuple[str, Aggregate]]) -> None:
        rows = [
            {"room_id": room_id, "timestamp": round(timestamp * 1000), "aggregate": pack_aggregate(aggregate)}
            for room_id, aggregate in aggregates
        ]
        with _store_errors():
            async with self._writer.begin() as connection:
                await connection.execute(insert(snapshots), rows)

    async def history(self, query: HistoryQuery) -> list[Snapshot] | None:
        with _store_errors():
            async with self._reader.connect() as connection:
                async with connection.stream(_newest_snapshots(query)) as result:
                    found = await newest_steps(_snapshots(result.partitions(_FETCH_AT_ONCE)), query.step, query.limit)
                if found or await _is_kept(connection, query.room_id):
                    return found
        return None

    async def scores(self, since: float) -> AsyncIterator[list[tuple[str, float, float | None]]]:
        newest_first = select(snapshots).order_by(snapshots.c.id.desc())
        with _store_errors():
            async with self._reader.connect() as connection, connection.stream(newest_first) as result:
                async for rows in result.partitions(_FETCH_AT_ONCE):
                    recent = [row for row in rows if row.timestamp > since * 1000]
                    yield [(row.room_id, row.timestamp / 1000, unpack_score(row.aggregate)) for row in recent]
                    if len(recent) < len(rows):
                        break

    async def prune(self, samples_before: float, snapshots_before: float) -> int:
        with _store_errors():
            async with self._writer.begin() as connection:
                pruned = await connection.execute(_oldest(samples, "received_at", samples_before))
                also_pruned = await connection.execute(_oldest(snapshots, "timestamp", snapshots_before))
        return pruned.rowcount + also_pruned.rowcount


@contextmanager
def _store_errors() -> Iterator[None]:
    try:
        yield
    except SQLAlchemyError as error:
        raise StoreError(str(getattr(error, "orig", None) or error)) from error


def _sample_rows(received: Received) -> Iterator[dict[str, Any]]:
    report = received.report
    # A report without entries is a sign of life, and kept as one row about nobody.
    for entry in report.metrics or (None,):
        yield {
            "room_id": report.room_id,
            "user_id": entry.user_id if entry else None,
            "reporter_id": report.user_id,
            "sdk_version": report.sdk_version,
            "report_time": report.report_time,
            "received_at": round(received.at * 1000),
            "streams": pack_streams(entry.streams if entry else ()),
        }


def _received(row: Any) -> Received:
    entries = [] if row.user_id is None else [Entry(row.user_id, unpack_streams(row.streams))]
    report = Report(row.reporter_id, row.room_id, row.sdk_version, row.report_time, entries)
    return Received(report, row.received_at / 1000)


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
    oldest = select(table.c.id).order_by(table.c.id).limit(PRUNE_AT_ONCE).scalar_subquery()
    return delete(table).where(table.c.id.in_(oldest), table.c[column] < before * 1000)
