"""Recent scores of rooms, for the sparklines of the list: a ring of a few bytes per room."""

from array import array
from collections.abc import Iterable, Mapping
from math import ceil, floor

WINDOW = 900.0
"""Seconds that a trend goes back."""

MOST_SLOTS = 90
"""Slots of time in the window; with a longer snapshot interval there are fewer."""

_NOTHING, _UNKNOWN = 0, 65535


class Trend:
    """The scores of one room in the newest `length` slots, in hundredths; of several in one slot the worst."""

    __slots__ = ("_scores", "newest")

    def __init__(self, length: int, slot: int) -> None:
        self._scores = array("H", bytes(2 * length))
        self.newest = slot

    def advance(self, slot: int) -> None:
        """Make `slot` the newest one. Skipped slots are empty, and so are later ones if the clock was set back."""
        length = len(self._scores)
        low, high = (self.newest, slot) if slot >= self.newest else (slot, self.newest)
        for passed in range(max(low, high - length) + 1, high + 1):
            self._scores[passed % length] = _NOTHING
        self.newest = slot

    def note(self, slot: int, score: float | None) -> None:
        """Put a score into one of the slots; None means that the room was live without a score."""
        if not self.newest - len(self._scores) < slot <= self.newest:
            return
        place = slot % len(self._scores)
        value = _UNKNOWN if score is None else round(score * 100)
        self._scores[place] = min(value, self._scores[place] or _UNKNOWN)

    def carry(self, most: int) -> None:
        """Repeat what is in a slot in up to `most` empty slots that follow it."""
        length = len(self._scores)
        carried, left = _NOTHING, 0
        for slot in range(self.newest - length + 1, self.newest + 1):
            value = self._scores[slot % length]
            if value:
                carried, left = value, most
            elif left:
                self._scores[slot % length] = carried
                left -= 1

    def scores(self, last: int) -> list[float | None]:
        """A score for each of the slots up to `last`, oldest first; None where it is not known."""
        return [self._score(slot) for slot in range(last - len(self._scores) + 1, last + 1)]

    def _score(self, slot: int) -> float | None:
        if not self.newest - len(self._scores) < slot <= self.newest:
            return None
        value = self._scores[slot % len(self._scores)]
        return None if value in (_NOTHING, _UNKNOWN) else value / 100


class Trends:
    """The trends of the rooms that are live, and of those that ended within the window while there is room for them.

    `version` changes whenever a trend does.
    """

    def __init__(self, interval: float, most_rooms: int) -> None:
        self.version = 0
        self._step = max(interval, WINDOW / MOST_SLOTS)
        self._length = ceil(WINDOW / self._step)
        self._most_rooms = most_rooms
        self._trends: dict[str, Trend] = {}
        self._last = 0

    def record(self, at: float, live: Mapping[str, float | None]) -> None:
        """Note the scores that all live rooms have at the time `at`."""
        slot = self._last = self._slot(at)
        self.version += 1
        for room_id, score in live.items():
            trend = self._trends.get(room_id)
            if trend is None:
                trend = self._trends[room_id] = Trend(self._length, slot)
            trend.advance(slot)
            trend.note(slot, score)
        self._forget(live)

    def refill(self, now: float, stored: Iterable[tuple[str, float, float | None]]) -> None:
        """Take over (room, time, score) of snapshots from before a start, newest first."""
        slot = self._last = self._slot(now)
        for room_id, at, score in stored:
            trend = self._trends.get(room_id)
            if trend is None:
                if len(self._trends) >= self._most_rooms:
                    continue
                trend = self._trends[room_id] = Trend(self._length, slot)
            trend.note(self._slot(at), score)

    def become(self, other: "Trends") -> None:
        """Replace these by refilled ones, as another process records them."""
        self._trends, self._last = other._trends, other._last  # noqa: SLF001  (of its own kind)
        self.version += 1

    def carry(self, seconds: float) -> None:
        """Fill the gaps of rooms that stayed live without a change: snapshots are only taken of changes."""
        self.version += 1
        for trend in self._trends.values():
            trend.carry(ceil(seconds / self._step))

    def scores(self, room_id: str) -> list[float | None]:
        """The score of a room in each slot of the window, oldest first; None where it is not known."""
        trend = self._trends.get(room_id)
        return trend.scores(self._last) if trend else [None] * self._length

    def _slot(self, at: float) -> int:
        # For an odd step, the division of times on the grid gives slightly too low values.
        return floor(at / self._step + 1e-6)

    def _forget(self, live: Mapping[str, float | None]) -> None:
        oldest = self._last - self._length
        ended = [room_id for room_id, trend in self._trends.items() if trend.newest <= oldest]
        if len(self._trends) - len(ended) > self._most_rooms:
            ended = [room_id for room_id in self._trends if room_id not in live]
        for room_id in ended:
            del self._trends[room_id]
