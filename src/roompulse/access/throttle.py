"""Growing waits after failed sign-ins."""

from math import ceil

from msgspec import Struct

from roompulse.bounded import BoundedMap
from roompulse.clock import Clock
from roompulse.errors import TooManyRequests

MAX_ENTRIES = 20_000
"""Names and addresses with attempts that are remembered."""

FORGET_AFTER = 3_600.0
"""Seconds without an attempt, after which earlier failures no longer count."""


class Backoff(Struct, frozen=True):
    """The first `free` failures cost no wait; after each further one the wait doubles, from 1 s to `longest`."""

    free: int
    longest: float

    def wait(self, failures: int) -> float:
        return 0.0 if failures < self.free else min(self.longest, 2.0 ** min(failures - self.free, 30))


HERE = Backoff(5, 900)
"""For one name from one address."""

ADDRESS = Backoff(20, 900)
"""For all names from one address."""

NAME = Backoff(50, 5)
"""For one name from all addresses: guessing from many addresses must not lock the operator out."""


class _Attempts(Struct):
    """Failures since the last success, `succeeded` being whether there ever was one; `last` in Unix seconds."""

    count: int = 0
    last: float = 0.0
    succeeded: bool = False


class Throttle:
    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._attempts: BoundedMap[tuple[str | None, str | None], _Attempts] = BoundedMap(MAX_ENTRIES)

    def attempt(self, name: str, address: str) -> None:
        """Count an attempt, as a failure until `succeeded` is called: simultaneous attempts all count.

        Raises TooManyRequests, and counts nothing, where a wait comes first.
        """
        now = self._clock()
        here = self._recall((name, address), now)
        enattempts = [(here, HERE), (self._recall((None, address), now), ADDRESS)]
        everywhere = self._recall((name, None), now)
        # An address where the operator has signed in before is not affected by guessing from elsewhere.
        if not here.succeeded:
            enattempts.append((everywhere, NAME))
        wait = max(attempts.last + backoff.wait(attempts.count) - now for attempts, backoff in enattempts)
        if wait > 0:
            raise TooManyRequests(f"too many failed sign-ins: wait {ceil(wait)} s", retry_after=ceil(wait))
        for attempts in (here, everywhere, enattempts[1][0]):
            attempts.count += 1
            attempts.last = now

    def succeeded(self, name: str, address: str) -> None:
        """The attempt succeeded. Failures with other names still count: a known password must not permit guessing."""
        now = self._clock()
        here = self._recall((name, address), now)
        here.count, here.succeeded = 0, True
        for key in ((None, address), (name, None)):
            attempts = self._recall(key, now)
            attempts.count = max(0, attempts.count - 1)

    def _recall(self, key: tuple[str | None, str | None], now: float) -> _Attempts:
        attempts = self._attempts.get(key)
        if attempts is None:
            attempts = _Attempts()
            self._attempts.put(key, attempts)
        if now - attempts.last > FORGET_AFTER:
            attempts.count = 0
        attempts.last = min(attempts.last, now)  # after a clock was set back, the wait must not become a day
        return attempts
