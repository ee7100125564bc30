from collections.abc import Callable
from typing import Any, cast

from sqlalchemy.exc import OperationalError

from roompulse.settings import Settings
from roompulse.store.engine import Database
from roompulse.store.probe import WriteProbe
from tests.builders import NOW
from tests.conftest import Clock


class Failing:
    """A database that fails while a test says so."""

    def __init__(self) -> None:
        self.fails = True

    async def write(self, work: Callable[[Any], None]) -> None:
        if self.fails:
            raise OperationalError("PRAGMA", (), Exception("disk full"))


async def test_it_writes_for_real(settings: Settings, clock: Clock) -> None:
    database = Database(settings)
    async with database.open():
        log = database.path.with_name(f"{database.path.name}-wal")
        before = log.stat().st_size
        probe = WriteProbe(database, clock)
        await probe.look()
        assert log.stat().st_size > before
        assert probe.failing_since is None


async def test_it_says_since_when_writes_fail_and_that_they_succeed_again(clock: Clock) -> None:
    failing = Failing()
    probe = WriteProbe(cast("Database", failing), clock)
    await probe.look()
    clock.advance(5)
    await probe.look()
    assert probe.failing_since == NOW
    failing.fails = False
    await probe.look()
    assert probe.failing_since is None
