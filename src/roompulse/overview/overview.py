"""All live rooms for programs: the list of the page `/` in one answer."""

from roompulse.clock import Clock
from roompulse.intake.intake import Intake
from roompulse.overview.model import Overview, Totals
from roompulse.overview.query import Wanted
from roompulse.overview.rooms_index import RoomsIndex


class OverviewQuery(Wanted, frozen=True):
    """`limit` of the rooms that match, from the `offset`-th on."""

    offset: int = 0
    limit: int = 50


class Overviews:
    def __init__(self, index: RoomsIndex, intake: Intake, clock: Clock) -> None:
        self._index = index
        self.catch_up = index.catch_up
        self._intake = intake
        self._clock = clock

    def of(self, query: OverviewQuery) -> Overview:
        """The live rooms as they are now."""
        self._index.refresh()
        rooms = self._index.listed(query, query.offset, query.limit)
        return Overview(self._totals(), rooms, self._index.count(query))

    def _totals(self) -> Totals:
        index, intake = self._index, self._intake
        rate = intake.rate(self._clock())
        return Totals(len(index), index.users, **index.levels, reports_per_second=rate, received_at=intake.newest)
