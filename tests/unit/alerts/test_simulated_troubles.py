"""The default rules, on simulated calls: the troubles fire the right ones, and calls without troubles fire none."""

import msgspec
import pytest

from roompulse.alerts.defaults import DEFAULT_RULES
from roompulse.report.decode import decode_report
from roompulse.report.model import Received
from roompulse.simulate.rooms import Plan, reports
from tests.builders import NOW
from tests.unit.alerts.world import World

MINUTES = 10
ROOM = "most-users-poor"


def fired(*troubles: str, seed: int = 1) -> set[tuple[str, str | None]]:
    """Rules that fire in two simulated rooms, the first of which has these troubles, and where."""
    world = World(*DEFAULT_RULES)
    plan = Plan(rooms=2, users=6, interval=2.0, seed=seed, troubles=troubles)
    for at, report in reports(plan, NOW):
        if at > MINUTES * 60:
            break
        while world.now + 1 <= NOW + at:
            world.tick(1)
        world.now, second = NOW + at, world.now
        world.rooms.expire(world.now)
        world.rooms.apply(Received(decode_report(msgspec.json.encode(report)), world.now))
        world.heard_at, world.now = world.now, second
    return {(one.alert.rule_id, one.alert.room_id) for one in world.changes if one.alert.fired_at is not None}


@pytest.mark.parametrize(
    ("trouble", "rules"),
    [
        ("congested-room", {ROOM}),
        ("server-side", {ROOM}),
        ("cpu-bound", {ROOM}),  # all users receive the one with the busy CPU
        ("wifi-uplink", set()),  # comes and goes within a minute, as does the next
        ("freeze", set()),
    ],
)
@pytest.mark.parametrize("seed", [2, 4])
def test_a_trouble_fires_the_right_rules_and_no_others(trouble: str, rules: set[str], seed: int) -> None:
    assert fired(trouble, seed=seed) == {(rule, "design-review") for rule in rules}


def test_calls_without_trouble_fire_none() -> None:
    assert fired() == set()
