"""Alerts in the order in which they are listed."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from math import inf

from roompulse.alerts.model import SEVERITIES, Alert
from roompulse.alerts.store import AlertQuery

_ORDER = {"firing": 0, "pending": 1, "resolved": 2}


class FiringAlerts:
    """Firing alerts, most severe first, then newest: sorted again when the version changes or a silence ends."""

    def __init__(self, read: Callable[[], Iterable[Alert]]) -> None:
        self._read = read
        self._version = -1, -1
        self._until = inf
        self._all: Sequence[Alert] = ()
        self._by_room: defaultdict[str | None, list[Alert]] = defaultdict(list)

    def of(self, version: tuple[int, int], now: float, room_id: str | None) -> Sequence[Alert]:
        """The firing alerts of a room and its users, or all."""
        if version != self._version or now >= self._until:
            self._version = version
            self._all = sorted(self._read(), key=_most_severe_first)
            self._until = min((alert.silenced_until or inf for alert in self._all), default=inf)
            self._by_room.clear()
            for alert in self._all:
                self._by_room[alert.room_id].append(alert)
        return self._all if room_id is None else self._by_room.get(room_id, ())


def _most_severe_first(alert: Alert) -> tuple[int, float, str]:
    return -SEVERITIES.index(alert.severity), -alert.started_at, alert.id


def listed(open_now: Iterable[Alert], resolved: Iterable[Alert], query: AlertQuery, state: str | None) -> list[Alert]:
    """Firing ones, then pending ones, then the `resolved` ones, which match the query already."""
    found = [alert for alert in open_now if _matches(alert, query) and state in (None, alert.state)]
    found += resolved
    return sorted(found, key=lambda alert: (_ORDER[alert.state], -alert.started_at, alert.id))[: query.limit]


def _matches(alert: Alert, query: AlertQuery) -> bool:
    return (
        query.severity in (None, alert.severity)
        and query.room_id in (None, alert.room_id)
        and (query.end is None or alert.started_at <= query.end)
    )
