"""Where a text mentions a user, as opposed to equal words that are no mention.

Ids are free text: `1`, `720` and `good` are ids too. A sentence of the server names users at known places
(rooms/verdict, quality/words, events/words, alerts/words, calls/words), so all else in it, figures above all, is left
as it is. In texts of people and SDKs an id may be any word; a short number, one character, or what streams are called
everywhere is not looked for there.
"""

import re
from collections.abc import Callable, Collection, Iterator, Sequence

Places = Sequence[tuple[re.Pattern[str], re.Pattern[str]]]
"""The text before and after a mention. Compiled once: a pattern with ids would differ for each text."""


def _places(*patterns: str) -> Places:
    """Each `%s` is a user."""
    return [(re.compile(before), re.compile(after)) for before, after in (one.split("%s") for one in patterns)]


_START, _END = r"(?<![^\W_])", r"(?![^\W_])"
"""Neither after nor before a letter or a digit."""

# `ada's uplink`, `ada receives nothing`, `ada and 2 others receive nothing`, `ada suffered most`,
# `ada in room-1: …`, `1 of 8 users affected: ada`, `…; worst: ada`.
_NAMED = _places(
    rf"{_START}%s(?='s )",
    rf"{_START}%s(?= (?:sends|receives|suffered most)\b| and \d+ others? receive nothing)",
    r"^%s(?= in )",
    r"(?:(?<=affected: )|(?<=worst: )|(?<=by one sender: ))%s(?=$|[.;])",
)
_LISTED = _places(r"(?:(?<=Poor: )|(?<=, ))%s(?=, | and \d+ others?|\.)")
"""In `Poor: ada, bo and 3 others.`"""

_STREAM = _places(
    rf"(?:(?<=sending )|(?<=sends )|(?<=receiving )|(?<='s ))%s{_END}",
    rf"{_START}%s(?=[-_./:]\w)",
    rf"(?<=\w[-_./:])%s{_END}",
)
"""In the id of a stream, such as `ada-camera`."""

_WORDS = _places(rf"{_START}%s{_END}")

_FEWEST_DIGITS = 5
"""Digits of a number that is an id and no figure: resolutions, frame rates and years have fewer."""

_STREAMS = frozenset({"audio", "camera", "cam", "mic", "microphone", "screen", "video"})


def is_distinct(user_id: str) -> bool:
    """Whether a word equal to this id counts as a mention of it."""
    fewest = _FEWEST_DIGITS if user_id.isdecimal() else 2
    return len(user_id) >= fewest and user_id not in _STREAMS


def in_sentence(text: str, user_ids: Collection[str], name: Callable[[str], str]) -> str:
    """A sentence of the server, in which each of these users has the name that `name` returns for its id."""
    found = [one for one in user_ids if one in text]
    if not found:
        return text
    text = _replaced(text, _NAMED, found, name)
    if "Poor: " in text:
        before, poor, listed = text.partition("Poor: ")
        text = before + _replaced(poor + listed, _LISTED, found, name)
    return _replaced(text, _STREAM, [one for one in found if is_distinct(one)], name)


def in_words(text: str, user_ids: Collection[str], name: Callable[[str], str]) -> str:
    """A text by people or SDKs, such as a note or the id of a stream, with the names in place of ids."""
    found = [one for one in user_ids if one in text and is_distinct(one)]
    return _replaced(text, _WORDS, found, name)


def _replaced(text: str, places: Places, found: Collection[str], name: Callable[[str], str]) -> str:
    """The text with names in place of the ids `found` at the given places: at each place the longest one."""
    longest_first = sorted(found, key=len, reverse=True)
    parts, end = list[str](), 0
    for at in sorted({at for one in found for at in _occurrences(text, one)}):
        if at >= end and (mentioned := next(_mentions_at(text, at, places, longest_first), None)):
            parts += text[end:at], name(mentioned)
            end = at + len(mentioned)
    return "".join([*parts, text[end:]])


def _occurrences(text: str, one: str) -> Iterator[int]:
    at = text.find(one)
    while at >= 0:
        yield at
        at = text.find(one, at + 1)


def _mentions_at(text: str, at: int, places: Places, longest_first: Sequence[str]) -> Iterator[str]:
    for before, after in places:
        if before.match(text, at):
            for one in longest_first:
                if text.startswith(one, at) and after.match(text, at + len(one)):
                    yield one
