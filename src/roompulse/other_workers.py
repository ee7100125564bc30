"""What others do who use the database too: their reports, what operators change there, and what one does for all."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from roompulse.engines import Engine
from roompulse.errors import StoreError
from roompulse.follower import Follower
from roompulse.periodic import every
from roompulse.store.availability import Availability

LOOK_EVERY = 0.05
"""Seconds between two looks for what others have committed, so that viewers here see it soon. A read looks before."""


class OtherWorkers:
    """`reload` reads what operators change from the database again, and `changed` is called after it has."""

    def __init__(
        self,
        engine: Engine,
        follower: Follower,
        health: Availability,
        reload: Sequence[Callable[[], Awaitable[object]]],
        changed: Callable[[], object],
    ) -> None:
        self._engine = engine
        self._follower = follower
        self._health = health
        self._reload = reload
        self._changed = changed
        self._known = 0
        self._reloading = asyncio.Lock()

    async def present(self) -> None:
        """Bring the live rooms, and what operators have changed, to the present."""
        await self._follower.present()
        while self._known != self._engine.changes and self._health.failing_since is None:
            async with self._reloading:
                await self._catch_up(self._engine.changes)

    async def _catch_up(self, changes: int) -> None:
        if self._known == changes:
            return  # Another caller has.
        try:
            for reload in self._reload:
                await reload()
        except StoreError as error:
            self._health.failed(error)
            return
        self._known = changes
        self._changed()

    async def look(self) -> None:
        """Look for news again and again, where there are others."""
        if self._engine.is_shared:
            await every(LOOK_EVERY, self.present, "other workers could not be followed")

    async def follow(self, every_seconds: float, refill: Callable[[], Awaitable[object]]) -> None:
        """Call `refill` again and again, in workers that do not do themselves what is done once for all."""

        async def look() -> None:
            if not self._engine.is_the_one:
                await refill()

        if self._engine.is_shared:
            await every(every_seconds, look, "what another worker records could not be read")
