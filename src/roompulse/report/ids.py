"""The rules for ids of users, rooms and streams, and for other texts."""

import re
import unicodedata
from collections.abc import Mapping

MAX_ID_LENGTH = 128
"""Characters (code points)."""

_FORBIDDEN_IN_IDS = {"Cc": "control", "Cf": "format", "Cs": "surrogate"}
_FORBIDDEN_IN_TEXTS = {"Cc": "control"}
_LABEL_KEY = re.compile("[a-z][a-z0-9_]{0,31}")


def id_fault(value: str) -> str | None:
    """Say why `value` is no id, or None if it is one.

    An id is 1-128 characters of any script, spaces and `/` included, without control or format characters,
    without a blank at either end, and neither `.` nor `..`, which URLs would swallow.
    """
    if not 1 <= len(value) <= MAX_ID_LENGTH:
        return f"must have 1 to {MAX_ID_LENGTH} characters, has {len(value)}"
    if value in {".", ".."}:
        return "must not be '.' or '..'"
    if fault := _forbidden_character(value, _FORBIDDEN_IN_IDS):
        return fault
    if value != value.strip():
        return "must not begin or end with a blank"
    return None


def text_fault(value: str) -> str | None:
    """Say why `value` is no text of an SDK, such as its version: it has control characters, which nobody could read."""
    return _forbidden_character(value, _FORBIDDEN_IN_TEXTS)


def label_fault(key: str) -> str | None:
    """Say why `key` is no key of a label, or None if it is one: `[a-z][a-z0-9_]{0,31}`."""
    return None if _LABEL_KEY.fullmatch(key) else "keys of labels are a-z, 0-9 and _, and begin with a letter"


def _forbidden_character(value: str, forbidden: Mapping[str, str]) -> str | None:
    if value.isprintable():
        return None
    for position, character in enumerate(value):
        if kind := forbidden.get(unicodedata.category(character)):
            return f"must not contain {kind} characters (U+{ord(character):04X} at {position})"
    return None
