"""Finds events: what changed in live rooms since the last comparison. Pure; the time is passed in."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from heapq import heapify, heappop, heappush
from itertools import count
from math import inf
from typing import Any, NamedTuple, cast

from roompulse.events import words
from roompulse.events.comparison import compare
from roompulse.events.model import Kind, TimelineEvent
from roompulse.events.tracks import Held, RoomTrack, UserTrack, track_of
from roompulse.quality import Verdict, level_of
from roompulse.report.model import LEFT, Received
from roompulse.rooms.contract import ChangedUser, LiveRoom, RoomChanges
from roompulse.rooms.rated_samples import place_in_history

SETTLED_AT_ONCE = 500
"""Levels and verdicts that settle in one comparison; in an incident of all users, the rest waits for the next."""

_FEW_PENDING = 1_000
"""Levels and verdicts among which those are not looked for that count no more."""

Found = tuple[str, TimelineEvent]
"""The room, and what happened in it."""


class _Pending(NamedTuple):
    """A level, or without a user the verdict on a room, that is `held` since then; the first one has waited longest.

    It counts no more where what is held has changed since.
    """

    since: float
    ordinal: int
    room_id: str
    user_id: str | None
    held: Held[Any]


class Detector:
    """A level or a verdict counts once it has lasted for `hold` seconds; `stale_after` as in the live rooms."""

    def __init__(self, rooms: RoomChanges, hold: float, stale_after: float) -> None:
        self._rooms = rooms
        self._hold = hold
        self._stale_after = stale_after
        self._tracks: dict[str, RoomTrack] = {}
        self._pending: list[_Pending] = []
        self._ordinals = count()
        self._most_pending = _FEW_PENDING
        self._unrated: defaultdict[str, dict[ChangedUser, None]] = defaultdict(dict)
        self._found: list[Found] = []
        self._reported: list[Found] = []

    def reported(self, received: Received) -> None:
        """Note the events of a report that was committed, late ones included."""
        report = received.report
        for event in report.events or ():
            if event.type != LEFT:  # which is found as `user_left`
                at = place_in_history(report.report_time if event.time is None else event.time, received.at)
                told = TimelineEvent(at, "sdk", report.user_id, event.stream_id, None, event.type, event.detail)
                self._reported.append((report.room_id, told))

    def has(self, room_id: str) -> bool:
        """Whether the room is live, as far as it has been looked at."""
        return room_id in self._tracks

    def shift(self, seconds: float) -> None:
        """Shift all times by so much, since the clock was set: what has lasted for a while still has."""
        for held in {id(one.held): one.held for one in self._pending}.values():
            held.since += seconds
        self._pending = [one._replace(since=one.since + seconds) for one in self._pending]

    def look(self, now: float, *, rate: bool = True, settle: bool = True) -> Sequence[Found]:
        """What happened since the previous call, in the order of its time.

        Without `rate`, levels and verdicts stay those of the last call with it, so that they do not depend on other
        calls. Without `settle`, those that have lasted wait for `told` or for a call with `settle`.
        """
        for room, users in self._rooms.take_changes():
            self._compare(room, users)
        if rate:
            self._rate()
        if rate and settle:
            self._settle(now)
        return self._sorted()

    def next_due(self) -> float:
        """When the first level or verdict that is there now will have lasted; infinite without any."""
        while self._pending and not self._still_counts(self._pending[0]):
            heappop(self._pending)
        return self._pending[0].since + self._hold if self._pending else inf

    def _wait(self, room_id: str, user_id: str | None, held: Held[Any]) -> None:
        heappush(self._pending, _Pending(held.since, next(self._ordinals), room_id, user_id, held))
        if len(self._pending) > self._most_pending:
            self._pending = [one for one in self._pending if self._still_counts(one)]
            heapify(self._pending)
            self._most_pending = max(_FEW_PENDING, 2 * len(self._pending))

    def _still_counts(self, one: _Pending) -> bool:
        """Whether what began then is still there."""
        track, held = self._tracks.get(one.room_id), one.held
        if track is None or held.candidate is None or held.since != one.since:
            return False
        user = track.users.get(one.user_id) if one.user_id is not None else None
        return held is (track.verdict if one.user_id is None else user and user.level)

    def told(self, room_id: str, event: TimelineEvent) -> None:
        """Another process has found that a level or a verdict counts."""
        track = self._tracks.get(room_id)
        user = track.users.get(event.user_id) if track and event.user_id else None
        if user and event.level:
            user.level.told(event.level)
        elif track and event.user_id is None:
            track.verdict.told(cast("Verdict", event.detail))

    def _sorted(self) -> Sequence[Found]:
        found = self._found + self._reported
        self._found, self._reported = [], []
        return sorted(found, key=lambda one: one[1].time)

    def resume(self, stored: Mapping[str, Sequence[TimelineEvent]], now: float) -> Sequence[Found]:
        """Continue after a restart: what happened while the server was not running.

        `stored` has, by room, the events of STATE_KINDS since the room started, for every room that was live when the
        server stopped. A room without any is from a version that stored none, and its present state is used.
        """
        for room_id, events in stored.items():
            self._tracks[room_id] = track_of(events) if events else self._as_it_is(room_id)
        # Only the final state of the rebuilt rooms counts: earlier changes are stored.
        for room, users in {room.room_id: (room, users) for room, users in self._rooms.take_changes()}.values():
            self._compare_rebuilt(room, {user.user_id: user for user in users}.values())
        for room_id, track in list(self._tracks.items()):
            live = self._rooms.get(room_id)
            for user_id in [one for one in track.users if live is None or live.user(one) is None]:
                self._tell(room_id, "user_left", now, words.LEFT_UNSEEN, user_id)
                track.remove(user_id)
            if live is None:
                self._end(room_id, now)
        return self._sorted()

    def _compare_rebuilt(self, room: LiveRoom, users: Iterable[ChangedUser]) -> None:
        track, live = self._tracks.get(room.room_id), self._rooms.get(room.room_id) is room
        if track or live:
            self._compare(
                room, [user for user in users if user.left_at is None or (track and user.user_id in track.users)]
            )

    def _as_it_is(self, room_id: str) -> RoomTrack:
        track, room = RoomTrack(), self._rooms.get(room_id)
        for place in room.worst_first() if room else ():
            track.add(place.user_id)
        return track

    def _tell(
        self, room_id: str, kind: Kind, at: float, text: str, user_id: str | None = None, detail: str | None = None
    ) -> None:
        self._found.append((room_id, TimelineEvent(at, kind, user_id, text=text, detail=detail)))

    def _compare(self, room: LiveRoom, users: Iterable[ChangedUser]) -> None:
        room_id, ended = room.room_id, self._rooms.get(room.room_id) is not room
        track = self._tracks.get(room_id)
        if track is None:
            track = self._tracks[room_id] = RoomTrack()
            self._tell(room_id, "room_started", room.started_at, words.ROOM_STARTED)
        last = room.started_at
        for user in users:
            self._compare_user(room, track, user)
            last = max(last, user.left_at or 0.0)
        if ended:
            self._end(room_id, last)
        else:
            self._unrated[room_id].update(dict.fromkeys(users))

    def _end(self, room_id: str, at: float) -> None:
        del self._tracks[room_id]
        self._unrated.pop(room_id, None)
        self._tell(room_id, "room_ended", at, words.ROOM_ENDED)

    def _compare_user(self, room: LiveRoom, track: RoomTrack, user: ChangedUser) -> None:
        known = track.users.get(user.user_id)
        if known is None:
            known = track.add(user.user_id)
            self._tell(room.room_id, "user_joined", user.joined_at, words.JOINED, user.user_id)
        if user.left_at is None:
            self._presence(room.room_id, known, user)
            self._found += [(room.room_id, event) for event in compare(known, user)]
        else:
            self._left(room.room_id, track, known, user, user.left_at)

    def _left(self, room_id: str, track: RoomTrack, known: UserTrack, user: ChangedUser, at: float) -> None:
        silent = at - user.received_at
        if silent > self._stale_after and not known.stale:
            self._stale(room_id, user)
        track.remove(user.user_id)
        self._tell(room_id, "user_left", at, words.left(silent), user.user_id)

    def _stale(self, room_id: str, user: ChangedUser) -> None:
        at = user.received_at + self._stale_after
        self._tell(room_id, "user_stale", at, words.stale(self._stale_after), user.user_id)

    def _presence(self, room_id: str, known: UserTrack, user: ChangedUser) -> None:
        if user.stale and not known.stale:
            self._stale(room_id, user)
        elif known.stale and not user.stale and (back := user.returned):
            self._tell(room_id, "user_returned", back.at, words.returned(back.silent), user.user_id)
        known.stale = user.stale

    def _rate(self) -> None:
        """Note the present levels of who has changed, and the verdicts on their rooms."""
        for room_id, users in self._unrated.items():
            room, track = self._rooms.get(room_id), self._tracks[room_id]
            if room is None:
                continue
            for user in users:
                if room.user(user.user_id) is user:  # It may have left meanwhile.
                    self._rate_user(room, track, track.users[user.user_id], user)
            if track.verdict.see(track.present_verdict(), room.updated_at):
                self._wait(room_id, None, track.verdict)
        self._unrated.clear()

    def _rate_user(self, room: LiveRoom, track: RoomTrack, known: UserTrack, user: ChangedUser) -> None:
        level = level_of(user.score())
        track.rate(known, level)
        # By the report that said so, unless what it receives has changed without one.
        at = user.received_at if user.is_as_reported else room.updated_at
        if known.level.see(None if level == "unknown" else level, at):
            self._wait(room.room_id, user.user_id, known.level)

    def _settle(self, now: float) -> None:
        """Settle values that have lasted long enough. A level that is good from the start makes no event."""
        settled = 0
        while settled < SETTLED_AT_ONCE and self._pending and now - self._pending[0].since >= self._hold:
            one = heappop(self._pending)
            room, track = self._rooms.get(one.room_id), self._tracks.get(one.room_id)
            if room is None or track is None or not self._still_counts(one):
                continue
            settled += 1
            if one.user_id is None:
                self._settle_verdict(room, track)
            else:
                self._settle_level(room, track, one.user_id)

    def _settle_level(self, room: LiveRoom, track: RoomTrack, user_id: str) -> None:
        held, user = track.users[user_id].level, room.user(user_id)
        before, level = held.settle(), held.settled
        if user and level and (before or level != "good"):
            text = words.level_changed(before, level, user)
            self._found.append((room.room_id, TimelineEvent(held.since, "level_changed", user_id, None, level, text)))

    def _settle_verdict(self, room: LiveRoom, track: RoomTrack) -> None:
        held = track.verdict
        before, verdict = held.settle(), held.settled
        if verdict and (before or verdict != "healthy"):
            level, text = room.summary().aggregate.quality.level, words.verdict_changed(before, verdict, room)
            event = TimelineEvent(held.since, "verdict_changed", None, None, level, text, verdict)
            self._found.append((room.room_id, event))
