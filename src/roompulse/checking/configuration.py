"""Settings: invalid, unknown, or contradicting each other."""

from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from typing import Any

from roompulse.checking.finding import Finding, Subject, error, ok, warning
from roompulse.errors import StartupError
from roompulse.quality import FRAME_RATE_WINDOW
from roompulse.settings import PREFIX, Settings, load_settings, unknown_names


def read(environment: Mapping[str, str], flags: Mapping[str, Any]) -> tuple[Settings, list[Finding]]:
    """The settings, with defaults for invalid ones, and a finding for each of these."""
    names = {f"{PREFIX}{name.upper()}": name for name in Settings.__struct_fields__}
    good, findings = {}, []
    for variable, name in names.items():
        given = {variable: environment[variable]} if variable in environment else {}
        try:
            good[name] = getattr(load_settings(given, {name: flags.get(name)}), name)
        except StartupError as problem:
            findings.append(error(str(problem)))
    for name in unknown_names(environment):
        meant = get_close_matches(name, names, 1)
        findings.append(
            warning(f"{name} is set, but there is no such setting{f'; did you mean {meant[0]}?' if meant else ''}")
        )
    return Settings(**good), findings or [ok("settings: all known and valid")]


def contradictions(subject: Subject) -> Iterator[Finding]:
    settings = subject.settings
    found = [warning(text) for text in _below(settings)]
    if settings.sample_retention < settings.leave_after + FRAME_RATE_WINDOW:
        found.append(
            warning(f"SAMPLE_RETENTION is below LEAVE_AFTER + {FRAME_RATE_WINDOW:g} s: a restart changes live rooms")
        )
    if settings.synchronous == "NORMAL":
        found.append(warning("SYNCHRONOUS is NORMAL: a power loss loses reports acknowledged just before"))
    yield from found or [ok("settings are consistent")]


_PAIRS = (
    ("leave_after", "stale_after", "users leave before they are shown as stale"),
    ("stale_after", "push_interval", "pages show users as stale too late"),
    ("leave_after", "snapshot_interval", "short calls have no history"),
    ("snapshot_retention", "sample_retention", "charts of rooms end before those of their users"),
    ("session_lifetime", "session_idle", "the latter has no effect"),
    ("max_viewers", "max_address_viewers", "the latter has no effect"),
)
"""Pairs of settings whose first must not be below the second, and the consequence if it is."""


def _below(settings: Settings) -> Iterator[str]:
    for high, low, consequence in _PAIRS:
        values = getattr(settings, high), getattr(settings, low)
        if values[0] < values[1]:
            yield f"{high.upper()} ({values[0]:g}) is below {low.upper()} ({values[1]:g}): {consequence}"
