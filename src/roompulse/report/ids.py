"""The rule for ids of users, rooms and streams."""

import unicodedata

MAX_ID_LENGTH = 128
"""Characters (code points)."""

_FORBIDDEN_CATEGORIES = {"Cc": "control", "Cf": "format", "Cs": "surrogate"}


def id_fault(value: str) -> str | None:
    """Say why `value` is no id, or None if it is one.

    An id is 1-128 characters of any script, spaces and `/` included, without control or format characters,
    without a blank at either end, and neither `.` nor `..`, which URLs would swallow.
    """
    if not 1 <= len(value) <= MAX_ID_LENGTH:
        return f"must have 1 to {MAX_ID_LENGTH} characters, has {len(value)}"
    if value in {".", ".."}:
        return "must not be '.' or '..'"
    if not value.isprintable() and (fault := _forbidden_character(value)):
        return fault
    if value != value.strip():
        return "must not begin or end with a blank"
    return None


def _forbidden_character(value: str) -> str | None:
    for position, character in enumerate(value):
        if kind := _FORBIDDEN_CATEGORIES.get(unicodedata.category(character)):
            return f"must not contain {kind} characters (U+{ord(character):04X} at {position})"
    return None
