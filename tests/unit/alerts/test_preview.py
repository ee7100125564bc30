"""The preview of a rule fires as often as the rule itself did on the same reports."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import anyio
import pytest
from hypothesis import given
from hypothesis import settings as fuzzing
from hypothesis import strategies as st

from roompulse.alerts.model import Condition, Rule, Scope
from roompulse.alerts.preview import PARTS, Preview, Previews
from roompulse.errors import BadRequest
from roompulse.quality import level_of
from roompulse.report.model import Received
from roompulse.rooms.admission import Limits
from roompulse.rooms.memory import RoomsInMemory
from roompulse.settings import Settings
from roompulse.store.reader import Reader
from tests.builders import NOW
from tests.unit.alerts.world import LEAVE_AFTER, STALE_AFTER, World, room_rule, rule

SETTINGS = Settings(data=Path("none"), stale_after=STALE_AFTER, leave_after=LEAVE_AFTER)


class Stored:
    """A store of these reports."""

    def __init__(self, reports: Sequence[Received]) -> None:
        self._reports = reports

    def received(self, after: float, until: float) -> Iterator[Sequence[Received]]:
        yield [one for one in self._reports if after < one.at <= until]


class Recorded(World):
    """A world that keeps its reports."""

    def __init__(self, *rules: Rule) -> None:
        super().__init__(*rules)
        self.reports: list[Received] = []
        apply = self.rooms.apply

        def record(received: Received) -> None:
            self.reports.append(received)
            apply(received)

        self.rooms.apply = record  # type: ignore[method-assign]

    def preview(self, rule: Rule, start: float = NOW + 1) -> Preview:
        def no_rooms() -> RoomsInMemory:
            return RoomsInMemory(Limits(100, 100, 100), stale_after=STALE_AFTER, leave_after=LEAVE_AFTER)

        async def preview() -> Preview:
            reader = Reader(1, lambda _error: None)
            previews = Previews(Stored(self.reports), reader, no_rooms, SETTINGS)  # type: ignore[arg-type]
            with reader.running():
                return await previews.of(rule, start, self.now, self.now)

        return anyio.run(preview)

    def fired(self) -> list[tuple[Any, ...]]:
        alerts = {change.alert.id: change.alert for change in self.changes if change.alert.fired_at}
        return sorted((one.room_id, one.user_id or "", one.fired_at, one.resolved_at) for one in alerts.values())


RULES = st.one_of(
    st.builds(
        lambda hold, clear, threshold: rule(hold=hold, clear_for=clear, when=[Condition("score", "<", threshold)]),
        st.sampled_from([0, 2, 5]),
        st.sampled_from([0, 3]),
        st.sampled_from([3.1, 4.0]),
    ),
    st.builds(
        lambda hold, share: room_rule(hold=hold, when=[Condition("poor_share", ">=", share)]),
        st.sampled_from([0, 4]),
        st.sampled_from([50, 100]),
    ),
    st.just(rule(when=[Condition("stale_for", ">", 20)])),
    st.just(rule(subject="server", when=[Condition("silent_for", ">=", 30)])),
    st.just(rule(subject="server", when=[Condition("poor_users", ">=", 2)], hold=3)),
    st.just(rule(subject="server", when=[Condition("reports_per_second", "<", 0.3)], hold=2)),
)
"""Of each subject, with and without hold and hysteresis."""

STEPS = st.lists(
    st.tuples(
        st.sampled_from(["ada", "bo", "cy"]),
        st.sampled_from(["room-1", "room-2"]),
        st.sampled_from([0, 3, 25, None]),  # percent of loss; None leaves
        st.sampled_from([0, 1, 2, 7, 20, 70]),  # seconds until then
    ),
    max_size=25,
)


@given(RULES, STEPS)
@fuzzing(deadline=None, max_examples=200)
def test_the_preview_fires_as_often_as_the_rule_did(
    rule: Rule, steps: list[tuple[str, str, float | None, int]]
) -> None:
    world = Recorded(rule)
    for user, room, loss, seconds in steps:
        world.tick(seconds)
        world.now += 0.5  # between two evaluations
        if loss is None:
            world.leave(user, room)
        else:
            world.post(user, loss, room)
        world.now -= 0.5
    world.tick(30)
    preview = world.preview(rule)
    assert preview.firings == len(world.fired())
    found = sorted((one.room_id, one.user_id or "", one.fired_at, one.resolved_at) for one in preview.alerts)
    assert found == world.fired()


def test_noise_is_the_share_of_alerts_that_were_over_within_a_minute() -> None:
    world = Recorded(rule())
    world.tick(10, {"ada": 20})
    world.tick(10, {"ada": 0})
    world.tick(100, {"ada": 20})
    world.tick(5, {"ada": 0})
    preview = world.preview(rule())
    assert (preview.firings, preview.noise) == (2, 0.5)
    assert world.preview(rule(when=[Condition("packet_loss", ">", 50)])).noise is None


def test_the_worst_value_of_each_part_of_the_time_is_told_with_those_at_which_alerts_fired() -> None:
    world = Recorded(rule())
    world.tick(90, {"ada": 0.3, "bo": 3})
    world.tick(1, {"ada": 30})
    world.tick(89, {"ada": 0.3})
    of_users = world.preview(rule(), start=NOW).worst
    assert len(of_users) == PARTS
    known = [value for value in of_users if value is not None]
    assert 4 > min(known[:80]) > 3.1 > min(known)
    assert {level_of(value) for value in known} == {"fair", "good", "poor"}
    of_one = world.preview(rule(scope=Scope(user="ada")), start=NOW).worst
    assert min(value for value in of_one[:80] if value is not None) > 4
    of_room = world.preview(room_rule(when=[Condition("user_count", ">", 1)]), start=NOW).worst
    assert of_room[45] == 2
    assert set(world.preview(rule(subject="server", when=[Condition("rooms", ">", 1)]), start=NOW).worst) == {None}


def test_rooms_of_before_are_known_from_the_beginning() -> None:
    world = Recorded(rule())
    world.tick(50, {"ada": 20})
    assert world.preview(rule(), start=world.now - 10).firings == 1


@pytest.mark.parametrize("metric", ["refused_share", "commit_ms"])
def test_what_is_not_stored_has_no_preview(metric: str) -> None:
    with pytest.raises(BadRequest, match=r"^\$\.rule\.when\[0\]\.metric"):
        Recorded().preview(rule(subject="server", when=[Condition(metric, ">", 50)]))
