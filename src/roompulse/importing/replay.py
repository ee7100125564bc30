"""What would have been live of a room: its calls with their snapshots, as the server takes them."""

from collections.abc import Iterable, Mapping
from math import floor
from typing import Any

from roompulse.calls.attendance import Attendances
from roompulse.report.model import Received
from roompulse.rooms.admission import Limits
from roompulse.rooms.contract import LiveRoom
from roompulse.rooms.memory import RoomsInMemory
from roompulse.rooms.model import Aggregate
from roompulse.settings import Settings
from roompulse.store.recordings import Call


def calls_of(reports: Iterable[Received], settings: Settings) -> list[Call]:
    """The calls in a room; silence of LEAVE_AFTER ends one. Reports come in the order of their receipt."""
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
        self._calls: list[Call] = []
        self._attendances = Attendances()
        self._users: list[Mapping[str, Any]] = []
        self._version = 0
        self._taken = 0
        """Snapshots so far, counted since 1970, whether or not there was a change to save."""

    def take(self, received: Received) -> None:
        self._go_to(received.at)
        self._rooms.expire(received.at)
        self._rooms.apply(received)
        room = self._rooms.get(received.report.room_id)
        if room is not self._room:
            self._end_call()
            self._room = room
        self._reports.append(received)

    def end(self) -> list[Call]:
        if self._room:
            self._go_to(self._room.heard_at + self._settings.leave_after)
        self._end_call()
        return self._calls

    def _go_to(self, at: float) -> None:
        """Take the snapshots that are due before `at`."""
        interval = self._settings.snapshot_interval
        if self._room is None:
            self._taken = floor(at / interval)
            return
        room_id = self._reports[0].report.room_id
        while (due := round((self._taken + 1) * interval, 3)) < at:
            self._taken += 1
            self._rooms.expire(due)
            room = self._rooms.get(room_id)
            self._note(room_id, room, due)
            if room and room.version > self._version:
                self._snapshots.append((due, room.summary().aggregate))
                self._version = room.version

    def _note(self, room_id: str, room: LiveRoom | None, due: float) -> None:
        """Count the users who are there, and keep the rows of those who are not any more."""
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
            call = Call(self._room.started_at, self._room.heard_at, self._reports, self._snapshots, self._users)
            self._calls.append(call)
        self._reports, self._snapshots, self._users = [], [], []
