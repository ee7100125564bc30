"""The report on one call, from stored data: its session, its users and its snapshots."""

from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from itertools import groupby
from math import ceil
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from roompulse.calls.attendance import LETTERS, Figures
from roompulse.calls.model import CallReport, CallUser, Minutes, Stay, VerdictSpan, WorstMinute
from roompulse.calls.store import SqlCalls
from roompulse.calls.words import call_in_words, verdict_in_words
from roompulse.clock import Clock
from roompulse.events.model import EventQuery, Kind, TimelineEvent
from roompulse.events.timeline import Timeline
from roompulse.quality import Level
from roompulse.rooms.model import Snapshot
from roompulse.store.contract import HistoryQuery, Session, Steps, Store
from roompulse.store.reader import Reader

_MINUTE = 60.0
_MOST_SNAPSHOTS, _MOST_EVENTS, _MOST_MOVES = 10_000, 1_000, 10_000
_MOVES: Sequence[Kind] = ("user_joined", "user_left")
_SHORTEST_VERDICT = 20.0
"""Seconds: a shorter verdict is part of the one before."""


class _Stored(Struct, frozen=True):
    """The stored data of one call; `minutes` are its snapshots merged into minutes."""

    call: Session
    rows: Sequence[tuple[Any, Figures]]
    minutes: Sequence[Snapshot]
    snapshots: Sequence[Snapshot]
    end: float


class CallReports:
    def __init__(self, calls: SqlCalls, store: Store, timeline: Timeline, reader: Reader, clock: Clock) -> None:
        self._calls = calls
        self._store = store
        self._timeline = timeline
        self._reader = reader
        self._clock = clock

    async def of(self, room_id: str, started_at: float) -> CallReport | None:
        """The report on the call that started at this time (Unix seconds); None if there was none.

        Raises StoreError, and Unavailable while many long reads are under way.
        """
        stored = await self._reader.result(self._read(room_id, started_at))
        if stored is None:
            return None
        within = EventQuery(room_id, stored.call.started_at, stored.end, limit=_MOST_EVENTS)
        events, _ = await self._timeline.find(within)
        moves = [
            event
            for kind in _MOVES
            for event in (await self._timeline.find(replace(within, kind=kind, limit=_MOST_MOVES)))[0]
        ]
        return await self._reader.result(_report(stored, events, moves))

    def _read(self, room_id: str, started_at: float) -> Steps[_Stored | None]:
        call = self._calls.call(room_id, started_at)
        if call is None:
            return None
        yield
        rows = self._calls.attendances(call)
        end = self._clock() if call.ended_at is None else call.ended_at
        span = HistoryQuery(room_id, call.started_at, end, limit=_MOST_SNAPSHOTS)
        minutes = yield from self._store.history(replace(span, step=_MINUTE))
        snapshots = yield from self._store.history(span)
        return _Stored(call, rows, minutes or [], snapshots or [], end)


def _report(stored: _Stored, events: Sequence[TimelineEvent], moves: Sequence[TimelineEvent]) -> Steps[CallReport]:
    """`moves` are the events of joining and leaving."""
    yield from ()  # it is one step, of some ten milliseconds for a thousand users
    call, snapshots, end = stored.call, stored.snapshots, stored.end
    noted = _users(stored.rows)
    users = [*noted, *_unnoted(moves, {user.user_id for user in noted}, call, end)]
    worst = _worst(stored.minutes)
    return CallReport(
        room_id=call.room_id,
        room_name=call.room_name,
        started_at=call.started_at,
        ended_at=call.ended_at,
        users=users,
        worst_minute=worst,
        verdicts=list(_verdicts(snapshots, end)),
        events=events,
        text=call_in_words(call, users, worst, snapshots, end),
    )


def _users(rows: Sequence[tuple[Any, Figures]]) -> list[CallUser]:
    """Users with the worst quality first: by poor, then by fair minutes, then by the lowest score."""
    of_user: defaultdict[str, list[tuple[Any, Figures]]] = defaultdict(list)
    for row, figures in rows:
        of_user[row.user_id].append((row, figures))
    users = [_user(user_id, stays) for user_id, stays in of_user.items()]
    return sorted(users, key=lambda one: (-one.minutes.poor, -one.minutes.fair, one.worst or 9, one.user_id))


