"""The store in an SQL database, by SQLAlchemy Core."""

from collections.abc import AsyncIterator, Callable, Collection, Iterable, Iterator, Sequence
from functools import partial
from typing import Any

from msgspec.structs import replace
from sqlalchemy import (
    ColumnElement,
    Connection,
    Executable,
    Select,
    Table,
    delete,
    exists,
    func,
    insert,
    select,
    true,
    tuple_,
)

from roompulse.report.model import Received
from roompulse.rooms.aggregate import newest_steps
from roompulse.rooms.model import Aggregate, Snapshot
from roompulse.store.contract import HistoryQuery, Steps
from roompulse.store.engine import Database
from roompulse.store.packing import PackedSnapshots, unpack_score_and_users, unpack_snapshots
from roompulse.store.row_codec import (
    FETCH_AT_ONCE,
    STORED_COLUMNS,
    insert_reports,
    reports_of,
    rows_in,
    rows_of,
    snapshot_row,
)
from roompulse.store.schema import (
    HOUR,
    MINUTE,
    attendances,
    events,
    rollup_users,
    rollups,
    samples,
    sessions,
    snapshots,
    trends,
)

PRUNE_AT_ONCE = 500
"""Rows of each table that one call of `prune` deletes: few enough not to delay ingest."""

_FIRST_ROWS = 250
"""Snapshots in the first read to be merged into steps: the number needed is not known."""

_ALL = true()

_FARTHEST = 40
"""2 to this power exceeds any number of rows."""


class SqlStore:
    """Implements `Log` of one writer, `Store`, `ScoreHistory` and `Chronology`."""

    _by_row: Collection[Table] = (samples, snapshots)
    """The tables of which old rows are deleted."""

    def __init__(self, database: Database) -> None:
        self._write = database.write
        self._reading = database.reading
        self._fetch = database.fetch

    def prepared(self, received: Received) -> Received:
        return replace(received, rows=rows_of([received]))

    async def append(self, reports: Sequence[Received]) -> Sequence[Received]:
        rows = rows_of(reports)
        last = await self._write(partial(insert_reports, rows=rows), first=True)
        position = last - len(rows) + 1
        committed = []
        for one in reports:
            committed.append(Received(one.report, one.at, one.sender, one.by_token, position, continues=one.continues))
            position += rows_in(one.report)
        return committed

    async def news(self) -> Sequence[Received]:
        return ()  # There is no other writer.

    async def recent(self, since: float) -> AsyncIterator[Received]:
        async with self._reading() as connection:
            first = await connection.run_sync(_first_since, samples, samples.c.received_at, since * 1000)
            recent = (samples.c.id >= first) & (samples.c.received_at > since * 1000)
            async with connection.stream(select(*STORED_COLUMNS).where(recent).order_by(samples.c.id)) as result:
                async for rows in result.partitions(FETCH_AT_ONCE):
                    for received in reports_of(rows):
                        yield received

    async def add_snapshots(self, timestamp: float, aggregates: Iterable[tuple[str, Aggregate]]) -> None:
        rows = [snapshot_row(room_id, timestamp, aggregate) for room_id, aggregate in aggregates]
        await self._write(lambda connection: connection.execute(insert(snapshots), rows))

    def history(self, query: HistoryQuery) -> Steps[Sequence[Snapshot] | None]:
        if query.step is not None:
            portions = map(
                unpack_snapshots, self._portions(query, max(query.limit + 1, _FIRST_ROWS), newest_first=True)
            )
            found: Sequence[Snapshot] = yield from newest_steps(portions, query.step, query.limit)
        else:
            found = PackedSnapshots((yield from self._newest(query))[::-1])
        if found:
            return found
        ((is_kept,),) = self._fetch(_is_kept(query.room_id))
        return [] if is_kept else None

    def snapshots(self, room_id: str, start: float, end: float) -> Iterator[Sequence[Snapshot]]:
        return map(
            unpack_snapshots, self._portions(HistoryQuery(room_id, start, end), FETCH_AT_ONCE, newest_first=False)
        )

    def _newest(self, query: HistoryQuery) -> Steps[list[Any]]:
        found: list[Any] = []
        for rows in self._portions(query, query.limit, newest_first=True):
            if found:
                yield
            found += rows
            if len(found) >= query.limit:
                break
        return found[: query.limit]

    def _portions(self, query: HistoryQuery, size: int, *, newest_first: bool) -> Iterator[Sequence[Any]]:
        """Times and packed aggregates of all snapshots of a query, by time; `size` is that of the first portion."""
        last: Any = None
        while True:
            size = min(size, FETCH_AT_ONCE)
            rows = self._fetch(_snapshots(query, last, newest_first=newest_first).limit(size))
            if rows:
                yield [row[1:] for row in rows]
            if len(rows) < size:
                return
            last, size = rows[-1], 4 * size

    async def scores(self, since: float) -> AsyncIterator[list[tuple[str, float, float | None]]]:
        newest_first = select(snapshots).order_by(snapshots.c.id.desc())
        async with self._reading() as connection, connection.stream(newest_first) as result:
            async for rows in result.partitions(FETCH_AT_ONCE):
                recent = [row for row in rows if row.timestamp > since * 1000]
                yield [(row.room_id, row.timestamp / 1000, unpack_score_and_users(row.aggregate)[0]) for row in recent]
                if len(recent) < len(rows):
                    break

    async def newest(self, before: float | None = None) -> float | None:
        async with self._reading() as connection:
            found = [
                await connection.run_sync(_newest, table, time, before)
                for table, time in ((samples, samples.c.received_at), (snapshots, snapshots.c.timestamp))
            ]
        return max((at / 1000 for at in found if at is not None), default=None)

    async def prune(self, samples_before: float, snapshots_before: float) -> int:
        by_row = {samples: ("received_at", samples_before), snapshots: ("timestamp", snapshots_before)}
        oldest = (
            *(_oldest(table, *by_row[table]) for table in self._by_row),
            _oldest(events, "time", snapshots_before, events.c.kind != "note"),
            _ended(sessions, sessions.c.ended_at, snapshots_before),
            _ended(attendances, attendances.c.left_at, snapshots_before),
            *(_begun(table, snapshots_before) for table in (rollups, rollup_users, trends)),
        )
        return await self._write(lambda connection: sum(connection.execute(rows).rowcount for rows in oldest))


