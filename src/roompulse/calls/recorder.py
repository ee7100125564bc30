"""Saves the attendance of users in rooms: when a user is first found, once a minute, and when it has left."""

import asyncio
from collections.abc import Iterator, Sequence
from typing import Any

from roompulse.calls.attendance import Attendance, Attendances
from roompulse.calls.store import SqlCalls
from roompulse.clock import Clock
from roompulse.periodic import every
from roompulse.rooms.contract import LiveRooms

NOTE_EVERY = 10.0
"""Seconds between two samples of the live users: each counts for the time since the one before."""

SAVE_EVERY = 60.0
"""Seconds between two saves of a user who stays: a crash loses at most so much."""

_USERS_AT_ONCE, _ROWS_AT_ONCE = 200, 500
"""Users sampled, and rows of one transaction, before other tasks run."""


class CallRecorder:
    def __init__(self, store: SqlCalls, rooms: LiveRooms, clock: Clock) -> None:
        self._store = store
        self._rooms = rooms
        self._clock = clock
        self._attendances: Attendances | None = None
        self._noted_at: float | None = None
        # Users who left and are not saved as such yet: after an error of the database they wait for the next save.
        self._left: list[Attendance] = []

    async def run(self) -> None:
        await every(NOTE_EVERY, self.record, "attendance in rooms could not be saved", at_once=True)

    async def record(self) -> None:
        """Sample all live users, and save those who are new, due, or gone."""
        if self._attendances is None:
            self._attendances = Attendances()
            self._attendances.resume(map(Attendance.of_row, await self._store.present()))
        attendances, now = self._attendances, self._clock()
        # At most the interval of samples: while the server was busy or its clock was set, nothing is known.
        seconds = 0.0 if self._noted_at is None else max(0.0, min(now - self._noted_at, 2 * NOTE_EVERY))
        self._noted_at = now
        for count, (room_id, user) in enumerate(self._live(), start=1):
            if before := attendances.note(room_id, user, now, seconds):
                self._left.append(before)
            if count % _USERS_AT_ONCE == 0:
                await asyncio.sleep(0)
        for count, (key, one) in enumerate(list(attendances), start=1):
            if self._is_gone(key, one):
                self._left.append(attendances.forget(key))
            if count % _USERS_AT_ONCE == 0:
                await asyncio.sleep(0)
        await self._save(self._left, now, left=True)
        self._left = []
        due = [one for _, one in attendances if one.saved_at is None or abs(now - one.saved_at) >= SAVE_EVERY]
        await self._save(due, now, left=False)

    def _live(self) -> Iterator[tuple[str, Any]]:
        for room_id in self._rooms.ids():
            room = self._rooms.get(room_id)
            for user in list(room.users.values()) if room else ():
                yield room_id, user

    def _is_gone(self, key: tuple[str, str], one: Attendance) -> bool:
        room = self._rooms.get(key[0])
        return room is None or room.user(key[1]) is not one.user

    async def _save(self, attendances: Sequence[Attendance], now: float, *, left: bool) -> None:
        for start in range(0, len(attendances), _ROWS_AT_ONCE):
            some = attendances[start : start + _ROWS_AT_ONCE]
            new = [one for one in some if one.row_id is None]
            known = [one.row(left=left) for one in some if one.row_id is not None]
            ids = await self._store.save([one.row(left=left) for one in new], known)
            for one, row_id in zip(new, ids, strict=True):
                one.row_id = row_id
            for one in some:
                one.saved_at = now
