"""The findings of checks, and their subject."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Literal

from msgspec import Struct

from roompulse.settings import Settings

Level = Literal["ok", "warning", "error"]
"""With an error, the server does not start, or cannot keep its guarantees. A warning can wait for office hours."""


class Finding(Struct, frozen=True):
    level: Level
    text: str


class Subject(Struct, frozen=True):
    """The subject of checks at `now` (Unix seconds); `serving`: whether a server is running on the database `path`."""

    settings: Settings
    path: Path
    serving: bool
    now: float
    full: bool = False


Group = Callable[[Subject], Iterator[Finding]]
"""Checks that belong together. None of them changes anything."""


def ok(text: str) -> Finding:
    return Finding("ok", text)


def warning(text: str) -> Finding:
    return Finding("warning", text)


def error(text: str) -> Finding:
    return Finding("error", text)


def in_bytes(count: float) -> str:
    """A readable number of bytes: `830 kB`, `4.2 GB`."""
    unit = "B"
    for larger in ("kB", "MB", "GB", "TB"):
        if count < 1000:
            break
        count, unit = count / 1000, larger
    return f"{count:.0f} {unit}" if count >= 10 or unit == "B" else f"{count:.1f} {unit}"
