"""The one place that sees every report: how many arrive, their outcome, and what looks wrong in them."""

from collections.abc import Sequence
from math import floor

from msgspec.structs import replace

from roompulse.clock import Clock
from roompulse.errors import Problem
from roompulse.intake.by_version import HealthByVersion, SameId, VersionHealth
from roompulse.intake.outcomes import Outcomes
from roompulse.intake.refusals import reason_of, sdk_version_of
from roompulse.intake.unshared import Noticed, Rejected, Unshared
from roompulse.intake.window import SlidingCount
from roompulse.meters import Meters
from roompulse.printable import printable
from roompulse.report.decode import Largest, decode_as_sent, in_seconds, is_in_milliseconds
from roompulse.report.model import Received, Report
from roompulse.rooms.contract import LiveRooms

RATE_WINDOW = 10
"""Seconds over which the rate is averaged."""


class Intake:
    """`newest` is the time of receipt of the newest report (Unix seconds)."""

    def __init__(self, meters: Meters, clock: Clock) -> None:
        self.unshared: Unshared | None = None
        """What to publish to other processes, where there are others."""
        self.newest: float | None = None
        self._meters = meters
        self._clock = clock
        self._shown = SlidingCount(1, RATE_WINDOW)
        self._health = HealthByVersion()
        self._outcomes = Outcomes()
        self._refused = 0

    def decode(self, body: bytes, largest: Largest) -> Report:
        """`decode_report`, which also records the versions of SDKs that send milliseconds. Raises the same errors."""
        report = decode_as_sent(body, largest)
        if not is_in_milliseconds(report):
            return report
        now = self._clock()
        self._health.in_milliseconds(report.sdk_version, now)
        if self.unshared:
            self.unshared.in_milliseconds(report.sdk_version, now)
        return in_seconds(report)

    def acknowledged(self, body: bytes) -> None:
        """Count the body of a saved report."""
        self._meters.bytes.inc(len(body))

    def saved(self, reports: Sequence[Report], *, complete: int) -> None:
        """Count reports, or parts of them, that were posted here and are committed, with which `complete` are saved."""
        self._meters.accepted.inc(complete)
        self._meters.samples.inc(sum(len(entry.streams) for report in reports for entry in report.metrics))

    def accepted(self, batch: Sequence[Received], rooms: LiveRooms) -> None:
        """Note reports, posted to any process, that are committed and shown in these rooms."""
        self.newest = batch[-1].at
        now = self._clock()
        reports = [one for one in batch if not one.continues]
        self._shown.note(len(reports), now)
        self._outcomes.accepted(reports, now)
        self._health.accepted(reports)
        for received in reports:
            self._note_same_id(received, rooms)

    def _note_same_id(self, received: Received, rooms: LiveRooms) -> None:
        report = received.report
        room = rooms.get(report.room_id)
        user = room.user(report.user_id) if room else None
        if user and (found := user.two_sdks) and found.at == received.at:
            same_id = SameId(report.room_id, report.user_id, found.sdk_versions, found.at)
            self._health.same_id(report.sdk_version, same_id)

    def refused(self, problem: Problem, body: bytes) -> None:
        """Count a rejected report; the body is the part that was received, in any form."""
        message, reason = printable(problem.message), reason_of(problem.message)
        one = Rejected(sdk_version_of(body), problem.status, message, 1, self._clock(), reason)
        self._note(one)
        if self.unshared:
            self.unshared.rejected(one)
        self._meters.refused[problem.reason].inc()

    def noticed_elsewhere(self, noticed: Noticed) -> None:
        """Count what another process rejected lately, or before a start; oldest first."""
        now = self._clock()
        for one in noticed.rejected:
            self._note(replace(one, at=min(one.at, now)))
        for version, at in noticed.in_milliseconds.items():
            self._health.in_milliseconds(version, min(at, now))

    def _note(self, one: Rejected) -> None:
        self._refused += one.count
        self._outcomes.refused(one.sdk_version, one.at, one.count)
        self._health.refused(one.sdk_version, one.status, one.message, one.at, one.count, one.reason)

    def left(self) -> None:
        """Count a sender that disconnected before its report was complete."""
        self._meters.left.inc()

    def clock_was_set(self, jump: float) -> None:
        """Keep the age of the newest report; counts of the minutes before a jump are lost."""
        if self.newest is not None:
            self.newest += jump

    def rate(self, now: float) -> float:
        """Reports per second."""
        return self._shown.total(now) / RATE_WINDOW

    def refused_shares(self, now: float) -> dict[str, float]:
        """Percent of the last minute's reports that were rejected, by SDK version, for versions with enough reports."""
        return self._outcomes.refused_shares(now)

    def version(self, now: float) -> tuple[float, int, int]:
        """Changes whenever the pages of all rooms may show another intake although no report was shown."""
        return self.rate(now), self._refused, floor(now / 60)

    def health(self) -> list[VersionHealth]:
        return self._health.versions(self._clock())
