"""A room as if it had been live on the server: its calls (with snapshots, events) and minutes."""

from collections.abc import Iterable, Mapping
from math import floor
from typing import Any

from msgspec import Struct

from roompulse.calls.attendance import Attendances
from roompulse.events.detector import Detector
from roompulse.events.model import TimelineEvent
from roompulse.insights.collector import Minute, Rollup
from roompulse.insights.model import LOOK_EVERY, PARTS
from roompulse.report.model import Received
from roompulse.rooms.admission import Limits
from roompulse.rooms.contract import LiveRoom
from roompulse.rooms.memory import RoomsInMemory
from roompulse.rooms.model import Aggregate
from roompulse.settings import Settings
from roompulse.store.contract import Steps
from roompulse.store.recordings import Call
from roompulse.store.schema import MINUTE


class Past(Struct, frozen=True):
    """The calls in a room, and the minutes of all of them."""

    calls: list[Call]
    minutes: list[Rollup]


def past_of(reports: Iterable[Received], settings: Settings) -> Past:
    """Silence of LEAVE_AFTER ends a call. Reports are in the order of receipt."""
    replay = _Replay(settings)
    for received in reports:
        replay.take(received)
    return replay.end()


class _Replay:
    def __init__(self, settings: Settings) -> None:
        limits = Limits(settings.max_rooms, settings.max_room_users, settings.max_user_streams)
        self._rooms = RoomsInMemory(limits, stale_after=settings.stale_after, leave_after=settings.leave_after)
        self._settings = settings
        self._room: LiveRoom | None = None
        self._reports: list[Received] = []
        self._snapshots: list[tuple[float, Aggregate]] = []
        self._detector = Detector(self._rooms, settings.event_hold, settings.stale_after)
        self._events: list[TimelineEvent] = []
        self._calls: list[Call] = []
        self._attendances = Attendances()
        self._users: list[Mapping[str, Any]] = []
        self._version = 0
        self._taken = 0
        """Snapshots so far, counted since 1970, whether or not there was a change to save."""
        self._looked = 0
        self._minutes: list[Minute] = []
        self._counted = 0
        """Reports of the call until the last sample."""

    def take(self, received: Received) -> None:
        self._go_to(received.at)
        self._pass(received.at)
        self._rooms.apply(received)
        room = self._rooms.get(received.report.room_id)
        if room is not self._room:
            self._end_call()
            self._room = room
        self._reports.append(received)
        self._detector.reported(received)

    def end(self) -> Past:
        if self._room:
            end = self._room.heard_at + self._settings.leave_after
            self._go_to(end)
            self._pass(end)
        self._end_call()
        return Past(self._calls, [_whole(minute.rollup()) for minute in self._minutes])

    def _go_to(self, at: float) -> None:
        """Take the snapshots and samples that are due before `at`."""
        interval = self._settings.snapshot_interval
        if self._room is None:
            self._taken, self._looked = floor(at / interval), floor(at / LOOK_EVERY)
            return
        while True:
            snapshot, look = round((self._taken + 1) * interval, 3), (self._looked + 1) * LOOK_EVERY
            due = min(snapshot, look)
            if due >= at:
                return
            self._pass(due)
            room = self._rooms.get(self._reports[0].report.room_id)
            if due == snapshot:
                self._taken += 1
                self._note(self._reports[0].report.room_id, room, due)
                self._snapshot(due, room)
            if due == look:
                self._looked += 1
                self._look(due, room)

    def _pass(self, now: float) -> None:
        """Apply the changes until now that need no report."""
        self._find_events(now)
        self._rooms.expire(now)
        self._find_events(now)

    def _find_events(self, now: float) -> None:
        self._events += [event for _, event in self._detector.look(now)]

    def _snapshot(self, due: float, room: LiveRoom | None) -> None:
        if room and room.version > self._version:
            self._snapshots.append((due, room.summary().aggregate))
            self._version = room.version

    def _look(self, due: float, room: LiveRoom | None) -> None:
        start = int(due // MINUTE * MINUTE)
        if not self._minutes or self._minutes[-1].start != start:
            self._minutes.append(Minute(start))
        count = len(self._reports) - self._counted
        self._counted = len(self._reports)
        self._minutes[-1].begin_look(count / LOOK_EVERY)
        if room:
            self._minutes[-1].look(room, int(due) // LOOK_EVERY % PARTS)

    def _note(self, room_id: str, room: LiveRoom | None, due: float) -> None:
        """Count the present users, and keep the rows of those who have left."""
        users = room.users if room else {}
        for user in users.values():
            if before := self._attendances.note(room_id, user, due, self._settings.snapshot_interval):
                self._users.append(before.row(left=True))
        for key, one in list(self._attendances):
            if users.get(key[1]) is not one.user:
                self._users.append(self._attendances.forget(key).row(left=True))

    def _end_call(self) -> None:
        if self._room:
            self._note(self._room.room_id, None, self._room.heard_at)
            of_call = self._reports, self._snapshots, self._events, self._users
            self._calls.append(Call(self._room.started_at, self._room.heard_at, *of_call))
        self._reports, self._snapshots, self._events, self._users = [], [], [], []
        self._counted = 0


def _whole(steps: Steps[Rollup]) -> Rollup:
    while True:
        try:
            next(steps)
        except StopIteration as done:
            rollup: Rollup = done.value
            return rollup