def _user(user_id: str, rows: Sequence[tuple[Any, Figures]]) -> CallUser:
    stays = [_stay(row, figures) for row, figures in rows]
    lowest = min((one for _, one in rows if one.worst is not None), key=lambda one: one.worst or 0, default=Figures())
    seconds = {level: sum(one.seconds.get(level, 0.0) for _, one in rows) for level in _LEVELS}
    rated = sum(seconds.values()) - seconds["unknown"]
    return CallUser(
        user_id=user_id,
        user_name=next((row.user_name for row, _ in reversed(rows) if row.user_name), None),
        joined=stays[0].joined,
        left=stays[-1].left,
        device=next((one.device for _, one in reversed(rows) if one.device), None),
        minutes=Minutes(**{level: round(value / _MINUTE, 2) for level, value in seconds.items()}),
        score=round(sum(one.scored for _, one in rows) / rated, 2) if rated else None,
        worst=lowest.worst,
        worst_at=lowest.worst_at,
        reasons=lowest.reasons,
        stays=stays,
    )


def _unnoted(moves: Sequence[TimelineEvent], noted: Collection[str], call: Session, end: float) -> Iterator[CallUser]:
    """Users who joined and left between two samples: known by their events only, without a score."""
    of_user: defaultdict[str, list[TimelineEvent]] = defaultdict(list)
    for event in sorted(moves, key=lambda event: event.time):
        if event.user_id is not None and event.user_id not in noted:
            of_user[event.user_id].append(event)
    for user_id, events in sorted(of_user.items()):
        stays = list(_stays(events, call, end))
        minutes = sum((end if stay.left is None else stay.left) - stay.joined for stay in stays) / _MINUTE
        shown = Minutes(0.0, 0.0, 0.0, round(minutes, 2))
        yield CallUser(
            user_id, None, stays[0].joined, stays[-1].left, None, shown, None, None, None, reasons=[], stays=stays
        )


def _stays(events: Sequence[TimelineEvent], call: Session, end: float) -> Iterator[Stay]:
    """From each joining to the next leaving; a missing one is before the call or in the future."""
    joined: float | None = None
    for event in events:
        if event.kind == "user_joined":
            joined = event.time
        else:
            yield _unrated(call.started_at if joined is None else joined, event.time)
            joined = None
    if joined is not None:
        yield _unrated(joined, call.ended_at, end)


def _unrated(joined: float, left: float | None, end: float = 0.0) -> Stay:
    length = (end if left is None else left) - joined
    return Stay(joined, left, LETTERS["unknown"] * max(1, ceil(length / _MINUTE)))


_LEVELS: tuple[Level, ...] = ("good", "fair", "poor", "unknown")


def _stay(row: Any, figures: Figures) -> Stay:
    return Stay(row.joined_at / 1000, None if row.left_at is None else row.left_at / 1000, figures.minutes)


def _worst(minutes: Sequence[Snapshot]) -> WorstMinute | None:
    rated = [(one.quality.score, one.timestamp, one.quality) for one in minutes if one.quality.score is not None]
    if not rated:
        return None
    score, at, quality = min(rated, key=lambda one: one[:2])
    return WorstMinute(at, score, quality.good, quality.fair, quality.poor, quality.unknown)


def _verdicts(snapshots: Sequence[Snapshot], end: float) -> Iterator[VerdictSpan]:
    """The verdicts one after the other, without those that did not last."""
    changes: list[tuple[float, list[Snapshot]]] = []
    for _, group in groupby(snapshots, lambda one: one.quality.verdict):
        same = list(group)
        if changes and changes[-1][1][0].quality.verdict == same[0].quality.verdict:
            changes[-1] = (changes[-1][0], [*changes[-1][1], *same])
        elif changes and same[-1].timestamp - same[0].timestamp < _SHORTEST_VERDICT and same[-1] is not snapshots[-1]:
            continue
        else:
            changes.append((same[0].timestamp, same))
    until = [*(start for start, _ in changes[1:]), end][: len(changes)]
    for (start, same), stop in zip(changes, until, strict=True):
        yield VerdictSpan(start, max(start, stop), verdict_in_words(same))
