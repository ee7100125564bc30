"""Minutes are saved once, merged by the hour, and continued after a restart."""

import logging
from collections.abc import AsyncIterator

import pytest

from roompulse.errors import StoreError
from roompulse.insights.collector import Rollup
from roompulse.insights.model import Span
from roompulse.insights.queries import trends
from roompulse.insights.store import SqlRollups
from roompulse.settings import Settings
from roompulse.store.schema import HOUR, MINUTE
from roompulse.store.sql_store import SqlStore
from tests.builders import NOW
from tests.insights.world import GOOD, POOR, Recording, recording
from tests.store import done

pytestmark = pytest.mark.anyio


@pytest.fixture
async def world(settings: Settings) -> AsyncIterator[Recording]:
    async with recording(settings) as world:
        yield world


async def test_a_minute_is_saved_once_it_has_ended(world: Recording) -> None:
    await world.minutes(1, ada=GOOD, bob=POOR)
    assert await world.groups_from(NOW, NOW + MINUTE) == []
    await world.look(ada=GOOD, bob=POOR)
    (group,) = await world.groups_from(NOW, NOW + MINUTE)
    assert (group.users, group.user_minutes, group.poor) == (2, 2, 50.0)
    assert world.saved == 1


async def test_minutes_of_a_range_are_put_together(world: Recording) -> None:
    await world.minutes(3, ada=GOOD, bob=POOR)
    await world.recorder.close()
    (group,) = await world.groups_from(NOW, NOW + 3 * MINUTE)
    assert (group.users, group.user_minutes) == (2, 6)
    (group,) = await world.groups_from(NOW + MINUTE, NOW + 2 * MINUTE)
    assert (group.users, group.user_minutes) == (2, 2)


async def test_hours_give_the_same_answers_as_their_minutes(world: Recording) -> None:
    await world.minutes(70, ada=GOOD, bob=POOR)
    nothing_more = Rollup(int(NOW), world.minute(looks=0).totals)
    for of_minutes in (False, True):
        if of_minutes:
            await world.store.add([nothing_more])  # after which the hour has to be merged again
        (group,) = await world.groups_from(NOW, NOW + 69 * MINUTE)
        assert (group.users, group.user_minutes) == (2, 138)
        users = await world.reader.result(world.store.users(Span(NOW, NOW + HOUR), ("sdk_version", "1.2.0")))
        assert [(one.user_id, one.poor) for one, _ in users] == [("bob", 60)]


async def test_an_ended_hour_is_read_from_one_rollup(world: Recording) -> None:
    await world.minutes(62, ada=GOOD)
    for span in (Span(NOW - MINUTE, NOW + 2 * HOUR), Span(0, 10**11)):
        assert [(one.span, one.start - NOW, one.end - NOW) for one in world.store.stretches(span)] == [
            (HOUR, 0, HOUR),
            (MINUTE, HOUR, 2 * HOUR),
        ]
    (first, _) = world.store.stretches(Span(NOW + 90, NOW + 2 * HOUR))
    assert (first.span, first.start - NOW, first.end - NOW) == (MINUTE, 120, HOUR)


async def test_a_minute_that_could_not_be_saved_is_not_counted_twice(
    world: Recording, monkeypatch: pytest.MonkeyPatch
) -> None:
    await world.look(6, ada=GOOD)
    await world.recorder.close()
    world.clock.advance(-60)
    world.start()
    await world.look(6, ada=GOOD)

    def fail(*_: object, **__: object) -> None:
        raise StoreError("no space")

    with monkeypatch.context() as broken:
        broken.setattr("roompulse.insights.store._insert", fail)
        await world.recorder.close()
    await world.recorder.close()
    (group,) = await world.groups_from(NOW, NOW + MINUTE)
    assert (group.users, group.user_minutes) == (1, 2)


async def test_the_minute_under_way_is_saved_at_the_end_and_continued_after_a_restart(world: Recording) -> None:
    await world.look(2, ada=GOOD)
    await world.recorder.close()
    world.start()
    await world.look(4, ada=GOOD)
    await world.recorder.close()
    (group,) = await world.groups_from(NOW, NOW + MINUTE)
    assert (group.users, group.user_minutes) == (1, 1)
    (point,) = await world.reader.result(trends(world.store, Span(NOW, NOW + MINUTE), None))
    assert (point.rooms, point.users, point.good, point.reports) == (1.0, 1.0, 1.0, 2.5)
    assert await world.reader.result(world.store.starts(Span(NOW, NOW + MINUTE))) == [NOW]


async def test_a_start_after_a_crash_says_which_minute_is_missing(
    world: Recording, caplog: pytest.LogCaptureFixture
) -> None:
    await world.minutes(2, ada=GOOD)
    world.start()
    await world.recorder.load(NOW + 30)
    assert not caplog.records
    await world.recorder.load(NOW + MINUTE + 50)
    assert [record.levelno for record in caplog.records] == [logging.WARNING]
    assert "the minute of 2027-01-15 08:01 UTC" in caplog.text


async def test_minutes_wait_for_a_database_that_cannot_be_written(
    world: Recording, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(*_: object) -> None:
        raise StoreError("no space")

    with monkeypatch.context() as broken:
        broken.setattr(SqlRollups, "add", fail)
        for _ in range(6):
            await world.look(ada=GOOD)
        with pytest.raises(StoreError):
            await world.look(ada=GOOD)
    await world.look(ada=GOOD)
    (group,) = await world.groups_from(NOW, NOW + MINUTE)
    assert group.user_minutes == 1


async def test_the_present_is_in_memory_and_back_after_a_restart(world: Recording) -> None:
    def looks(minutes: int) -> int:
        span = Span(world.clock.now - minutes * MINUTE, world.clock.now)
        return sum(cell.count for cell in world.recorder.recent(span).get("sdk_version", {}).values())

    await world.minutes(40, ada=GOOD)
    await world.recorder.close()
    assert (looks(1), looks(15), looks(60)) == (1, 15, 30)
    world.start()
    assert looks(60) == 0
    await world.recorder.load(None)
    assert (looks(1), looks(15), looks(60)) == (1, 15, 30)


async def test_trends_are_means_of_steps_and_none_where_the_server_did_not_run(world: Recording) -> None:
    await world.minutes(1, ada=GOOD)
    await world.minutes(1, ada=GOOD, bob=POOR)
    await world.recorder.close()
    world.clock.advance(10 * MINUTE)
    await world.minutes(1, ada=GOOD)
    await world.recorder.close()
    points = await world.reader.result(trends(world.store, Span(NOW, NOW + HOUR), 2 * MINUTE))
    assert [(point.timestamp - NOW, point.users, point.good, point.poor) for point in points] == [
        (0, 1.5, 1.0, 0.5),
        (12 * MINUTE, 1.0, 1.0, 0.0),
    ]


async def test_rollups_are_pruned_with_snapshots(world: Recording, settings: Settings) -> None:
    await world.minutes(62, ada=POOR)
    await world.recorder.close()
    store = SqlStore(world.database)
    while await store.prune(0, NOW + 61 * MINUTE):
        pass
    assert await world.groups_from(NOW, NOW + 61 * MINUTE) == []
    assert done(world.store.users(Span(NOW, NOW + 61 * MINUTE), ("sdk_version", "1.2.0"))) == []
    assert len(done(world.store.trends(Span(NOW, NOW + 2 * HOUR), 60))) == 1
