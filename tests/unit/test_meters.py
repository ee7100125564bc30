import asyncio

import pytest

from roompulse.meters import LOOP_CHECK_EVERY, Meters
from tests.conftest import Clock


async def test_the_lag_of_the_event_loop_is_how_late_it_wakes_who_sleeps(monkeypatch: pytest.MonkeyPatch) -> None:
    loop = asyncio.get_running_loop()
    clock = Clock(loop.time())
    monkeypatch.setattr(loop, "time", clock)
    meters = Meters()
    watching = asyncio.create_task(meters.watch_loop())
    await asyncio.sleep(0)
    clock.advance(LOOP_CHECK_EVERY + 0.3)
    for _ in range(5):
        await asyncio.sleep(0)
    watching.cancel()
    lag = "roompulse_event_loop_lag_seconds"
    assert meters.registry.get_sample_value(f"{lag}_count") == 1
    assert meters.registry.get_sample_value(f"{lag}_sum") == pytest.approx(0.3)


def test_registries_are_apart() -> None:
    one, other = Meters(), Meters()
    one.accepted.inc()
    assert other.registry.get_sample_value("roompulse_reports_total", {"outcome": "accepted"}) == 0
