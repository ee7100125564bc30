"""Sessions of operators in browsers: how a sign-in begins, is extended by use, and ends."""

import secrets

from roompulse.access.keys import digest_of
from roompulse.access.model import SignIn
from roompulse.access.registry import AccessRegistry
from roompulse.access.store import AccessStore
from roompulse.clock import WallClock
from roompulse.periodic import every
from roompulse.settings import Settings
from roompulse.store.retention import WAIT

MAX_PER_OPERATOR = 50
"""Active sessions of one operator; the least recently used one is ended for a new one."""

SAVE_EVERY = 60.0
"""Seconds between two saves of the last use of sign-ins, at most; a restart loses later uses."""


class OperatorSessions:
    def __init__(self, registry: AccessRegistry, store: AccessStore, clock: WallClock, settings: Settings) -> None:
        self._registry = registry
        self._store = store
        self._clock = clock
        self._save_every = min(SAVE_EVERY, settings.session_idle / 4)

    async def begin(self, operator: str, shown: str | None) -> str:
        """Begin a session and return its secret of 256 bits. The previous one of this browser, `shown`, ends."""
        secret, now = secrets.token_urlsafe(32), self._clock()
        await self._store.begin(SignIn(digest_of(secret), operator, now, now))
        await self.end(*([digest_of(shown)] if shown else []), *self._too_many(operator))
        return secret

    def _too_many(self, operator: str) -> list[bytes]:
        mine = [one for one in self._registry.known.sign_ins.values() if one.operator == operator]
        mine.sort(key=self._registry.used_at, reverse=True)
        return [one.digest for one in mine[MAX_PER_OPERATOR - 1 :]]

    async def end(self, *digests: bytes) -> None:
        """End sign-ins, and the streams that they opened."""
        await self._store.end(*digests)
        await self._registry.reload()

    async def end_all(self, operator: str) -> None:
        await self._store.end_all(operator)
        await self._registry.reload()

    async def run(self) -> None:
        await every(self._save_every, self.save, "the last use of sign-ins could not be saved")

    async def save(self) -> None:
        """Save the last use of sign-ins, and delete those that have expired by a clock that was not set lately."""
        sign_ins = self._registry.known.sign_ins.values()
        used = [(one.digest, at) for one in sign_ins if (at := self._registry.used_at(one)) > one.used_at]
        expired = [one.digest for one in sign_ins if self._registry.sign_in(one.digest) is None]
        if used:
            await self._store.used(used)
        if expired and not self._clock.was_set_within(WAIT):
            await self._store.end(*expired)
