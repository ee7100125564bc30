"""Calls of earlier that were recorded elsewhere, saved in one go."""

from collections.abc import Sequence

from msgspec import Struct
from sqlalchemy import Table, delete, exists, insert, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from roompulse.report.model import Received
from roompulse.rooms.model import Aggregate
from roompulse.store.engine import Database
from roompulse.store.rows import sample_rows, session_row, snapshot_row, store_errors
from roompulse.store.schema import samples, sessions, snapshots
from roompulse.store.sessions import worst_and_most


class Call(Struct, frozen=True):
    """A room from its first to its last report (Unix seconds): its reports in order, and its snapshots by time."""

    started_at: float
    ended_at: float
    reports: Sequence[Received]
    snapshots: Sequence[tuple[float, Aggregate]]


class SqlRecordings:
    """For a database on which no server runs. Methods raise StoreError when it fails."""

    def __init__(self, database: Database) -> None:
        self._writer = database.writer
        self._reader = database.reader

    async def is_known(self, room_id: str) -> bool:
        """Whether anything is kept of a room."""
        kept = [exists().where(table.c.room_id == room_id) for table in (samples, snapshots, sessions)]
        with store_errors():
            async with self._reader.connect() as connection:
                return bool(await connection.scalar(select(or_(*kept))))

    async def add(self, room_id: str, calls: Sequence[Call]) -> None:
        """Save all calls of a room that is not known yet, or nothing."""
        with store_errors():
            async with self._writer.begin() as connection:
                for call in calls:
                    await _add(connection, room_id, call)
                start = round(calls[0].started_at * 1000)
                await _put_in_order(connection, samples, "received_at", start)
                await _put_in_order(connection, snapshots, "timestamp", start)


async def _add(connection: AsyncConnection, room_id: str, call: Call) -> None:
    await connection.execute(insert(samples), [row for received in call.reports for row in sample_rows(received)])
    if taken := [snapshot_row(room_id, at, aggregate) for at, aggregate in call.snapshots]:
        await connection.execute(insert(snapshots), taken)
    session = session_row(room_id, call.started_at)
    session |= await worst_and_most(connection, room_id, session["started_at"])
    session.pop("last", None)
    session["ended_at"] = round(call.ended_at * 1000)
    await connection.execute(insert(sessions), [session])


async def _put_in_order(connection: AsyncConnection, table: Table, column: str, start: int) -> None:
    """Let ids grow with time again, where others were saved since `start` (Unix milliseconds)."""
    time, row_id = table.c[column], table.c.id
    newest_before = select(row_id).where(time < start).order_by(row_id.desc()).limit(1)
    first = await connection.scalar(newest_before) or 0
    last = await connection.scalar(select(row_id).order_by(row_id.desc()).limit(1)) or 0
    columns = [one for one in table.c if one is not row_id]
    in_order = select(*columns).where(row_id > first).order_by(time, row_id)
    await connection.execute(insert(table).from_select([one.name for one in columns], in_order))
    await connection.execute(delete(table).where(row_id > first, row_id <= last))
