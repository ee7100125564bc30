"""The change of counters from one point of a stream to a later one."""

from msgspec import Struct

from roompulse.importing.recording import Point, Stats
from roompulse.report.model import Direction

LONGEST_GAP = 4
"""Intervals between two points. Changes within a longer gap are not known, not even on average."""

COUNTERS: dict[Direction, tuple[str, str]] = {
    "send": ("packetsSent", "bytesSent"),
    "recv": ("packetsReceived", "bytesReceived"),
}


class Part(Struct, frozen=True):
    """An `outbound-rtp` with its `remote-inbound-rtp`, or an `inbound-rtp`."""

    stats: Stats
    remote: Stats | None


class Change(Struct, frozen=True):
    """The changes from one point to a later one."""

    part: Part
    before: Point
    after: Point
    packets: float
    bytes: float

    @property
    def seconds(self) -> float:
        return seconds_of((self.before, self.after))

    def gain(self, counter: str) -> float | None:
        """None if it is not known, or was reset in between."""
        found = gain_of((self.before, self.after), counter)
        return None if found is None or found < 0 else found

    @property
    def frames(self) -> float | None:
        return self.gain(self._frame_counter)

    @property
    def frames_before(self) -> float | None:
        return number_of(self.before, self._frame_counter)

    @property
    def _frame_counter(self) -> str:
        return "framesEncoded" if "framesEncoded" in self.after.values else "framesDecoded"


def change_at(part: Part, direction: Direction, interval: int) -> Change | None:
    points = points_at(part.stats, interval)
    if points is None:
        return None
    packets, size = (gain_of(points, counter) for counter in COUNTERS[direction])
    # Counters that go backwards were reset in between. A stream without packets is off, which is not bad.
    if not packets or size is None or packets < 0 or size < 0:
        return None
    return Change(part, *points, packets, size)


def points_at(stats: Stats, interval: int) -> tuple[Point, Point] | None:
    after = stats.points.get(interval)
    earlier = (stats.points.get(interval - gap) for gap in range(1, LONGEST_GAP + 1))
    before = next(filter(None, earlier), None)
    if before is None or after is None or before.era != after.era:  # the clock was set in between
        return None
    return (before, after) if before.at < after.at else None


def seconds_of(points: tuple[Point, Point]) -> float:
    return points[1].at - points[0].at


def gain_of(points: tuple[Point, Point], counter: str) -> float | None:
    before, after = (number_of(point, counter) for point in points)
    return None if before is None or after is None else after - before


def number_of(point: Point, member: str) -> float | None:
    value = point.values.get(member)
    return value if isinstance(value, int | float) else None


def recent_at(stats: Stats | None, interval: int, member: str) -> float | None:
    """The value at the end of an interval, or an earlier one where there is none."""
    points = (stats.points.get(interval - gap) for gap in range(LONGEST_GAP)) if stats else ()
    return next((value for point in points if point and (value := number_of(point, member)) is not None), None)
