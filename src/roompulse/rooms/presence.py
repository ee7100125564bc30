"""Presence: users who do not report themselves, users who reported leaving, and media servers."""

from collections import Counter, OrderedDict
from typing import NamedTuple

from msgspec import Struct

from roompulse.report.model import Entry, Report
from roompulse.rooms.user import UserState


class Timeouts(Struct, frozen=True):
    """Seconds without a report after which users and streams are stale, and after which they leave."""

    stale_after: float
    leave_after: float


class BroughtIn:
    """How many users of a room do not report themselves: in `total`, and by the first reporter about them."""

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
        """Stop counting a user that left or reports itself from now on."""
        if not user.brought_by:
            return
        self.total -= 1
        self._by[user.brought_by] -= 1
        if not self._by[user.brought_by]:
            del self._by[user.brought_by]
        user.brought_by = ""


class _Last(NamedTuple):
    report_time: int
    at: float


class LastReports:
    """The last reports of reporters that are no users of a room, within the last `remembered` seconds.

    Those are users who reported leaving: others still mention them for a moment, which must not bring them
    back. And media servers.
    """

    __slots__ = ("_last", "_remembered")

    def __init__(self, remembered: float) -> None:
        self._remembered = remembered
        self._last: OrderedDict[str, _Last] = OrderedDict()

    def note(self, reporter_id: str, report_time: int, now: float) -> None:
        self._forget(now)
        last = self._last.get(reporter_id)
        if last and 0 < last.report_time - report_time <= 1:
            return  # neither newer nor late
        self._last[reporter_id] = _Last(report_time, now)
        self._last.move_to_end(reporter_id)

    def without(self, report: Report, now: float, within: float) -> list[Entry]:
        """The entries of a report about users whose last report did not come within so many seconds."""
        self._forget(now)
        if not self._last:
            return report.metrics
        entries = [entry for entry in report.metrics if not self._has(entry.user_id, now, within)]
        for entry in entries:
            self.drop(entry.user_id)
        return entries

    def _has(self, reporter_id: str, now: float, within: float) -> bool:
        return reporter_id in self._last and now - self._last[reporter_id].at < within

    def is_late(self, reporter_id: str, report_time: int, now: float, patience: float) -> bool:
        """Whether a report of that time is older than the reporter's last one within `patience` seconds."""
        last = self._last.get(reporter_id)
        return last is not None and report_time < last.report_time - 1 and now - last.at < patience

    def drop(self, reporter_id: str) -> None:
        self._last.pop(reporter_id, None)

    def shift(self, seconds: float) -> None:
        """Shift the times of receipt by so much, since the clock was set."""
        for reporter_id, last in self._last.items():
            self._last[reporter_id] = last._replace(at=last.at + seconds)

    def _forget(self, now: float) -> None:
        while self._last:
            reporter_id, last = next(iter(self._last.items()))
            # Also times in the future, if the clock was set back.
            if 0 <= now - last.at < self._remembered:
                return
            del self._last[reporter_id]
