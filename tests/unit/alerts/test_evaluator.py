"""The state machine of alerts."""

from collections.abc import Iterator
from unittest.mock import Mock, call

import pytest
from msgspec.structs import replace

from roompulse.alerts import scope as scope_module
from roompulse.alerts.defaults import DEFAULT_RULES
from roompulse.alerts.evaluator import LOOKS_AT_ONCE
from roompulse.alerts.metrics import Readings
from roompulse.alerts.model import Acknowledgement, Active, Condition, Rule, Scope
from roompulse.alerts.scope import RuleScope, glob
from roompulse.alerts.silences import Silences
from tests.builders import NOW
from tests.unit.alerts.world import POOR, World, room_rule, rule, silence

BAD, GOOD = {"ada": 20.0}, {"ada": 0.0}
FIRED, RESOLVED = ("firing", "room-1", "ada"), ("resolved", "room-1", "ada")


def test_a_rule_fires_once_its_conditions_have_held_for_so_long() -> None:
    world = World(rule(hold=10))
    world.tick(10, BAD)
    assert [alert.started_at for alert in world.alerts("pending")] == [NOW + 1]
    assert world.sent() == []
    world.tick(1, BAD)
    (alert,) = world.alerts()
    assert (alert.started_at, alert.fired_at, alert.metric, alert.threshold) == (NOW + 1, NOW + 11, "score", 3.1)
    world.tick(30, BAD)
    assert world.sent() == [FIRED]


def test_without_a_hold_it_fires_at_once() -> None:
    world = World(rule())
    world.tick(1, BAD)
    assert world.sent() == [FIRED]


def test_what_holds_for_less_is_forgotten() -> None:
    world = World(rule(hold=10))
    world.tick(9, BAD)
    (change,) = world.tick(1, GOOD)
    assert change.dropped
    world.tick(10, BAD)
    assert world.sent() == []


def test_it_is_resolved_once_it_has_not_held_for_so_long() -> None:
    world = World(rule(clear_for=5))
    world.tick(2, BAD)
    world.tick(4, GOOD)
    world.tick(1, BAD)
    world.tick(5, GOOD)
    assert world.sent() == [FIRED]
    world.tick(1, GOOD)
    assert world.sent() == [FIRED, RESOLVED]
    assert world.alerts() == []


def test_with_hysteresis_it_ends_only_beyond_the_other_threshold() -> None:
    world = World(rule(when=[Condition("packet_loss", ">", 5, clear=2)]))
    world.tick(1, {"ada": 6})
    world.tick(5, {"ada": 3})
    assert world.sent() == [FIRED]
    world.tick(1, {"ada": 2})
    assert world.sent() == [FIRED, RESOLVED]


def test_value_and_worst_are_those_of_the_first_condition() -> None:
    world = World(rule(when=[Condition("packet_loss", ">", 5), POOR]))
    world.tick(1, {"ada": 20})
    world.tick(1, {"ada": 10})
    (alert,) = world.alerts()
    assert (alert.value, alert.worst, alert.unit) == (10, 20, "%")


def test_all_conditions_must_hold() -> None:
    world = World(rule(when=[Condition("packet_loss", ">", 5), Condition("rtt", ">", 100)]))
    world.tick(3, BAD)
    assert world.evaluator.alerts() == []


def test_a_room_with_fewer_users_does_not_count() -> None:
    world = World(rule(min_users=2))
    world.tick(3, BAD)
    assert world.sent() == []
    world.tick(1, BAD | {"bo": 0})
    assert world.sent() == [FIRED]


@pytest.mark.parametrize(
    ("scope", "fires"),
    [
        (Scope(room="room-*"), True),
        (Scope(room="other-*"), False),
        (Scope(user="a?a"), True),
        (Scope(user="A?A"), False),
        (Scope(sdk_version="1.2.*"), True),
        (Scope(sdk_version="2.*"), False),
        (Scope(labels={"region": "eu-*"}), True),
        (Scope(labels={"region": "us-*"}), False),
        (Scope(labels={"app": "*"}), False),
    ],
)
@pytest.mark.parametrize("subject", ["user", "room"])
def test_a_rule_is_about_what_matches_its_scope(scope: Scope, fires: bool, subject: str) -> None:  # noqa: FBT001
    world = World(rule(scope=scope) if subject == "user" else room_rule(scope=scope, when=[POOR]))
    world.post("ada", 20, labels={"region": "eu-west"})
    world.tick(1)
    assert len(world.sent()) == fires


