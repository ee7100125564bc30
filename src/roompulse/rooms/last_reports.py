"""The last reports of those who are no users of the room: of users who said that they leave, and of media servers.

Others go on mentioning a user that left for a moment, which must not bring it back.
"""

from collections import OrderedDict
from typing import NamedTuple


class _Last(NamedTuple):
    report_time: int
    at: float


class LastReports:
    """Those of one room within the last `remembered` seconds, by the id of the reporter."""

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

    def has(self, reporter_id: str, now: float, within: float) -> bool:
        """Whether its last report came within so many seconds."""
        if not self._last:
            return False
        self._forget(now)
        return reporter_id in self._last and now - self._last[reporter_id].at < within

    def is_late(self, reporter_id: str, report_time: int, now: float, patience: float) -> bool:
        """Whether a report of that time was made before the reporter's last one, of the last `patience` seconds."""
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
            # Also those of times to come, if the clock was set back.
            if 0 <= now - last.at < self._remembered:
                return
            del self._last[reporter_id]
