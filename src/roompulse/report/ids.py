"""The rules for ids of users, rooms and streams, and for other texts."""

import unicodedata
from collections.abc import Mapping

MAX_ID_LENGTH = 128
"""Characters (code points)."""

JOINERS = "\u200c\u200d"
"""Format characters that words of Persian and Malayalam and many emoji are spelled with."""

_FORBIDDEN_IN_IDS = {
    "Cc": "control",
    "Cf": "format",
    "Cs": "surrogate",
    "Zl": "line separator",
    "Zp": "paragraph separator",
}
_FORBIDDEN_IN_TEXTS = {"Cc": "control"}


def id_fault(value: str) -> str | None:
    """Why `value` is not an id, or None if it is one.

    An id is 1-128 characters of any script, spaces and `/` included. It has no control or format characters and no
    line or paragraph separators, no blank at either end, and is neither `.` nor `..`, which URLs would swallow. A
    joiner is allowed between two characters that are no joiners: elsewhere it would make two ids look the same.
    """
    if not 1 <= len(value) <= MAX_ID_LENGTH:
        return f"must have 1 to {MAX_ID_LENGTH} characters, has {len(value)}"
    if value in {".", ".."}:
        return "must not be '.' or '..'"
    if value.isprintable():
        return _blank_fault(value)
    return _joiner_fault(value) or _character_fault(value, _FORBIDDEN_IN_IDS, allowed=JOINERS) or _blank_fault(value)


def text_fault(value: str) -> str | None:
    """Why `value` is not a text of an SDK, such as its version, or None: it must not have control characters."""
    return None if value.isprintable() else _character_fault(value, _FORBIDDEN_IN_TEXTS)


def _blank_fault(value: str) -> str | None:
    return "must not begin or end with a blank" if value != value.strip() else None


def _joiner_fault(value: str) -> str | None:
    for position, character in enumerate(value):
        around = value[max(0, position - 1) : position], value[position + 1 : position + 2]
        if character in JOINERS and not all(near and near not in JOINERS for near in around):
            return f"must have joiners only between two other characters (U+{ord(character):04X} at {position})"
    return None


def _character_fault(value: str, forbidden: Mapping[str, str], allowed: str = "") -> str | None:
    for position, character in enumerate(value):
        kind = forbidden.get(unicodedata.category(character))
        if kind and character not in allowed:
            return f"must not contain {kind} characters (U+{ord(character):04X} at {position})"
    return None