def test_outside_its_hours_it_does_not_fire_but_is_resolved() -> None:
    # NOW is a Friday, 8:00 in UTC.
    hours = Active(["fri"], "08:00", "08:01", "UTC")
    world = World(rule(active=hours))
    world.tick(59, BAD)
    world.tick(5, GOOD)
    world.tick(5, BAD)
    assert world.sent() == [FIRED, RESOLVED]


def test_a_bad_room_is_one_alert_that_names_its_users() -> None:
    losses = {"ada": 20.0, "bo": 20.0, "cy": 0.0}
    world = World(room_rule(hold=5, min_users=3), rule(hold=10))
    world.tick(30, losses)
    assert world.sent() == [("firing", "room-1", None)]
    assert "ada, bo" in world.alerts()[0].text
    # The user's alert fires by itself once the room has recovered.
    world.tick(20, {"ada": 20.0, "bo": 0.0, "cy": 0.0})
    assert world.sent() == [("firing", "room-1", None), ("resolved", "room-1", None), FIRED]


def test_whether_users_are_covered_is_found_once_for_all_of_a_room(monkeypatch: pytest.MonkeyPatch) -> None:
    of_rooms = [room_rule(id=f"room-{number}", min_users=99) for number in range(20)]
    of_users = [rule(id=f"user-{number}") for number in range(3)]
    world, users = World(*of_rooms, *of_users, most=100), [f"u{number}" for number in range(60)]
    for user_id in users:
        world.post(user_id, 20)
    look_up = Mock(side_effect=world.evaluator.open.get)
    monkeypatch.setattr(world.evaluator.open, "get", look_up)
    world.tick()
    assert world.evaluator.counts() == {("warning", "firing"): 100, ("warning", "further"): 80}
    assert look_up.call_count == 2 * len(of_rooms) + len(of_users) * len(users)


def test_an_alert_of_the_room_covers_none_that_is_more_severe_or_about_something_else() -> None:
    for other in (room_rule(severity="info"), room_rule(when=[Condition("user_count", ">", 0)])):
        world = World(other, rule(hold=2))
        world.tick(5, BAD)
        assert FIRED in world.sent()


def test_a_user_who_leaves_ends_its_alert() -> None:
    world = World(rule())
    world.tick(2, BAD | {"bo": 0})
    world.leave("ada")
    world.tick(1, {"bo": 0})
    assert world.sent() == [FIRED, RESOLVED]


def test_a_room_that_ends_resolves_its_alerts() -> None:
    world = World(rule(), room_rule(when=[Condition("user_count", ">", 0)]))
    world.tick(2, BAD)
    world.leave("ada")
    (first, second) = world.tick(1)
    assert {first.alert.state, second.alert.state} == {"resolved"}
    assert "the room ended" in first.alert.text


def test_a_server_without_reports_says_so_and_resolves_nothing() -> None:
    world = World(rule(), rule(id="silent", subject="server", when=[Condition("silent_for", ">=", 60)]))
    world.tick(70, BAD)
    world.tick(300)
    assert world.rooms.ids() == []
    assert world.sent() == [FIRED, ("firing", None, None)]
    # Another user joins: ada has a minute to come back.
    world.tick(59, {"bo": 0})
    assert world.sent()[2:] == [("resolved", None, None)]
    world.tick(5, {"bo": 0})
    assert world.sent()[3:] == [RESOLVED]


def test_nobody_is_missed_who_left() -> None:
    world = World(rule(subject="server", when=[Condition("silent_for", ">=", 60)]))
    world.tick(3, GOOD)
    world.leave("ada")
    world.tick(100)
    assert world.sent() == []


