"""Recorded calls, saved in one transaction."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from msgspec import Struct
from sqlalchemy import Connection, Table, delete, exists, insert, or_, select

from roompulse.events.model import TimelineEvent
from roompulse.report.model import Received
from roompulse.rooms.model import Aggregate
from roompulse.store.engine import Database
from roompulse.store.events import event_row
from roompulse.store.row_codec import insert_reports, rows_of, session_row, snapshot_row
from roompulse.store.schema import attendances, events, samples, sessions, snapshots
from roompulse.store.sessions import worst_and_most


class Call(Struct, frozen=True):
    """A room from its first to its last report (Unix seconds): reports, snapshots, events and users, each by time."""

    started_at: float
    ended_at: float
    reports: Sequence[Received]
    snapshots: Sequence[tuple[float, Aggregate]]
    events: Sequence[TimelineEvent]
    users: Sequence[Mapping[str, Any]]


class SqlRecordings:
    """For a database that no server uses. Methods raise StoreError when it fails."""

    def __init__(self, database: Database) -> None:
        self._write = database.write
        self._reading = database.reading

    async def is_known(self, room_id: str) -> bool:
        """Whether anything is stored about a room."""
        kept = [exists().where(table.c.room_id == room_id) for table in (samples, snapshots, sessions, events)]
        async with self._reading() as connection:
            return bool(await connection.scalar(select(or_(*kept))))

    async def add(self, room_id: str, calls: Sequence[Call], also: Callable[[Connection], None]) -> None:
        """Save all calls of a room that is not known yet, or none of them; `also` is done in the same transaction."""
        await self._write(partial(_add_all, room_id=room_id, calls=calls, also=also))


def _add_all(connection: Connection, room_id: str, calls: Sequence[Call], also: Callable[[Connection], None]) -> None:
    for call in calls:
        _add(connection, room_id, call)
    start = round(calls[0].started_at * 1000)
    _put_in_order(connection, samples, "received_at", start)
    _put_in_order(connection, snapshots, "timestamp", start)
    also(connection)


def _add(connection: Connection, room_id: str, call: Call) -> None:
    insert_reports(connection, rows_of(call.reports))
    if rows := [snapshot_row(room_id, at, aggregate) for at, aggregate in call.snapshots]:
        connection.execute(insert(snapshots), rows)
    connection.execute(insert(events), [event_row(room_id, event) for event in call.events])
    session = session_row(room_id, call.started_at)
    session |= worst_and_most(connection, room_id, session["started_at"])
    session.pop("last", None)
    session["ended_at"] = round(call.ended_at * 1000)
    connection.execute(insert(sessions), [session])
    if call.users:
        connection.execute(insert(attendances), [dict(row) for row in call.users])


def _put_in_order(connection: Connection, table: Table, column: str, start: int) -> None:
    """Make ids grow with time again, for the rows of all rooms since `start` (Unix milliseconds)."""
    time, row_id = table.c[column], table.c.id
    newest_before = select(row_id).where(time < start).order_by(row_id.desc()).limit(1)
    first = connection.scalar(newest_before) or 0
    last = connection.scalar(select(row_id).order_by(row_id.desc()).limit(1)) or 0
    columns = [one for one in table.c if one is not row_id]
    in_order = select(*columns).where(row_id > first).order_by(time, row_id)
    connection.execute(insert(table).from_select([one.name for one in columns], in_order))
    connection.execute(delete(table).where(row_id > first, row_id <= last))
