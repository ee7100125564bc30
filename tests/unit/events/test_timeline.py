"""Events are shown immediately, saved soon, and bounded."""

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest

from roompulse.errors import StoreError
from roompulse.events import timeline as module
from roompulse.events.model import EventQuery, Shown, TimelineEvent
from roompulse.events.tail import TAIL, Recorded
from roompulse.events.timeline import TAIL_KEPT, Timeline
from roompulse.report.model import LEFT, Entry, Event
from roompulse.rooms.admission import Limits
from roompulse.rooms.memory import RoomsInMemory
from tests.builders import NOW, network, received, stream
from tests.conftest import Clock
from tests.timelines import FakeEvents, detector_of, timeline_of


class World:
    def __init__(self) -> None:
        self.clock = Clock()
        self.rooms = RoomsInMemory(Limits(rooms=9, room_users=9, user_streams=9), stale_after=15, leave_after=60)
        self.store = FakeEvents()
        self.published: list[str] = []
        self.timeline = timeline_of(self.rooms, self.clock, self.store, self.published.extend)

    async def texts(self, **query: object) -> list[str]:
        events, _ = await self.timeline.find(EventQuery("room-1", **query))  # type: ignore[arg-type]
        return [event.text for event in events]


@pytest.fixture
def world() -> World:
    return World()


def note(text: str, at: float = NOW, user_id: str | None = None) -> TimelineEvent:
    return TimelineEvent(at, "note", user_id, text=text)


async def test_what_is_recorded_is_found_and_published_before_it_is_saved(world: World) -> None:
    world.timeline.record("room-1", note("one"))
    assert await world.texts() == ["one"]
    assert world.published == ["room-1"]
    assert world.store.kept == []
    await world.timeline.save()
    assert world.store.kept == [("room-1", note("one"))]
    assert await world.texts() == ["one"]


async def test_events_are_in_the_order_of_their_time_and_the_newest_are_found(world: World) -> None:
    world.timeline.record("room-1", note("second", NOW + 2))
    await world.timeline.save()
    world.timeline.record("room-1", note("first", NOW + 1))
    world.timeline.record("room-1", note("third", NOW + 3))
    assert await world.texts() == ["first", "second", "third"]
    assert await world.texts(limit=2) == ["second", "third"]
    assert await world.texts(start=NOW + 2, end=NOW + 2) == ["second"]


async def test_events_are_found_by_user_and_kind(world: World) -> None:
    world.timeline.record("room-1", note("of a user", user_id="u1"))
    world.timeline.record("room-1", TimelineEvent(NOW, "user_left", "u1", text="left"))
    world.timeline.record("room-2", note("elsewhere", user_id="u1"))
    assert await world.texts(user_id="u1") == ["of a user", "left"]
    assert await world.texts(user_id="u1", kind="note") == ["of a user"]
    assert await world.texts(user_id="u2") == []


async def test_times_are_whole_milliseconds_as_they_are_stored(world: World) -> None:
    world.timeline.record("room-1", note("one", NOW + 0.12345))
    (found,), _ = await world.timeline.find(EventQuery("room-1"))
    assert found.time == NOW + 0.123


async def test_a_report_that_came_twice_happened_once(world: World) -> None:
    for _ in range(2):
        one = received(events=[Event("camera off", int(NOW), "camera")])
        world.rooms.apply(one)
        world.timeline.reported(one)
        world.clock.advance(1)
        world.timeline.look(world.clock())
    assert await world.texts(kind="sdk") == ["camera off"]


async def test_rooms_are_looked_at_for_each_search(world: World) -> None:
    world.rooms.apply(received())
    world.timeline.look(NOW)
    assert len(world.published) == 1
    world.rooms.apply(received(user_id="u2"))
    assert await world.texts() == ["call started", "joined", "joined"]


async def test_a_search_does_not_settle_what_counts_by_then(world: World) -> None:
    """Else what counts would depend on who searches when: here a level that was there for a moment."""
    for second, loss in ((0, 9.0), (5, 0.0), (5.1, 9.0)):
        world.clock.now = NOW + second
        world.rooms.apply(received(world.clock(), metrics=[Entry("u1", [stream(network=network(packet_loss=loss))])]))
        await world.texts()
        world.timeline.look(NOW + second, rate=second != 5)
    assert world.timeline.next_due() == NOW + 10


