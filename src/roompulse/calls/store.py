"""Calls and their users in the database."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from sqlalchemy import ColumnElement, Connection, bindparam, exists, func, insert, or_, select, update

from roompulse.calls.attendance import Figures
from roompulse.calls.model import CallOrder, Calls, CallsQuery
from roompulse.store.contract import Session, Steps
from roompulse.store.engine import Database
from roompulse.store.row_codec import mentions
from roompulse.store.schema import attendances, sessions
from roompulse.store.sessions import session_of

_ORDERS: Mapping[CallOrder, Sequence[ColumnElement[Any]]] = {
    "ended": (sessions.c.ended_at.desc().nulls_first(), sessions.c.started_at.desc()),
    "score": (sessions.c.worst_score.asc().nulls_last(),),
    "duration": ((sessions.c.ended_at - sessions.c.started_at).desc().nulls_first(), sessions.c.started_at),
    "users": (sessions.c.most_users.desc().nulls_last(),),
}


class SqlCalls:
    """Methods raise StoreError when the database fails; steps are for a `Reader`."""

    def __init__(self, database: Database) -> None:
        self._write = database.write
        self._reading = database.reading
        self._fetch = database.fetch

    async def present(self) -> Sequence[Any]:
        """Rows of the users who had not left when they were saved."""
        async with self._reading() as connection:
            return (await connection.execute(select(attendances).where(attendances.c.left_at.is_(None)))).all()

    async def save(self, new: Sequence[dict[str, Any]], known: Sequence[dict[str, Any]]) -> Sequence[int]:
        """Insert new rows and return their ids in this order; replace known ones, which have an `id`."""

        def save(connection: Connection) -> Sequence[int]:
            if known:
                connection.execute(_REPLACE, [{f"its_{name}": value for name, value in row.items()} for row in known])
            return connection.execute(_INSERT, new).scalars().all() if new else ()

        return await self._write(save) if new or known else ()

    def find(self, query: CallsQuery) -> Steps[Calls]:
        where = _where(query)
        ((count,),) = self._fetch(select(func.count()).select_from(sessions).where(*where))
        if query.q:  # which reads every call; a list without a search is a short read
            yield
        page = select(sessions).where(*where).order_by(*_ORDERS[query.order], sessions.c.id.desc())
        rows = self._fetch(page.offset(query.offset).limit(query.limit))
        return Calls([session_of(row) for row in rows], count)

    def call(self, room_id: str, started_at: float) -> Session | None:
        """The call that started at this time, read synchronously."""
        mine = (sessions.c.room_id == room_id) & (sessions.c.started_at == round(started_at * 1000))
        rows = self._fetch(select(sessions).where(mine))
        return session_of(rows[0]) if rows else None

    def attendances(self, call: Session) -> Sequence["tuple[Any, Figures]"]:
        """Rows of the users who were in a call, by the time of joining, read synchronously."""
        mine = select(attendances).where(attendances.c.room_id == call.room_id, *_within(call))
        rows = self._fetch(mine.order_by(attendances.c.joined_at, attendances.c.id))
        return [(row, msgspec.json.decode(row.figures, type=Figures)) for row in rows]

    def left(self, q: str, limit: int) -> Steps[Sequence["tuple[Any, Figures]"]]:
        """The newest rows of users who left, with `q` in their id or name."""
        statement = select(attendances).where(attendances.c.left_at.is_not(None), mentions(attendances.c.searched, q))
        rows = self._fetch(statement.order_by(attendances.c.id.desc()).limit(limit))
        yield from ()  # it is one step
        return [(row, msgspec.json.decode(row.figures, type=Figures)) for row in rows]


def _where(query: CallsQuery) -> Sequence[ColumnElement[bool]]:
    where: list[ColumnElement[bool]] = []
    if query.room_id is not None:
        where.append(sessions.c.room_id == query.room_id)
    if query.start is not None:
        where.append(or_(sessions.c.ended_at.is_(None), sessions.c.ended_at >= round(query.start * 1000)))
    if query.end is not None:
        where.append(sessions.c.started_at <= round(query.end * 1000))
    if query.q:
        was_there = (
            (attendances.c.room_id == sessions.c.room_id)
            & (attendances.c.joined_at <= func.coalesce(sessions.c.ended_at, attendances.c.joined_at))
            & (attendances.c.seen_at >= sessions.c.started_at)
            & mentions(attendances.c.searched, query.q)
        )
        where.append(or_(mentions(sessions.c.searched, query.q), exists().where(was_there)))
    return where


def _within(call: Session) -> Sequence[ColumnElement[bool]]:
    started, ended = round(call.started_at * 1000), call.ended_at
    since = attendances.c.seen_at >= started
    return [since] if ended is None else [since, attendances.c.joined_at <= round(ended * 1000)]


def _key(name: str) -> ColumnElement[bool]:
    return attendances.c[name] == bindparam(f"its_{name}")


_INSERT = insert(attendances).returning(attendances.c.id, sort_by_parameter_order=True)
_CHANGED = ("user_name", "searched", "seen_at", "left_at", "figures")
_REPLACE: Any = (
    update(attendances)
    # By id, as all users of a media server's first report joined at the same time. The other keys protect a row that
    # got the id of an erased one.
    .where(_key("id"), _key("room_id"), _key("joined_at"), _key("user_id"))
    .values({name: bindparam(f"its_{name}") for name in _CHANGED})
)
