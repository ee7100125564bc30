"""A clock that notices when it is set. `wall` and `passed` are the machine's two clocks."""

import runpy
import time
from pathlib import Path

import pytest

from roompulse import clock
from roompulse.clock import WallClock, since_boot, system_clock
from tests.builders import NOW


class Machine:
    def __init__(self) -> None:
        self.wall, self.passed = NOW, 5000.0
        self.clock = WallClock(lambda: self.wall, lambda: self.passed)
        self.told: list[tuple[float, float]] = []
        self.clock.on_jump(lambda jump, now: self.told.append((jump, now)))

    def passes(self, seconds: float) -> None:
        self.wall += seconds
        self.passed += seconds


@pytest.fixture
def machine() -> Machine:
    return Machine()


def test_time_that_passes_is_no_jump(machine: Machine) -> None:
    for seconds in (0, 0.01, 1, 86_400, 86_400 * 40):
        machine.passes(seconds)
        assert machine.clock() == machine.wall
    assert (machine.told, machine.clock.jumped) == ([], 0)
    assert machine.clock.steady_for() == machine.passed - 5000


@pytest.mark.parametrize("seconds", [60, -60, 172_800, -172_800, 40 * 86_400, 2, -2])
def test_a_clock_that_is_set_is_told_once_and_before_its_time_is_used(machine: Machine, seconds: float) -> None:
    machine.passes(100)
    machine.wall += seconds
    assert machine.clock() == NOW + 100 + seconds
    assert machine.told == [(seconds, NOW + 100 + seconds)]
    machine.passes(50)
    machine.clock()
    assert len(machine.told) == 1
    assert (machine.clock.jumped, machine.clock.steady_for()) == (seconds, 50)
    assert machine.clock.was_set_within(51)
    assert not machine.clock.was_set_within(50)


def test_a_clock_that_is_set_right_again_is_set_by_nothing_in_all(machine: Machine) -> None:
    for seconds in (172_800, -172_800):
        machine.wall += seconds
        machine.clock()
    assert [jump for jump, _ in machine.told] == [172_800, -172_800]
    assert machine.clock.jumped == 0


def test_a_leap_second_and_a_slow_adjustment_are_no_jumps(machine: Machine) -> None:
    machine.wall -= 1
    machine.clock()
    for _ in range(1000):  # 0.1 s a second, more than any system does
        machine.passes(1)
        machine.wall += 0.1
        machine.clock()
    assert machine.told == []


def test_suspending_the_machine_is_time_that_passes(machine: Machine) -> None:
    # CLOCK_BOOTTIME counts it, as the wall clock does.
    machine.passes(8 * 3600)
    machine.clock()
    assert machine.told == []


def test_a_clock_that_was_never_set_was_not_set_lately(machine: Machine) -> None:
    assert not machine.clock.was_set_within(1e9)


def test_the_clocks_of_this_machine_agree() -> None:
    before = system_clock() - since_boot()
    assert abs(system_clock() - since_boot() - before) < 1
    assert abs(WallClock()() - system_clock()) < 1


def test_a_system_without_a_clock_of_the_boot_has_the_monotonic_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """Windows has neither of the names."""
    for name in ("CLOCK_BOOTTIME", "CLOCK_MONOTONIC", "clock_gettime"):
        monkeypatch.delattr(time, name)
    elsewhere = runpy.run_path(str(Path(clock.__file__)))
    assert abs(elsewhere["since_boot"]() - time.monotonic()) < 1
