"""Silences, indexed by the fields that they name: an alert's are found without a scan."""

from collections.abc import Iterable

from roompulse.alerts.incident import Key
from roompulse.alerts.model import Silence


class Silences:
    def __init__(self, silences: Iterable[Silence] = ()) -> None:
        self._until: dict[tuple[str | None, ...], float] = {}
        for one in silences:
            named = one.rule_id, one.room_id, one.user_id
            self._until[named] = max(one.until, self._until.get(named, 0.0))
        # Which fields are named: nearly always those of one silence or two, of eight possible ones.
        self._shapes = {tuple(part is not None for part in named) for named in self._until}

    def until(self, key: Key, now: float) -> float | None:
        """When the last silence of an incident ends (Unix seconds); None where none applies now."""
        rule_id, room_id, user_id = key
        found = 0.0
        for of_rule, of_room, of_user in self._shapes:
            named = rule_id if of_rule else None, room_id if of_room else None, user_id if of_user else None
            found = max(found, self._until.get(named, 0.0))
        return found if found > now else None
