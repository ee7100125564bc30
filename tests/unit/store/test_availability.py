import asyncio
import logging

import pytest

from roompulse.errors import DatabaseLostError, StoreError
from roompulse.meters import Meters
from roompulse.store.availability import Availability
from tests.builders import NOW
from tests.conftest import Clock
from tests.process import soon


class World:
    def __init__(self) -> None:
        self.clock = Clock()
        self.out = False
        self.lost = ""
        self.probes = 0
        self.seen: list[float | None] = []
        self.health = Availability(self, Meters(), self.clock, lambda: self.seen.append(self.health.failing_since))

    async def probe(self) -> None:
        self.probes += 1
        await self.check()
        if self.out:
            raise StoreError("database or disk is full")

    async def check(self) -> None:
        if self.lost:
            raise DatabaseLostError(self.lost)


@pytest.fixture
def world() -> World:
    return World()


def test_a_database_is_taken_to_be_well_until_something_fails(world: World) -> None:
    assert (world.health.failing_since, world.health.error) == (None, "")


def test_it_fails_since_the_first_of_failures_in_a_row(world: World) -> None:
    for error in ("disk I/O error", "database or disk is full"):
        world.health.failed(error)
        world.clock.advance(1)
    assert (world.health.failing_since, world.health.error) == (NOW, "database or disk is full")


def test_a_write_ends_it(world: World) -> None:
    world.health.failed("disk I/O error")
    world.clock.advance(5)
    world.health.wrote()
    assert (world.health.failing_since, world.health.wrote_at) == (None, NOW + 5)


def test_each_change_is_told_once(world: World) -> None:
    for _ in range(3):
        world.health.failed("disk I/O error")
    for _ in range(3):
        world.health.wrote()
    assert world.seen == [NOW, None]


def test_each_change_is_one_line_in_the_log(world: World, caplog: pytest.LogCaptureFixture) -> None:
    for _ in range(3):
        world.health.failed("disk I/O error")
    for _ in range(3):
        world.health.wrote()
    assert [record.levelno for record in caplog.records] == [logging.ERROR, logging.WARNING]
    assert "disk I/O error" in caplog.text


async def test_a_probe_finds_out(world: World) -> None:
    assert await world.health.probe()
    world.out = True
    assert not await world.health.probe()
    assert (world.health.failing_since, world.health.error) == (NOW, "database or disk is full")
    world.out = False
    assert await world.health.probe()
    assert world.health.failing_since is None


async def test_one_that_is_written_is_not_probed(world: World) -> None:
    for _ in range(100):
        world.clock.advance(9)
        world.health.wrote()
        await world.health.check()
    assert world.probes == 0


@pytest.mark.parametrize("seconds", [10, -10])
async def test_one_that_was_not_written_for_long_is_probed_though_nothing_is_to_be_saved(
    world: World, seconds: float
) -> None:
    world.out = True
    world.clock.advance(seconds)
    await world.health.check()
    assert world.health.failing_since == NOW + seconds


async def test_files_that_are_lost_are_found_without_a_write(world: World, caplog: pytest.LogCaptureFixture) -> None:
    world.lost = "its file was moved"
    for _ in range(3):
        await world.health.check()
        world.health.failed(DatabaseLostError("its file was moved"))
    assert (world.health.failing_since, world.health.lost) == (NOW, "its file was moved")
    assert len(caplog.records) == 1


async def test_files_that_are_lost_while_the_disk_is_full_are_told_too(world: World) -> None:
    world.health.failed(StoreError("database or disk is full"))
    world.health.failed(DatabaseLostError("its file was moved"))
    assert world.health.lost == "its file was moved"
    world.health.wrote()
    assert (world.health.failing_since, world.health.lost) == (None, "")
    assert world.seen == [NOW, NOW, None]


async def test_one_that_fails_is_probed_until_it_is_well(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("roompulse.store.availability.CHECK_EVERY", 0.001)
    world.out = True
    world.health.failed("database or disk is full")
    running = asyncio.create_task(world.health.run())
    try:

        async def tried() -> bool:
            return world.probes > 3

        await soon(tried)
        assert world.health.failing_since == NOW
        world.out = False

        async def well() -> bool:
            return world.health.failing_since is None

        await soon(well)
    finally:
        running.cancel()
