"""A server that receives no reports: whether it is starved, and which subjects have yet to come back."""

from collections.abc import Iterable

from roompulse.alerts.incident import Incident


class Starvation:
    """The server is starved while it receives no report for `stale_after` seconds, and at its start.

    After that, rooms and users have `leave_after` seconds to come back.
    """

    def __init__(self, *, stale_after: float, leave_after: float) -> None:
        self._stale_after = stale_after
        self._leave_after = leave_after
        self.lasts = True
        self._returned_by = 0.0
        self._missing: set[Incident] = set()

    def note(self, now: float, heard_at: float | None, incidents: Iterable[Incident]) -> None:
        """`heard_at` is the time of the newest report; rooms of the open `incidents` have to come back."""
        before = self.lasts
        self.lasts = heard_at is None or now - heard_at >= self._stale_after
        if before and not self.lasts:
            self._returned_by = now + self._leave_after
            self._missing = {incident for incident in incidents if incident.key[1] is not None}

    def may_come_back(self, incident: Incident, now: float) -> bool:
        """Whether the incident's subject is absent since then, and has time left."""
        return incident in self._missing and now < self._returned_by

    def came_back(self, incident: Incident) -> None:
        self._missing.discard(incident)
