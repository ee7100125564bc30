"""Timelines in a small world: events of live rooms, kept in a list."""

from asyncio import Event
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence

from roompulse.clock import Clock
from roompulse.errors import StoreError
from roompulse.events.detector import Detector
from roompulse.events.model import EventQuery, TimelineEvent
from roompulse.events.timeline import Timeline
from roompulse.rooms.contract import RoomChanges


class FakeEvents:
    """Keeps added events in a list; `fails` makes that fail, and a cleared `open` holds it up."""

    def __init__(self) -> None:
        self.open = Event()
        self.open.set()
        self.kept: list[tuple[str, TimelineEvent]] = []
        self.fails = False

    async def add(self, events: Sequence[tuple[str, TimelineEvent]]) -> None:
        await self.open.wait()
        if self.fails:
            raise StoreError("the database failed")
        self.kept += events

    async def find(self, query: EventQuery) -> list[TimelineEvent]:
        return self._find(query)

    def _find(self, query: EventQuery) -> list[TimelineEvent]:
        found = [event for room_id, event in self.kept if query.matches(room_id, event)]
        return sorted(found, key=lambda event: event.time)[-query.limit :]

    def all(self, room_id: str, start: float, end: float) -> Iterator[Sequence[TimelineEvent]]:
        if found := self._find(EventQuery(room_id, start, end)):
            yield found

    async def states(self, room_ids: Collection[str]) -> Mapping[str, Sequence[TimelineEvent]]:
        return {one: [event for room_id, event in self.kept if room_id == one] for one in room_ids}


def detector_of(rooms: RoomChanges) -> Detector:
    return Detector(rooms, hold=10, stale_after=15)


def timeline_of(
    rooms: RoomChanges,
    clock: Clock,
    store: FakeEvents | None = None,
    publish: Callable[[Iterable[str]], object] = lambda _: None,
) -> Timeline:
    return Timeline(detector_of(rooms), store or FakeEvents(), publish, clock)
