"""The summaries of all live rooms in each order that is in use: only the rooms that changed are placed again."""

import asyncio
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import islice

from msgspec import Struct
from sortedcontainers import SortedKeyList

from roompulse.alerts.model import Severity
from roompulse.overview.query import ALL_LEVELS, DEAD_BANDS, LEVEL_APART, ORDERS, Key, Order, Wanted
from roompulse.quality import Level
from roompulse.rooms.contract import LiveRooms
from roompulse.rooms.model import RoomSummary

_MOST_CHANGES = 8
"""One in this many rooms; past that share, sorting all rooms again is as fast as placing each."""

_ROOMS_AT_ONCE = 50
"""Rooms that are read before other tasks run, each a quarter of a millisecond where it is not rated yet."""


class RoomAlerts(Struct, frozen=True):
    """The number of firing alerts of a room and its users, and the highest severity."""

    severity: Severity
    count: int


AlertsByRoom = Callable[[], Mapping[str, RoomAlerts]]
"""The rooms with firing alerts; the same object while nothing changes."""


class RoomsIndex:
    """The rooms as of the last `refresh`, whose cost grows with the number of rooms changed since the one before."""

    def __init__(self, rooms: LiveRooms, alerts: AlertsByRoom) -> None:
        self._rooms = rooms
        self._read_alerts = alerts
        self.alerts = alerts()
        self._version = 0
        self._summaries: dict[str, RoomSummary] = {}
        # The places of rooms in each requested order, by id.
        self._places: dict[Order, dict[str, Key]] = {}
        self._orders: dict[tuple[Order, Level | None], SortedKeyList[RoomSummary, Key]] = {}
        # Ids and names without regard to case, and how many rooms match a search until one of them changes.
        self._searched: dict[str, str] = {}
        self._matching: dict[tuple[str, Level | None], int] = {}
        self.users = 0
        self.levels: dict[Level, int] = dict.fromkeys(ALL_LEVELS, 0)

    def __len__(self) -> int:
        return len(self._summaries)

    async def catch_up(self) -> None:
        """Read most of what has changed, so that `refresh` does not take long: between portions others have a turn."""
        looks = 0
        for looked in self._read_changes():
            looks += looked
            if looks >= _ROOMS_AT_ONCE:
                looks = 0
                await asyncio.sleep(0)

    def refresh(self) -> None:
        for _ in self._read_changes():
            pass
        before, self.alerts = self.alerts, self._read_alerts()
        if before is not self.alerts:
            for room_id, _ in before.items() ^ self.alerts.items():
                self._put(room_id, self._summaries.get(room_id))

    def _read_changes(self) -> Iterator[int]:
        """Read the rooms that changed or ended since this was last done, with a break after each step of a big one.

        What is read between two breaks takes as long as so many small rooms.
        """
        changed = self._rooms.ids(since=self._version)
        # The present version: rooms that change in breaks are read the next time.
        newest = max((room.version for room_id in changed if (room := self._rooms.get(room_id))), default=0)
        if len(changed) * _MOST_CHANGES > len(self._summaries):
            self._orders.clear()
        for room_id in changed:
            if room := self._rooms.get(room_id):
                for _ in room.steps():
                    yield _ROOMS_AT_ONCE
            self._read(room_id)
            yield 1
        self._version = max(self._version, newest)
        live = self._rooms.ids()
        if len(live) < len(self._summaries):
            for room_id in self._summaries.keys() - live:
                self._read(room_id)
                yield 1

    def _read(self, room_id: str) -> None:
        room = self._rooms.get(room_id)
        self._put(room_id, room.summary() if room else None)

    def _put(self, room_id: str, summary: RoomSummary | None) -> None:
        """Replace the summary of a room by its newest one, or remove it (None) when the room has ended."""
        self._matching.clear()
        if known := self._summaries.pop(room_id, None):
            del self._searched[room_id]
            self._count(known, -1)
            for placed in self._orders_of(known):
                placed.remove(known)
        for order, places in self._places.items():
            self._move(places, order, room_id, summary)
        if summary:
            self._summaries[room_id] = summary
            self._searched[room_id] = f"{room_id}\n{summary.room_name or ''}".casefold()
            self._count(summary, 1)
            for placed in self._orders_of(summary):
                placed.add(summary)

    def _orders_of(self, room: RoomSummary) -> "Iterator[SortedKeyList[RoomSummary, Key]]":
        return (placed for (_, level), placed in self._orders.items() if _has(room, level))

    def _count(self, summary: RoomSummary, by: int) -> None:
        aggregate = summary.aggregate
        self.users += by * aggregate.user_count
        for level in ALL_LEVELS:
            self.levels[level] += by * getattr(aggregate.quality, level)

    def count(self, wanted: Wanted) -> int:
        """How many rooms match. A search costs a pass over all names when rooms have changed."""
        rooms, q = self._order(wanted.order, wanted.level), wanted.q.casefold()
        if not q:
            return len(rooms)
        count = self._matching.get((q, wanted.level))
        if count is None:
            count = self._matching[q, wanted.level] = sum(1 for _ in self._found(rooms, q))
        return count

    def listed(self, wanted: Wanted, offset: int, limit: int) -> list[RoomSummary]:
        """The rooms that match, from the `offset`-th on."""
        rooms, q = self._order(wanted.order, wanted.level), wanted.q.casefold()
        return list(islice(self._found(rooms, q), offset, offset + limit)) if q else rooms[offset : offset + limit]

    def _found(self, rooms: Iterable[RoomSummary], q: str) -> Iterator[RoomSummary]:
        return (room for room in rooms if q in self._searched[room.room_id])

    def _order(self, order: Order, level: Level | None) -> "SortedKeyList[RoomSummary, Key]":
        """All rooms, or those with a user of this level, in an order that is maintained from now on."""
        if order not in self._places:
            self._places[order] = {room_id: self._key(order, summary) for room_id, summary in self._summaries.items()}
        places = self._places[order]

        def place(room: RoomSummary) -> Key:
            return places[room.room_id]

        if (order, level) not in self._orders:
            rooms = [room for room in self._summaries.values() if _has(room, level)]
            self._orders[order, level] = SortedKeyList(rooms, key=place)
        return self._orders[order, level]

    def _key(self, order: Order, room: RoomSummary) -> Key:
        key = ORDERS[order](room)
        is_first = order == "score" and room.room_id in self.alerts
        return (key[0], key[1] - LEVEL_APART / 2, key[2]) if is_first else key

    def _move(self, places: dict[str, Key], order: Order, room_id: str, summary: RoomSummary | None) -> None:
        """Place a room again if it changed by more than the dead band, or remove it (None)."""
        before = places.pop(room_id, None)
        if summary:
            now = self._key(order, summary)
            stays = before and before[0] == now[0] and abs(before[1] - now[1]) <= DEAD_BANDS.get(order, 0)
            places[room_id] = before if before and stays else now


def _has(room: RoomSummary, level: Level | None) -> bool:
    return level is None or getattr(room.aggregate.quality, level) > 0