async def test_a_user_with_too_many_events_leaves_room_for_the_others(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MOST_OF_USER", 3)
    monkeypatch.setattr(module, "MOST_REPORTED", 5)
    world.timeline.look(NOW)
    for user_id in ("u1", "u2", "u3"):
        for number in range(4):
            world.timeline.record("room-1", TimelineEvent(NOW, "sdk", user_id, text=f"{user_id} {number}"))
    world.timeline.record("room-1", note("not of a report"))
    assert await world.texts() == ["u1 0", "u1 1", "u1 2", "u2 0", "u2 1", "not of a report"]
    world.clock.advance(10)
    assert (await world.texts())[-1] == "too many events in 10 s: 7 not kept"
    world.timeline.record("room-1", TimelineEvent(NOW + 10, "sdk", "u1", text="again"))
    assert (await world.texts())[-1] == "again"


async def test_while_the_database_fails_the_newest_events_wait(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.store.fails = True
    for number in range(3):
        world.timeline.record("room-1", note(str(number), NOW + number))
        with pytest.raises(StoreError):
            await world.timeline.save()
    assert await world.texts() == ["0", "1", "2"]
    world.store.fails = False
    await world.timeline.save()
    await world.timeline.save()
    assert [event.text for _, event in world.store.kept] == ["0", "1", "2"]


@pytest.mark.parametrize("fails", [False, True])
async def test_events_whose_saving_is_cancelled_are_saved_once(world: World, *, fails: bool) -> None:
    """As at the stop of the server: a running save is completed, or waits for the last one."""
    world.store.fails = fails
    world.store.open.clear()
    world.timeline.record("room-1", note("one"))
    saving = asyncio.create_task(world.timeline.save())
    await asyncio.sleep(0.01)
    saving.cancel()
    await asyncio.sleep(0.01)
    world.store.open.set()
    with pytest.raises(asyncio.CancelledError):
        await saving
    world.store.fails = False
    await world.timeline.close()
    assert world.store.kept == [("room-1", note("one"))]


async def test_what_happened_last_is_saved_at_the_end(world: World) -> None:
    one = received(events=[Event("camera off")])
    world.timeline.look(NOW)
    world.rooms.apply(one)
    world.timeline.reported(one)
    await world.timeline.close()
    assert {event.kind for _, event in world.store.kept} == {"room_started", "user_joined", "sdk"}


async def test_what_is_not_saved_yet_outlives_an_erasure_of_what_is(world: World) -> None:
    world.timeline.record("room-1", note("saved"))
    await world.timeline.save()
    world.timeline.record("room-1", note("later", NOW + 1))
    world.timeline.forget()
    assert world.timeline.tail("room-1") == []
    await world.timeline.save()
    assert [event.text for _, event in world.store.kept] == ["saved", "later"]


async def test_who_saves_everything_waits_for_what_is_being_saved(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before an erasure, which deletes the saved events."""
    begun, go_on, add = asyncio.Event(), asyncio.Event(), world.store.add

    async def slow(new: Sequence[tuple[str, TimelineEvent]]) -> None:
        begun.set()
        await go_on.wait()
        await add(new)

    monkeypatch.setattr(world.store, "add", slow)
    world.timeline.record("room-1", note("one"))
    first = asyncio.create_task(world.timeline.save())
    await begun.wait()
    world.timeline.record("room-1", note("two"))
    everything = asyncio.create_task(world.timeline.save_all())
    await asyncio.sleep(0)
    assert await world.texts() == ["one", "two"]
    go_on.set()
    await everything
    assert first.done()
    assert [event.text for _, event in world.store.kept] == ["one", "two"]


class Others:
    """Two timelines of one room; `is_the_one` says which one finds levels and verdicts for both."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.store = FakeEvents()
        self.told: list[Shown] = []
        self.is_the_one = True
        limits = Limits(rooms=9, room_users=9, user_streams=9)
        self.rooms = [RoomsInMemory(limits, stale_after=15, leave_after=60) for _ in range(2)]
        self.one, self.other = (
            Timeline(
                detector_of(rooms),
                self.store,
                lambda _: None,
                self.clock,
                is_the_one=lambda mine=number == 0: mine is self.is_the_one,  # type: ignore[misc]
                tell=self._tell,
            )
            for number, rooms in enumerate(self.rooms)
        )

    async def _tell(self, shown: Shown) -> None:
        self.told.append(shown)

    async def live(self, seconds: int, **parts: Any) -> None:
        for _ in range(seconds):
            for rooms, timeline in zip(self.rooms, (self.one, self.other), strict=True):
                rooms.apply(received(self.clock(), metrics=[Entry("u1", [stream(**parts)])]))
                timeline.look(self.clock(), rate=True)
                await timeline.save()
            self.clock.advance(1)

    def texts(self) -> list[str]:
        return sorted({event.text for _, event in self.store.kept if event.kind == "level_changed"})


async def test_levels_that_one_settles_are_shown_by_the_other() -> None:
    world = Others()
    await world.live(12, network=network(packet_loss=9))
    (rated, verdict) = world.told
    assert rated.event
    assert rated.event.text.startswith("rated poor")
    for shown in (rated, verdict):
        world.other.told(shown)
    assert [event.event for event in world.other.tail("room-1")][-2:] == [rated.event, verdict.event]
    assert len(world.texts()) == 1


async def test_a_level_that_changes_while_no_process_settles_any_is_found_by_the_next_one() -> None:
    world = Others()
    await world.live(12, network=network(packet_loss=9))
    for shown in world.told:
        world.other.told(shown)
    world.is_the_one = False  # The other one is, from now on.
    await world.live(12)
    assert world.texts() == ["poor → good", "rated poor: 9.0 % packet loss sending camera (−1.9)"]


async def test_too_many_events_are_the_same_event_whenever_a_process_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_OF_USER", 1)
    world = Others()
    world.clock.advance(3)
    for timeline in (world.one, world.other):
        timeline.look(world.clock())
        for number in range(3):
            timeline.record("room-1", TimelineEvent(NOW, "sdk", "u1", text=str(number)))
        world.clock.advance(2)
    for timeline in (world.one, world.other):
        world.clock.advance(4)
        timeline.look(world.clock())
        await timeline.save()
    assert {(event.time, event.text) for _, event in world.store.kept if "too many" in event.text} == {
        (NOW + 10, "too many events in 10 s: 2 not kept")
    }


def texts(tail: Sequence[Recorded]) -> list[str]:
    return [one.event.text for one in tail if one.event]


async def test_the_tail_has_what_came_after_a_search(world: World) -> None:
    world.timeline.record("room-1", note("before"))
    _, number = await world.timeline.find(EventQuery("room-1"))
    world.timeline.record("room-2", note("elsewhere"))
    world.timeline.record("room-1", note("after"))
    assert texts(world.timeline.tail("room-1", number)) == ["after"]
    assert texts(world.timeline.tail("room-1")) == ["before", "after"]


async def test_the_tail_of_a_room_is_bounded(world: World) -> None:
    for number in range(TAIL + 10):
        world.timeline.record("room-1", note(str(number)))
    assert texts(world.timeline.tail("room-1")) == [str(10 + one) for one in range(TAIL)]


def call(world: World, room_id: str, *events: str) -> None:
    world.rooms.apply(received(world.clock(), room_id=room_id, events=[Event(one) for one in events]))
    world.timeline.look(world.clock())


async def test_the_tail_of_a_room_is_dropped_some_time_after_its_end(world: World) -> None:
    """Else a server with many short calls holds thousands of them."""
    call(world, "over", LEFT)
    call(world, "again", LEFT)
    call(world, "again")
    call(world, "live")
    world.clock.advance(1)
    world.rooms.apply(received(world.clock(), room_id="again"))
    world.rooms.apply(received(world.clock(), room_id="live"))
    world.timeline.record("over", note("a note"))
    world.clock.advance(TAIL_KEPT - 0.5)
    world.timeline.look(world.clock())
    assert "a note" in texts(world.timeline.tail("over"))
    world.clock.advance(0.5)
    world.timeline.look(world.clock())
    assert world.timeline.tail("over") == []
    for room_id in ("again", "live"):
        assert "joined" in texts(world.timeline.tail(room_id))


@pytest.mark.parametrize("jump", [-3600, 3600])
async def test_a_tail_is_kept_as_long_when_the_clock_is_set(world: World, jump: float) -> None:
    call(world, "room-1", LEFT)
    world.clock.advance(jump)
    world.timeline.shift(jump)
    world.timeline.look(world.clock())
    assert "call ended" in texts(world.timeline.tail("room-1"))
    world.clock.advance(TAIL_KEPT)
    world.timeline.look(world.clock())
    assert world.timeline.tail("room-1") == []


async def test_events_of_a_room_have_different_places_whatever_happens_elsewhere(world: World) -> None:
    for number in range(TAIL + 10):
        world.timeline.record("room-1", note(str(number)))
        world.timeline.record("room-2", note("elsewhere"))
    assert len({one.place for one in world.timeline.tail("room-1")}) == TAIL


async def test_many_events_are_saved_in_small_transactions(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    sizes, add = list[int](), world.store.add

    async def counted(new: Sequence[tuple[str, TimelineEvent]]) -> None:
        sizes.append(len(new))
        await add(new)

    monkeypatch.setattr(world.store, "add", counted)
    for number in range(1200):
        world.timeline.record("room-1", note(str(number), NOW + number))
    await world.timeline.save()
    assert sizes == [500, 500, 200]
    assert [event.text for _, event in world.store.kept] == [str(number) for number in range(1200)]
