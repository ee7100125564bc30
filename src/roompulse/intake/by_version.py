"""What SDK authors need to know about their reports, by SDK version: rejections, and doubts about accepted ones."""

from collections import deque
from collections.abc import Iterable, Sequence
from itertools import chain, islice
from math import floor
from typing import NamedTuple

from msgspec import Struct

from roompulse.intake.refusals import WINDOW_MINUTES, Refusal, Refusals
from roompulse.intake.units import Units
from roompulse.report.model import Received, Report
from roompulse.rooms.rated_samples import CLOCK_TOLERANCE, LATE

MOST_VERSIONS = 100
"""SDK versions that are counted apart; further ones are counted together."""

SAMPLED_REPORTS = 30
"""Reports of a version in a minute whose units and clock are checked, so that busy SDKs cost no more than others."""

SAMPLED_STREAMS = 20
"""Streams of each of these reports that are checked."""

_FEW_LATE = 0.05
"""The share of late reports that is normal: devices that were offline, and clocks that are slow."""

MOST_SAME_IDS = 20
"""The newest users of a version under whose id two SDKs report."""

REMEMBERED = 50_000
"""Previous reports, at least, among which a duplicate is found."""


class Skew(Struct, frozen=True):
    """How far `report_time` is ahead of the server's clock at receipt, in seconds."""

    least: float
    median: float
    most: float


class SameId(NamedTuple):
    """A user under whose id two SDKs of these versions reported; `at` is when that was last seen (Unix seconds)."""

    room_id: str
    user_id: str
    sdk_versions: Sequence[str]
    at: float


class VersionHealth(Struct, frozen=True):
    """The reports of one SDK version in the window. `version` is empty if unknown, None for all further versions.

    `newest` is the time of receipt of the newest report, rejected or not (Unix seconds). `outside` are reports whose
    `report_time` is so far off that history places them at their receipt, `late` those that came LATE or more after it,
    and `late_by` is the age of the oldest of these (seconds).
    """

    version: str | None
    newest: float
    taken: int
    refused: int
    outside: int
    late: int
    late_by: float
    repeated: int
    milliseconds: bool
    skew: Skew | None
    questions: Sequence[str]
    same_ids: Sequence[SameId]
    refusals: Sequence[Refusal]

    @property
    def is_odd(self) -> bool:
        return bool(self.refusals or self.questions or self.same_ids or self.is_late)

    @property
    def is_late(self) -> bool:
        """Whether so many reports are late that single devices or moments do not explain it."""
        return self.late > _FEW_LATE * self.taken


class _Minute:
    """The accepted reports of one version in one minute."""

    __slots__ = ("late", "late_by", "least", "minute", "most", "outside", "repeated", "skews", "taken", "units")

    def __init__(self, minute: int) -> None:
        self.minute = minute
        self.taken = self.outside = self.late = self.repeated = 0
        self.late_by = 0.0
        self.least, self.most = float("inf"), float("-inf")
        self.skews: list[float] = []
        self.units = Units()

    def add(self, report: Report, at: float) -> None:
        self.taken += 1
        skew = report.report_time - at
        if skew < self.least:
            self.least = skew
        if skew > self.most:
            self.most = skew
        if not -CLOCK_TOLERANCE <= skew <= CLOCK_TOLERANCE:
            self.outside += 1
        elif skew <= -LATE:
            self.late += 1
            self.late_by = max(self.late_by, -skew)
        if self.taken <= SAMPLED_REPORTS:
            self.skews.append(skew)
            streams = chain.from_iterable(entry.streams for entry in report.metrics)
            self.units.add_streams(islice(streams, SAMPLED_STREAMS))


