"""Growing delays after failed sign-ins."""

from collections.abc import Callable, Sequence
from functools import partial
from math import ceil
from typing import Protocol

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


class Attempts(Struct):
    """Failures since the last success, `succeeded` being whether there ever was one; `last` in Unix seconds."""

    count: int = 0
    last: float = 0.0
    succeeded: bool = False


Subject = tuple[str | None, str | None]
"""A name and an address; None stands for all of them."""

Change = Callable[[Sequence[Attempts]], None]


class AttemptStore(Protocol):
    async def change(self, subjects: Sequence[Subject], change: Change) -> None:
        """Have `change` alter the attempts of these subjects, one call at a time; raises its errors, and StoreError.

        Of more than MAX_ENTRIES, the least recently altered ones are dropped.
        """
        ...


class AttemptsInMemory:
    """Implements `AttemptStore` for one process."""

    def __init__(self) -> None:
        self._attempts: BoundedMap[Subject, Attempts] = BoundedMap(MAX_ENTRIES)

    async def change(self, subjects: Sequence[Subject], change: Change) -> None:
        found = [self._attempts.get(subject) or Attempts() for subject in subjects]
        for subject, attempts in zip(subjects, found, strict=True):
            self._attempts.put(subject, attempts)
        change(found)


class Throttle:
    def __init__(self, store: AttemptStore, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    async def attempt(self, name: str, address: str) -> None:
        """Count an attempt, as a failure until `succeeded` is called: simultaneous attempts all count.

        Raises TooManyRequests, and counts nothing, where the caller has to wait; and StoreError.
        """
        await self._store.change(_subjects(name, address), partial(_count, now=self._clock()))

    async def succeeded(self, name: str, address: str) -> None:
        """The attempt succeeded. Failures with other names still count: a known password must not permit guessing.

        Raises StoreError.
        """
        await self._store.change(_subjects(name, address), partial(_take_back, now=self._clock()))


def _subjects(name: str, address: str) -> Sequence[Subject]:
    return (name, address), (None, address), (name, None)


def _count(found: Sequence[Attempts], *, now: float) -> None:
    here, of_address, everywhere = _recalled(found, now)
    judged = [(here, HERE), (of_address, ADDRESS)]
    # An address where the operator has signed in before is not affected by guessing from elsewhere.
    if not here.succeeded:
        judged.append((everywhere, NAME))
    wait = max(attempts.last + backoff.wait(attempts.count) - now for attempts, backoff in judged)
    if wait > 0:
        raise TooManyRequests(f"too many failed sign-ins: wait {ceil(wait)} s", retry_after=ceil(wait))
    for attempts in found:
        attempts.count += 1
        attempts.last = now


def _take_back(found: Sequence[Attempts], *, now: float) -> None:
    here, *others = _recalled(found, now)
    here.count, here.succeeded = 0, True
    for attempts in others:
        attempts.count = max(0, attempts.count - 1)


def _recalled(found: Sequence[Attempts], now: float) -> Sequence[Attempts]:
    for attempts in found:
        if now - attempts.last > FORGET_AFTER:
            attempts.count = 0
        attempts.last = min(attempts.last, now)  # after a clock was set back, the wait must not become a day
    return found
