"""The summaries of all live rooms in each order that is in use: only the rooms that changed are placed again."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import islice

from msgspec import Struct
from sortedcontainers import SortedKeyList

from roompulse.alerts.model import Severity
from roompulse.quality import Level
from roompulse.rooms.contract import LiveRooms
from roompulse.rooms.model import RoomSummary
from roompulse.web.html.paging import Rows, page_count, paged
from roompulse.web.html.sparklines import LEVELS
from roompulse.web.pages.query import DEAD_BANDS, LEVEL_APART, ORDERS, Key, RoomsQuery, Sort

_MOST_CHANGES = 8
"""One in this many rooms; past that share, sorting all rooms again is as fast as placing each."""


class RoomAlerts(Struct, frozen=True):
    """How many alerts of a room and its users fire, and how severe the worst of them is."""

    severity: Severity
    count: int


AlertsByRoom = Callable[[], Mapping[str, RoomAlerts]]
"""The rooms of which alerts fire; the same object while nothing changes."""


class RoomsIndex:
    """The rooms as of the last `refresh`, whose cost grows with the number of rooms changed since the one before."""

    def __init__(self, rooms: LiveRooms, alerts: AlertsByRoom) -> None:
        self._rooms = rooms
        self._read_alerts = alerts
        self.alerts = alerts()
        self._version = 0
        self._summaries: dict[str, RoomSummary] = {}
        # Where rooms stand in each order that was asked for, by id.
        self._places: dict[Sort, dict[str, Key]] = {}
        self._orders: dict[tuple[Sort, Level | None], SortedKeyList[RoomSummary, Key]] = {}
        # Ids without regard to case, and how many rooms match a search until one of them changes.
        self._folded: dict[str, str] = {}
        self._matching: dict[tuple[str, Level | None], int] = {}
        self.users = 0
        self.levels: dict[Level, int] = dict.fromkeys(LEVELS, 0)

    def __len__(self) -> int:
        return len(self._summaries)

    def refresh(self) -> None:
        changed = self._rooms.ids(since=self._version)
        if len(changed) * _MOST_CHANGES > len(self._summaries):
            self._orders.clear()
        for room_id in changed:
            if room := self._rooms.get(room_id):
                self._version = max(self._version, room.version)
                self._put(room_id, room.summary())
        before, self.alerts = self.alerts, self._read_alerts()
        if before is not self.alerts:
            for room_id, _ in before.items() ^ self.alerts.items():
                self._put(room_id, self._summaries.get(room_id))
        live = self._rooms.ids()
        if len(live) < len(self._summaries):
            for room_id in self._summaries.keys() - live:
                self._put(room_id, None)

    def _put(self, room_id: str, summary: RoomSummary | None) -> None:
        """Replace the summary of a room by its newest one, or remove it (None) when the room has ended."""
        self._matching.clear()
        if known := self._summaries.pop(room_id, None):
            del self._folded[room_id]
            self._count(known, -1)
            for order in self._orders_of(known):
                order.remove(known)
        for sort, places in self._places.items():
            self._move(places, sort, room_id, summary)
        if summary:
            self._summaries[room_id] = summary
            self._folded[room_id] = room_id.casefold()
            self._count(summary, 1)
            for order in self._orders_of(summary):
                order.add(summary)

    def _orders_of(self, room: RoomSummary) -> "Iterator[SortedKeyList[RoomSummary, Key]]":
        return (order for (_, level), order in self._orders.items() if _has(room, level))

    def _count(self, summary: RoomSummary, by: int) -> None:
        aggregate = summary.aggregate
        self.users += by * aggregate.user_count
        for level in LEVELS:
            self.levels[level] += by * getattr(aggregate.quality, level)

    def page(self, query: RoomsQuery, per_page: int) -> Rows:
        """One page of the rooms that match. A search costs a pass over the ids when rooms have changed."""
        order = self._order(query.sort, query.level)
        if not query.q:
            return paged(order, query.page, per_page)
        wanted = query.q.casefold()
        total = self._matching.get((wanted, query.level))
        if total is None:
            total = self._matching[wanted, query.level] = sum(1 for _ in self._found(order, wanted))
        pages = page_count(total, per_page)
        page = min(query.page, pages)
        rows = islice(self._found(order, wanted), (page - 1) * per_page, page * per_page)
        return Rows(list(rows), page, pages, total)

    def _found(self, rooms: Iterable[RoomSummary], wanted: str) -> Iterator[RoomSummary]:
        return (room for room in rooms if wanted in self._folded[room.room_id])

    def _order(self, sort: Sort, level: Level | None) -> "SortedKeyList[RoomSummary, Key]":
        """All rooms, or those with a user of this level, in an order that is kept from now on."""
        if sort not in self._places:
            self._places[sort] = {room_id: self._key(sort, summary) for room_id, summary in self._summaries.items()}
        places = self._places[sort]

        def place(room: RoomSummary) -> Key:
            return places[room.room_id]

        if (sort, level) not in self._orders:
            rooms = [room for room in self._summaries.values() if _has(room, level)]
            self._orders[sort, level] = SortedKeyList(rooms, key=place)
        return self._orders[sort, level]

    def _key(self, sort: Sort, room: RoomSummary) -> Key:
        key = ORDERS[sort](room)
        is_first = sort == "score" and room.room_id in self.alerts
        return (key[0], key[1] - LEVEL_APART / 2, key[2]) if is_first else key

    def _move(self, places: dict[str, Key], sort: Sort, room_id: str, summary: RoomSummary | None) -> None:
        """Place a room anew unless it changed by no more than the dead band, or remove it (None)."""
        before = places.pop(room_id, None)
        if summary:
            now = self._key(sort, summary)
            stays = before and before[0] == now[0] and abs(before[1] - now[1]) <= DEAD_BANDS.get(sort, 0)
            places[room_id] = before if before and stays else now


def _has(room: RoomSummary, level: Level | None) -> bool:
    return level is None or getattr(room.aggregate.quality, level) > 0
