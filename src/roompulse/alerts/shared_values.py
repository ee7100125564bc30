"""The values of open alerts: they change with every report, so the evaluating worker sends them and saves none."""

from collections.abc import Awaitable, Callable, Mapping

from msgspec import Struct

from roompulse.alerts.open_incidents import OpenIncidents

Figures = tuple[float | None, float | None]
"""The newest value and the worst."""


class Values(Struct, frozen=True, tag=True):
    """Of all open alerts, by id."""

    by_alert: Mapping[str, Figures]


class SharedValues:
    """The values of `incidents`. `tell` sends them to the other workers."""

    def __init__(self, incidents: Callable[[], OpenIncidents], tell: Callable[[Values], Awaitable[object]]) -> None:
        self._incidents = incidents
        self._tell = tell
        self._known = Values({})

    async def share(self) -> None:
        """Send changed values to the other workers; raises StoreError."""
        values = Values({one.id: (one.value, one.worst) for one in self._incidents()})
        if values != self._known:
            await self._tell(values)
            self._known = values

    def heard(self, values: Values) -> None:
        self._known = values
        self.put()

    def put(self) -> None:
        """Give incidents that were read from the database the newest values."""
        for one in self._incidents():
            one.value, one.worst = self._known.by_alert.get(one.id, (one.value, one.worst))
