"""Rollups in the database: of each minute and, once an hour has ended, of the hour, so that a week is read quickly."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
from typing import Any

import msgspec
from msgspec import Struct
from sqlalchemy import Connection, Select, Table, delete, exists, func, insert, select, update

from roompulse.insights.cell import Cells, add_to, cut, pack, unpack
from roompulse.insights.collector import Example, Rollup, Totals, Trait, pick
from roompulse.insights.model import Span, TrendPoint
from roompulse.store.contract import Steps
from roompulse.store.engine import Database
from roompulse.store.schema import HOUR, MINUTE, rollup_users, rollups, trends

_HOURS_AT_ONCE = 24
"""Rollups read in one step; an hour of minutes."""

_TRAITS = msgspec.json.Decoder(list[Trait])

_SUMS = ("rooms", "good", "fair", "poor", "unknown", "reports")


_HOUR = (trends.c.start // HOUR * HOUR).label("hour")


class Stretch(Struct, frozen=True):
    """A part of a range that is read in one step, from rollups of this span."""

    span: int
    start: int
    end: int

    def of(self, table: Table) -> Any:
        return (table.c.span == self.span) & (table.c.start >= self.start) & (table.c.start < self.end)


class SqlRollups:
    """Methods raise StoreError when the database fails."""

    def __init__(self, database: Database) -> None:
        self._write = database.write
        self._fetch = database.fetch

    async def add(self, minutes: Sequence[Rollup], starts: int = 0) -> None:
        """Save minutes, each added to its stored counts; `starts` is how often the server started in the first."""

        def save(connection: Connection) -> None:
            put(connection, minutes, same_moments=False)
            if starts and minutes:
                first = trends.c.start == minutes[0].start
                connection.execute(update(trends).where(first).values(starts=trends.c.starts + starts))

        await self._write(save)

    def newest(self) -> Steps[int | None]:
        """The start of the newest minute; None where there is none."""
        ((start,),) = self._fetch(select(func.max(trends.c.start)))
        yield from ()
        return start  # type: ignore[no-any-return]

    def packed(self, span: Span) -> Steps[list[tuple[int, dict[str, bytes]]]]:
        """The minutes in a range, each with its packed cells by dimension."""
        stretch = Stretch(MINUTE, round(span.start), round(span.end))
        yield from ()
        rows = self._fetch(_cells(stretch))
        by_start = groupby(rows, key=lambda row: row.start)
        return [(start, {row.dimension: row.cells for row in some}) for start, some in by_start]

    def tables(self, span: Span, by: str | None = None) -> Steps[dict[str, Cells]]:
        """The cells of a range by dimension, of all dimensions or of one."""
        found: dict[str, Cells] = {}
        for place, stretch in enumerate(self.stretches(span)):
            if place:
                yield
            _merge(found, self._fetch(_cells(stretch, by)))
        return {dimension: cut(cells) for dimension, cells in found.items()}

    def users(self, span: Span, trait: Trait) -> Steps[list[tuple[Example, int]]]:
        """Users with this trait who were poor, worst first, each with the start of its worst minute or hour."""
        poor: Counter[tuple[str, str]] = Counter()
        worst: dict[tuple[str, str], tuple[int, int]] = {}
        for place, stretch in enumerate(self.stretches(span)):
            if place:
                yield
            for row in self._fetch(select(rollup_users).where(stretch.of(rollup_users))):
                if trait in _TRAITS.decode(row.traits):
                    key = row.room_id, row.user_id
                    poor[key] += row.poor
                    worst[key] = max(worst.get(key, (0, 0)), (row.poor, row.start))
        return [(Example(*key, count, [trait]), worst[key][1]) for key, count in poor.most_common()]

    def trends(self, span: Span, step: int) -> Steps[list[TrendPoint]]:
        """Means of each step, by time, without steps in which the server did not run."""
        begins = (trends.c.start // step * step).label("begins")  # `start` would be the column
        looks = func.sum(trends.c.looks)
        means = [(func.sum(trends.c[name]) * 1.0 / looks).label(name) for name in _SUMS]
        rows = self._fetch(select(begins, *means).where(_within(span)).group_by("begins").order_by("begins"))
        yield from ()
        return [_point(row) for row in rows]

    def starts(self, span: Span) -> Steps[list[int]]:
        """The minutes in which the server started."""
        rows = self._fetch(select(trends.c.start).where(_within(span), trends.c.starts > 0).order_by(trends.c.start))
        yield from ()
        return [row.start for row in rows]

    def kept(self, span: Span) -> Span:
        """The part of a range with stored minutes; empty where there are none."""
        ((first, last),) = self._fetch(select(func.min(trends.c.start), func.max(trends.c.start)).where(_within(span)))
        return Span(0, 0) if first is None else Span(first, min(span.end, last + MINUTE))

    def stretches(self, span: Span) -> list[Stretch]:
        """The parts of a range: merged hours, else the minutes of an hour."""
        start, end = -(-round(span.start) // MINUTE) * MINUTE, round(span.end)
        hours = select(_HOUR).distinct().where(_within(span)).order_by(_HOUR)
        whole = select(rollups.c.start).distinct().where(Stretch(HOUR, start, end - HOUR + 1).of(rollups))
        ready = {row.start for row in self._fetch(whole)}
        found: list[Stretch] = []
        for (hour,) in self._fetch(hours):
            last = found[-1] if found else Stretch(MINUTE, 0, 0)
            if hour not in ready:
                found.append(Stretch(MINUTE, max(start, hour), min(end, hour + HOUR)))
            elif last.span == HOUR and last.end == hour and hour - last.start < _HOURS_AT_ONCE * HOUR:
                found[-1] = Stretch(HOUR, last.start, hour + HOUR)
            else:
                found.append(Stretch(HOUR, hour, hour + HOUR))
        return found

    def hours_to_roll(self, now: float) -> Steps[list[int]]:
        """Ended hours whose minutes are not merged yet."""
        yield from ()
        hours = select(_HOUR).distinct().where(trends.c.start < now // HOUR * HOUR).subquery()
        started, span = rollups.c.start, rollups.c.span
        minutes = exists().where(span == MINUTE, started >= hours.c.hour, started < hours.c.hour + HOUR)
        done = exists().where(span == HOUR, started == hours.c.hour)
        return [row.hour for row in self._fetch(select(hours.c.hour).where(minutes, ~done))]

    def rolled(self, hour: int) -> Steps[tuple[dict[str, Cells], list[Example]]]:
        """The merged minutes of an hour."""
        cells: dict[str, Cells] = {}
        for start in range(hour, hour + HOUR, 10 * MINUTE):
            _merge(cells, self._fetch(_cells(Stretch(MINUTE, start, start + 10 * MINUTE))))
            yield
        rows = self._fetch(select(rollup_users).where(Stretch(MINUTE, hour, hour + HOUR).of(rollup_users)))
        return {by: cut(some) for by, some in cells.items()}, pick(_summed(map(_example, rows)))

    async def add_hour(self, hour: int, cells: Mapping[str, Cells], examples: Sequence[Example]) -> None:
        def save(connection: Connection) -> None:
            _forget_hour(connection, hour)
            _insert(connection, HOUR, hour, cells, examples)

        await self._write(save)


def put(connection: Connection, minutes: Iterable[Rollup], *, same_moments: bool) -> None:
    """Add minutes to their stored counts, in the transaction of this connection.

    `same_moments` says that these rooms were sampled together with the others of a minute, as for an import; otherwise
    the server had ended in between.
    """
    for minute in minutes:
        stretch = Stretch(MINUTE, minute.start, minute.start + MINUTE)
        cells: dict[str, Cells] = {}
        _merge(cells, connection.execute(_cells(stretch)))
        for by, some in minute.cells.items():  # which stay unchanged, in case this has to be repeated
            add_to(cells.setdefault(by, {}), some)
        cells = {by: cut(some) for by, some in cells.items()}
        known = connection.execute(select(rollup_users).where(stretch.of(rollup_users))).all()
        examples = pick(_summed([*map(_example, known), *minute.examples]))
        for table in (rollups, rollup_users):
            connection.execute(delete(table).where(stretch.of(table)))
        _insert(connection, MINUTE, minute.start, cells, examples)
        _put_totals(connection, minute.start, minute.totals, same_moments=same_moments)
        _forget_hour(connection, minute.start // HOUR * HOUR)


def _insert(
    connection: Connection, span: int, start: int, cells: Mapping[str, Cells], examples: Sequence[Example]
) -> None:
    common = {"span": span, "start": start}
    if rows := [common | {"dimension": by, "cells": pack(some)} for by, some in cells.items()]:
        connection.execute(insert(rollups), rows)
    if rows := [common | _user_row(one) for one in examples]:
        connection.execute(insert(rollup_users), rows)


def _user_row(one: Example) -> dict[str, Any]:
    ids = {"room_id": one.room_id, "user_id": one.user_id}
    return ids | {"poor": one.poor, "traits": msgspec.json.encode(one.traits)}


def _forget_hour(connection: Connection, hour: int) -> None:
    for table in (rollups, rollup_users):
        connection.execute(delete(table).where(Stretch(HOUR, hour, hour + HOUR).of(table)))


def _put_totals(connection: Connection, start: int, totals: Totals, *, same_moments: bool) -> None:
    known = connection.execute(select(trends).where(trends.c.start == start)).mappings().first()
    values: dict[str, Any] = {name: getattr(totals, name) for name in _SUMS} | {"looks": totals.looks}
    if known is None:
        connection.execute(insert(trends), [values | {"start": start, "starts": 0}])
        return
    together = {name: known[name] + values[name] for name in _SUMS}
    together["looks"] = max(known["looks"], totals.looks) if same_moments else known["looks"] + totals.looks
    connection.execute(update(trends).where(trends.c.start == start).values(together))


def _cells(stretch: Stretch, by: str | None = None) -> Select[Any]:
    rows = select(rollups.c.start, rollups.c.dimension, rollups.c.cells).where(stretch.of(rollups))
    return (rows if by is None else rows.where(rollups.c.dimension == by)).order_by(rollups.c.start)


def _merge(found: dict[str, Cells], rows: Iterable[Any]) -> None:
    for row in rows:
        add_to(found.setdefault(row.dimension, {}), unpack(row.cells))


def _example(row: Any) -> Example:
    return Example(row.room_id, row.user_id, row.poor, _TRAITS.decode(row.traits))


def _summed(examples: Iterable[Example]) -> list[Example]:
    """One for each user of a room, with all traits that it had."""
    found: dict[tuple[str, str], Example] = {}
    for one in examples:
        key = one.room_id, one.user_id
        if known := found.get(key):
            traits = list(dict.fromkeys([*known.traits, *one.traits]))
            one = Example(*key, known.poor + one.poor, traits)
        found[key] = one
    return list(found.values())


def _within(span: Span) -> Any:
    return (trends.c.start >= span.start) & (trends.c.start < span.end)


def _point(row: Any) -> TrendPoint:
    means = {name: round(getattr(row, name), 2) for name in _SUMS}
    users = round(sum(means[name] for name in ("good", "fair", "poor", "unknown")), 2)
    return TrendPoint(timestamp=float(row.begins), users=users, **means)
