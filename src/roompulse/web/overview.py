"""The page of all rooms: totals, and the rooms that a viewer asks for."""

from collections.abc import Mapping, Sequence

from markupsafe import Markup

from roompulse.clock import Clock
from roompulse.intake.intake import Intake
from roompulse.rooms.contract import LiveRooms
from roompulse.rooms.model import RoomSummary
from roompulse.rooms.trends import Trends
from roompulse.web.drawing import LEVELS, stacked, trendline, users_by_level
from roompulse.web.query import RoomsQuery
from roompulse.web.sections import paged
from roompulse.web.templates import Templates
from roompulse.web.views import PageView

PER_PAGE = 50
"""Rooms of a page; what is beyond is on further pages, and is not pushed."""

_MOST_ROWS = 2_000


class Overview:
    """Rows are rendered once per change of their room, whoever looks at them, sorted and filtered however."""

    def __init__(self, rooms: LiveRooms, trends: Trends, intake: Intake, templates: Templates, clock: Clock) -> None:
        self._rooms = rooms
        self._trends = trends
        self._intake = intake
        self._templates = templates
        self._clock = clock
        self._rows: dict[str, tuple[tuple[int, int], Markup]] = {}

    def view(self, query: RoomsQuery) -> PageView:
        def sections() -> Mapping[str, str]:
            live = [room.summary() for room_id in self._rooms.ids() if (room := self._rooms.get(room_id))]
            return {"totals": self._totals(live), "rooms": self._list(live, query)}

        return PageView(("rooms", query), None, sections)

    def _totals(self, live: Sequence[RoomSummary]) -> str:
        qualities = [room.aggregate.quality for room in live]
        return self._templates.render(
            "partials/totals.html",
            rooms=len(live),
            users=sum(room.aggregate.user_count for room in live),
            levels={level: sum(getattr(quality, level) for quality in qualities) for level in LEVELS},
            rate=self._intake.rate(self._clock()),
            newest=self._intake.newest,
        )

    def _list(self, live: Sequence[RoomSummary], query: RoomsQuery) -> str:
        page = paged(query.select(live), query.page, PER_PAGE)
        return self._templates.render(
            "partials/rooms.html",
            list=page,
            rows=[self._row(room) for room in page.rows],
            first=(page.page - 1) * PER_PAGE + 1,
            live=len(live),
            query=query,
        )

    def _row(self, room: RoomSummary) -> Markup:
        live = self._rooms.get(room.room_id)
        key = (live.version if live else 0, self._trends.version)
        known = self._rows.get(room.room_id)
        if known and known[0] == key:
            return known[1]
        if len(self._rows) >= _MOST_ROWS:
            self._rows.clear()
        counts = users_by_level(room.aggregate.quality)
        html = self._templates.render(
            "partials/room_row.html",
            room=room,
            medians=live.medians() if live else None,
            counts=counts,
            bar=stacked(counts),
            trend=trendline([*self._trends.scores(room.room_id), room.aggregate.quality.score]),
        )
        row = Markup(html)  # noqa: S704  (our own partial)
        self._rows[room.room_id] = key, row
        return row
