"""What others' reports say of who is there: users who do not report themselves, and users who said that they leave."""

from collections import Counter, OrderedDict
from typing import NamedTuple

from roompulse.rooms.user import UserState


class BroughtIn:
    """How many users of a room do not report themselves: in `total`, and by the first who reported on them."""

    __slots__ = ("_by", "total")

    def __init__(self) -> None:
        self._by: Counter[str] = Counter()
        self.total = 0

    def by(self, reporter_id: str) -> int:
        return self._by[reporter_id]

    def add(self, user: UserState) -> None:
        """Count a new user, unless it reports itself."""
        if user.brought_by:
            self._by[user.brought_by] += 1
            self.total += 1

    def remove(self, user: UserState) -> None:
        """Count a user no more, which left or reports itself from now on."""
        if not user.brought_by:
            return
        self.total -= 1
        self._by[user.brought_by] -= 1
        if not self._by[user.brought_by]:
            del self._by[user.brought_by]
        user.brought_by = ""


class _Departure(NamedTuple):
    report_time: int
    at: float


class Departures:
    """Users of one room who said that they leave, within the last `remembered` seconds.

    Others go on mentioning them for a moment, which must not bring them back.
    """

    __slots__ = ("_departed", "_remembered")

    def __init__(self, remembered: float) -> None:
        self._remembered = remembered
        self._departed: OrderedDict[str, _Departure] = OrderedDict()

    def note(self, user_id: str, report_time: int, now: float) -> None:
        self._forget(now)
        self._departed[user_id] = _Departure(report_time, now)
        self._departed.move_to_end(user_id)

    def has(self, user_id: str, now: float) -> bool:
        if not self._departed:
            return False
        self._forget(now)
        return user_id in self._departed

    def is_late(self, user_id: str, report_time: int, now: float, patience: float) -> bool:
        """Whether a report of that time was made before its reporter left, within the last `patience` seconds."""
        departure = self._departed.get(user_id)
        return departure is not None and report_time < departure.report_time - 1 and now - departure.at < patience

    def drop(self, user_id: str) -> None:
        self._departed.pop(user_id, None)

    def shift(self, seconds: float) -> None:
        """Shift the times of departures by so much, since the clock was set."""
        for user_id, departure in self._departed.items():
            self._departed[user_id] = departure._replace(at=departure.at + seconds)

    def _forget(self, now: float) -> None:
        while self._departed:
            user_id, departure = next(iter(self._departed.items()))
            # Also those of times to come, if the clock was set back.
            if 0 <= now - departure.at < self._remembered:
                return
            del self._departed[user_id]
