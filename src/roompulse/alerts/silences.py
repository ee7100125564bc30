"""Silences, indexed by the fields that they name: an alert's are found without a scan."""

from collections.abc import Iterable
from itertools import product

from roompulse.alerts.incident import Key
from roompulse.alerts.model import Silence


class Silences:
    def __init__(self, silences: Iterable[Silence] = ()) -> None:
        self._until: dict[tuple[str | None, ...], float] = {}
        for one in silences:
            named = one.rule_id, one.room_id, one.user_id
            self._until[named] = max(one.until, self._until.get(named, 0.0))

    def until(self, key: Key, now: float) -> float | None:
        """When the last silence of an incident ends (Unix seconds); None where none applies now."""
        found = max(self._until.get(named, 0.0) for named in product(*((None, part) for part in key)))
        return found if found > now else None
