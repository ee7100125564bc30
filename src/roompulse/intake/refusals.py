"""Why reports are rejected, by reason and SDK version."""

import re

import msgspec
from msgspec import Struct

from roompulse.intake.window import SlidingCount
from roompulse.printable import printable

WINDOW_MINUTES = 15
MOST_REASONS = 20
"""Reasons that are counted apart for one SDK version; further ones are counted together."""

FURTHER_REASONS = "further reasons"

_WHOLE = 65_536
"""Bytes: a rejected body up to this size is decoded again to find its SDK version, of a longer one the beginning."""

_BEGINNING = 4_096
_VERSION = re.compile(rb'"sdk_version"\s*:\s*("(?:[^"\\]|\\.){1,400}")')

_VARYING = re.compile(r"\[\d+\]|'.*'|(?<=byte )\d+|(?<=has )\d+|U\+[0-9A-F]+ at \d+")
"""The parts of a message that differ between reports rejected for the same reason."""


class _Sender(Struct):
    sdk_version: str = ""


_sender_decoder = msgspec.json.Decoder(_Sender)
_text_decoder = msgspec.json.Decoder(str)


def sdk_version_of(body: bytes) -> str:
    """The `sdk_version` in a rejected body, however malformed it is; empty if there is none."""
    try:
        if len(body) <= _WHOLE:
            return _sender_decoder.decode(body).sdk_version
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        pass
    found = _VERSION.search(body[:_BEGINNING])
    try:
        return _text_decoder.decode(found[1]) if found else ""
    except (msgspec.DecodeError, UnicodeDecodeError):
        return ""


def reason_of(message: str) -> str:
    """The message without parts of this report alone: `$.metrics[3].user_id: …` becomes `$.metrics[].user_id: …`."""
    return printable(_VARYING.sub(_blank, message))


def _blank(varying: re.Match[str]) -> str:
    return "[]" if varying[0].startswith("[") else "…"


class Refusal(Struct, frozen=True):
    """One reason: HTTP status, count in the window, time of the last one (Unix seconds), and its full message."""

    status: int
    reason: str
    count: int
    last: float
    example: str


class _Counted:
    __slots__ = ("count", "example", "last")

    def __init__(self) -> None:
        self.count = SlidingCount(60, WINDOW_MINUTES)
        self.last = 0.0
        self.example = ""


class Refusals:
    """The rejected reports of one SDK version.

    New reasons beyond the bound do not displace known ones: a sender that invents reasons must not hide the others.
    """

    __slots__ = ("_reasons",)

    def __init__(self) -> None:
        self._reasons: dict[tuple[int, str], _Counted] = {}

    def note(self, status: int, message: str, now: float, count: int = 1, reason: str = "") -> None:
        """Without a `reason`, it is taken from the message."""
        key = (status, reason or reason_of(message))
        if key not in self._reasons and len(self._reasons) >= MOST_REASONS:
            self._forget(now)
            if len(self._reasons) >= MOST_REASONS:
                key = (0, FURTHER_REASONS)
        counted = self._reasons.setdefault(key, _Counted())
        counted.count.note(count, now)
        counted.last = now
        counted.example = printable(message)

    def _forget(self, now: float) -> None:
        self._reasons = {key: counted for key, counted in self._reasons.items() if counted.count.total(now)}

    def found(self, now: float) -> list[Refusal]:
        """Most frequent reasons first."""
        self._forget(now)
        all_of_them = (
            Refusal(status, reason, counted.count.total(now), counted.last, counted.example)
            for (status, reason), counted in self._reasons.items()
        )
        return sorted(all_of_them, key=lambda refusal: (-refusal.count, refusal.reason))
