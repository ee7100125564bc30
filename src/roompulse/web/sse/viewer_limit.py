"""The limit on open streams and different views of one address."""

from collections import Counter, defaultdict
from collections.abc import Hashable, Iterator
from contextlib import contextmanager

from roompulse.errors import TooManyRequests
from roompulse.net import address_key

_RETRY_AFTER = 10


class ViewerLimit:
    """Counts the open streams of each address by view. Their number is that of viewers, which the hub bounds."""

    def __init__(self, most: int, most_views: int) -> None:
        self._most = most
        self._most_views = most_views
        self._open: defaultdict[str, Counter[Hashable]] = defaultdict(Counter)

    @contextmanager
    def place(self, address: str, view: Hashable) -> Iterator[None]:
        """A place for one stream of the view with this key until the context ends.

        Raises TooManyRequests where the address is at its limit. Streams of one view count as one view.
        """
        key = address_key(address)
        views = self._open[key]
        if views.total() >= self._most:
            raise TooManyRequests(f"this address has {self._most} streams open already", retry_after=_RETRY_AFTER)
        if view not in views and len(views) >= self._most_views:
            raise TooManyRequests(
                f"this address has streams of {self._most_views} different views open already", retry_after=_RETRY_AFTER
            )
        views[view] += 1
        try:
            yield
        finally:
            views[view] -= 1
            if not views[view]:
                del views[view]
            if not views:
                del self._open[key]
