"""Two SDKs that report under one id: their figures replace each other, so that neither is shown correctly.

What is detected, within WINDOW seconds:

- reports that change from one SDK version or device (type, os, browser) to another and back. An update, or a user who
  moves to another device, changes once and not back.
- reports whose `report_time` alternates between two steady sequences: two tabs of one browser, of the same interval
  but not at the same moment, or two devices whose clocks differ. Where no time goes back, both must be about a common
  stream, as one SDK may post parts of its figures in turn.

What is not: two of the same version and device that report within one second of each other, or just half of their
interval apart; two whose intervals differ; a second one that reported fewer than ALTERNATIONS times. One SDK that sends
reports of an outage between newer ones, at a steady pace, is taken for two: queued reports must be sent in order.
"""

from collections.abc import Sequence
from typing import NamedTuple

from roompulse.report.model import Device, Entry, Report, Stream

WINDOW = 60.0
"""Seconds within which a change back counts, and for which what was detected holds."""

ALTERNATIONS = 5
"""Reports in a row that fit two sequences and not one: more than by chance."""

_STEADY, _APART = 1, 2
"""Seconds that steady gaps may differ by, as times are whole seconds; and that different gaps differ by at least."""


class TwoSdks(NamedTuple):
    """Time of the newest report that shows two SDKs (Unix seconds), and their versions: one if they are equal."""

    at: float
    sdk_versions: tuple[str, ...]


Identity = tuple[str | None, ...]
"""Type, operating system and browser of a device."""


class _Source(NamedTuple):
    sdk_version: str
    device: Identity | None
    at: float


class Sources:
    """The reports of one reporter, as far as needed to detect two SDKs."""

    __slots__ = ("_alternations", "_at", "_before", "_device", "_gaps", "_sdk_version", "_streams", "_time", "found")

    def __init__(self) -> None:
        self.found: TwoSdks | None = None
        # The SDK of the newest report; its device is None where none of its reports named one.
        self._sdk_version = ""
        self._device: Identity | None = None
        self._at = 0.0
        self._before: _Source | None = None
        self._time = 0
        self._gaps = (0, 0)
        self._alternations = 0
        self._streams: Sequence[Stream] = ()

    def note(self, report: Report, now: float) -> None:
        own = _own_entry(report)
        device = _identity(own.device) if own and own.device else None
        version = report.sdk_version
        if device is None and version == self._sdk_version:
            pass  # as nearly always
        elif not _is_same(version, device, self._sdk_version, self._device):
            before = self._before
            if before and now - before.at < WINDOW and _is_same(version, device, before.sdk_version, before.device):
                self.found = TwoSdks(now, tuple(sorted({version, self._sdk_version})))
            self._before = _Source(self._sdk_version, self._device, self._at) if self._sdk_version else None
            self._sdk_version, self._device = version, device
        else:
            self._device = device or self._device
        self._at = now
        if report.report_time != self._time:  # else it is a report that is sent again
            self._note_time(report, own.streams if own else (), now)

    def shift(self, seconds: float) -> None:
        """Shift all times of receipt by so much, since the clock was set."""
        self._at += seconds
        if self.found:
            self.found = self.found._replace(at=self.found.at + seconds)
        if self._before:
            self._before = self._before._replace(at=self._before.at + seconds)

    def _note_time(self, report: Report, streams: Sequence[Stream], now: float) -> None:
        gap = report.report_time - self._time
        before, last = self._gaps
        if abs(gap - last) >= _APART and abs(gap - before) <= _STEADY:
            self._alternations += 1
            if self._alternations >= ALTERNATIONS and (min(gap, last) < 0 or _overlap(streams, self._streams)):
                self.found = TwoSdks(now, (report.sdk_version,))
        else:
            self._alternations = 0
        self._time, self._gaps, self._streams = report.report_time, (last, gap), streams


def _is_same(version: str, device: Identity | None, other_version: str, other_device: Identity | None) -> bool:
    return version == other_version and (device is None or other_device is None or device == other_device)


def _own_entry(report: Report) -> Entry | None:
    user_id = report.user_id
    for entry in report.metrics:
        if entry.user_id == user_id:
            return entry
    return None


def _identity(device: Device) -> Identity:
    # Not its network, which changes while a call lasts.
    return device.type, device.os, device.browser


def _overlap(streams: Sequence[Stream], others: Sequence[Stream]) -> bool:
    keys = {(stream.stream_id, stream.direction) for stream in others}
    return any((stream.stream_id, stream.direction) in keys for stream in streams)
