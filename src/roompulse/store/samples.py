"""Stored reports of one room, read from its samples."""

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any

from msgspec.structs import replace
from sqlalchemy import ColumnElement, Select, func, literal, select

from roompulse.report.model import Received
from roompulse.store.contract import SampleQuery, Visit
from roompulse.store.engine import Database
from roompulse.store.row_codec import BETWEEN_USERS, FETCH_AT_ONCE, STORED_COLUMNS, reports_of
from roompulse.store.schema import samples
from roompulse.store.sql_store import first_since

_MOST_REPORTERS = 8
"""Reporters that are read for the visits of a user who reports nothing: so few are as good as all of them."""

_UNPACKED_AT_ONCE = 100_000
"""Bytes of rows that become reports in one step: some milliseconds."""

_ROWS_AT_ONCE = 200
"""Reports of all rooms that are read in one step; a media server's take some hundred kilobytes each."""

_SHORTEST_SPAN, _FIRST_SPAN, _LONGEST_SPAN = 0.05, 1.0, 120.0
"""Seconds of reports read in one step. They depend on the number of rows, since all rows of a span are sorted."""


class SqlSamples:
    """Implements `SampleArchive`."""

    def __init__(self, database: Database) -> None:
        self._reading = database.reading
        self._fetch = database.fetch
        self._span = database.span

    def reports(self, query: SampleQuery) -> Iterator[Sequence[Received]]:
        span, last_id, portion = _FIRST_SPAN, 0, list[Any]()
        while query.after < query.until:
            until, most = min(query.until, query.after + span), FETCH_AT_ONCE - len(portion)
            rows = self._fetch(self._samples(replace(query, until=until), last_id).limit(most))
            is_whole = len(rows) < most
            if not is_whole and span > _SHORTEST_SPAN:
                span /= 2
                continue
            portion += rows
            if is_whole:
                query, last_id = replace(query, after=until if rows else self._last_silent(query, until)), 0
                span = min(2 * span, _LONGEST_SPAN) if len(rows) < FETCH_AT_ONCE / 4 else span
            else:
                last_id = rows[-1].id
            if len(portion) > FETCH_AT_ONCE / 2:
                yield from _unpacked(portion, query.about)
                portion = []
        yield from _unpacked(portion, query.about)

    def received(self, after: float, until: float) -> Iterator[Sequence[Received]]:
        last_id = first_since(self._fetch, samples, samples.c.received_at, after * 1000) - 1
        within = samples.c.received_at > after * 1000, samples.c.received_at <= until * 1000
        statement = select(*STORED_COLUMNS).order_by(samples.c.id).limit(_ROWS_AT_ONCE)
        while rows := self._fetch(statement.where(samples.c.id > last_id, *within)):
            last_id = rows[-1].id
            yield from _unpacked(rows, None)

    def _last_silent(self, query: SampleQuery, after: float) -> float:
        """The latest time up to which nothing was received since `after`, so that gaps are passed over."""
        ((received_at,),) = self._fetch(self._first_time(replace(query, after=after)))
        return query.until if received_at is None else received_at / 1000 - 0.001

    async def visits(self, room_id: str, user_id: str, since: float, until: float, gap: float) -> list[Visit]:
        within = _within(room_id, since, until)
        async with self._reading() as connection:

            async def visits(*heard: ColumnElement[bool]) -> list[Visit]:
                rows = await connection.execute(_silences(gap, *within, *heard))
                last = await connection.scalar(select(func.max(samples.c.received_at)).where(*within, *heard))
                return _visits(rows.all(), last)

            if own := await visits(samples.c.reporter_id == user_id):
                return own
            some = select(self._reporters(room_id, since, until).c.id).limit(_MOST_REPORTERS)
            return await visits(samples.c.reporter_id.in_(some), _is_about(user_id))

    def _samples(self, query: SampleQuery, last_id: int = 0) -> Select[Any]:
        """Rows of the query after `last_id`, by id."""
        within = _within(query.room_id, query.after, query.until)
        statement = select(*STORED_COLUMNS).where(*within, samples.c.id > last_id)
        statement = statement.order_by(samples.c.id)
        if query.about is not None:
            # Streams from a media server to a user are in an entry about the receiver.
            statement = statement.where(_is_about(query.about) | _is_about(samples.c.reporter_id))
        if query.reporter_id is not None:
            return statement.where(samples.c.reporter_id == query.reporter_id)
        reporters = self._reporters(query.room_id, query.after, query.until)
        return statement.join(reporters, samples.c.reporter_id == reporters.c.id)

    def _first_time(self, query: SampleQuery) -> Select[Any]:
        """When the first report was received, of any user it may be about."""
        first = select(func.min(samples.c.received_at)).where(*_within(query.room_id, query.after, query.until))
        if query.reporter_id is not None:
            return first.where(samples.c.reporter_id == query.reporter_id)
        reporters = self._reporters(query.room_id, query.after, query.until)
        of_each = first.where(samples.c.reporter_id == reporters.c.id).scalar_subquery()
        return select(func.min(of_each)).select_from(reporters)

    def _reporters(self, room_id: str, after: float, until: float) -> Any:
        """The reporters of a room, each found by one step in the index from the one before.

        They have reported after the first time and until the other, or at other times in the same tables.
        """
        mine = samples.c.room_id == room_id, *self._in_tables(after, until)
        first = select(func.min(samples.c.reporter_id).label("id")).where(*mine)
        reporters = first.cte("reporter", recursive=True)
        following = select(func.min(samples.c.reporter_id)).where(*mine, samples.c.reporter_id > reporters.c.id)
        return reporters.union_all(select(following.scalar_subquery()).where(reporters.c.id.is_not(None)))

    def _in_tables(self, after: float, until: float) -> Sequence[ColumnElement[bool]]:
        """Leave out whole tables without rows of this time, but no row of the others, where an index finds ids."""
        if self._span is None:
            return ()
        at, first, last = samples.c.received_at, *(round(1000 * time) // self._span for time in (after, until))
        return at >= first * self._span, at < (last + 1) * self._span


def _unpacked(rows: Sequence[Any], about: str | None) -> Iterator[Sequence[Received]]:
    """The reports of these rows, in steps that are bounded however many entries a report has."""
    portion, size = list[Any](), 0
    for row in rows:
        portion.append(row)
        size += len(row.streams)
        if size > _UNPACKED_AT_ONCE:
            yield list(reports_of(portion, about))
            portion, size = [], 0
    if portion:
        yield list(reports_of(portion, about))


def _is_about(user_id: str | ColumnElement[str]) -> ColumnElement[bool]:
    # `replace` is the one function that compares byte for byte in SQLite and in PostgreSQL.
    is_listed = func.replace(samples.c.users, literal(BETWEEN_USERS) + user_id + BETWEEN_USERS, "") != samples.c.users
    is_reporter = (samples.c.users == "") & (samples.c.reporter_id == user_id)
    return is_listed | is_reporter | (samples.c.user_id == user_id)


def _within(room_id: str, after: float, until: float) -> Sequence[ColumnElement[bool]]:
    at = samples.c.received_at
    return samples.c.room_id == room_id, at > round(after * 1000), at <= round(until * 1000)


def _silences(gap: float, *where: ColumnElement[bool]) -> Select[Any]:
    """The reports after a silence, with the time of the report before it."""
    at = samples.c.received_at
    heard = select(at.label("at"), func.lag(at).over(order_by=at).label("before")).where(*where).subquery()
    was_silent = heard.c.before.is_(None) | (heard.c.at - heard.c.before > round(gap * 1000))
    return select(heard.c.at, heard.c.before).where(was_silent).order_by(heard.c.at)


def _visits(silences: Sequence[Any], last: int | None) -> list[Visit]:
    if last is None:
        return []
    ends = [later.before for _, later in pairwise(silences)]
    return [Visit(row.at / 1000, end / 1000) for row, end in zip(silences, [*ends, last], strict=True)]
