"""Guessing passwords gets slow, and locks no other operator out."""

import pytest

from roompulse.access.throttle import ADDRESS, FORGET_AFTER, HERE, MAX_ENTRIES, NAME, AttemptsInMemory, Throttle
from roompulse.errors import TooManyRequests
from tests.conftest import Clock


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def throttle(clock: Clock) -> Throttle:
    return Throttle(AttemptsInMemory(), clock)


async def refused(throttle: Throttle, name: str, address: str) -> int:
    """Seconds until the next try, which is not made."""
    with pytest.raises(TooManyRequests) as caught:
        await throttle.attempt(name, address)
    assert caught.value.retry_after
    return caught.value.retry_after


async def test_some_tries_are_free_and_then_each_wait_is_twice_as_long(throttle: Throttle, clock: Clock) -> None:
    for _ in range(HERE.free):
        await throttle.attempt("ada", "192.0.2.1")
    waits = []
    for _ in range(4):
        waits.append(await refused(throttle, "ada", "192.0.2.1"))
        clock.advance(waits[-1] - 0.001)
        await refused(throttle, "ada", "192.0.2.1")
        clock.advance(0.001)
        await throttle.attempt("ada", "192.0.2.1")
    assert waits == [1, 2, 4, 8]


async def test_no_wait_is_longer_than_a_quarter_of_an_hour(throttle: Throttle, clock: Clock) -> None:
    for _ in range(40):
        clock.advance(HERE.longest)
        await throttle.attempt("ada", "192.0.2.1")
    assert await refused(throttle, "ada", "192.0.2.1") == HERE.longest == 900


async def test_who_waits_is_not_made_to_wait_longer_by_trying(throttle: Throttle) -> None:
    for _ in range(HERE.free):
        await throttle.attempt("ada", "192.0.2.1")
    assert {await refused(throttle, "ada", "192.0.2.1") for _ in range(30)} == {1}


async def test_a_success_makes_the_tries_before_it_good(throttle: Throttle) -> None:
    for _ in range(2 * HERE.free):
        await throttle.attempt("ada", "192.0.2.1")
        await throttle.succeeded("ada", "192.0.2.1")


async def test_one_address_cannot_try_many_names(throttle: Throttle) -> None:
    for number in range(ADDRESS.free):
        await throttle.attempt(f"name-{number}", "192.0.2.1")
    assert await refused(throttle, "ada", "192.0.2.1") == 1
    await throttle.attempt("ada", "192.0.2.2")


async def test_a_good_name_is_no_leave_to_guess_others(throttle: Throttle) -> None:
    for number in range(ADDRESS.free):
        await throttle.attempt(f"name-{number}", "192.0.2.1")
        if number % 2:
            await throttle.attempt("mallory", "192.0.2.1") if number < ADDRESS.free - 1 else None
            await throttle.succeeded("mallory", "192.0.2.1") if number < ADDRESS.free - 1 else None
    assert await refused(throttle, "ada", "192.0.2.1")


async def guess_from_everywhere(throttle: Throttle, name: str, tries: int = NAME.free) -> None:
    for number in range(tries):
        await throttle.attempt(name, f"198.51.100.{number}")


async def test_many_addresses_cannot_guess_one_name_quickly(throttle: Throttle, clock: Clock) -> None:
    await guess_from_everywhere(throttle, "ada")
    assert await refused(throttle, "ada", "203.0.113.1") == 1
    for number in range(10):
        clock.advance(NAME.longest)
        await throttle.attempt("ada", f"203.0.113.{number}")
    assert await refused(throttle, "ada", "203.0.113.99") == NAME.longest == 5


async def test_guessing_from_elsewhere_does_not_lock_out_who_signed_in_here_before(throttle: Throttle) -> None:
    await throttle.attempt("ada", "192.0.2.1")
    await throttle.succeeded("ada", "192.0.2.1")
    await guess_from_everywhere(throttle, "ada")
    await refused(throttle, "ada", "203.0.113.1")
    await throttle.attempt("ada", "192.0.2.1")


async def test_guessing_at_one_address_does_not_lock_the_operator_out_at_another(
    throttle: Throttle, clock: Clock
) -> None:
    for _ in range(20):
        clock.advance(HERE.longest)
        await throttle.attempt("ada", "192.0.2.66")
    assert await refused(throttle, "ada", "192.0.2.66") == HERE.longest
    await throttle.attempt("ada", "192.0.2.1")


async def test_old_tries_are_forgotten(throttle: Throttle, clock: Clock) -> None:
    for _ in range(HERE.free):
        await throttle.attempt("ada", "192.0.2.1")
    clock.advance(FORGET_AFTER + 1)
    for _ in range(HERE.free):
        await throttle.attempt("ada", "192.0.2.1")
    await refused(throttle, "ada", "192.0.2.1")


async def test_a_clock_that_is_set_back_makes_no_wait_of_a_day(throttle: Throttle, clock: Clock) -> None:
    for _ in range(HERE.free):
        await throttle.attempt("ada", "192.0.2.1")
    clock.advance(-86_400)
    assert await refused(throttle, "ada", "192.0.2.1") == 1


async def test_the_table_is_bounded_and_forgets_what_was_not_touched_for_longest(clock: Clock) -> None:
    store = AttemptsInMemory()
    throttle = Throttle(store, clock)
    for _ in range(HERE.free):
        await throttle.attempt("ada", "192.0.2.1")
    for number in range(MAX_ENTRIES):
        await throttle.attempt(f"name-{number}", f"address-{number}")
    assert len(store._attempts) == MAX_ENTRIES
    await throttle.attempt("ada", "192.0.2.1")
