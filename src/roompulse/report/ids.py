"""The rules for ids of users, rooms and streams, and for other texts."""

import re
import unicodedata
from collections.abc import Mapping

MAX_ID_LENGTH = 128
"""Characters (code points)."""

JOINERS = "\u200c\u200d"
"""Format characters used in Persian and Malayalam words and in many emoji."""

_FORBIDDEN_IN_IDS = {
    "Cc": "control",
    "Cf": "format",
    "Cs": "surrogate",
    "Zl": "line separator",
    "Zp": "paragraph separator",
}
_FORBIDDEN_IN_TEXTS = {"Cc": "control"}
_BLANK = "must not begin or end with a blank"
_LABEL_KEY = re.compile("[a-z][a-z0-9_]{0,31}")


def id_fault(value: str) -> str | None:
    """Why `value` is not an id, or None if it is one.

    An id is 1-128 characters of any script, spaces and `/` included. It has no control or format characters and no
    line or paragraph separators, no blank at either end, and is neither `.` nor `..`, which URLs would swallow. A
    joiner is allowed only between two other characters: otherwise it would make two ids look the same.
    """
    if not 1 <= len(value) <= MAX_ID_LENGTH:
        return f"must have 1 to {MAX_ID_LENGTH} characters, has {len(value)}"
    if value in {".", ".."}:
        return "must not be '.' or '..'"
    if value.isprintable():
        return None if value == value.strip() else _BLANK
    return _joiner_fault(value) or _character_fault(value, _FORBIDDEN_IN_IDS, allowed=JOINERS) or _blank_fault(value)


def text_fault(value: str) -> str | None:
    """Why `value` is not a text of an SDK, such as its version, or None: it must not have control characters."""
    return None if value.isprintable() else _character_fault(value, _FORBIDDEN_IN_TEXTS)


def name_fault(value: str) -> str | None:
    """Why `value` is not a name that an operator gives, or None: it is shown, and links to what it names."""
    return _blank_fault(value) or text_fault(value)


def label_fault(key: str) -> str | None:
    """Why `key` is not a valid key of a label, or None if it is: `[a-z][a-z0-9_]{0,31}`."""
    return None if _LABEL_KEY.fullmatch(key) else "keys of labels are a-z, 0-9 and _, and begin with a letter"


def _blank_fault(value: str) -> str | None:
    return None if value == value.strip() else _BLANK


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
