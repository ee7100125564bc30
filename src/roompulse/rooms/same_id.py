"""Two SDKs that report under one id: their figures replace each other, so that neither is shown as it is.

What is detected, within WINDOW seconds:

- reports that change from one SDK version or device (type, os, browser) to another and back. An update, or a user who
  moves to another device, changes once and not back.
- reports whose `report_time` alternates between two steady sequences: two tabs of one browser, of the same interval
  but not at the same moment, or two devices whose clocks differ. Where no time goes back, both must be about a common
  stream, as one SDK may post parts of its figures by turns.

What is not: two of the same version and device that report within one second of each other, or just half of their
interval apart; two whose intervals differ; a second one that reported fewer than ALTERNATIONS times. One SDK that sends
reports of an outage between newer ones, at a steady pace, is taken for two: kept reports are to be sent in their order.
"""

from collections.abc import Sequence
from typing import NamedTuple

from roompulse.report.model import Device, Entry, Report, Stream

WINDOW = 60.0
"""Seconds within which a change back counts, and for which what was detected holds."""

ALTERNATIONS = 5
"""Reports in a row that fit two sequences and not one. Chance does not come that far."""

_STEADY, _APART = 1, 2
"""Seconds that steady gaps may differ by, as times are whole seconds; and that different gaps differ by at least."""


class TwoSdks(NamedTuple):
    """When the newest report was that told two SDKs apart (Unix seconds), and their versions: one if it is the same."""

    at: float
    sdk_versions: tuple[str, ...]


class _Source(NamedTuple):
    sdk_version: str
    device: tuple[str | None, ...] | None
    at: float

    def is_of(self, other: "_Source") -> bool:
        is_other_device = self.device and other.device and self.device != other.device
        return self.sdk_version == other.sdk_version and not is_other_device


class Sources:
    """The reports of one reporter, as far as they tell two SDKs apart."""

    __slots__ = ("_alternations", "_before", "_gaps", "_newest", "_streams", "_time", "found")

    def __init__(self) -> None:
        self.found: TwoSdks | None = None
        self._newest: _Source | None = None
        self._before: _Source | None = None
        self._time = 0
        self._gaps = (0, 0)
        self._alternations = 0
        self._streams: Sequence[Stream] = ()

    def note(self, report: Report, now: float) -> None:
        own = _own_entry(report)
        device = _identity(own.device) if own and own.device else None
        source = _Source(report.sdk_version, device, now)
        newest = self._newest
        if newest is None or source.is_of(newest):
            self._newest = source if device or newest is None else _Source(source.sdk_version, newest.device, now)
        else:
            if self._before and now - self._before.at < WINDOW and source.is_of(self._before):
                self.found = TwoSdks(now, tuple(sorted({source.sdk_version, newest.sdk_version})))
            self._before, self._newest = newest, source
        self._note_time(report, own.streams if own else (), now)

    def _note_time(self, report: Report, streams: Sequence[Stream], now: float) -> None:
        gap = report.report_time - self._time
        if gap == 0:  # a report that is sent again
            return
        before, last = self._gaps
        fits = abs(gap - before) <= _STEADY and abs(gap - last) >= _APART
        self._alternations = self._alternations + 1 if fits else 0
        if self._alternations >= ALTERNATIONS and (min(gap, last) < 0 or _overlap(streams, self._streams)):
            self.found = TwoSdks(now, (report.sdk_version,))
        self._time, self._gaps, self._streams = report.report_time, (last, gap), streams


def _own_entry(report: Report) -> Entry | None:
    for entry in report.metrics:
        if entry.user_id == report.user_id:
            return entry
    return None


def _identity(device: Device) -> tuple[str | None, ...]:
    # Not its network, which changes while a call lasts.
    return device.type, device.os, device.browser


def _overlap(streams: Sequence[Stream], others: Sequence[Stream]) -> bool:
    keys = {(stream.stream_id, stream.direction) for stream in others}
    return any((stream.stream_id, stream.direction) in keys for stream in streams)
