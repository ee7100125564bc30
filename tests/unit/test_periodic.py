"""The loop of background work: when it runs, and its behaviour after a failure."""

import asyncio
import logging

import pytest

from roompulse.errors import StoreError
from roompulse.periodic import Attempts, every
from tests.process import DEADLINE


class Enough(BaseException):
    """Ends the loop: no Exception, which the loop would log."""


class Work:
    """Records its runs among the pauses, raises the given errors and then Enough."""

    def __init__(self, *errors: Exception | None) -> None:
        self.log: list[str] = []
        self._errors = [*errors, Enough()]

    async def __call__(self) -> None:
        self.log.append("run")
        if error := self._errors.pop(0):
            raise error

    async def pause(self, seconds: float) -> None:
        self.log.append(f"pause {seconds:g}")


async def test_it_runs_after_each_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    work = Work(None)
    monkeypatch.setattr(asyncio, "sleep", work.pause)
    with pytest.raises(Enough):
        await every(3, work, "it failed")
    assert work.log == ["pause 3", "run", "pause 3", "run"]


async def test_it_may_run_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    work = Work(None)
    monkeypatch.setattr(asyncio, "sleep", work.pause)
    with pytest.raises(Enough):
        await every(3, work, "it failed", at_once=True)
    assert work.log == ["run", "pause 3", "run"]


async def test_it_goes_on_after_a_failure(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    work = Work(ValueError("a mistake"), StoreError("disk is full"), None)
    monkeypatch.setattr(asyncio, "sleep", work.pause)
    with pytest.raises(Enough):
        await every(3, work, "rows could not be deleted")
    assert work.log.count("run") == 4
    assert [record.message for record in caplog.records] == [
        "rows could not be deleted, retrying later",
        "rows could not be deleted, retrying later: disk is full",
    ]


async def test_a_database_that_goes_on_failing_is_one_line_until_it_is_well(caplog: pytest.LogCaptureFixture) -> None:
    full, locked = StoreError("disk is full"), StoreError("database is locked")
    attempt = Attempts(Work(full, full, locked, locked, None, locked), "it failed")
    for _ in range(6):
        await attempt()
    said = [record.message.removeprefix("it failed, retrying later: ") for record in caplog.records]
    assert said == ["disk is full", "database is locked", "database is locked"]


async def test_a_mistake_has_a_traceback_and_a_failing_database_has_none(caplog: pytest.LogCaptureFixture) -> None:
    for error in (ValueError("a mistake"), StoreError("disk is full")):
        await Attempts(Work(error), "it failed")()
    assert [(record.levelno, record.exc_info is not None) for record in caplog.records] == [
        (logging.ERROR, True),
        (logging.ERROR, False),
    ]


async def test_it_can_be_cancelled_while_it_runs(caplog: pytest.LogCaptureFixture) -> None:
    running = asyncio.Event()

    async def work() -> None:
        running.set()
        await asyncio.Event().wait()

    task = asyncio.create_task(every(3, work, "it failed", at_once=True))
    await running.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert caplog.records == []


async def test_it_ends_when_it_is_cancelled_though_an_error_takes_the_place_of_that(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """As the rollback of a transaction whose connection is closed: else it would go on for ever."""
    running = asyncio.Event()

    async def work() -> None:
        running.set()
        try:
            await asyncio.Event().wait()
        finally:
            raise ValueError("the connection is closed")

    task = asyncio.create_task(every(0, work, "it failed", at_once=True))
    await running.wait()
    task.cancel()
    async with asyncio.timeout(DEADLINE):
        await asyncio.wait([task])
    assert task.cancelled()
    assert [record.message for record in caplog.records] == ["it failed, retrying later"]
