"""The rate limit of an address's requests, except reports: those above the rate wait, and all begin in turn."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from math import ceil

from litestar.types import Scope

from roompulse.errors import TooManyRequests
from roompulse.meters import Meters
from roompulse.net import address_key
from roompulse.token_buckets import Buckets
from roompulse.web.http.allowed_hosts import ASSETS, FOR_ORCHESTRATORS
from roompulse.web.http.client_address import ClientAddresses

BURST = 5
"""Seconds' worth of requests in a burst after a pause."""

LONGEST_WAIT = 2.0
"""Seconds that a request waits for its turn, at most. A rejected one is answered after as many, so that a client that
retries at once does so no more often."""

CHEAP = 4
"""How many times as high the rates of static files and of health checks are."""

_STATIC = (ASSETS, "/static/")


class ReaderLimit:
    """A token bucket for each address, of which requests take tokens in advance; a `rate` of 0 is no limit.

    Static files and health checks have separate buckets, so that they do not wait for other requests.
    `clock` is in seconds and never set back.
    """

    def __init__(
        self,
        rate: float,
        peers: ClientAddresses,
        meters: Meters,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
    ) -> None:
        self._rate = rate
        self._reads = Buckets(rate, BURST * rate)
        self._static = Buckets(CHEAP * rate, BURST * rate)
        self._health = Buckets(CHEAP * rate, BURST * rate)
        self._peers = peers
        self._meters = meters
        self._clock = clock
        self._sleep = sleep
        self._begins = asyncio.Lock()

    async def turn(self, scope: Scope) -> None:
        """Return once it is the request's turn; raises TooManyRequests where too many of its address wait.

        At most one request begins in a turn of the event loop: of hundreds that arrive together, each takes
        milliseconds, and reports would wait for all of them.
        """
        if self._rate:
            await self._wait(scope)
        async with self._begins:
            await asyncio.sleep(0)

    async def _wait(self, scope: Scope) -> None:
        buckets = self._buckets_of(scope["path"])
        wait = buckets.take(address_key(self._peers.address(scope)), self._clock(), ahead=LONGEST_WAIT)
        if wait > LONGEST_WAIT:
            self._meters.requests_refused.inc()
            await self._sleep(LONGEST_WAIT)
            raise TooManyRequests(
                f"more than {buckets.rate:g} requests a second from this address", retry_after=ceil(wait)
            )
        if wait:
            self._meters.requests_delayed.inc()
            await self._sleep(wait)

    def _buckets_of(self, path: str) -> Buckets:
        if path in FOR_ORCHESTRATORS:
            return self._health
        return self._static if path.startswith(_STATIC) else self._reads
