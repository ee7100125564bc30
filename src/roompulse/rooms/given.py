"""What reports say about a user as a whole: its device, connection, labels and name."""

from collections.abc import Iterator
from math import inf
from operator import attrgetter
from typing import Any, NamedTuple, cast

from roompulse.report.model import Connection, Device, Entry

_NETWORK = {"device": attrgetter("network_type"), "connection": attrgetter("candidate_type", "protocol")}
"""The values whose change is an event."""


class _Value(NamedTuple):
    """The last value and its time, whether the user itself sent it, and since when its part in `_NETWORK` is so."""

    value: Any
    at: float
    by_itself: bool
    since: float


class Given:
    """The newest of each: values from others do not replace the user's own."""

    __slots__ = ("_values",)

    def __init__(self) -> None:
        # Most users send none.
        self._values: dict[str, _Value] | None = None

    @property
    def is_empty(self) -> bool:
        return not self._values

    @property
    def user_name(self) -> str | None:
        return cast("str | None", self._get("user_name"))

    @property
    def device(self) -> Device | None:
        return cast("Device | None", self._get("device"))

    @property
    def connection(self) -> Connection | None:
        return cast("Connection | None", self._get("connection"))

    @property
    def labels(self) -> dict[str, str] | None:
        return cast("dict[str, str] | None", self._get("labels"))

    @property
    def network_since(self) -> float:
        """Since when the device has had its type of network; -inf without a device."""
        return self._since("device")

    @property
    def way_since(self) -> float:
        """Since when media has used the connection's path; -inf without a connection."""
        return self._since("connection")

    def _get(self, name: str) -> Any:
        return self._values[name].value if self._values and name in self._values else None

    def _since(self, name: str) -> float:
        return self._values[name].since if self._values and name in self._values else -inf

    def times(self) -> Iterator[float]:
        return (one.at for one in self._values.values()) if self._values else iter(())

    def give(self, name: str, value: Any, now: float, *, by_itself: bool) -> None:
        """Keep a value, unless it is empty."""
        if not value:
            return
        if self._values is None:
            self._values = {}
        before = self._values.get(name)
        if by_itself or before is None or not before.by_itself:
            part = _NETWORK.get(name)
            same = before is not None and part is not None and part(value) == part(before.value)
            self._values[name] = _Value(value, now, by_itself, before.since if before and same else now)

    def give_entry(self, entry: Entry, now: float, *, by_itself: bool) -> None:
        for name in ("device", "user_name", "connection"):
            self.give(name, getattr(entry, name), now, by_itself=by_itself)

    def shift(self, seconds: float) -> None:
        if self._values:
            self._values = {
                name: one._replace(at=one.at + seconds, since=one.since + seconds) for name, one in self._values.items()
            }

    def forget(self, now: float, leave_after: float) -> bool:
        """Drop values not reported for `leave_after` seconds; returns whether there were any."""
        values = self._values or {}
        lost = [name for name, one in values.items() if one.at + leave_after <= now]
        for name in lost:
            del values[name]
        return bool(lost)
