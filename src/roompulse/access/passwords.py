"""Passwords: which are accepted, and the slow hash that is stored."""

import asyncio
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar
from unicodedata import normalize

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from roompulse.errors import Unavailable

MIN_CHARACTERS = 10
MAX_BYTES = 1_000
AT_ONCE = 2
MAX_WAITING = 8

T = TypeVar("T")


def password_fault(password: str) -> str | None:
    """Why `password` is not accepted, or None if it is."""
    if len(password) < MIN_CHARACTERS:
        return f"must have at least {MIN_CHARACTERS} characters, has {len(password)}"
    if (size := len(password.encode(errors="replace"))) > MAX_BYTES:
        return f"must have at most {MAX_BYTES} bytes, has {size}"
    return None


class Passwords:
    """argon2id takes 64 MiB and about 50 ms of a core for each password: it runs in two threads, with a short queue."""

    def __init__(self) -> None:
        self._hasher = hasher = PasswordHasher()
        self._threads = ThreadPoolExecutor(AT_ONCE, "argon2")
        self._places = AT_ONCE + MAX_WAITING
        # No password has this hash, and verifying against it takes as long as against any other.
        cost = f"m={hasher.memory_cost},t={hasher.time_cost},p={hasher.parallelism}"
        self._unmatchable = f"$argon2id$v=19${cost}${'A' * 22}${'A' * 43}"

    @contextmanager
    def place(self) -> Iterator[None]:
        """A place in the queue for `matches`; raises Unavailable when the queue is full."""
        if not self._places:
            raise Unavailable("too many sign-ins at once, try again in a moment", retry_after=2)
        self._places -= 1
        try:
            yield
        finally:
            self._places += 1

    async def matches(self, password_hash: str | None, password: str) -> bool:
        """Whether the password has this hash. Without a hash the answer is no, and takes as long."""

        def verify() -> bool:
            try:
                return self._hasher.verify(password_hash or self._unmatchable, _normal(password))
            except (VerificationError, InvalidHashError):
                return False

        return await self._in_a_thread(verify)

    async def hash(self, password: str) -> str:
        return await self._in_a_thread(lambda: self._hasher.hash(_normal(password)))

    def is_outdated(self, password_hash: str) -> bool:
        """Whether the hash was made with other parameters than today's."""
        return self._hasher.check_needs_rehash(password_hash)

    async def _in_a_thread(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._threads, work)


def _normal(password: str) -> bytes:
    """Keyboards encode the same characters differently (NIST SP 800-63B, 5.1.1.2)."""
    return normalize("NFKC", password).encode(errors="replace")
