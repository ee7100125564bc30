import asyncio
from itertools import permutations
from typing import Any

import pytest

from roompulse import token_buckets
from roompulse.errors import TooManyRequests
from roompulse.meters import Meters
from roompulse.net import Networks
from roompulse.settings import Settings
from roompulse.web.http.client_address import ClientAddresses
from roompulse.web.http.reader_limit import BURST, CHEAP, LONGEST_WAIT, ReaderLimit
from tests.conftest import Clock

RATE = 10
WAITING = round(RATE * LONGEST_WAIT)


class Readers:
    """A limit under a clock that stands still, and how long each request slept."""

    def __init__(self, rate: float = RATE, settings: Settings | None = None) -> None:
        self.clock = Clock()
        self.meters = Meters()
        self.slept: list[float] = []
        peers = ClientAddresses(settings or Settings())
        self._limit = ReaderLimit(rate, peers, self.meters, clock=self.clock, sleep=self._sleep)

    async def _sleep(self, seconds: float) -> None:
        self.slept.append(seconds)

    async def request(self, address: str = "192.0.2.1", path: str = "/", forwarded: str = "") -> float:
        """Seconds that a request waits; raises TooManyRequests."""
        headers = [(b"x-forwarded-for", forwarded.encode())] if forwarded else []
        scope: Any = {"type": "http", "path": path, "client": (address, 1), "headers": headers}
        self.slept.append(0.0)
        await self._limit.turn(scope)
        return self.slept[-1]

    async def requests(self, count: int, **of: str) -> list[float]:
        return [await self.request(**of) for _ in range(count)]

    def count(self, name: str) -> float | None:
        return self.meters.registry.get_sample_value(f"roompulse_requests_{name}_total")


async def test_five_seconds_worth_are_answered_at_once() -> None:
    assert set(await Readers().requests(BURST * RATE)) == {0}


async def test_those_above_the_rate_wait_in_the_order_of_their_arrival() -> None:
    readers = Readers()
    await readers.requests(BURST * RATE)
    waits = await readers.requests(WAITING)
    assert waits == pytest.approx([number / RATE for number in range(1, WAITING + 1)])
    assert readers.count("delayed") == WAITING


async def test_further_ones_are_refused_after_a_pause_and_told_when_to_come_again() -> None:
    readers = Readers()
    await readers.requests(BURST * RATE + WAITING)
    with pytest.raises(TooManyRequests, match="more than 10 requests a second from this address") as refused:
        await readers.request()
    assert (refused.value.status, refused.value.retry_after) == (429, 3)
    assert readers.slept[-1] == LONGEST_WAIT
    assert readers.count("refused") == 1


async def test_a_refused_one_takes_nobodys_turn() -> None:
    readers = Readers()
    await readers.requests(BURST * RATE + WAITING)
    for _ in range(3):
        with pytest.raises(TooManyRequests):
            await readers.request()
    readers.clock.advance(LONGEST_WAIT)
    assert (await readers.requests(1))[0] == pytest.approx(1 / RATE)


async def test_who_keeps_to_the_rate_never_waits() -> None:
    readers = Readers()
    await readers.requests(BURST * RATE)
    for _ in range(100):
        readers.clock.advance(1.001 / RATE)
        assert await readers.request() == 0


CHEAP_PATHS = ["/assets/0123456789abcdef/js/live.js", "/static/sdk/roompulse.js", "/healthz", "/readyz"]


@pytest.mark.parametrize("path", CHEAP_PATHS)
async def test_static_files_and_health_checks_have_four_times_the_rate(path: str) -> None:
    readers = Readers()
    assert set(await readers.requests(BURST * RATE, path=path)) == {0}
    waits = await readers.requests(CHEAP * WAITING, path=path)
    assert waits[-1] == pytest.approx(LONGEST_WAIT)


@pytest.mark.parametrize(("one", "other"), list(permutations(["/", "/healthz", CHEAP_PATHS[0]], 2)))
async def test_none_of_them_waits_for_another(one: str, other: str) -> None:
    readers = Readers()
    await readers.requests(BURST * RATE, path=one)
    assert await readers.request(path=one) > 0
    assert await readers.request(path=other) == 0


@pytest.mark.parametrize(
    ("one", "other"),
    [("192.0.2.1", "192.0.2.2"), ("2001:db8::1", "2001:db8:0:1::1"), ("192.0.2.1", "::ffff:192.0.2.2")],
)
async def test_each_address_has_a_rate_of_its_own(one: str, other: str) -> None:
    readers = Readers()
    await readers.requests(BURST * RATE, address=one)
    assert await readers.request(one) > 0
    assert await readers.request(other) == 0


async def test_all_of_an_ipv6_64_is_one_address() -> None:
    readers = Readers()
    await readers.requests(BURST * RATE, address="2001:db8::1")
    assert await readers.request("2001:db8::ffff") > 0


async def test_behind_a_trusted_proxy_the_address_is_that_of_the_client() -> None:
    readers = Readers(settings=Settings(behind_proxy=True, trusted_proxies=Networks("192.0.2.1")))
    await readers.requests(BURST * RATE, forwarded="203.0.113.1")
    assert await readers.request(forwarded="203.0.113.1") > 0
    assert await readers.request(forwarded="203.0.113.2") == 0


async def test_what_a_client_says_of_its_address_counts_for_nothing() -> None:
    readers = Readers()
    await readers.requests(BURST * RATE, forwarded="203.0.113.1")
    assert await readers.request(forwarded="203.0.113.2") > 0


async def test_a_rate_of_0_is_no_limit() -> None:
    assert set(await Readers(rate=0).requests(10_000)) == {0}


async def test_it_remembers_no_more_addresses_than_it_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(token_buckets, "MOST", 3)
    readers = Readers()
    for number in range(10):
        await readers.request(f"192.0.2.{number}")
    assert len(readers._limit._reads._buckets) == 3


@pytest.mark.parametrize("rate", [RATE, 0])
async def test_of_all_requests_one_begins_in_a_turn_of_the_event_loop(rate: float) -> None:
    readers, begun = Readers(rate), 0

    async def request(number: int) -> None:
        nonlocal begun
        await readers.request(f"192.0.2.{number}")
        begun += 1

    waiting = [asyncio.create_task(request(number)) for number in range(20)]
    for _ in range(5 * len(waiting)):
        before = begun
        await asyncio.sleep(0)
        assert begun - before <= 1
    assert begun == len(waiting)
