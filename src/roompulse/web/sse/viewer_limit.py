"""How many streams one address may have open."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from roompulse.errors import TooManyRequests
from roompulse.net import address_key

_RETRY_AFTER = 10


class ViewerLimit:
    """Counts the open streams of each address. They are as many as there are viewers at most, which the hub bounds."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._open: Counter[str] = Counter()

    @contextmanager
    def place(self, address: str) -> Iterator[None]:
        """A place for one stream until the context ends; raises TooManyRequests where the address has all it may."""
        key = address_key(address)
        if self._open[key] >= self._most:
            raise TooManyRequests(f"this address has {self._most} streams open already", retry_after=_RETRY_AFTER)
        self._open[key] += 1
        try:
            yield
        finally:
            self._open[key] -= 1
            if not self._open[key]:
                del self._open[key]
