"""A bad SDK version, a bad region and a bad browser, of some users of simulated calls, are found, and nothing else."""

import re
from collections.abc import Iterator
from functools import partial

import msgspec
import pytest
from msgspec.structs import replace

from roompulse.importing.replay import past_of
from roompulse.insights.analysis import findings_of
from roompulse.insights.collector import Minute, Rollup
from roompulse.insights.model import LOOK_EVERY, PARTS, Span
from roompulse.insights.queries import all_insights, compared
from roompulse.insights.store import SqlRollups, put
from roompulse.report.decode import decode_report
from roompulse.report.model import Received
from roompulse.rooms.admission import Limits
from roompulse.rooms.memory import RoomsInMemory
from roompulse.settings import Settings
from roompulse.simulate.rooms import Plan, reports
from roompulse.simulate.troubles import FAULTS
from roompulse.store.engine import Database
from roompulse.store.schema import HOUR, MINUTE
from tests.api.test_pages import words
from tests.builders import NOW
from tests.calls import Calls
from tests.conftest import Clock
from tests.store import done

DAY = 24 * HOUR
ALL = {("sdk_version", "3.1.0-rc.1"), ("label:region", "sa-east"), ("browser", "Edge 143")}


def plan(seed: int, *faults: str, rooms: int = 40) -> Plan:
    return Plan(rooms, users=6, interval=5.0, seed=seed, troubles=(), faults=faults)


def received(plan: Plan, seconds: float) -> Iterator[Received]:
    """The reports of the first seconds."""
    for at, report in reports(plan, NOW):
        if at > seconds:
            return
        yield Received(decode_report(msgspec.json.encode(report)), NOW + at)


def live(plan: Plan, seconds: float) -> Rollup:
    """Insights of the first seconds."""
    rooms = RoomsInMemory(Limits(1000, 1000, 100), stale_after=15, leave_after=60)
    minute, look = Minute(int(NOW)), NOW
    for one in received(plan, seconds):
        while look + LOOK_EVERY <= one.at:
            look += LOOK_EVERY
            rooms.expire(look)
            for room_id in rooms.ids():
                if room := rooms.get(room_id):
                    minute.look(room, int(look) // LOOK_EVERY % PARTS)
        rooms.apply(one)
    return done(minute.rollup())


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_each_fault_is_found_within_two_minutes_and_nothing_else(seed: int) -> None:
    findings = findings_of(compared(live(plan(seed, *FAULTS), 2 * MINUTE).cells))
    assert {(finding.by, finding.group.value) for finding in findings} == ALL
    texts = {finding.by: finding.text for finding in findings}
    assert "SDK version 3.1.0-rc.1: " in texts["sdk_version"]
    assert texts["sdk_version"].endswith("mostly frame rate")
    assert texts["label:region"].endswith("mostly delay")
    assert texts["browser"].endswith("mostly loss")


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_without_faults_nothing_is_found(seed: int) -> None:
    assert findings_of(compared(live(plan(seed), 2 * MINUTE).cells)) == []


@pytest.mark.parametrize("seed", [1, 2, 3])
async def test_the_same_are_found_in_seven_days_of_imported_calls(settings: Settings, seed: int) -> None:
    calls: dict[str, list[Received]] = {}
    for one in received(plan(seed, *FAULTS, rooms=60), 2 * MINUTE):
        calls.setdefault(one.report.room_id, []).append(one)
    database = Database(settings)
    async with database.open():
        for number, call in enumerate(calls.values()):
            ago = 7 * DAY * (number + 1) / (len(calls) + 1)
            past = past_of([replace(one, at=one.at - ago) for one in call], settings)
            await database.write(partial(put, minutes=past.minutes, same_moments=True))
        tables = done(all_insights(SqlRollups(database), Span(NOW - 7 * DAY, NOW), None))
    assert {(finding.by, finding.group.value) for finding in findings_of(tables)} == ALL


@pytest.mark.slow
async def test_the_page_names_them_in_words_within_two_minutes(settings: Settings, clock: Clock) -> None:
    async with Calls.of(settings, clock) as calls:
        looked = NOW
        for at, report in reports(plan(1, *FAULTS), NOW):
            if at > 2 * MINUTE:
                break
            while looked + LOOK_EVERY <= NOW + at:
                looked += LOOK_EVERY
                clock.now = looked
                await calls.core.recorder.look(looked)
            clock.now = NOW + at
            content = msgspec.json.encode(report)
            assert (await calls.client.post("/report/metrics", content=content)).status_code == 200
        page = words((await calls.client.get("/insights")).text)
    for what, cause in (
        ("SDK version 3.1.0-rc.1", "frame rate"),
        ("Label region sa-east", "delay"),
        ("Browser Edge 143", "loss"),
    ):
        assert re.search(rf"{re.escape(what)}: \d+ % of user-minutes poor against \d+ % .*? mostly {cause}", page), page
    assert page.count("of user-minutes poor against") == 3
