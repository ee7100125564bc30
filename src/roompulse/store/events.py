"""Stored events."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, Select, case, delete, func, insert, select, tuple_, update

from roompulse.events.model import EventQuery, Kind, TimelineEvent
from roompulse.events.tracks import STATE_KINDS
from roompulse.store.contract import Steps
from roompulse.store.engine import Database
from roompulse.store.reader import Reader
from roompulse.store.row_codec import FETCH_AT_ONCE, add_rows
from roompulse.store.schema import CALLS, events

_ROOMS_AT_ONCE = 500
"""Rooms in one statement: SQLite allows 32,766 values."""

_EVENT = tuple(column for column in events.c if column.name not in ("id", "room_id"))

_NOTE = events.c.kind == "note"


def _newest(kind: Kind) -> ColumnElement[int]:
    return func.max(case((events.c.kind == kind, events.c.id), else_=0))


_UNENDED = select(events.c.room_id).where(CALLS).group_by(events.c.room_id)
_UNENDED = _UNENDED.having(_newest("room_started") > _newest("room_ended"))


class SqlEvents:
    """Implements `EventStore` and `NoteStore`."""

    def __init__(self, database: Database, reader: Reader) -> None:
        self._write = database.write
        self._reading = database.reading
        self._fetch = database.fetch
        self._reader = reader

    async def add(self, new: Sequence[tuple[str, TimelineEvent]]) -> None:
        rows = [event_row(room_id, event) for room_id, event in new]
        await self._write(lambda connection: add_rows(connection, events, rows))

    async def find(self, query: EventQuery) -> list[TimelineEvent]:
        return await self._reader.result(self._newest(query))

    def _newest(self, query: EventQuery) -> Steps[list[TimelineEvent]]:
        found: list[TimelineEvent] = []
        for portion in self._portions(query, newest_first=True):
            if found:
                yield
            found += portion
            if len(found) >= query.limit:
                break
        return found[: query.limit][::-1]

    def all(self, room_id: str, start: float, end: float) -> Iterator[Sequence[TimelineEvent]]:
        return self._portions(EventQuery(room_id, start, end, limit=FETCH_AT_ONCE), newest_first=False)

    def _portions(self, query: EventQuery, *, newest_first: bool) -> Iterator[Sequence[TimelineEvent]]:
        """All events that match, by time, at most `query.limit` at once."""
        place, size = tuple_(events.c.time, events.c.id), min(query.limit, FETCH_AT_ONCE)
        order = (events.c.time.desc(), events.c.id.desc()) if newest_first else (events.c.time, events.c.id)
        matching = rest = _matching(query).add_columns(events.c.id).order_by(*order).limit(size)
        while rows := self._fetch(rest):
            yield [_event(row) for row in rows]
            if len(rows) < size:
                return
            passed = rows[-1].time, rows[-1].id
            rest = matching.where(place < passed if newest_first else place > passed)

    async def states(self, room_ids: Collection[str]) -> Mapping[str, Sequence[TimelineEvent]]:
        async with self._reading() as connection:
            unended = (await connection.execute(_UNENDED)).scalars()
            found: dict[str, list[TimelineEvent]] = {room_id: [] for room_id in {*room_ids, *unended}}
            for start in range(0, len(found), _ROOMS_AT_ONCE):
                some = list(found)[start : start + _ROOMS_AT_ONCE]
                for row in await connection.run_sync(_since_start, some):
                    found[row.room_id].append(_event(row))
        return found

    async def notes(self, room_id: str, limit: int) -> list[tuple[int, TimelineEvent]]:
        columns = select(*_EVENT, events.c.id).where(_NOTE, events.c.room_id == room_id)
        async with self._reading() as connection:
            rows = await connection.execute(columns.order_by(events.c.time, events.c.id).limit(limit))
            return [(row.id, _event(row)) for row in rows.all()]

    async def note(self, room_id: str, number: int) -> TimelineEvent | None:
        wanted = select(*_EVENT).where(_NOTE, events.c.room_id == room_id, events.c.id == number)
        async with self._reading() as connection:
            row = (await connection.execute(wanted)).first()
            return None if row is None else _event(row)

    async def add_note(self, room_id: str, event: TimelineEvent, most: int) -> int | None:
        # Not in the transaction, for which reports wait: it scans all events of the room.
        mine = select(func.count()).select_from(events).where(_NOTE, events.c.room_id == room_id)
        async with self._reading() as reading:
            if (await reading.scalar(mine) or 0) >= most:
                return None

        def add(connection: Connection) -> int | None:
            row = connection.execute(insert(events).values(event_row(room_id, event))).inserted_primary_key
            return None if row is None else row.id

        return await self._write(add)

    async def change_note(self, number: int, text: str) -> None:
        changed = update(events).where(_NOTE, events.c.id == number).values(text=text)
        await self._write(lambda connection: connection.execute(changed))

    async def remove_note(self, number: int) -> None:
        await self._write(lambda connection: connection.execute(delete(events).where(_NOTE, events.c.id == number)))


def event_row(room_id: str, event: TimelineEvent) -> dict[str, Any]:
    return {
        "room_id": room_id,
        "time": round(event.time * 1000),
        "kind": event.kind,
        "user_id": event.user_id,
        "stream_id": event.stream_id,
        "level": event.level,
        "text": event.text,
        "detail": event.detail,
    }


def _event(row: Any) -> TimelineEvent:
    return TimelineEvent(row.time / 1000, row.kind, row.user_id, row.stream_id, row.level, row.text, row.detail)


def _matching(query: EventQuery) -> Select[Any]:
    statement = select(*_EVENT).where(events.c.room_id == query.room_id)
    if query.start is not None:
        statement = statement.where(events.c.time >= query.start * 1000)
    if query.end is not None:
        statement = statement.where(events.c.time <= query.end * 1000)
    if query.user_id is not None:
        statement = statement.where(events.c.user_id == query.user_id)
    if query.kind is not None:
        statement = statement.where(events.c.kind == query.kind)
    return statement


def _since_start(connection: Connection, room_ids: Sequence[str]) -> Sequence[Row[Any]]:
    here = events.c.room_id.in_(room_ids)
    starts = select(events.c.room_id, func.max(events.c.id).label("first"))
    newest = starts.where(here, events.c.kind == "room_started").group_by(events.c.room_id).subquery()
    since = select(events.c.room_id, *_EVENT).join(newest, newest.c.room_id == events.c.room_id)
    kinds = events.c.kind.in_(STATE_KINDS)
    return connection.execute(since.where(events.c.id >= newest.c.first, kinds).order_by(events.c.id)).all()
