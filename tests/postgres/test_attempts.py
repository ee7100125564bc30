"""Waits after failed sign-ins hold at all workers, whichever counted the failures."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack

import asyncpg  # type: ignore[import-untyped]
import httpx
import pytest

from roompulse.access.model import Operator
from roompulse.access.store import AccessStore
from roompulse.access.throttle import FORGET_AFTER, HERE, NAME, Throttle
from roompulse.engines import Engine, access_of, engine_of
from roompulse.errors import TooManyRequests
from roompulse.settings import Settings
from tests.builders import NOW
from tests.conftest import Clock
from tests.operators import PASSWORD, SAME_SITE, WRONG_PASSWORD, password_hash
from tests.postgres.test_workers import workers

pytestmark = pytest.mark.anyio

HOME = "192.0.2.1"


@pytest.fixture
async def engines(settings: Settings, clock: Clock) -> AsyncIterator[Sequence[Engine]]:
    """Those of two workers."""
    async with AsyncExitStack() as stack:
        found = [engine_of(settings, clock) for _ in range(2)]
        for engine in found:
            await stack.enter_async_context(engine.database.open())
            await stack.enter_async_context(engine.access.open())
        yield found


@pytest.fixture
def throttles(engines: Sequence[Engine], clock: Clock) -> Sequence[Throttle]:
    return [Throttle(engine.attempts, clock) for engine in engines]


async def stored(settings: Settings, what: str = "count(*)") -> int:
    connection = await asyncpg.connect(settings.database_url)
    try:
        found: int = await connection.fetchval(f"SELECT {what} FROM attempt")  # noqa: S608
    finally:
        await connection.close()
    return found


async def test_a_sign_in_that_fails_at_one_worker_delays_the_next_at_another(settings: Settings, clock: Clock) -> None:
    access = access_of(settings)
    async with access.open():
        await AccessStore(access).add_operator(Operator("ada", "admin", password_hash(), NOW))
    async with workers(settings, clock) as clients:

        async def sign_in(client: httpx.AsyncClient, password: str) -> httpx.Response:
            return await client.post("/sign-in", data={"name": "ada", "password": password}, headers=SAME_SITE)

        for number in range(HERE.free):
            assert (await sign_in(clients[number % 2], WRONG_PASSWORD)).status_code == 401
        for client in clients:
            answer = await sign_in(client, PASSWORD)
            assert (answer.status_code, answer.headers["retry-after"]) == (429, "1")
        clock.advance(1)
        assert (await sign_in(clients[1], PASSWORD)).status_code == 303
        for client in clients:
            assert (await sign_in(client, WRONG_PASSWORD)).status_code == 401


async def test_waits_grow_and_end_as_in_one_process(throttles: Sequence[Throttle], clock: Clock) -> None:
    one, other = throttles
    for _ in range(HERE.free):
        await one.attempt("ada", HOME)
    for wait in (1, 2, 4):
        with pytest.raises(TooManyRequests) as raised:
            await other.attempt("ada", HOME)
        assert raised.value.retry_after == wait
        clock.advance(wait)
        await other.attempt("ada", HOME)
    await one.succeeded("ada", HOME)
    await other.attempt("ada", HOME)


async def test_who_signed_in_at_one_worker_before_is_not_delayed_at_another(throttles: Sequence[Throttle]) -> None:
    one, other = throttles
    await one.attempt("ada", HOME)
    await one.succeeded("ada", HOME)
    for number in range(NAME.free):
        await one.attempt("ada", f"198.51.100.{number}")
    with pytest.raises(TooManyRequests):
        await other.attempt("ada", "203.0.113.1")
    await other.attempt("ada", HOME)


async def test_attempts_at_the_same_moment_all_count(throttles: Sequence[Throttle]) -> None:
    tries = [throttle.attempt("ada", HOME) for throttle in throttles for _ in range(10)]
    refused = [one for one in await asyncio.gather(*tries, return_exceptions=True) if one]
    assert len(refused) == 20 - HERE.free
    assert all(isinstance(one, TooManyRequests) for one in refused)


async def test_a_restart_forgets_nothing(settings: Settings, clock: Clock, throttles: Sequence[Throttle]) -> None:
    for _ in range(HERE.free):
        await throttles[0].attempt("ada", HOME)
    engine = engine_of(settings, clock)
    async with engine.database.open(), engine.access.open():
        with pytest.raises(TooManyRequests):
            await Throttle(engine.attempts, clock).attempt("ada", HOME)


async def test_what_was_tried_is_not_readable_and_is_deleted_in_time(
    throttles: Sequence[Throttle], settings: Settings, clock: Clock
) -> None:
    typed = "a password in the wrong field"
    await throttles[0].attempt(typed, HOME)
    assert await stored(settings) == 3
    written = await stored(settings, "string_agg(encode(digest, 'escape'), '')")
    assert typed not in str(written)
    assert HOME not in str(written)
    clock.advance(FORGET_AFTER + 1)
    await throttles[1].attempt("ada", "192.0.2.2")
    assert await stored(settings) == 3


async def test_no_more_is_kept_than_in_one_process(
    throttles: Sequence[Throttle], settings: Settings, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("roompulse.postgres.attempts.MAX_ENTRIES", 6)
    for number in range(5):
        clock.advance(1)
        await throttles[0].attempt(f"name-{number}", f"192.0.2.{number}")
    assert await stored(settings) == 6
    assert await stored(settings, "min(last)::int") == NOW + 4
