"""Deletes the data of a user or a room, in steps beside the ingest, and its traces in the files of the database.

Deleted bytes of SQLite are overwritten (`secure_delete`, store/engine.py), and in the end the log is emptied, which has
pages as they were before. Snapshots have no ids of users, so they stay as they are when a user is erased.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from typing import Any, TypeVar

import msgspec
from msgspec import Struct
from msgspec.structs import replace
from sqlalchemy import Column, Connection, Table, delete, func, or_, select, update

from roompulse.calls.attendance import Figures, searched
from roompulse.erasure.subject import ERASED, Subject
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

_MOST_IDS = 5_000
"""Ids of rows in one step."""

_STEP = 0.01
"""Target seconds of a step, as reports wait for it. A row may have a report of one user, or of thousands."""

T = TypeVar("T")

_OF_ROOMS, _OF_USERS = (snapshots, sessions), (samples, attendances, events, rollup_users)


class Erased(Struct, frozen=True):
    """The result of erasing."""

    rows: int
    """Rows that were deleted."""
    tables: Mapping[str, int]
    """Rows that were deleted, by table; others' reports count that mentioned the user."""


class Erasure:
    """`forget` drops other data of the subject, so that it is not stored again, and returns how many rows.

    `reread` drops data read from the database meanwhile.
    """

    def __init__(
        self, database: Database, forget: Callable[[Subject], Awaitable[int]], reread: Callable[[], Awaitable[None]]
    ) -> None:
        self._database = database
        self._forget = forget
        self._reread = reread

    async def erase(self, subject: Subject) -> Erased:
        """Delete all rows about it, and its mentions in others; raises StoreError, then some may be deleted already.

        Reports received meanwhile are not deleted: a user in a call comes back with the next report.
        """
        if subject.user_id is not None:
            subject = replace(subject, names=await self._database.write(partial(_names, subject=subject)))
        counts = {"share": await self._forget(subject)}
        for table in (*_OF_USERS, *(_OF_ROOMS if subject.user_id is None else ())):
            counts[table.name] = await in_steps(self._database, table, partial(_delete, table=table, subject=subject))
        if subject.user_id is not None:
            counts["sample"] += await in_steps(self._database, samples, partial(_scrub_samples, subject=subject))
            for table, change in _MENTIONS:
                await in_steps(self._database, table, partial(change, subject=subject))
        for table, column in _OF_ALERTS:
            work = partial(_erase_alerts, table=table, column=column, subject=subject)
            counts[table.name] = await in_order(self._database, work)
        await self._reread()
        await self._database.empty_log()
        return Erased(sum(counts.values()), counts)


async def in_steps(database: Database, table: Table, work: Callable[..., int]) -> int:
    """Run `work` on the rows of a table, some ids at a time, and return the sum of its results."""
    start, last = await database.write(partial(_bounds, table=table))
    count, pace = 0, _Pace()
    while start <= last:
        ids = pace.rows
        count += await pace.write(database, partial(work, start=start, end=min(start + ids - 1, last)))
        start += ids
    return count


async def in_order(database: Database, work: Callable[..., tuple[int, Any]]) -> int:
    """Run `work` on rows whose ids are no numbers, `most` after the last one at a time.

    It returns its count and the last id, None at the end; the sum of the counts is returned.
    """
    count, last, pace = 0, None, _Pace()
    while True:
        some, last = await pace.write(database, partial(work, after=last, most=pace.rows))
        count += some
        if last is None:
            return count


