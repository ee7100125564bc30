"""Bodies of reports that have arrived in part: a limit on their bytes, in all and for one address."""

from collections import Counter

from roompulse.errors import Problem, TooManyRequests, Unavailable

OF_ALL, OF_ADDRESS = 64, 16
"""How many times MAX_BODY: otherwise a few hundred connections that send a megabyte and stop would fill the memory."""

HELD = 2.0
"""Seconds until a rejection is answered, in which nothing is read: this slows down a client that retries at once."""

_RETRY_AFTER = 5


class UnfinishedBodies:
    def __init__(self, max_body: int) -> None:
        self._most, self._most_of_address = OF_ALL * max_body, OF_ADDRESS * max_body
        self._size = 0
        self._of_address: Counter[str] = Counter()

    def add(self, address: str, size: int) -> Problem | None:
        """Count so many bytes more, which `remove` subtracts; over a limit, count none and return the problem.

        A single body within MAX_BODY is never over the limit.
        """
        if self._of_address[address] + size > self._most_of_address:
            return TooManyRequests(
                f"unfinished reports from this address have {self._most_of_address} bytes already",
                retry_after=_RETRY_AFTER,
                reason="bodies_full",
            )
        if self._size + size > self._most:
            return Unavailable(
                f"unfinished reports have {self._most} bytes already",
                retry_after=_RETRY_AFTER,
                reason="bodies_full",
            )
        self._size += size
        self._of_address[address] += size
        return None

    def remove(self, address: str, size: int) -> None:
        self._size -= size
        self._of_address[address] -= size
        if not self._of_address[address]:
            del self._of_address[address]
