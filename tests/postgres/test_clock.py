"""All workers use the clock of the database, with any clock of their machine."""

import asyncio
import logging
import time

import pytest

from roompulse.postgres.clock import DatabaseClock
from roompulse.postgres.database import PostgresDatabase
from roompulse.settings import Settings
from tests.api import data
from tests.builders import body
from tests.conftest import Clock
from tests.postgres.test_workers import workers

pytestmark = pytest.mark.anyio


async def test_a_wrong_clock_of_a_machine_is_put_right_and_told_once(
    settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    database, clock = PostgresDatabase(settings), DatabaseClock(lambda: time.time() - 3600)
    assert clock() < time.time() - 3599
    async with database.open():
        for _ in range(2):
            await clock.ask(database)
    assert abs(clock() - time.time()) < 1
    (line,) = [one.getMessage() for one in caplog.records if one.levelno == logging.WARNING]
    assert "the clock of this machine is -3600 s from the database's" in line


async def test_a_right_clock_is_not_told(settings: Settings, caplog: pytest.LogCaptureFixture) -> None:
    database, clock = PostgresDatabase(settings), DatabaseClock()
    async with database.open():
        await clock.ask(database)
    assert not [one for one in caplog.records if one.levelno == logging.WARNING]


async def test_an_answer_that_took_long_sets_no_clock(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("roompulse.postgres.clock._LONGEST_ANSWER", -1.0)
    database, clock = PostgresDatabase(settings), DatabaseClock(lambda: time.time() - 3600)
    async with database.open():
        await clock.ask(database)
    assert clock() < time.time() - 3599


async def test_a_start_on_a_machine_whose_clock_is_wrong_is_no_jump(settings: Settings) -> None:
    jumps: list[float] = []
    database, clock = PostgresDatabase(settings), DatabaseClock(lambda: time.time() + 86_400)
    clock.on_jump(lambda jump, _now: jumps.append(jump))
    async with database.open():
        await clock.ask(database)
        clock.start_over()
    clock()
    assert jumps == []


async def test_a_worker_that_does_not_hear_of_the_others_is_not_ready(
    settings: Settings, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with workers(settings, clock) as (one, other):
        assert (await other.post("/report/metrics", content=body())).status_code == 200
        assert await data(one, "/report/rooms") == ["room-1"]
        never = asyncio.Event()

        async def news(_log: object) -> list[object]:
            await never.wait()
            return []

        monkeypatch.setattr("roompulse.postgres.log.PostgresLog.news", news)
        await asyncio.sleep(0.2)
        clock.advance(5)
        answer = await one.get("/readyz")
        assert (answer.status_code, answer.json()["status"]) == (503, "behind")
        assert "were last read 5 s ago" in answer.json()["reason"]
        assert (await one.get("/healthz")).status_code == 200
        monkeypatch.undo()
        never.set()
        await data(one, "/report/rooms")
        assert (await one.get("/readyz")).status_code == 200
