"""How often somebody may try to sign in: growing waits after wrong passwords."""

from math import ceil

from msgspec import Struct

from roompulse.bounded import BoundedMap
from roompulse.clock import Clock
from roompulse.errors import TooManyRequests

MAX_ENTRIES = 20_000
"""Of the table; what was not touched for longest is forgotten first, and begins anew."""

FORGET_AFTER = 3_600.0
"""Seconds without a try, after which the wrong ones before it do not count any more."""


class Patience(Struct, frozen=True):
    """So many wrong tries are free; after each one more the wait doubles, from 1 s to the `longest`."""

    free: int
    longest: float

    def wait(self, tries: int) -> float:
        return 0.0 if tries < self.free else min(self.longest, 2.0 ** min(tries - self.free, 30))


HERE = Patience(5, 900)
"""With one name from one address."""

ADDRESS = Patience(20, 900)
"""With any names from one address."""

NAME = Patience(50, 5)
"""With one name from any addresses: who guesses from many of them shall not lock the operator out."""


class _Tries(Struct):
    count: int = 0
    last: float = 0.0
    succeeded: bool = False


class Throttle:
    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._tries: BoundedMap[tuple[str | None, str | None], _Tries] = BoundedMap(MAX_ENTRIES)

    def attempt(self, name: str, address: str) -> None:
        """Count a try, as a wrong one until `succeeded` says otherwise: many at once are many.

        Raises TooManyRequests, and counts nothing, where there is to be a wait first.
        """
        now = self._clock()
        here = self._recall((name, address), now)
        entries = [(here, HERE), (self._recall((None, address), now), ADDRESS)]
        everywhere = self._recall((name, None), now)
        # Where the operator has signed in before, no guessing elsewhere is in the way.
        if not here.succeeded:
            entries.append((everywhere, NAME))
        wait = max(tries.last + patience.wait(tries.count) - now for tries, patience in entries)
        if wait > 0:
            raise TooManyRequests(f"too many tries: wait {ceil(wait)} s", retry_after=ceil(wait))
        for tries in (here, everywhere, entries[1][0]):
            tries.count += 1
            tries.last = now

    def succeeded(self, name: str, address: str) -> None:
        """The last try was right. Others of the address still count, or one good name would be leave to guess."""
        now = self._clock()
        here = self._recall((name, address), now)
        here.count, here.succeeded = 0, True
        for key in ((None, address), (name, None)):
            tries = self._recall(key, now)
            tries.count = max(0, tries.count - 1)

    def _recall(self, key: tuple[str | None, str | None], now: float) -> _Tries:
        tries = self._tries.get(key)
        if tries is None:
            tries = _Tries()
            self._tries.put(key, tries)
        if now - tries.last > FORGET_AFTER:
            tries.count = 0
        tries.last = min(tries.last, now)  # a clock that was set back must not make a wait of a day
        return tries
