"""A small world of sampled live rooms, by a clock that only the test moves."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from roompulse.insights.analysis import insights_of
from roompulse.insights.collector import Minute, Rollup
from roompulse.insights.model import LOOK_EVERY, Group, Span
from roompulse.insights.queries import InsightsQuery, insights
from roompulse.insights.recorder import RollupRecorder
from roompulse.insights.store import SqlRollups
from roompulse.report.model import Entry, Received
from roompulse.rooms.admission import Limits
from roompulse.rooms.memory import RoomsInMemory
from roompulse.settings import Settings
from roompulse.store.engine import Database
from roompulse.store.reader import Reader
from roompulse.store.schema import MINUTE
from tests.builders import NOW, network, report, stream
from tests.conftest import Clock
from tests.store import done

GOOD, FAIR, POOR = 0.0, 3.0, 12.0
"""Packet loss (percent) at which the camera of a user has this level."""


class World:
    def __init__(self) -> None:
        self.rooms = RoomsInMemory(Limits(1000, 1000, 100), stale_after=15, leave_after=60)
        self.clock = Clock()

    def post(self, user_id: str, loss: float = GOOD, room_id: str = "room-1", **fields: Any) -> None:
        """A report of a user whose camera loses so many percent; `device` and `connection` are of its entry."""
        about = {name: fields.pop(name) for name in ("device", "connection") if name in fields}
        streams = fields.pop("streams", [stream(network=network(packet_loss=loss))])
        self.post_entries(user_id, [Entry(user_id, streams, **about)], room_id, **fields)

    def post_entries(self, user_id: str, entries: list[Entry], room_id: str = "room-1", **fields: Any) -> None:
        told = report(user_id, room_id, metrics=entries, report_time=int(self.clock.now), **fields)
        self.rooms.apply(Received(told, self.clock.now))

    def minute(self, looks: int = 6, start: float = NOW) -> Rollup:
        """The rollup of so many samples of the present rooms; each user is in one of six."""
        minute = Minute(int(start))
        for part in range(looks):
            minute.begin_look(0)
            for room_id in self.rooms.ids():
                minute.look(self.rooms._rooms[room_id], part)
        return done(minute.rollup())

    def groups(self, by: str) -> dict[str | None, Group]:
        found = insights_of(by, self.minute().cells.get(by, {}))
        return {group.value: group for group in found.groups}


class Recording(World):
    """The same with a recorder and a database."""

    def __init__(self, database: Database, reader: Reader) -> None:
        super().__init__()
        self.database = database
        self.store = SqlRollups(database)
        self.reader = reader
        self.saved = 0
        self.start()

    def start(self) -> None:
        """Start the recorder, as for the first time or after a restart."""

        def saved() -> None:
            self.saved += 1

        self.recorder = RollupRecorder(self.rooms, self.store, self.reader, lambda _now: 2.5, self.clock, saved)

    async def look(self, looks: int = 1, **users: float) -> None:
        """So many samples, before each of which users report these losses."""
        for _ in range(looks):
            for user_id, loss in users.items():
                self.post(user_id, loss)
            self.rooms.expire(self.clock.now)
            await self.recorder.look(self.clock.now)
            self.clock.advance(LOOK_EVERY)

    async def minutes(self, count: int, **users: float) -> None:
        await self.look(count * MINUTE // LOOK_EVERY, **users)

    async def groups_from(self, start: float, end: float, by: str = "sdk_version") -> list[Group]:
        query = InsightsQuery(by, Span(start, end))
        return (await self.reader.result(insights(self.store, query))).groups


@asynccontextmanager
async def recording(settings: Settings) -> AsyncIterator[Recording]:
    database, reader = Database(settings), Reader(16, lambda _error: None)
    async with database.open():
        with reader.running():
            yield Recording(database, reader)
