"""How many connections may be open: fewer than the files that the process may open, and half of them of one address.

Without a free descriptor, the operating system would reset all new connections, and no file could be opened.
"""

import logging
import sys
import time
from collections import Counter
from collections.abc import Callable

from roompulse.errors import Problem, TooManyRequests, Unavailable
from roompulse.meters import Meters
from roompulse.net import address_key
from roompulse.settings import Settings

logger = logging.getLogger(__name__)

RESERVE = 64
"""Descriptors for everything else: databases, exports, files of Python, and refused connections that linger."""

MAX_LINGERING = 16
"""Refused connections that may still read the reason; any others are reset."""

RETRY_AFTER = 10

_LOG_EVERY = 60.0
"""Seconds between two lines about refused connections."""


def max_connections() -> int:
    """As many as the limit of open files allows (`ulimit -n`)."""
    try:
        import resource
    except ImportError:  # Windows has no such limit
        return sys.maxsize
    files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return sys.maxsize if files == resource.RLIM_INFINITY else max(files - RESERVE, files // 2)


class ConnectionLimit:
    """Counts open connections by address. A trusted proxy is bounded only by the total.

    `clock` is in seconds and never set back. `lingering` are the refused connections that are not closed yet.
    """

    def __init__(
        self, settings: Settings, meters: Meters, most: int, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.lingering: set[object] = set()
        self._proxies = settings.trusted_proxies if settings.behind_proxy else ()
        self._meters = meters
        self._most = most
        self._most_of_address = max(1, most // 2)
        self._clock = clock
        self._open: Counter[str] = Counter()
        self._count = 0
        self._refused = 0
        self._logged_at = -_LOG_EVERY

    def enter(self, address: str) -> None:
        """Count a connection until `leave`; raises Unavailable or TooManyRequests over a limit."""
        key = address_key(address)
        if self._count >= self._most:
            raise self._refusal(Unavailable, key, f"the maximum of {self._most} connections is reached")
        if self._open[key] >= self._most_of_address and address not in self._proxies:
            raise self._refusal(
                TooManyRequests, key, f"this address has {self._most_of_address} connections open already"
            )
        self._open[key] += 1
        self._count += 1

    def leave(self, address: str) -> None:
        key = address_key(address)
        self._count -= 1
        self._open[key] -= 1
        if not self._open[key]:
            del self._open[key]

    def _refusal(self, kind: type[Problem], address: str, message: str) -> Problem:
        self._meters.connections_refused.inc()
        self._refused += 1
        now = self._clock()
        if now - self._logged_at >= _LOG_EVERY:
            logger.warning(
                "connections are refused, %d since the last such line, the last one of %s: %s (the limit of open files"
                " allows %d, and half of them of one address)",
                self._refused,
                address,
                message,
                self._most,
            )
            self._refused, self._logged_at = 0, now
        return kind(message, retry_after=RETRY_AFTER)
