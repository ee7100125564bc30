"""Passwords: which may be one, and the slow hash that is kept of it."""

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
    """Say why `password` can be none, or None if it can."""
    if len(password) < MIN_CHARACTERS:
        return f"must have at least {MIN_CHARACTERS} characters, has {len(password)}"
    if (size := len(password.encode(errors="replace"))) > MAX_BYTES:
        return f"must have at most {MAX_BYTES} bytes, has {size}"
    return None


class Passwords:
    """argon2id takes 64 MiB and some 50 ms of a core each time: so it runs in threads, two of them, and few wait."""

    def __init__(self) -> None:
        self._hasher = hasher = PasswordHasher()
        self._threads = ThreadPoolExecutor(AT_ONCE, "argon2")
        self._places = AT_ONCE + MAX_WAITING
        # No password has this hash, and to find that out takes as long as with any other.
        cost = f"m={hasher.memory_cost},t={hasher.time_cost},p={hasher.parallelism}"
        self._nobodys = f"$argon2id$v=19${cost}${'A' * 22}${'A' * 43}"

    @contextmanager
    def place(self) -> Iterator[None]:
        """A place among those who wait for `matches`. Raises Unavailable when there is none."""
        if not self._places:
            raise Unavailable("too many sign in at once, try again in a moment", retry_after=2)
        self._places -= 1
        try:
            yield
        finally:
            self._places += 1

    async def matches(self, password_hash: str | None, password: str) -> bool:
        """Say whether it is the password; without a hash it is not, which takes as long to say."""

        def verify() -> bool:
            try:
                return self._hasher.verify(password_hash or self._nobodys, _normal(password))
            except (VerificationError, InvalidHashError):
                return False

        return await self._in_a_thread(verify)

    async def hash(self, password: str) -> str:
        return await self._in_a_thread(lambda: self._hasher.hash(_normal(password)))

    def is_outdated(self, password_hash: str) -> bool:
        """Say whether a password would be hashed otherwise today."""
        return self._hasher.check_needs_rehash(password_hash)

    async def _in_a_thread(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._threads, work)


def _normal(password: str) -> bytes:
    """Keyboards differ in how they write the same characters (NIST SP 800-63B, 5.1.1.2)."""
    return normalize("NFKC", password).encode(errors="replace")