def _snapshots(query: HistoryQuery, last: Any, *, newest_first: bool) -> Select[Any]:
    """Id, time and packed aggregate of the next snapshots after the row `last`, or the first ones."""
    row_id, timestamp = snapshots.c.id, snapshots.c.timestamp
    statement = select(row_id, timestamp, snapshots.c.aggregate).where(snapshots.c.room_id == query.room_id)
    if query.start is not None:
        statement = statement.where(timestamp >= query.start * 1000)
    if query.end is not None:
        statement = statement.where(timestamp <= query.end * 1000)
    place = tuple_(timestamp, row_id)
    if last is not None:
        passed = last.timestamp, last.id
        statement = statement.where(place < passed if newest_first else place > passed)
    order = (timestamp.desc(), row_id.desc()) if newest_first else (timestamp, row_id)
    return statement.order_by(*order)


def _newest(connection: Connection, table: Table, time: ColumnElement[int], before: float | None) -> int | None:
    if before is None:
        return connection.scalar(select(time).order_by(table.c.id.desc()).limit(1))
    first = _first_since(connection, table, time, before * 1000)
    near = table.c.id.between(first, first + FETCH_AT_ONCE)
    return connection.scalar(select(func.max(time)).where(near, time <= before * 1000))


def _first_since(connection: Connection, table: Table, time: ColumnElement[int], since: float) -> int:
    return first_since(lambda statement: connection.execute(statement).all(), table, time, since)


def first_since(
    fetch: Callable[[Executable], Sequence[Any]], table: Table, time: ColumnElement[int], since: float
) -> int:
    """The id from which on rows may have a time after `since` (Unix milliseconds).

    Ids grow with the time, so this needs no index: from the newest row back, one row in FETCH_AT_ONCE is
    read, until one is too old.
    """
    ((newest,),) = fetch(select(func.max(table.c.id)))
    row_id = newest or 0
    read = select(table.c.id, time).order_by(table.c.id.desc()).limit(1)
    while rows := fetch(read.where(table.c.id <= row_id)):
        ((row_id, at),) = rows
        if at <= since:
            break
        row_id -= FETCH_AT_ONCE
    return row_id


def _is_kept(room_id: str) -> Select[Any]:
    return select(exists().where(snapshots.c.room_id == room_id) | exists().where(samples.c.room_id == room_id))


def _oldest(table: Table, column: str, before: float, in_order: ColumnElement[bool] = _ALL) -> Any:
    # Ids grow with time, of rows that are `in_order`, so the oldest are found without an index on their time.
    row_id, time = table.c.id, table.c[column]
    oldest = select(row_id).order_by(row_id).limit(PRUNE_AT_ONCE).scalar_subquery()
    return delete(table).where(
        row_id.in_(oldest), (time < before * 1000) | _from_the_future(table, time, before, in_order)
    )


def _from_the_future(
    table: Table, time: ColumnElement[int], before: float, in_order: ColumnElement[bool]
) -> ColumnElement[bool]:
    """Rows with a time in the future, from a clock that was far ahead, which are followed by expired rows.

    Without this, they and all rows after them would stay until that time has come. To find the rows that follow, a few
    are read, each twice as far from the oldest row as the one before.
    """
    first = select(func.min(table.c.id)).scalar_subquery()
    newest = select(time).where(in_order).order_by(table.c.id.desc()).limit(1).scalar_subquery()
    some = table.c.id.in_([first + 2**power for power in range(_FARTHEST)])
    too_old = select(func.max(table.c.id)).where(some, in_order, time < before * 1000).scalar_subquery()
    return (time > newest) & (table.c.id < too_old)


def _ended(table: Table, at: ColumnElement[int], before: float) -> Any:
    ended = select(table.c.id).where(at < before * 1000).limit(PRUNE_AT_ONCE).scalar_subquery()
    return delete(table).where(table.c.id.in_(ended))


def _begun(table: Table, before: float) -> Any:
    old = table.c.start < before
    if "span" in table.c:  # what its index begins with
        old &= table.c.span.in_((MINUTE, HOUR))
    begun = select(table.c.id).where(old).limit(PRUNE_AT_ONCE).scalar_subquery()
    return delete(table).where(table.c.id.in_(begun))