class _Pace:
    """How many rows a step has, so that it takes no longer than _STEP. After each, reports have as much time."""

    rows = 1

    async def write(self, database: Database, step: Callable[[Connection], T]) -> T:
        began = time.monotonic()
        result = await database.write(step)
        took = time.monotonic() - began
        self.rows = min(_MOST_IDS, 2 * self.rows) if took < _STEP else max(1, self.rows // 2)
        await asyncio.sleep(took)
        return result


def _bounds(connection: Connection, table: Table) -> tuple[int, int]:
    first, last = connection.execute(select(func.min(table.c.id), func.max(table.c.id))).one()
    return first or 0, -1 if last is None else last


def _delete(connection: Connection, *, table: Table, subject: Subject, start: int, end: int) -> int:
    within = table.c.id.between(start, end)
    return connection.execute(delete(table).where(within, subject.rows(table))).rowcount


def _names(connection: Connection, *, subject: Subject) -> tuple[str, ...]:
    """The names of the user."""
    found = select(attendances.c.user_name).where(subject.rows(attendances), attendances.c.user_name.is_not(None))
    return tuple(connection.execute(found.distinct()).scalars())


def _scrub_samples(connection: Connection, *, subject: Subject, start: int, end: int) -> int:
    """Others say how they receive the user, and media servers name the sender of what others receive.

    Returns how many reports mentioned it.
    """
    user_id = subject.user_id or ""
    named = or_(
        samples.c.users.contains(f"{BETWEEN_USERS}{user_id}{BETWEEN_USERS}", autoescape=True),
        samples.c.sdk_version.contains(user_id, autoescape=True),
        *(holds(samples.c.streams, term.encode()) for term in (user_id, *subject.names)),
    )
    columns = select(
        *(samples.c.id, samples.c.user_id, samples.c.reporter_id, samples.c.sdk_version),
        *(samples.c.users, samples.c.streams),
    )
    count = 0
    for row in connection.execute(of_others(columns, samples, subject, start, end).where(named)).all():
        users, values = row.users, msgspec.msgpack.decode(row.streams)
        if row.user_id is None:
            users, values = without_user(users, row.reporter_id, values, user_id)
            count += users != row.users
            values = [_of_entry(one, subject) if isinstance(one, list) else _of_more(one, subject) for one in values]
        else:
            values = _of_entry(values, subject)
        streams, version = msgspec.msgpack.encode(values), subject.in_words(row.sdk_version)
        changed = {"users": users, "streams": streams, "sdk_version": version}
        connection.execute(update(samples).where(samples.c.id == row.id).values(changed))
    return count


def _of_entry(entry: Sequence[Any], subject: Subject) -> list[Any]:
    return [_of_more(one, subject) if isinstance(one, dict) else _of_stream(one, subject) for one in entry]


def _of_stream(parts: Sequence[Any], subject: Subject) -> list[Any]:
    """The first part is its id, the sixth its sender (packing.pack_report)."""
    sender = [ERASED if one == subject.user_id else one for one in parts[5:]]
    return [subject.in_words(parts[0]), *parts[1:5], *sender]


def _of_more(more: Mapping[str, Any], subject: Subject) -> dict[str, Any]:
    """Free text by people and SDKs; other fields have a fixed vocabulary, of which an id may be a word too."""
    after = dict(more)
    for name in ("user_name", "room_name"):
        if name in more:
            after[name] = subject.in_words(more[name])
    if "labels" in more:
        after["labels"] = {key: subject.in_words(value) for key, value in more["labels"].items()}
    if "events" in more:
        after["events"] = [[*event[:2], *map(subject.in_words, event[2:])] for event in more["events"]]
    if more.get("server") == subject.user_id:
        after["server"] = ERASED
    return after


def _scrub_events(connection: Connection, *, subject: Subject, start: int, end: int) -> int:
    parts = events.c.text, events.c.detail, events.c.stream_id
    terms = subject.user_id or "", *subject.names
    wanted = or_(*(part.contains(term, autoescape=True) for part in parts for term in terms))
    columns = select(events.c.id, events.c.kind, *parts)
    rows = connection.execute(of_others(columns, events, subject, start, end).where(wanted)).all()
    for row in rows:
        words = subject.in_words if row.kind in _OF_OTHERS else subject.in_sentence
        values = {
            "text": words(row.text),
            "detail": words(row.detail) if row.detail is not None else None,
            "stream_id": subject.in_words(row.stream_id),
        }
        connection.execute(update(events).where(events.c.id == row.id).values(values))
    return 0


def _scrub_attendances(connection: Connection, *, subject: Subject, start: int, end: int) -> int:
    """Others' names and reasons."""
    columns = select(attendances.c.id, attendances.c.user_id, attendances.c.user_name, attendances.c.figures)
    for row in connection.execute(of_others(columns, attendances, subject, start, end)).all():
        figures, name = msgspec.json.decode(row.figures, type=Figures), subject.in_words(row.user_name)
        reasons = [subject.in_sentence(one) for one in figures.reasons]
        if (name, reasons) != (row.user_name, figures.reasons):
            figures.reasons = reasons
            values = {
                "user_name": name,
                "searched": searched(row.user_id, name),
                "figures": msgspec.json.encode(figures),
            }
            connection.execute(update(attendances).where(attendances.c.id == row.id).values(values))
    return 0


def _scrub_sessions(connection: Connection, *, subject: Subject, start: int, end: int) -> int:
    columns = select(sessions.c.id, sessions.c.room_id, sessions.c.room_name).where(sessions.c.room_name.is_not(None))
    for row in connection.execute(of_others(columns, sessions, subject, start, end)).all():
        if (name := subject.in_words(row.room_name)) != row.room_name:
            values = {"room_name": name, "searched": searched(row.room_id, name)}
            connection.execute(update(sessions).where(sessions.c.id == row.id).values(values))
    return 0


_OF_OTHERS = ("sdk", "note")
"""Kinds of events with texts by SDKs and people."""

_MENTIONS = (
    (events, _scrub_events),
    (attendances, _scrub_attendances),
    (sessions, _scrub_sessions),
)
"""Rows about others in which a user may be mentioned."""


def of_others(statement: Any, table: Table, subject: Subject, start: int, end: int) -> Any:
    others = subject.of_same_rooms(table)
    within = statement.where(table.c.id.between(start, end))
    return within if others is None else within.where(others)


_OF_ALERTS = (alerts, alerts.c.alert), (deliveries, deliveries.c.alert), (silences, silences.c.silence)
"""Alerts, messages and silences are stored as JSON."""


def _erase_alerts(
    connection: Connection, *, table: Table, column: Column[Any], subject: Subject, after: Any, most: int
) -> tuple[int, Any]:
    """Delete objects about it, and its mentions in others."""
    rest = () if after is None else (table.c.id > after,)
    rows = connection.execute(select(table.c.id, column.label("value")).where(*rest).order_by(table.c.id).limit(most))
    count, last = 0, None
    for last, stored in rows.all():
        value = msgspec.json.decode(stored)
        mine = table.c.id == last
        if subject.covers(value.get("room_id"), value.get("user_id")):
            count += connection.execute(delete(table).where(mine)).rowcount
        elif subject.room_id in (None, value.get("room_id")) and (changed := _unmentioned(value, subject)) != value:
            connection.execute(update(table).where(mine).values({column.name: msgspec.json.encode(changed)}))
    return count, last


def _unmentioned(value: dict[str, Any], subject: Subject) -> dict[str, Any]:
    """An alert or a silence about others; ids, states and paths are not texts."""
    after = dict(value)
    if "text" in value:
        after["text"] = subject.in_sentence(value["text"])
    if "reason" in value:
        after["reason"] = subject.in_words(value["reason"])
    if acknowledged := value.get("acknowledged"):
        after["acknowledged"] = {**acknowledged, "note": subject.in_words(acknowledged["note"])}
    return after
