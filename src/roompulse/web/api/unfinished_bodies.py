"""Bodies of reports that have begun to arrive: how many bytes of them there may be, in all and of one address."""

from collections import Counter

from roompulse.errors import Problem, TooManyRequests, Unavailable

OF_ALL, OF_ADDRESS = 64, 16
"""How many times MAX_BODY: what a few hundred connections that send a megabyte and stop would else keep."""

HELD = 2.0
"""Seconds until a refusal is answered, in which no more is read: a client that sends again at once is held up by it."""

_RETRY_AFTER = 5


class UnfinishedBodies:
    def __init__(self, max_body: int) -> None:
        self._most, self._most_of_address = OF_ALL * max_body, OF_ADDRESS * max_body
        self._size = 0
        self._of_address: Counter[str] = Counter()

    def add(self, address: str, size: int) -> Problem | None:
        """Count so many bytes more, which `remove` takes back; where that is too much, none, and say so.

        What has arrived of one body that is within MAX_BODY is never too much by itself.
        """
        if self._of_address[address] + size > self._most_of_address:
            return TooManyRequests(
                f"reports of which a part has arrived from this address have {self._most_of_address} bytes already",
                retry_after=_RETRY_AFTER,
                reason="bodies_full",
            )
        if self._size + size > self._most:
            return Unavailable(
                f"reports of which a part has arrived have {self._most} bytes already",
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