def test_a_stale_user_is_neither_good_nor_bad() -> None:
    world = World(rule(clear_for=0))
    world.tick(1, BAD | {"bo": 0})
    world.tick(40, {"bo": 0})
    assert world.sent() == [FIRED]


def test_who_is_stale_for_longer_is_found_though_nothing_changes() -> None:
    world = World(rule(when=[Condition("stale_for", ">=", 30)]))
    world.tick(1, BAD | {"bo": 0})
    world.tick(29, {"bo": 0})
    assert world.sent() == []
    world.tick(1, {"bo": 0})
    assert world.sent() == [FIRED]


def test_a_silenced_alert_is_sent_when_the_silence_ends() -> None:
    world = World(rule())
    world.evaluator.set_silences([silence(room_id="room-1", until=NOW + 10)])
    world.tick(9, BAD)
    assert world.sent() == []
    assert world.alerts()[0].silenced_until == NOW + 10
    world.tick(1, BAD)
    assert world.sent() == [FIRED]


def test_a_silence_that_is_deleted_ends() -> None:
    world = World(rule())
    world.evaluator.set_silences([silence()])
    world.tick(3, BAD)
    world.evaluator.set_silences([])
    world.tick(1, BAD)
    assert world.sent() == [FIRED]


def test_only_the_alert_that_is_silenced_or_acknowledged_is_made_anew() -> None:
    world = World(rule(when=[Condition("packet_loss", ">", 5)]))
    world.tick(1, {"ada": 20.0, "bo": 20.0, "cy": 20.0})
    ada, bo, cy = world.evaluator.firing()
    world.evaluator.set_silences([silence(user_id="ada")])
    assert world.evaluator.acknowledge(bo.id, Acknowledgement("dee", NOW, ""))
    silenced, acknowledged, same = world.evaluator.firing()
    assert silenced == replace(ada, silenced_until=NOW + 100)
    assert acknowledged == replace(bo, acknowledged=Acknowledgement("dee", NOW, ""))
    assert same is cy
    world.evaluator.set_silences([])
    assert world.evaluator.firing()[0] == ada
    world.tick(1, {"ada": 30.0, "bo": 20.0, "cy": 40.0})
    assert [one.value for one in world.evaluator.firing()] == [30, 20, 40]


@pytest.mark.parametrize("other", [{"rule_id": "r2"}, {"room_id": "room-2"}, {"user_id": "bo"}])
def test_a_silence_is_about_what_it_names(other: dict[str, str]) -> None:
    world = World(rule())
    world.evaluator.set_silences([silence(**other)])
    world.tick(1, BAD)
    assert world.sent() == [FIRED]


def test_who_was_not_told_is_not_told_that_it_is_over() -> None:
    world = World(rule())
    world.evaluator.set_silences([silence()])
    world.tick(2, BAD)
    world.tick(1, GOOD)
    assert world.changes[-1].alert.state == "resolved"
    assert world.sent() == []


def test_an_alert_is_repeated_until_somebody_acknowledges_it() -> None:
    world = World(rule(repeat=60))
    world.tick(130, BAD)
    assert world.sent() == [FIRED] * 3
    change = world.evaluator.acknowledge(world.alerts()[0].id, Acknowledgement("ada", world.now, "on it"))
    assert change
    assert change.alert.acknowledged
    world.tick(130, BAD)
    assert world.sent() == [FIRED] * 3


def test_what_does_not_fire_cannot_be_acknowledged() -> None:
    assert World(rule()).evaluator.acknowledge("nothing", Acknowledgement("ada", NOW, "")) is None


def test_too_many_alerts_are_counted_and_fire_when_there_is_room() -> None:
    world = World(rule(), most=2)
    world.tick(2, {"ada": 20, "bo": 20, "cy": 20, "di": 20})
    assert len(world.alerts()) == 2
    assert world.evaluator.counts() == {("warning", "firing"): 2, ("warning", "further"): 2}
    world.tick(1, {"ada": 0, "bo": 20, "cy": 20, "di": 20})
    world.tick(1, {"ada": 0, "bo": 20, "cy": 20, "di": 20})
    assert world.evaluator.counts() == {("warning", "firing"): 2, ("warning", "further"): 1}


