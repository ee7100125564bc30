"""Sessions of rooms (calls): start and end, most users, and the worst moment."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, Select, func, insert, select, update

from roompulse.clock import WallClock
from roompulse.periodic import every
from roompulse.rooms.contract import LiveRoom, LiveRooms
from roompulse.store.contract import Session, SessionOrder, SessionQuery, SessionStore
from roompulse.store.engine import Database
from roompulse.store.packing import unpack_score_and_users
from roompulse.store.row_codec import FETCH_AT_ONCE, mentions, session_row
from roompulse.store.schema import sessions, snapshots

RECORD_EVERY = 1.0

_ORDERS: Mapping[SessionOrder, ColumnElement[Any]] = {
    "ended": sessions.c.ended_at.desc(),
    "score": sessions.c.worst_score.asc().nulls_last(),
    "duration": (sessions.c.ended_at - sessions.c.started_at).desc(),
    "users": sessions.c.most_users.desc().nulls_last(),
}


class SqlSessions:
    """Implements `SessionStore`.

    `ended` is called within each transaction that ends a session, with its room and its start (Unix milliseconds).
    """

    def __init__(self, database: Database, ended: Callable[[Connection, str, int], None] | None = None) -> None:
        self._write = database.write
        self._reading = database.reading
        self._ended = ended

    async def begin(self, started: Sequence[tuple[str, float]]) -> None:
        rows = [session_row(room_id, at) for room_id, at in started]
        await self._write(lambda connection: connection.execute(insert(sessions), rows))

    async def rename(self, names: Mapping[str, str]) -> None:
        def rename(connection: Connection) -> None:
            for room_id, name in names.items():
                mine = (sessions.c.room_id == room_id) & sessions.c.ended_at.is_(None)
                values = {"room_name": name, "searched": f"{room_id}\n{name}".casefold()}
                connection.execute(update(sessions).where(mine).values(values))

        await self._write(rename)

    async def unfinished(self) -> list[str]:
        async with self._reading() as connection:
            found = await connection.execute(select(sessions.c.room_id).where(sessions.c.ended_at.is_(None)))
            return list(found.scalars())

    async def end(self, room_id: str, ended_at: float | None, jumped: float = 0.0) -> None:
        unfinished = (sessions.c.room_id == room_id) & sessions.c.ended_at.is_(None)
        async with self._reading() as connection:
            started = await connection.scalar(select(func.min(sessions.c.started_at)).where(unfinished))
            if started is None:
                return
            shifted = started + round(jumped * 1000)
            values = await connection.run_sync(worst_and_most, room_id, min(started, shifted))
        last = values.pop("last", None) or started
        values |= {"started_at": shifted, "ended_at": last if ended_at is None else round(ended_at * 1000)}
        _date_within(values)

        def end(connection: Connection) -> None:
            connection.execute(update(sessions).where(unfinished).values(values))
            if self._ended is not None:
                self._ended(connection, room_id, shifted)

        await self._write(end)

    async def of_room(self, room_id: str, limit: int) -> list[Session]:
        newest = select(sessions).where(sessions.c.room_id == room_id).order_by(sessions.c.started_at.desc())
        async with self._reading() as connection:
            return [session_of(row) for row in await connection.execute(newest.limit(limit))]

    async def ended(self, query: SessionQuery) -> tuple[list[Session], int]:
        where = sessions.c.ended_at.is_not(None) & mentions(sessions.c.searched, query.search)
        order = _ORDERS[query.order], sessions.c.id.desc()
        async with self._reading() as connection:
            total = await connection.scalar(select(func.count()).select_from(sessions).where(where))
            page = select(sessions).where(where).order_by(*order).offset(query.offset).limit(query.limit)
            return [session_of(row) for row in await connection.execute(page)], total or 0


def _snapshots(room_id: str, since: int) -> Select[Any]:
    mine = (snapshots.c.room_id == room_id) & (snapshots.c.timestamp >= since)
    return select(snapshots.c.timestamp, snapshots.c.aggregate).where(mine).order_by(snapshots.c.timestamp)


def worst_and_most(connection: Connection, room_id: str, since: int) -> dict[str, Any]:
    """Most users and worst score of a session, from the room's snapshots since a time (Unix milliseconds).

    `last` is the time of the newest snapshot.
    """
    values: dict[str, Any] = {"most_users": None, "worst_at": None, "worst_score": None}
    for at, packed in connection.execute(_snapshots(room_id, since).execution_options(yield_per=FETCH_AT_ONCE)):
        score, users = unpack_score_and_users(packed)
        values["last"] = at
        values["most_users"] = max(users, values["most_users"] or 0)
        if score is not None and (values["worst_score"] is None or score < values["worst_score"]):
            values |= {"worst_at": at, "worst_score": score}
    return values


def _date_within(session: dict[str, Any]) -> None:
    """Date the worst moment within the session: a snapshot after its last report shows that report's figures."""
    if session["worst_at"] is not None:
        session["worst_at"] = max(session["started_at"], min(session["worst_at"], session["ended_at"]))


def session_of(row: Row[Any]) -> Session:
    """The session of its row."""

    def seconds(milliseconds: int | None) -> float | None:
        return None if milliseconds is None else milliseconds / 1000

    return Session(
        row.room_id,
        row.started_at / 1000,
        seconds(row.ended_at),
        row.most_users,
        seconds(row.worst_at),
        row.worst_score,
        row.room_name,
    )


class SessionRecorder:
    """Records when rooms start and end."""

    def __init__(self, store: SessionStore, rooms: LiveRooms, clock: WallClock) -> None:
        self._store = store
        self._rooms = rooms
        self._clock = clock
        self._live: dict[str, LiveRoom] | None = None
        # By how much the clock had been set when the session of a room began.
        self._jumped: dict[str, float] = {}
        self._names: dict[str, str] = {}

    async def run(self) -> None:
        await every(RECORD_EVERY, self.record, "sessions of rooms could not be saved", at_once=True)

    async def record(self) -> None:
        """Save which rooms started or ended since the previous call."""
        if self._live is None:
            self._live = await self._resumed()
        live = {room_id: room for room_id in self._rooms.ids() if (room := self._rooms.get(room_id))}
        for room_id, room in _missing(self._live, live):
            await self._store.end(room_id, room.heard_at, self._clock.jumped - self._jumped.get(room_id, 0.0))
            del self._live[room_id]
            self._names.pop(room_id, None)
            self._jumped.pop(room_id, None)
        if started := _missing(live, self._live):
            begun = [(room_id, room.started_at, self._clock.jumped) for room_id, room in started]
            await self._store.begin([(room_id, at) for room_id, at, _ in begun])
            self._live |= started
            self._jumped |= {room_id: jumped for room_id, _, jumped in begun}
        named = {room_id: name for room_id, room in live.items() if (name := room.room_name)}
        if renamed := {room_id: name for room_id, name in named.items() if self._names.get(room_id) != name}:
            await self._store.rename(renamed)
            self._names |= renamed

    async def _resumed(self) -> dict[str, LiveRoom]:
        """The rooms that are live again after a restart; sessions of all others are ended."""
        resumed = {}
        for room_id in await self._store.unfinished():
            if room := self._rooms.get(room_id):
                resumed[room_id] = room
            else:
                await self._store.end(room_id, None)
        return resumed


def _missing(rooms: Mapping[str, LiveRoom], others: Mapping[str, LiveRoom]) -> list[tuple[str, LiveRoom]]:
    """Rooms that are not among the others; a room that ended and started again is another one."""
    return [(room_id, room) for room_id, room in rooms.items() if others.get(room_id) is not room]
