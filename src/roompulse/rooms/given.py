"""What reports give of a user as a whole: its device, connection, labels and name."""

from collections.abc import Iterator
from typing import Any, cast

from roompulse.report.model import Connection, Device, Entry


class Given:
    """The newest of each, when it came, and whether from the user itself: others do not replace what that gave."""

    __slots__ = ("_values",)

    def __init__(self) -> None:
        # Most users give none.
        self._values: dict[str, tuple[Any, float, bool]] | None = None

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

    def _get(self, name: str) -> Any:
        return self._values[name][0] if self._values and name in self._values else None

    def times(self) -> Iterator[float]:
        return (at for _, at, _ in self._values.values()) if self._values else iter(())

    def give(self, name: str, value: Any, now: float, *, by_itself: bool) -> None:
        """Keep a value, unless it is empty."""
        if not value:
            return
        if self._values is None:
            self._values = {}
        if by_itself or not self._values.get(name, (None, 0.0, False))[2]:
            self._values[name] = (value, now, by_itself)

    def give_entry(self, entry: Entry, now: float, *, by_itself: bool) -> None:
        for name in ("device", "user_name", "connection"):
            self.give(name, getattr(entry, name), now, by_itself=by_itself)

    def shift(self, seconds: float) -> None:
        if self._values:
            self._values = {name: (value, at + seconds, own) for name, (value, at, own) in self._values.items()}

    def forget(self, now: float, leave_after: float) -> bool:
        """Drop what was not given for `leave_after` seconds; whether there was any."""
        values = self._values or {}
        lost = [name for name, (_, at, _) in values.items() if at + leave_after <= now]
        for name in lost:
            del values[name]
        return bool(lost)
