"""How many requests a second one address may make, reports and static files aside: those above the rate wait."""

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
"""Seconds' worth of requests that an address may make at once after a pause."""

LONGEST_WAIT = 2.0
"""Seconds that a request waits for its turn, at most. A refused one is answered after as many, so that a client that
asks again at once does so no more often."""

_STATIC = (ASSETS, "/static/")


class ReaderLimit:
    """A token bucket for each address, of which requests take tokens in advance; a `rate` of 0 is no limit.

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
        self._buckets = Buckets(rate, BURST * rate) if rate else None
        self._peers = peers
        self._meters = meters
        self._clock = clock
        self._sleep = sleep

    async def turn(self, scope: Scope) -> None:
        """Return once it is the request's turn; raises TooManyRequests where too many of its address wait."""
        path = scope["path"]
        if self._buckets is None or path in FOR_ORCHESTRATORS or path.startswith(_STATIC):
            return
        wait = self._buckets.take(address_key(self._peers.address(scope)), self._clock(), ahead=LONGEST_WAIT)
        if wait > LONGEST_WAIT:
            self._meters.requests_refused.inc()
            await self._sleep(LONGEST_WAIT)
            raise TooManyRequests(
                f"more than {self._buckets.rate:g} requests a second from this address", retry_after=ceil(wait)
            )
        if wait:
            self._meters.requests_delayed.inc()
            await self._sleep(wait)
