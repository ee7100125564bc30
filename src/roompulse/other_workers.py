"""Other workers of the same database: their reports, operators' changes there, and the jobs that one does for all."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence

import msgspec
from msgspec import Struct

from roompulse.alerts.shared_values import Values
from roompulse.clock import WallClock
from roompulse.engines import Engine
from roompulse.erasure.subject import Subject
from roompulse.errors import StoreError
from roompulse.events.model import Shown
from roompulse.follower import Follower
from roompulse.intake.intake import Intake
from roompulse.intake.unshared import Unshared
from roompulse.periodic import Attempts, every
from roompulse.store.availability import Availability

LOOK_EVERY, LOOK_UNWATCHED_EVERY = 0.05, 0.25
"""Seconds between two polls for others' commits, so that viewers here see them soon; and without viewers. A read polls
first."""

_HEARD_AFTER = 2 * LOOK_UNWATCHED_EVERY

MISSED_AFTER = 120.0
"""Seconds for which a worker was stopped, or cut off from the database, after which it reads operators' changes again
and drops the newest events that it has in memory: by then changes and messages may be deleted from the log."""

logger = logging.getLogger(__name__)


TELL_EVERY = 1.0
"""Seconds between two exchanges of intake's rejections."""


class Forget(Struct, frozen=True, tag=True):
    """A subject is being erased: its data in memory must not be saved."""

    subject: Subject


class Reread(Struct, frozen=True, tag=True):
    """Stored events were erased."""


Message = Shown | Values | Forget | Reread

_decode = msgspec.msgpack.Decoder(Message).decode


class OtherWorkers:
    """`reload` reads operators' changes from the database again, and `changed` is called afterwards.

    `heard` handles a message, of this worker or of another. `is_watched` says whether it has viewers.
    """

    def __init__(
        self,
        engine: Engine,
        follower: Follower,
        health: Availability,
        reload: Sequence[Callable[[], Awaitable[object]]],
        heard: Callable[[Message], Awaitable[object]],
        changed: Callable[[], object],
        clock: WallClock,
        *,
        is_watched: Callable[[], bool],
    ) -> None:
        self._is_watched = is_watched
        self._clock = clock
        clock.on_jump(self._clock_was_set)
        self._engine = engine
        self._follower = follower
        self._health = health
        self._reload = reload
        self._heard = heard
        self._changed = changed
        # The number of operators' changes that are applied; None where some may have been missed.
        self._known: int | None = 0
        self._looked_at = clock()
        self._reloading = asyncio.Lock()

    async def present(self) -> None:
        """Bring the live rooms and operators' changes to the present."""
        if self._known is not None and self.behind() > MISSED_AFTER:
            self._known = None
            await self._heard(Reread())  # The message of an erasure may be deleted too.
        await self._follower.present()
        if self._health.failing_since is None:
            self._looked_at = self._clock()
        while self._is_behind() and self._health.failing_since is None:
            async with self._reloading:
                await self._catch_up()

    def _is_behind(self) -> bool:
        return bool(self._engine.told) or self._known != self._engine.changes

    def behind(self) -> float:
        """For how many seconds others' commits are unknown."""
        return self._clock() - self._looked_at if self._engine.is_shared else 0.0

    def _clock_was_set(self, jump: float, _now: float) -> None:
        self._looked_at += jump

    async def _catch_up(self) -> None:
        changes = self._engine.changes
        try:
            while self._engine.told:
                await self._hear(self._engine.told.pop(0))
            if self._known == changes:
                return
            for reload in self._reload:
                await reload()
        except StoreError as error:
            self._health.failed(error)
            return
        self._known = changes
        self._changed()

    async def _hear(self, packed: bytes) -> None:
        try:
            message = _decode(packed)
        except msgspec.ValidationError:
            logger.warning("a worker of a newer version sent a message that this version does not know")
        else:
            await self._heard(message)

    async def everywhere(self, message: Message) -> None:
        """Have all workers handle a message, this one immediately; raises StoreError."""
        await self._heard(message)
        await self.tell(message)

    async def tell(self, message: Message) -> None:
        """Have all other workers handle a message; raises StoreError."""
        await self._engine.tell(msgspec.msgpack.encode(message))

    async def until_heard(self) -> None:
        """Return once the others have received earlier messages, unless one hangs."""
        if self._engine.is_shared:
            await asyncio.sleep(_HEARD_AFTER)

    async def look(self) -> None:
        """Poll for news, where there are other workers."""
        if self._engine.is_shared:
            attempt = Attempts(self.present, "other workers could not be followed")
            while True:
                await asyncio.sleep(LOOK_EVERY if self._is_watched() else LOOK_UNWATCHED_EVERY)
                await attempt()

    async def follow(self, every_seconds: float, refill: Callable[[], Awaitable[object]]) -> None:
        """Call `refill` periodically, in workers that do not run the singleton jobs."""

        async def look() -> None:
            if not self._engine.is_the_one:
                await refill()

        if self._engine.is_shared:
            await every(every_seconds, look, "records of another worker could not be read")


class SharedIntake:
    """Shares rejections between the intakes of all processes; accepted reports are in the log."""

    def __init__(self, engine: Engine, intake: Intake) -> None:
        self._exchange = engine.exchange
        self._intake = intake
        self._unshared = Unshared()
        if self._exchange:
            intake.unshared = self._unshared

    async def share(self) -> None:
        """Raises StoreError."""
        if self._exchange:
            for noticed in await self._exchange(self._unshared):
                self._intake.noticed_elsewhere(noticed)

    async def run(self) -> None:
        if self._exchange:
            await every(TELL_EVERY, self.share, "rejections by other workers could not be read")