def test_no_more_alerts_are_open_than_twice_as_many_as_may_fire_and_others_begin_when_there_is_room() -> None:
    world, users = World(rule(hold=30), most=2), {f"u{number}": 20.0 for number in range(6)}
    world.tick(2, users)
    assert world.evaluator.counts() == {("warning", "pending"): 4}
    world.tick(2, users | {"u0": 0, "u1": 0})
    assert world.evaluator.counts() == {("warning", "pending"): 4}
    assert {alert.user_id for alert in world.alerts("pending")} == {"u2", "u3", "u4", "u5"}


NAMED = [(rule_id, room_id, user_id) for rule_id in ("r1", "r2") for room_id in ("a", None) for user_id in ("u", None)]


def test_a_silence_is_of_all_that_it_names_and_the_last_one_counts() -> None:
    silences = Silences(
        [
            silence(user_id="u", until=NOW + 1),
            silence(rule_id="r1", room_id="a", until=NOW + 3),
            silence(rule_id="r1", room_id="a", until=NOW + 2),
        ]
    )
    found = {key: end - NOW for key in NAMED if (end := silences.until(key, NOW))}
    of_user = {("r1", None, "u"): 1, ("r2", "a", "u"): 1, ("r2", None, "u"): 1}
    assert found == of_user | {("r1", "a", "u"): 3, ("r1", "a", None): 3}
    assert {key for key in NAMED if silences.until(key, NOW + 1)} == {("r1", "a", "u"), ("r1", "a", None)}
    assert Silences([silence(until=NOW + 9)]).until(("r1", None, None), NOW) == NOW + 9


@pytest.mark.parametrize("rules", [[], [rule(enabled=False)], [rule(subject="room")]])
def test_alerts_of_a_rule_that_is_gone_are_resolved(rules: list[Rule]) -> None:
    world = World(rule())
    world.tick(1, BAD)
    (change,) = world.evaluator.set_rules(rules, world.now)
    assert (change.alert.state, change.is_sent) == ("resolved", True)


def test_a_restart_neither_repeats_nor_resolves_nor_forgets() -> None:
    world = World(rule(hold=10), rule(id="r2", hold=40))
    world.tick(20, BAD)
    stored = [(change.alert, change.told_at) for change in world.changes if change.alert.state == "firing"]
    stored += [(alert, None) for alert in world.alerts("pending")]
    world.new_evaluator(rule(hold=10), rule(id="r2", hold=40))
    assert world.evaluator.restore(stored, world.now) == []
    world.changes = []
    world.tick(20, BAD)
    assert world.sent() == []
    world.tick(1, BAD)
    assert [change.alert.rule_id for change in world.changes] == ["r2"]


def test_rooms_have_time_to_come_back_after_a_restart() -> None:
    world = World(rule())
    world.tick(1, BAD)
    stored = [(change.alert, change.told_at) for change in world.changes]
    world = World(rule())
    world.evaluator.restore(stored, world.now)
    world.tick(30)
    world.tick(60, {"bo": 0})
    assert world.sent() == []
    world.tick(1, {"bo": 0})
    assert world.sent() == [RESOLVED]


def test_of_many_rules_only_those_that_change_are_compiled(monkeypatch: pytest.MonkeyPatch) -> None:
    scope = Scope("*r*", "*u*", "*.*", {"app": "*a*"})
    rules = [rule(id=f"r{number}", scope=scope) for number in range(20)]
    world = World(*rules)
    compiling = Mock(side_effect=glob)
    monkeypatch.setattr(scope_module, "glob", compiling)
    changed = replace(rules[3], scope=replace(scope, room="*other*"))
    world.evaluator.set_rules([*rules[:3], changed, *rules[4:], replace(rules[0], id="new", enabled=False)], world.now)
    assert compiling.mock_calls == [call("*other*"), call("*u*"), call("*.*"), call("*a*")]
    world.post("u1", 20, labels={"app": "a"}, sdk_version="1.2")
    world.tick(1)
    assert {alert.rule_id for alert in world.alerts()} == {one.id for one in rules} - {"r3"}


