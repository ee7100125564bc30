"""The page of all rooms: totals, and the rooms that a viewer asks for."""

from collections.abc import Mapping

from markupsafe import Markup

from roompulse.clock import Clock
from roompulse.intake.intake import Intake
from roompulse.rooms.contract import LiveRooms
from roompulse.rooms.model import RoomSummary
from roompulse.rooms.trends import Trends
from roompulse.web.html.fragment_cache import FragmentCache
from roompulse.web.html.sparklines import stacked, trendline, users_by_level
from roompulse.web.html.templates import Templates
from roompulse.web.pages.query import RoomsQuery
from roompulse.web.pages.rooms_index import RoomsIndex
from roompulse.web.pages.views import PageView

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
        self._listing = RoomsIndex(rooms)
        self._rows = FragmentCache(_MOST_ROWS)

    def view(self, query: RoomsQuery) -> PageView:
        def sections() -> Mapping[str, str]:
            self._listing.refresh()
            return {"totals": self._totals(), "rooms": self._list(query)}

        return PageView(("rooms", query), None, sections)

    def _totals(self) -> str:
        return self._templates.render(
            "partials/totals.html",
            rooms=len(self._listing),
            users=self._listing.users,
            levels=self._listing.levels,
            rate=self._intake.rate(self._clock()),
            newest=self._intake.newest,
        )

    def _list(self, query: RoomsQuery) -> str:
        page = self._listing.page(query, PER_PAGE)
        return self._templates.render(
            "partials/rooms.html",
            list=page,
            rows=[self._row(room) for room in page.rows],
            first=(page.page - 1) * PER_PAGE + 1,
            live=len(self._listing),
            query=query,
        )

    def _row(self, room: RoomSummary) -> Markup:
        live = self._rooms.get(room.room_id)

        def render() -> str:
            counts = users_by_level(room.aggregate.quality)
            return self._templates.render(
                "partials/room_row.html",
                room=room,
                counts=counts,
                bar=stacked(counts),
                trend=trendline([*self._trends.scores(room.room_id), room.aggregate.quality.score]),
            )

        version = live.version if live else 0, self._trends.version
        return self._rows.fragment(room.room_id, version, render)
