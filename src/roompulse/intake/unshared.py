"""What the intake of a process notices that is not in the log, for other processes."""

from collections.abc import Mapping, Sequence

from msgspec import Struct
from msgspec.structs import replace

from roompulse.bounded import BoundedMap

MOST_AT_ONCE = 1_000
"""Different rejections, and versions, in one message: the last repeated ones, as senders can invent any number."""


class Rejected(Struct, frozen=True, array_like=True):
    """Reports of one SDK version, rejected for one reason; `at` is the time of the last one (Unix seconds).

    `message` is that of the last one, cut, so that the reason does not follow from it.
    """

    sdk_version: str
    status: int
    message: str
    count: int
    at: float
    reason: str


class Noticed(Struct, frozen=True, array_like=True):
    """What was rejected, and the SDK versions that send milliseconds, with the time of their last report."""

    rejected: Sequence[Rejected]
    in_milliseconds: Mapping[str, float]


class Unshared:
    def __init__(self) -> None:
        self._start()

    def _start(self) -> None:
        self._rejected: BoundedMap[tuple[str, int, str], Rejected] = BoundedMap(MOST_AT_ONCE)
        self._in_milliseconds: BoundedMap[str, float] = BoundedMap(MOST_AT_ONCE)

    def rejected(self, one: Rejected) -> None:
        key = one.sdk_version, one.status, one.reason
        before = self._rejected.get(key)
        self._rejected.put(key, replace(one, count=one.count + (before.count if before else 0)))

    def in_milliseconds(self, sdk_version: str, at: float) -> None:
        self._in_milliseconds.put(sdk_version, at)

    def take(self) -> Noticed | None:
        """What was noticed since the last call; None if nothing was."""
        rejected = [one for key in self._rejected if (one := self._rejected.peek(key))]
        in_milliseconds = {key: at for key in self._in_milliseconds if (at := self._in_milliseconds.peek(key))}
        self._start()
        return Noticed(rejected, in_milliseconds) if rejected or in_milliseconds else None
