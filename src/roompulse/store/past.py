"""Rooms as they were at some moment: their reports are applied once more, by the clock of then."""

from collections.abc import Callable

from roompulse.quality import FRAME_RATE_WINDOW
from roompulse.rooms.contract import LiveRoom, LiveRooms
from roompulse.rooms.model import Snapshot
from roompulse.settings import Settings
from roompulse.store.contract import Archive, HistoryQuery, SampleQuery, Store


class Past:
    """`no_rooms` makes live rooms in which nobody is yet."""

    def __init__(self, archive: Archive, store: Store, no_rooms: Callable[[], LiveRooms], settings: Settings) -> None:
        self._archive = archive
        self._store = store
        self._no_rooms = no_rooms
        self._settings = settings
        # As far back as anything of a live room shows, as after a restart (Ingest.rebuild).
        self._lead = settings.leave_after + FRAME_RATE_WINDOW

    def users_since(self, now: float) -> float:
        """The earliest time (Unix seconds) that `room` knows: users are kept for less long than a room's figures."""
        return now - self._settings.sample_retention + self._lead

    async def room(self, room_id: str, at: float) -> LiveRoom | None:
        """The room as it was live at `at`; None if it was not."""
        rooms = self._no_rooms()
        async for received in self._archive.reports(SampleQuery(room_id, at - self._lead, at)):
            rooms.expire(received.at)
            rooms.apply(received)
        rooms.expire(at)
        return rooms.get(room_id)

    async def snapshot(self, room_id: str, at: float) -> Snapshot | None:
        """The room's figures at `at`; None if it was not live."""
        # Without a change there is no new one for as long as users stay who are not heard of.
        oldest = at - self._settings.leave_after - self._settings.snapshot_interval
        found = await self._store.history(HistoryQuery(room_id, start=max(0.0, oldest), end=at, limit=1))
        return found[0] if found else None
