"""Stored reports of one room, read from its samples."""

from collections.abc import AsyncIterator, Sequence
from itertools import pairwise
from typing import Any

from sqlalchemy import ColumnElement, Select, func, select

from roompulse.report.model import Received
from roompulse.store.contract import SampleQuery, Visit
from roompulse.store.engine import Database
from roompulse.store.row_codec import FETCH_AT_ONCE, REPORT_COLUMNS, reports_of
from roompulse.store.schema import samples

_MOST_REPORTERS = 8
"""Reporters that are read for the visits of a user who reports nothing: so few tell as much as all of them."""


class SqlSamples:
    """Implements `SampleArchive`."""

    def __init__(self, database: Database) -> None:
        self._reading = database.reading

    async def reports(self, query: SampleQuery) -> AsyncIterator[Received]:
        async with self._reading() as connection, connection.stream(_samples(query)) as result:
            async for rows in result.partitions(FETCH_AT_ONCE):
                for received in reports_of(rows):
                    yield received

    async def visits(self, room_id: str, user_id: str, since: float, until: float, gap: float) -> list[Visit]:
        within = _within(room_id, since, until)
        async with self._reading() as connection:

            async def visits(*heard: ColumnElement[bool]) -> list[Visit]:
                rows = await connection.execute(_silences(gap, *within, *heard))
                last = await connection.scalar(select(func.max(samples.c.received_at)).where(*within, *heard))
                return _visits(rows.all(), last)

            if own := await visits(samples.c.reporter_id == user_id):
                return own
            some = select(_reporters(room_id).c.id).limit(_MOST_REPORTERS)
            return await visits(samples.c.reporter_id.in_(some), samples.c.user_id == user_id)


def _samples(query: SampleQuery) -> Select[Any]:
    within = _within(query.room_id, query.after, query.until)
    statement = select(*REPORT_COLUMNS).where(*within).order_by(samples.c.id)
    if query.about is not None:
        statement = statement.where(samples.c.user_id == query.about)
    if query.reporter_id is not None:
        return statement.where(samples.c.reporter_id == query.reporter_id)
    reporters = _reporters(query.room_id)
    return statement.join(reporters, samples.c.reporter_id == reporters.c.id)


def _within(room_id: str, after: float, until: float) -> Sequence[ColumnElement[bool]]:
    at = samples.c.received_at
    return samples.c.room_id == room_id, at > round(after * 1000), at <= round(until * 1000)


def _reporters(room_id: str) -> Any:
    """The reporters of a room, each found by one step in the index from the one before."""
    first = select(func.min(samples.c.reporter_id).label("id")).where(samples.c.room_id == room_id)
    reporters = first.cte("reporter", recursive=True)
    following = select(func.min(samples.c.reporter_id)).where(
        samples.c.room_id == room_id, samples.c.reporter_id > reporters.c.id
    )
    return reporters.union_all(select(following.scalar_subquery()).where(reporters.c.id.is_not(None)))


def _silences(gap: float, *where: ColumnElement[bool]) -> Select[Any]:
    """The reports that came after a silence, with the time of the report before the silence."""
    at = samples.c.received_at
    heard = select(at.label("at"), func.lag(at).over(order_by=at).label("before")).where(*where).subquery()
    was_silent = heard.c.before.is_(None) | (heard.c.at - heard.c.before > round(gap * 1000))
    return select(heard.c.at, heard.c.before).where(was_silent).order_by(heard.c.at)


def _visits(silences: Sequence[Any], last: int | None) -> list[Visit]:
    if last is None:
        return []
    ends = [later.before for _, later in pairwise(silences)]
    return [Visit(row.at / 1000, end / 1000) for row, end in zip(silences, [*ends, last], strict=True)]
