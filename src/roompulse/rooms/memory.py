"""Live rooms kept in this process."""

import heapq
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from itertools import takewhile
from math import inf

from sortedcontainers import SortedList

from roompulse.clock import JUMP
from roompulse.errors import Problem
from roompulse.report.model import Received
from roompulse.rooms.admission import Admission, Limits, Quotas
from roompulse.rooms.presence import Timeouts
from roompulse.rooms.room import RoomState
from roompulse.rooms.user import UserState


class RoomsInMemory:
    """Implements `LiveRooms`.

    Each user has one entry in a heap of due times. A report does not touch it: when the entry comes due, the user is
    updated, and put back if it was reported meanwhile. So a report costs the same in a room of any size.
    """

    def __init__(self, limits: Limits, *, stale_after: float, leave_after: float) -> None:
        self._limits = limits
        self._quotas = Quotas(limits)
        self._timeouts = Timeouts(stale_after, leave_after)
        # In the order of their newest change.
        self._rooms: OrderedDict[str, RoomState] = OrderedDict()
        self._ids: SortedList[str] = SortedList()
        self._listed: Sequence[str] | None = None
        self._due: list[tuple[float, int, RoomState, UserState]] = []
        self._ordinal = 0
        self._version = 0
        self._latest = 0.0
        # What `take_changes` has not returned yet.
        self._taken_version = 0
        self._ended: list[RoomState] = []

    def admit(self, reports: Sequence[Received]) -> list[Problem | None]:
        admission = Admission(self._limits, self._quotas, self._rooms, self._timeouts.leave_after)
        return [admission.check(received) for received in reports]

    def apply(self, received: Received) -> None:
        report, now = received.report, received.at
        room = self._rooms.get(report.room_id)
        if room and room.is_late(report, now):
            return
        if room is None:
            if report.by_server and not report.metrics:
                return  # It has no user.
            room = self._rooms[report.room_id] = RoomState(report.room_id, now, self._timeouts)
            self._quotas.rooms.note(received.sender, now)
            self._ids.add(report.room_id)
            self._listed = None
        else:
            self._rooms.move_to_end(report.room_id)
        self._version += 1
        self._latest = max(self._latest, now)
        room.position = received.position
        if new := room.apply(report, now, self._version):
            self._quotas.users.note(received.sender, now, len(new))
        for user in new:
            self._schedule(now + min(self._timeouts.stale_after, self._timeouts.leave_after), room, user)
        if not room.users:
            self._end(report.room_id)

    def expire(self, now: float, jumped: float = 0.0) -> set[str]:
        # Where times go back without a known jump, as in stored reports, no time passed in between. By less
        # than what counts as a jump, that is another machine's clock: time stands still until it has caught up.
        behind = now - self._latest - jumped
        if behind <= -JUMP:
            jumped += behind
        changed = self._shift(jumped) if jumped else set()
        self._latest = max(now, self._latest + jumped)
        while self._due and self._due[0][0] <= self._latest:
            due, _, room, user = heapq.heappop(self._due)
            if room.users.get(user.user_id) is not user:
                continue  # It said that it leaves.
            # As of when it was due: so a room does not depend on when, or where, it is read.
            if self._update(user, room, due):
                changed.add(room.room_id)
                self._rooms.move_to_end(room.room_id)
            if not room.users:
                self._end(room.room_id)
        return changed

    def next_due(self) -> float:
        return self._due[0][0] if self._due else inf

    def _end(self, room_id: str) -> None:
        self._ended.append(self._rooms.pop(room_id))
        self._ids.remove(room_id)
        self._listed = None

    def _shift(self, seconds: float) -> set[str]:
        """The clock was set: shift all times by so much, so that ages do not change."""
        self._version += 1
        self._due = []
        for room in self._rooms.values():
            for user in room.shift(seconds, self._version):
                self._schedule(user.received_at, room, user)
        return set(self._rooms)

    def _update(self, user: UserState, room: RoomState, now: float) -> bool:
        """Bring one user up to date; returns whether that changed anything."""
        version = self._version + 1
        stale_after, leave_after = self._timeouts.stale_after, self._timeouts.leave_after
        if (later := user.due(now, stale_after, leave_after)) > now:
            self._schedule(later, room, user)
            return False
        # Compared as scheduled (`time + timeout`): rounding must not make one due again immediately.
        left = user.received_at + leave_after <= now
        turned_stale = not user.stale and user.received_at + stale_after <= now
        dropped, streams = user.forget(now, leave_after)
        room.forget_streams(streams, version)
        streams_turned_stale = room.turn_stale(user, now, version)
        if left:
            room.forget_user(user, left_at=user.received_at + leave_after)
        else:
            user.stale = user.stale or turned_stale
            self._schedule(user.due(now, stale_after, leave_after), room, user)
        if not (left or dropped or turned_stale or streams_turned_stale):
            return False
        self._version = version
        room.user_changed(user, version)
        room.changed(now, version)
        return True

    def _schedule(self, due: float, room: RoomState, user: UserState) -> None:
        self._ordinal += 1
        heapq.heappush(self._due, (due, self._ordinal, room, user))

    def take_changes(self) -> list[tuple[RoomState, list[UserState]]]:
        changed = [*self._ended, *self._changed_since(self._taken_version)]
        self._taken_version, self._ended = self._version, []
        return [(room, room.take_touched()) for room in changed]

    def _changed_since(self, version: int) -> Iterator[RoomState]:
        return takewhile(lambda room: room.version > version, reversed(self._rooms.values()))

    def sizes(self) -> tuple[int, int, int]:
        """How many rooms, users and streams are live."""
        users = [user for room in self._rooms.values() for user in room.users.values()]
        return len(self._rooms), len(users), sum(user.stream_count() for user in users)

    def ids(self, since: int = 0) -> Sequence[str]:
        if since:
            return [room.room_id for room in self._changed_since(since)]
        if self._listed is None:
            self._listed = list(self._ids)
        return self._listed

    def get(self, room_id: str) -> RoomState | None:
        return self._rooms.get(room_id)
