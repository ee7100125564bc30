"""Live rooms follow the log: committed reports are applied and published in its order."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from math import ceil, floor

from msgspec.structs import replace

from roompulse.clock import JUMP, WallClock
from roompulse.errors import StoreError
from roompulse.events.timeline import LOOK_EVERY, Timeline
from roompulse.hub.contract import Hub
from roompulse.intake.intake import Intake
from roompulse.printable import printable
from roompulse.quality import FRAME_RATE_WINDOW
from roompulse.report.model import Received
from roompulse.rooms.contract import LiveRooms
from roompulse.store.availability import Availability
from roompulse.store.contract import Log

LARGE = 2_000
"""Entries of a report from which on the figures of its room are worked out ahead; so they are after later parts."""

MOST_AHEAD = 1.0
"""Seconds for which a large report waits for that at most."""

logger = logging.getLogger(__name__)


class Follower:
    """Keeps `rooms` and `intake` at the end of the log, and tells the `hub` which rooms changed.

    Where other processes commit too, `others_within` is within how many seconds of the receipt they do. Then time in
    the rooms goes no further than the log was read: a user is not silent whose reports were only not read yet.
    """

    def __init__(
        self,
        log: Log,
        health: Availability,
        rooms: LiveRooms,
        hub: Hub,
        intake: Intake,
        timeline: Timeline,
        clock: WallClock,
        *,
        others_within: float | None = None,
    ) -> None:
        self.intake = intake
        self._others_within = others_within
        self._log = log
        self._health = health
        self._rooms = rooms
        self._hub = hub
        self._timeline = timeline
        self._clock = clock
        self._catch_up = _Shared(self._read)
        self._shown = intake.version(clock())
        # The time in the rooms, and until when it is known what was committed.
        self._present = self._known = clock()
        self._shifted: set[str] = set()
        # Rooms with large reports whose figures are to be worked out, and what is set when they are.
        self._ahead: dict[str, asyncio.Event] = {}
        self._is_due = asyncio.Event()
        clock.on_jump(self._clock_was_set)

    async def rebuild(self, leave_after: float) -> None:
        """Fill the live rooms from stored reports after a restart, as far back as reports still have an effect."""
        now = self._clock()
        async for received in self._log.recent(now - leave_after - FRAME_RATE_WINDOW):
            # As before the restart: otherwise users who had left would come back if the clock was set back since then.
            self._rooms.expire(received.at)
            self._rooms.apply(received)
            self.intake.newest = received.at
        self._rooms.expire(now)
        self._present = self._known = now

    async def present(self) -> None:
        """Bring the live rooms to the present: to all committed reports, and to the present time.

        While the database fails, to the known reports; and to the present time only where there are no other processes.
        Callers that arrive while the log is read share the next read.
        """
        if self._health.failing_since is None:
            await self._catch_up()
        self.expire()

    def apply(self, committed: Sequence[Received]) -> None:
        """Apply and publish what a call of the log returned."""
        if not committed:
            return
        if self._others_within is not None:
            committed = self._by_this_clock(committed, self._others_within)
        changed = {received.report.room_id for received in committed}
        for received in committed:
            if received.at > self._present:
                # A process that was suspended applies what was due before each report, as other processes do.
                changed |= self._expire(received.at)
            self._rooms.apply(received)
            self._timeline.reported(received)
            if received.continues or len(received.report.metrics) >= LARGE:
                self._ahead.setdefault(received.report.room_id, asyncio.Event())
                self._is_due.set()
        self.intake.accepted(committed, self._rooms)
        self._hub.publish(changed)

    async def work_ahead(self) -> None:
        """Work out the figures of rooms with large reports in steps, before all of them are read; never ends."""
        while True:
            await self._is_due.wait()
            self._is_due.clear()
            while self._ahead:
                room_id = next(iter(self._ahead))
                try:
                    room = self._rooms.get(room_id)
                    for _ in room.steps() if room else ():
                        await asyncio.sleep(0)
                except Exception:
                    logger.exception("the figures of room %s could not be worked out ahead", printable(room_id))
                finally:
                    self._ahead.pop(room_id).set()

    async def worked_ahead(self, room_id: str) -> None:
        """Return when the figures of a room are worked out, or after MOST_AHEAD seconds: so its senders slow down."""
        if is_worked := self._ahead.get(room_id):
            with suppress(TimeoutError):
                async with asyncio.timeout(MOST_AHEAD):
                    await is_worked.wait()

    def _by_this_clock(self, committed: Sequence[Received], within: float) -> Sequence[Received]:
        """Date reports from now whose time is impossible: the clock was set here and not yet there, or vice versa."""
        now = self._clock()
        earliest, latest = self._known - within - JUMP, now + JUMP
        return [one if earliest <= one.at <= latest else replace(one, at=now) for one in committed]

    def _expire(self, now: float) -> set[str]:
        """Bring the live rooms to this time, and return which of them changed.

        At the end of every LOOK_EVERY seconds with a change, they are rated as they are then: so what is found does not
        depend on when this is called.
        """
        changed: set[str] = set()
        begun = floor(now / LOOK_EVERY) * LOOK_EVERY
        end = min(floor(self._present / LOOK_EVERY + 1) * LOOK_EVERY, begun)
        while end > self._present:
            changed |= self._rooms.expire(end)
            self._timeline.look(end, rate=True)
            self._present = end
            due = min(self._rooms.next_due(), self._timeline.next_due(), begun)
            end = min(max(ceil(due / LOOK_EVERY) * LOOK_EVERY, end + LOOK_EVERY), begun)
        self._present = max(self._present, now)
        if due_since := self._rooms.expire(self._present):
            self._timeline.look(self._present)
        return changed | due_since

    def expire(self) -> None:
        """Bring the live rooms to the time until which the log is known, and publish the changes."""
        now = self._clock()
        known = now if self._others_within is None else self._known
        self._hub.publish(self._expire(known) | self._shifted)
        self._shifted = set()
        version = self.intake.version(now)
        if version != self._shown:
            self._shown = version
            self._hub.refresh()

    async def _read(self) -> None:
        asked, jumped = self._clock(), self._clock.jumped
        try:
            self.apply(await self._log.news())
        except StoreError as error:
            self._health.failed(error)
        else:
            self._known = max(self._known, asked + self._clock.jumped - jumped)

    def _clock_was_set(self, jump: float, _now: float) -> None:
        """Keep all ages: setting the clock makes no user silent."""
        self._present += jump
        self._known += jump
        self.intake.clock_was_set(jump)
        self._shifted |= self._rooms.expire(self._present, jump)


class _Shared:
    """Calls of a function that reads news: callers that arrive while it runs share its next run.

    The current run may have begun before the data that they need was committed.
    """

    def __init__(self, run: Callable[[], Awaitable[None]]) -> None:
        self._run = run
        self._lock = asyncio.Lock()
        self._begun = self._done = 0

    async def __call__(self) -> None:
        next_run = self._begun + 1
        async with self._lock:
            if self._done < next_run:  # also where the shared run has been cancelled
                self._begun += 1
                run = self._begun
                await self._run()
                self._done = run
