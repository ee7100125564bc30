"""Long reads: steps in a thread of their own that take turns, and a bounded number of reads at a time."""

import asyncio
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from roompulse.errors import StoreError, Unavailable
from roompulse.store import reader as module
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


async def test_reads_take_turns(reader: Reader, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SLICE", 0.0)
    log: list[str] = []
    await asyncio.gather(reader.result(counted(4, log, "a")), reader.result(counted(4, log, "b")))
    assert log == ["a0", "b0", "a1", "b1", "a2", "b2"]


async def test_short_steps_are_done_in_one_go(reader: Reader, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SLICE", 60.0)
    log: list[str] = []
    await asyncio.gather(reader.result(counted(4, log, "a")), reader.result(counted(4, log, "b")))
    assert log == ["a0", "b0", "a1", "a2", "b1", "b2"]


@pytest.mark.parametrize(("rest", "looks"), [(10**9, 4), (-10, 0)])
async def test_reports_hold_up_the_next_step_and_not_for_ever(
    monkeypatch: pytest.MonkeyPatch, rest: int, looks: int
) -> None:
    monkeypatch.setattr(module, "SLICE", 0.0)
    monkeypatch.setattr(module, "REST", rest)
    looked: list[bool] = []

    def is_busy() -> bool:
        looked.append(len(looked) < 3 or rest < 0)
        return looked[-1]

    reader = Reader(most=2, read_failed=FAILURES.append, is_busy=is_busy)
    with reader.running():
        await reader.run(lambda: None)
        looked.clear()
        assert (await reader.result(counted(1, []))).startswith("roompulse-reader")
    assert len(looked) == (looks or 1)


async def test_who_asks_for_what_is_being_read_shares_it(reader: Reader) -> None:
    log: list[str] = []

    async def ask(key: str) -> str:
        return await reader.shared_result(key, lambda: counted(3, log, key))

    assert len(set(await asyncio.gather(ask("a"), ask("b"), ask("a"), ask("a")))) == 1
    assert sorted(log) == ["a0", "a1", "b0", "b1"]
    await ask("a")
    assert sorted(log) == ["a0", "a0", "a1", "a1", "b0", "b1"]


async def test_who_leaves_ends_a_shared_read_for_nobody_else(reader: Reader) -> None:
    asking = [asyncio.create_task(reader.shared_result("a", lambda: counted(9, []))) for _ in range(2)]
    await asyncio.sleep(0)
    asking[0].cancel()
    assert (await asking[1]).startswith("roompulse-reader")
    assert asking[0].cancelled()


async def test_a_shared_read_that_fails_fails_for_all_and_is_begun_anew(reader: Reader) -> None:
    def failing() -> Steps[str]:
        yield
        raise StoreError("the disk is gone")

    asked = (reader.shared_result("a", failing) for _ in range(3))
    failures = await asyncio.gather(*asked, return_exceptions=True)
    assert [str(failure) for failure in failures] == 3 * ["the disk is gone"]
    assert await reader.shared_result("a", lambda: counted(1, []))


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


async def test_longer_reads_end_where_the_server_stops() -> None:
    closing = False
    reader = Reader(most=2, read_failed=FAILURES.append, is_closing=lambda: closing)

    def stopping() -> Steps[str]:
        nonlocal closing
        closing = True
        yield
        raise AssertionError("this step is not needed any more")

    with reader.running():
        portions = reader.portions(iter([1, 2, 3]))
        assert await anext(portions) == 1
        for _ in range(2):
            with pytest.raises(Unavailable, match="shutting down"):
                await reader.result(stopping())
        with pytest.raises(Unavailable, match="shutting down"):
            await anext(portions)
        assert await reader.result(counted(1, []))


def test_others_wait_for_the_lock_for_a_short_time_while_it_runs_and_as_before_afterwards() -> None:
    before = sys.getswitchinterval()
    with Reader(most=1, read_failed=FAILURES.append).running():
        assert sys.getswitchinterval() == pytest.approx(SWITCH_INTERVAL)
    assert sys.getswitchinterval() == pytest.approx(before)
