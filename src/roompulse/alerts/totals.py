"""How many rooms and users are at each level, updated incrementally."""

from roompulse.alerts.metrics import Readings, ServerFigures
from roompulse.quality import Level, RoomQuality
from roompulse.rooms.contract import LiveRooms
from roompulse.rooms.model import RoomSummary

LEVELS: tuple[Level, ...] = ("good", "fair", "poor", "unknown")


class Totals:
    """The live rooms that were `put`; the caller puts each again when it has changed."""

    def __init__(self, rooms: LiveRooms) -> None:
        self._rooms = rooms
        self._known: dict[str, RoomQuality] = {}
        self.rooms: dict[Level, int] = dict.fromkeys(LEVELS, 0)
        self.users: dict[Level, int] = dict.fromkeys(LEVELS, 0)

    def put(self, summary: RoomSummary) -> None:
        """Count a room as it is now."""
        self.drop(summary.room_id)
        quality = self._known[summary.room_id] = summary.aggregate.quality
        self._count(quality, 1)

    def put_all(self) -> None:
        """Count all live rooms as they are now."""
        for room_id in self._rooms.ids():
            if room := self._rooms.get(room_id):
                self.put(room.summary())
        self.drop_ended()

    def drop(self, room_id: str) -> None:
        if quality := self._known.pop(room_id, None):
            self._count(quality, -1)

    def drop_ended(self) -> None:
        """Stop counting rooms that are not live; every live room is counted already."""
        live = self._rooms.ids()
        if len(live) < len(self._known):
            for room_id in self._known.keys() - live:
                self.drop(room_id)

    def figures(self, readings: Readings, now: float, *, is_anybody_expected: bool) -> ServerFigures:
        """The subject of rules about the server; it is silent only where reports are expected."""
        heard_at = readings.heard_at
        return ServerFigures(
            reports_per_second=readings.reports_per_second,
            refused=readings.refused,
            rooms=sum(self.rooms.values()),
            users=sum(self.users.values()),
            poor_users=self.users["poor"],
            silent_for=max(0.0, now - heard_at) if heard_at is not None and is_anybody_expected else None,
            commit_ms=readings.commit_ms,
        )

    def _count(self, quality: RoomQuality, change: int) -> None:
        self.rooms[quality.level] += change
        self.users["good"] += change * quality.good
        self.users["fair"] += change * quality.fair
        self.users["poor"] += change * quality.poor
        self.users["unknown"] += change * quality.unknown
