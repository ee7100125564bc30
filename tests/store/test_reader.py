"""Long reads: steps in a thread of their own that take turns, and a bounded number of reads at a time."""

import asyncio
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from roompulse.errors import StoreError, Unavailable
from roompulse.store.contract import Steps
from roompulse.store.reader import SWITCH_INTERVAL, Reader

FAILURES: list[StoreError] = []


@pytest.fixture
def reader() -> Iterator[Reader]:
    FAILURES.clear()
    reader = Reader(most=2, read_failed=FAILURES.append)
    with reader.running():
        yield reader


def counted(steps: int, log: list[str], name: str = "") -> Steps[str]:
    for number in range(steps - 1):
        log.append(f"{name}{number}")
        yield
    return threading.current_thread().name


async def test_the_result_is_made_in_a_thread_of_its_own(reader: Reader) -> None:
    for steps in (1, 3):
        assert (await reader.result(counted(steps, []))).startswith("roompulse-reader")


async def test_reads_take_turns(reader: Reader) -> None:
    log: list[str] = []
    await asyncio.gather(reader.result(counted(4, log, "a")), reader.result(counted(4, log, "b")))
    assert log == ["a0", "b0", "a1", "b1", "a2", "b2"]


async def test_portions_come_as_they_are_asked_for(reader: Reader) -> None:
    made: list[int] = []

    def portions() -> Iterator[int]:
        for number in range(3):
            made.append(number)
            yield number

    seen = []
    async for portion in reader.portions(portions()):
        seen.append(portion)
        assert made == seen
    assert seen == [0, 1, 2]


async def test_a_long_read_needs_a_place_and_a_short_one_does_not(reader: Reader) -> None:
    with ExitStack() as places:
        places.enter_context(reader.place())
        assert await reader.result(counted(2, []))
        places.enter_context(reader.place())
        with pytest.raises(Unavailable, match="2 long reads are under way already") as refused:
            await reader.result(counted(2, []))
        assert refused.value.retry_after
        assert await reader.result(counted(1, []))
    assert await reader.result(counted(2, []))


async def test_a_read_that_fails_or_is_given_up_leaves_its_place(reader: Reader) -> None:
    def failing() -> Steps[str]:
        yield
        raise StoreError("broken")

    def endless() -> Steps[str]:
        while True:
            yield

    for number in range(3):
        with pytest.raises(StoreError, match="broken"):
            await reader.result(failing())
        assert [str(failure) for failure in FAILURES] == ["broken"] * (number + 1)
        given_up = asyncio.create_task(reader.result(endless()))
        await reader.result(counted(9, []))
        given_up.cancel()
        with pytest.raises(asyncio.CancelledError):
            await given_up


def test_others_wait_for_the_lock_for_a_short_time_while_it_runs_and_as_before_afterwards() -> None:
    before = sys.getswitchinterval()
    with Reader(most=1, read_failed=FAILURES.append).running():
        assert sys.getswitchinterval() == pytest.approx(SWITCH_INTERVAL)
    assert sys.getswitchinterval() == pytest.approx(before)