class _Version:
    __slots__ = ("milliseconds_at", "minutes", "newest", "refusals", "same_ids")

    def __init__(self) -> None:
        self.minutes: deque[_Minute] = deque()
        self.refusals = Refusals()
        self.same_ids: dict[tuple[str, str], SameId] = {}
        self.newest = 0.0
        self.milliseconds_at = float("-inf")

    def minute(self, now: float) -> _Minute:
        """The minute that contains `now`."""
        number = floor(now / 60)
        if not self.minutes or self.minutes[-1].minute != number:
            self.forget(number)
            self.minutes.append(_Minute(number))
        return self.minutes[-1]

    def note_same_id(self, same_id: SameId) -> None:
        """Keep the newest MOST_SAME_IDS of them."""
        key = same_id.room_id, same_id.user_id
        self.same_ids.pop(key, None)
        self.same_ids[key] = same_id
        if len(self.same_ids) > MOST_SAME_IDS:
            del self.same_ids[next(iter(self.same_ids))]

    def forget(self, number: int) -> None:
        while self.minutes and self.minutes[0].minute <= number - WINDOW_MINUTES:
            self.minutes.popleft()
        # The clock was set back: minutes in the future would stay until that time comes.
        while self.minutes and self.minutes[-1].minute > number:
            self.minutes.pop()

    def is_over(self, now: float) -> bool:
        return abs(now - self.newest) > 60 * WINDOW_MINUTES

    def health(self, version: str | None, now: float) -> VersionHealth:
        self.forget(floor(now / 60))
        units = Units()
        for minute in self.minutes:
            units.add(minute.units)
        refusals = self.refusals.found(now)
        return VersionHealth(
            version=version,
            newest=self.newest,
            taken=sum(minute.taken for minute in self.minutes),
            refused=sum(refusal.count for refusal in refusals),
            outside=sum(minute.outside for minute in self.minutes),
            late=sum(minute.late for minute in self.minutes),
            late_by=max((minute.late_by for minute in self.minutes), default=0.0),
            repeated=sum(minute.repeated for minute in self.minutes),
            milliseconds=abs(now - self.milliseconds_at) <= 60 * WINDOW_MINUTES,
            skew=_skew(self.minutes),
            questions=units.questions(),
            same_ids=[one for one in self.same_ids.values() if now - one.at <= 60 * WINDOW_MINUTES],
            refusals=refusals,
        )


def _skew(minutes: Iterable[_Minute]) -> Skew | None:
    skews = sorted(chain.from_iterable(minute.skews for minute in minutes))
    if not skews:
        return None
    least, most = min(minute.least for minute in minutes), max(minute.most for minute in minutes)
    return Skew(least, skews[(len(skews) - 1) // 2], most)


class HealthByVersion:
    """The reports of the last WINDOW_MINUTES by SDK version.

    New versions beyond the bound do not displace known ones: a sender that invents versions must not hide real ones.
    """

    def __init__(self) -> None:
        self._versions: dict[str, _Version] = {}
        self._further = _Version()
        self._repeats = _Repeats()

    def accepted(self, batch: Iterable[Received]) -> None:
        for received in batch:
            report, at = received.report, received.at
            minute = self._version(report.sdk_version, at).minute(at)
            minute.add(report, at)
            if self._repeats.seen(report):
                minute.repeated += 1

    def same_id(self, sdk_version: str, same_id: SameId) -> None:
        """Note that two SDKs report as one user, by a report of `sdk_version`."""
        self._version(sdk_version, same_id.at).note_same_id(same_id)

    def refused(
        self, sdk_version: str, status: int, message: str, now: float, count: int = 1, reason: str = ""
    ) -> None:
        """Count rejected reports; `sdk_version` is empty if unknown, `reason` if it follows from the message."""
        self._version(sdk_version, now).refusals.note(status, message, now, count, reason)

    def in_milliseconds(self, sdk_version: str, now: float) -> None:
        """Record that the `report_time` of a report was in milliseconds."""
        self._version(sdk_version, now).milliseconds_at = now

    def _version(self, sdk_version: str, now: float) -> _Version:
        version = self._versions.get(sdk_version)
        if version is None:
            if len(self._versions) >= MOST_VERSIONS:
                self._forget(now)
            full = len(self._versions) >= MOST_VERSIONS
            version = self._further if full else self._versions.setdefault(sdk_version, _Version())
        version.newest = now
        return version

    def _forget(self, now: float) -> None:
        self._versions = {name: version for name, version in self._versions.items() if not version.is_over(now)}

    def versions(self, now: float) -> list[VersionHealth]:
        """Versions with rejections or doubts first, then those with most reports."""
        self._forget(now)
        found = [version.health(name, now) for name, version in self._versions.items()]
        found.append(self._further.health(None, now))
        found = [health for health in found if health.taken or health.refused]
        return sorted(
            found, key=lambda health: (not health.is_odd, -health.refused, -health.taken, health.version or "")
        )


class _Repeats:
    """Remembers a hash of the last reports, between REMEMBERED and twice as many."""

    def __init__(self) -> None:
        self._new: set[int] = set()
        self._old: set[int] = set()

    def seen(self, report: Report) -> bool:
        """Whether a report of the same reporter, room and `report_time` is remembered; from now on it is."""
        key = hash((report.room_id, report.user_id, report.report_time))
        if key in self._new or key in self._old:
            return True
        self._new.add(key)
        if len(self._new) >= REMEMBERED:
            self._old, self._new = self._new, set()
        return False
