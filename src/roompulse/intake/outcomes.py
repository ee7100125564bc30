"""The share of rejected reports of each SDK version in the last minute."""

from collections import Counter
from collections.abc import Iterable

from roompulse.bounded import BoundedMap
from roompulse.intake.window import SlidingCount
from roompulse.report.model import Received

MOST_VERSIONS = 100
ENOUGH = 10
"""Reports in the window that are needed for a share."""

_WIDTH, _SLOTS = 10, 6


class Outcomes:
    def __init__(self) -> None:
        self._versions: BoundedMap[str, tuple[SlidingCount, SlidingCount]] = BoundedMap(MOST_VERSIONS)

    def accepted(self, batch: Iterable[Received], now: float) -> None:
        for version, count in Counter(received.report.sdk_version for received in batch).items():
            self._counts(version)[0].note(count, now)

    def refused(self, version: str, now: float, count: int = 1) -> None:
        self._counts(version)[1].note(count, now)

    def _counts(self, version: str) -> tuple[SlidingCount, SlidingCount]:
        counts = self._versions.get(version)
        if counts is None:
            counts = SlidingCount(_WIDTH, _SLOTS), SlidingCount(_WIDTH, _SLOTS)
            self._versions.put(version, counts)
        return counts

    def refused_shares(self, now: float) -> dict[str, float]:
        """Percent by version, for versions with ENOUGH reports; the version is empty where it is not known."""
        shares = {}
        for version in self._versions:
            counts = self._versions.peek(version)
            if counts and (total := sum(one.total(now) for one in counts)) >= ENOUGH:
                shares[version] = 100 * counts[1].total(now) / total
        return shares
