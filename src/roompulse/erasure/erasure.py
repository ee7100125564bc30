"""Deletes what is stored of a user or a room, in steps beside the ingest, and its traces in the files of the database.

Deleted bytes of SQLite are overwritten (`secure_delete`, store/engine.py), and in the end the log is emptied, which has
pages as they were before. Snapshots have no ids of users, so they stay as they are when a user is erased.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Any

import msgspec
from msgspec import Struct
from sqlalchemy import Connection, Table, delete, func, select, update

from roompulse.erasure.subject import Subject, windows
from roompulse.store.engine import Database
from roompulse.store.row_codec import BETWEEN_USERS, holds, without_user
from roompulse.store.schema import (
    alerts,
    attendances,
    deliveries,
    events,
    rollup_users,
    samples,
    sessions,
    silences,
    snapshots,
)

_IDS_AT_ONCE = 5_000
"""Ids of rows that one step looks at: some ten milliseconds."""

_PAUSE = 0.005

_OF_ROOMS, _OF_USERS = (snapshots, sessions), (samples, attendances, events, rollup_users)


class Erased(Struct, frozen=True):
    """What was deleted."""

    rows: int
    """Rows that were deleted."""
    tables: Mapping[str, int]
    """Rows that were deleted, by table; reports of others count that said something about a user."""


class Erasure:
    """`forget` drops what is kept of the subject elsewhere, so that it is not stored again, and returns how many rows.

    `reread` drops what was read of the database meanwhile.
    """

    def __init__(
        self, database: Database, forget: Callable[[Subject], Awaitable[int]], reread: Callable[[], Awaitable[None]]
    ) -> None:
        self._database = database
        self._forget = forget
        self._reread = reread

    async def erase(self, subject: Subject) -> Erased:
        """Delete all rows about it, and its mentions in others; raises StoreError, then some may be deleted already.

        What comes in while it goes on is not deleted: who is in a call comes back with the next report.
        """
        counts = {"share": await self._forget(subject)}
        for table in (*_OF_USERS, *(_OF_ROOMS if subject.user_id is None else ())):
            counts[table.name] = await self._in_steps(table, partial(_delete, table=table, subject=subject))
        if subject.user_id is not None:
            counts["sample"] += await self._in_steps(samples, partial(_scrub_samples, subject=subject))
            for table, change in ((events, _scrub_events), (attendances, _scrub_attendances)):
                await self._in_steps(table, partial(change, subject=subject))
        counts |= await self._database.write(partial(_erase_alerts, subject=subject))
        await self._reread()
        await self._database.empty_log()
        return Erased(sum(counts.values()), counts)

    async def _in_steps(self, table: Table, work: Callable[..., int]) -> int:
        first, last = await self._database.write(partial(_bounds, table=table))
        count = 0
        for start, end in windows(first, last, _IDS_AT_ONCE):
            count += await self._database.write(partial(work, start=start, end=end))
            await asyncio.sleep(_PAUSE)
        return count


def _bounds(connection: Connection, table: Table) -> tuple[int, int]:
    first, last = connection.execute(select(func.min(table.c.id), func.max(table.c.id))).one()
    return first or 0, -1 if last is None else last


def _delete(connection: Connection, *, table: Table, subject: Subject, start: int, end: int) -> int:
    within = table.c.id.between(start, end)
    return connection.execute(delete(table).where(within, subject.rows(table))).rowcount


def _scrub_samples(connection: Connection, *, subject: Subject, start: int, end: int) -> int:
    """Others say how they receive the user, and media servers name the sender of what others receive.

    Returns how many reports said something about it.
    """
    user_id = subject.user_id or ""
    listed = samples.c.users.contains(f"{BETWEEN_USERS}{user_id}{BETWEEN_USERS}", autoescape=True)
    named = listed | holds(samples.c.streams, user_id.encode())
    columns = select(samples.c.id, samples.c.user_id, samples.c.reporter_id, samples.c.users, samples.c.streams)
    count = 0
    for row in connection.execute(_within(columns, samples, subject, start, end).where(named)).all():
        users, values = row.users, msgspec.msgpack.decode(row.streams)
        if row.user_id is None:
            users, values = without_user(users, row.reporter_id, values, user_id)
            count += users != row.users
        changed = {"users": users, "streams": msgspec.msgpack.encode(subject.without(values))}
        connection.execute(update(samples).where(samples.c.id == row.id).values(changed))
    return count


def _scrub_events(connection: Connection, *, subject: Subject, start: int, end: int) -> int:
    wanted = events.c.text.contains(subject.user_id, autoescape=True)
    wanted |= events.c.detail.contains(subject.user_id, autoescape=True)
    columns = select(events.c.id, events.c.text, events.c.detail)
    rows = connection.execute(_within(columns, events, subject, start, end).where(wanted)).all()
    for row in rows:
        values = {"text": subject.without(row.text), "detail": subject.without(row.detail)}
        connection.execute(update(events).where(events.c.id == row.id).values(values))
    return 0


def _scrub_attendances(connection: Connection, *, subject: Subject, start: int, end: int) -> int:
    columns = select(attendances.c.id, attendances.c.figures)
    for row in connection.execute(_within(columns, attendances, subject, start, end)).all():
        before = msgspec.json.decode(row.figures)
        if (after := subject.without(before)) != before:
            figures = msgspec.json.encode(after)
            connection.execute(update(attendances).where(attendances.c.id == row.id).values(figures=figures))
    return 0


def _within(statement: Any, table: Table, subject: Subject, start: int, end: int) -> Any:
    others = subject.of_same_rooms(table)
    within = statement.where(table.c.id.between(start, end))
    return within if others is None else within.where(others)


def _erase_alerts(connection: Connection, *, subject: Subject) -> dict[str, int]:
    """Delete alerts, messages and silences about it, and its mentions in others."""
    tables = (alerts, alerts.c.alert), (deliveries, deliveries.c.alert), (silences, silences.c.silence)
    counts = {}
    for table, column in tables:
        counts[table.name] = 0
        for row in connection.execute(select(table.c.id, column.label("value"))).all():
            value = msgspec.json.decode(row.value)
            mine = table.c.id == row.id
            if subject.covers(value.get("room_id"), value.get("user_id")):
                counts[table.name] += connection.execute(delete(table).where(mine)).rowcount
            elif subject.room_id in (None, value.get("room_id")) and (after := subject.without(value)) != value:
                connection.execute(update(table).where(mine).values({column.name: msgspec.json.encode(after)}))
    return counts