def test_alerts_of_rules_that_are_gone_at_the_start_are_resolved() -> None:
    world = World(rule())
    world.tick(1, BAD)
    stored = [(change.alert, change.told_at) for change in world.changes]
    (change,) = World().evaluator.restore(stored, NOW)
    assert change.alert.state == "resolved"


def test_unchanged_rooms_are_not_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World(rule())
    world.tick(1, {"ada": 0})
    world.post("bo", 0, "room-2")
    looked_at: list[str] = []

    def look_at(room_id: str, *_: object) -> Iterator[None]:
        looked_at.append(room_id)
        yield

    monkeypatch.setattr(world.evaluator, "_look_at_room", look_at)
    world.tick(3)
    assert looked_at == ["room-2"]


def test_the_default_rules_are_quiet_in_a_healthy_call() -> None:
    world = World(*DEFAULT_RULES)
    world.tick(300, {"ada": 0, "bo": 0, "cy": 0.5})
    assert world.changes == []


def test_the_default_rules_tell_of_what_they_say() -> None:
    world = World(*DEFAULT_RULES)
    world.tick(120, {"ada": 20, "bo": 20, "cy": 0})
    world.tick(70, {"ada": 20, "bo": 0}, "room-2")
    world.readings = {"refused": {"1.2.0": 6.0, "1.3.0": 1.0}}
    world.tick(310, {"cy": 0}, "room-1")
    assert [change.alert.rule_id for change in world.changes if change.alert.state == "firing"] == [
        "most-users-poor",
        "user-poor",
        "reports-rejected",
    ]
    assert "1.2.0" in world.alerts()[-1].text


def test_what_changes_between_two_steps_of_a_tick_is_seen_by_the_next_one() -> None:
    world = World(rule())
    rooms = [f"room-{number}" for number in range(LOOKS_AT_ONCE)]
    for room_id in rooms:
        world.post("ada", 0, room_id)
    steps = world.evaluator.steps(world.now, Readings(world.now))
    next(steps)
    for room_id in rooms:
        world.post("ada", 20, room_id)
    assert list(steps)
    world.tick()
    assert {alert.room_id for alert in world.alerts()} == set(rooms)


def test_many_users_of_one_room_are_looked_at_in_steps() -> None:
    world = World(rule(), most=3 * LOOKS_AT_ONCE)
    for number in range(3 * LOOKS_AT_ONCE):
        world.post(f"u{number}", 20)
    assert len(list(world.evaluator.steps(world.now, Readings(world.now)))) == 3
    assert sum(world.evaluator.counts().values()) == 3 * LOOKS_AT_ONCE


def test_users_of_rooms_are_looked_at_in_steps_and_once_for_all_rules_with_the_same_globs(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    looks = Mock(side_effect=RuleScope.has_user)
    monkeypatch.setattr(RuleScope, "has_user", lambda *of: looks(*of))
    users = [Scope(user="u*", labels={"app": app}) for app in ("first", "second", "third")]
    world = World(*(room_rule(id=f"r{number}", scope=users[number % 3], when=[POOR]) for number in range(9)))
    rooms = [f"room-{number}" for number in range(10)]
    for room_id in rooms:
        for number in range(30):
            world.post(f"u{number}", 20, room_id, labels={"app": "third" if number == 29 else "other"})
    counted = []
    for _ in world.evaluator.steps(world.now, Readings(world.now)):
        counted.append(looks.call_count)
        looks.reset_mock()
    assert sum(counted) + looks.call_count == len(rooms) * len(users) * 30
    assert max(counted) <= LOOKS_AT_ONCE
    assert {alert.rule_id for alert in world.alerts()} == {"r2", "r5", "r8"}
    assert {alert.room_id for alert in world.alerts()} == set(rooms)
