"""Where a text mentions a user, and what is no mention although it reads the same.

Ids are free text: `1`, `720` and `good` are ids too. A sentence of the server names users at known places
(rooms/verdict, quality/words, events/words, alerts/words, calls/words), so all else in it, figures above all, is left
as it is. In texts of people and SDKs an id may be any word; a short number, one character, or what streams are called
everywhere is not looked for there.
"""

import re
from collections.abc import Callable, Collection

_START, _END = r"(?<![^\W_])", r"(?![^\W_])"
"""Neither after nor before a letter or a digit."""

# Each `%s` is a user: `ada's uplink`, `ada receives nothing`, `ada and 2 others receive nothing`, `ada suffered most`,
# `ada in room-1: …`, `1 of 8 users affected: ada`, `…; worst: ada`.
_NAMED = (
    rf"{_START}%s(?='s )",
    rf"{_START}%s(?= (?:sends|receives|suffered most)\b| and \d+ others? receive nothing)",
    r"^%s(?= in )",
    r"(?:(?<=affected: )|(?<=worst: )|(?<=by one sender: ))%s(?=$|[.;])",
)
_LISTED = r"(?:(?<=Poor: )|(?<=, ))%s(?=, | and \d+ others?|\.)"
"""In `Poor: ada, bo and 3 others.`"""

_STREAM = (
    rf"(?:(?<=sending )|(?<=sends )|(?<=receiving )|(?<='s ))%s{_END}",
    rf"{_START}%s(?=[-_./:]\w)",
    rf"(?<=\w[-_./:])%s{_END}",
)
"""In the id of a stream, such as `ada-camera`."""


_FEWEST_DIGITS = 5
"""Of a number that is no figure: resolutions, frame rates and years have fewer."""

_STREAMS = frozenset({"audio", "camera", "cam", "mic", "microphone", "screen", "video"})


def is_distinct(user_id: str) -> bool:
    """Whether a word that is equal to this id is taken for a mention of it."""
    fewest = _FEWEST_DIGITS if user_id.isdecimal() else 2
    return len(user_id) >= fewest and user_id not in _STREAMS


def in_sentence(text: str, user_ids: Collection[str], name: Callable[[str], str]) -> str:
    """A sentence of the server, in which each of these users has the name that `name` returns for its id."""
    found = [one for one in user_ids if one in text]
    if not found:
        return text
    text = _replaced(text, "|".join(_NAMED), found, name)
    if "Poor: " in text:
        before, poor, listed = text.partition("Poor: ")
        text = before + _replaced(poor + listed, _LISTED, found, name)
    return _replaced(text, "|".join(_STREAM), [one for one in found if is_distinct(one)], name)


def in_words(text: str, user_ids: Collection[str], name: Callable[[str], str]) -> str:
    """A text of people or SDKs, such as a note or the id of a stream, in which words that are an id have that name."""
    found = [one for one in user_ids if one in text and is_distinct(one)]
    return _replaced(text, rf"{_START}%s{_END}", found, name)


def _replaced(text: str, pattern: str, found: Collection[str], name: Callable[[str], str]) -> str:
    if not found:
        return text
    any_of = "|".join(map(re.escape, sorted(found, key=len, reverse=True)))
    return re.sub(pattern.replace("%s", f"(?:{any_of})"), lambda match: name(match[0]), text)
