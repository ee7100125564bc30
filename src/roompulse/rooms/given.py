"""What reports say of a user now and then: device, connection, labels and name. The newest of each holds."""

from collections.abc import Iterable
from typing import Any


class Given:
    """Values with the times at which they were given (Unix seconds). Most users give none."""

    __slots__ = ("_values",)

    def __init__(self) -> None:
        self._values: dict[str, tuple[Any, float]] | None = None

    def put(self, name: str, value: Any, now: float) -> None:
        if self._values is None:
            self._values = {}
        self._values[name] = (value, now)

    def last(self, name: str) -> Any:
        """The newest value of this name, or None."""
        return self._values[name][0] if self._values and name in self._values else None

    def times(self) -> Iterable[float]:
        return (at for _, at in self._values.values()) if self._values else ()

    def set_back(self, now: float) -> None:
        """Date nothing later than `now`."""
        if self._values:
            self._values = {name: (value, min(at, now)) for name, (value, at) in self._values.items()}

    def forget(self, until: float) -> bool:
        """Drop what was given at `until` or before; whether there was any."""
        old = [name for name, (_, at) in self._values.items() if at <= until] if self._values else []
        for name in old:
            del self._values[name]  # type: ignore[union-attr]
        return bool(old)
