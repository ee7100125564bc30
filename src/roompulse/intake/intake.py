"""The one place that hears of every report: how many come in, what becomes of them, and what is odd about them."""

from collections.abc import Sequence
from math import floor

from roompulse.clock import Clock
from roompulse.errors import Problem
from roompulse.intake.by_version import HealthByVersion, SameId, VersionHealth
from roompulse.intake.refusals import sdk_version_of
from roompulse.intake.window import SlidingCount
from roompulse.meters import Meters
from roompulse.report.decode import Largest, decode_as_sent, in_seconds, is_in_milliseconds
from roompulse.report.model import Received, Report
from roompulse.rooms.contract import LiveRooms

RATE_WINDOW = 10
"""Seconds over which the rate is taken."""


class Intake:
    """`newest` is the receipt of the newest report (Unix seconds)."""

    def __init__(self, meters: Meters, clock: Clock) -> None:
        self.newest: float | None = None
        self._meters = meters
        self._clock = clock
        self._shown = SlidingCount(1, RATE_WINDOW)
        self._health = HealthByVersion()
        self._refused = 0

    def decode(self, body: bytes, largest: Largest) -> Report:
        """`decode_report`, which remembers whose `report_time` is in milliseconds. Raises what that raises."""
        report = decode_as_sent(body, largest)
        if not is_in_milliseconds(report):
            return report
        self._health.tells_milliseconds(report.sdk_version, self._clock())
        return in_seconds(report)

    def acknowledged(self, body: bytes) -> None:
        """Note the body of a report that is saved."""
        self._meters.bytes.inc(len(body))

    def took(self, batch: Sequence[Received], rooms: LiveRooms) -> None:
        """Note reports that are committed, and shown in these rooms from now on."""
        self.newest = batch[-1].at
        self._shown.note(len(batch), self._clock())
        self._health.took(batch)
        for received in batch:
            self._note_same_id(received, rooms)
        self._meters.accepted.inc(len(batch))
        self._meters.samples.inc(sum(len(entry.streams) for received in batch for entry in received.report.metrics))

    def _note_same_id(self, received: Received, rooms: LiveRooms) -> None:
        report = received.report
        room = rooms.get(report.room_id)
        user = room.user(report.user_id) if room else None
        if user and (found := user.two_sdks) and found.at == received.at:
            same_id = SameId(report.room_id, report.user_id, found.sdk_versions, found.at)
            self._health.same_id(report.sdk_version, same_id)

    def refused(self, problem: Problem, body: bytes) -> None:
        """Note a report that was refused; the body is what is known of it, and may be anything."""
        self._refused += 1
        self._health.refused(sdk_version_of(body), problem.status, problem.message, self._clock())
        self._meters.refused[problem.reason].inc()

    def left(self) -> None:
        """Note a sender who left before its report was whole."""
        self._meters.left.inc()

    def rate(self, now: float) -> float:
        """Reports per second."""
        return self._shown.total(now) / RATE_WINDOW

    def version(self, now: float) -> tuple[float, int, int]:
        """Differs whenever what pages of all rooms show of this may have changed without a report being shown."""
        return self.rate(now), self._refused, floor(now / 60)

    def health(self) -> list[VersionHealth]:
        return self._health.versions(self._clock())
