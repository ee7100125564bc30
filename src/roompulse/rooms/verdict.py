"""The verdict on a room in one line: how far the trouble reaches, and where it is worst.

As in `isolated: 1 of 8, u3's uplink loses 6 %`. What counts as trouble is for quality.py to say.
"""

from collections import Counter
from collections.abc import Sequence

from msgspec import Struct

from roompulse.quality import IMPAIRED, RoomQuality, StreamQuality, Term, most
from roompulse.rooms.links import Find, Reception, heard_by_others, weakest
from roompulse.rooms.model import RoomMetrics, StreamMetrics, UserMetrics


class Named(Struct, frozen=True):
    """A user's id within a sentence: a page links it, and keeps its direction of writing to itself."""

    user_id: str


Words = Sequence[str | Named]
"""A sentence in pieces."""


def text_of(words: Words) -> str:
    return "".join(word.user_id if isinstance(word, Named) else word for word in words)


def verdict_in_words(room: RoomMetrics, find: Find) -> Words:
    quality = room.aggregate.quality
    troubled = [user for user in room.users if user.quality.level in IMPAIRED]
    if not troubled:
        return [_without_trouble(quality)]
    scored = quality.good + quality.fair + quality.poor
    reach = f"{quality.verdict}: {len(troubled)} of {scored}, "
    faults = [_fault(user, find) for user in sorted(troubled, key=_worst_first)]
    return [reach, *(_shared(faults, find) or _single(faults))]


def _without_trouble(quality: RoomQuality) -> str:
    if not quality.good:
        return f"{quality.verdict}: no figures to rate"
    rated = " rated" if quality.unknown else ""
    who = f"the only user{rated} is" if quality.good == 1 else f"all {quality.good}{rated} are"
    return f"{quality.verdict}: {who} good" + (f", {quality.unknown} unknown" if quality.unknown else "")


class _Fault(Struct):
    """The stream that decides a user's score; `received` if it is one that the user receives."""

    user_id: str
    stream: StreamMetrics | None
    received: Reception | None


def _fault(user: UserMetrics, find: Find) -> _Fault:
    links = weakest(user, find)
    up, down = links.uplink, links.downlink
    if down and (up is None or (down.stream.quality.score or 0) < (up.quality.score or 0)):
        return _Fault(user.user_id, down.stream, down)
    return _Fault(user.user_id, up, None)


def _single(faults: Sequence[_Fault]) -> Words:
    """The worst user and its costliest impairment: of the link if it is one, else of the stream."""
    fault = faults[0]
    worst = "worst: " if len(faults) > 1 else ""
    if not fault.stream or not (term := _costliest(fault.stream.quality)):
        return [worst, Named(fault.user_id)]
    link = "downlink" if fault.received else "uplink"
    if term.term == "delay":
        return [worst, Named(fault.user_id), f"'s {link} has {_figure(term)} delay"]
    if term.term == "loss":
        return [worst, Named(fault.user_id), f"'s {link} loses {_figure(term)}"]
    doing = ["receives ", *_received(fault.received)] if fault.received else [f"sends {fault.stream.stream_id}"]
    return [worst, Named(fault.user_id), " ", *doing, f" at {_figure(term)}"]


def _shared(faults: Sequence[_Fault], find: Find) -> Words | None:
    """What most of the troubled users have in common: all senders, or one, whom they receive badly."""
    if everybody := _received_by_all(faults, find):
        return everybody
    senders = Counter(fault.received.sender_id for fault in faults if fault.received and fault.received.sender_id)
    if not senders:
        return None
    (sender_id, count), *_ = senders.most_common(1)
    if count < 2 or not most(count, len(faults)) or not _is_bad_for_most(sender_id, find):
        return None
    received = next(fault.received for fault in faults if fault.received and fault.received.sender_id == sender_id)
    term = _costliest(received.stream.quality)
    how = f" {_with(term)}" if term else ""
    return [f"{_them(count, len(faults))} receive ", *_received(received), how]


def _received_by_all(faults: Sequence[_Fault], find: Find) -> Words | None:
    """What most of the troubled users have in common if they receive most senders badly: then it is none of these."""
    badly = [fault.received for fault in faults if fault.received and _receives_most_badly(fault.user_id, find)]
    if len(badly) < 2 or not most(len(badly), len(faults)):
        return None
    term = _costliest(badly[0].stream.quality)
    how = f", at worst {_with(term)}" if term else ""
    return [f"{_them(len(badly), len(faults))} receive most others badly{how}"]


def _receives_most_badly(user_id: str, find: Find) -> bool:
    user = find(user_id)
    levels: dict[str, bool] = {}
    for one in user.receiving if user else ():
        levels[one.user_id] = levels.get(one.user_id, False) or one.level in IMPAIRED
    return len(levels) > 1 and sum(levels.values()) * 2 > len(levels)


def _them(count: int, of: int) -> str:
    return "both" if count == of == 2 else "all" if count == of else f"{count} of them"


def _is_bad_for_most(sender_id: str, find: Find) -> bool:
    """Whether most of those who receive this sender receive it badly: else it is not the sender."""
    sender = find(sender_id)
    levels = [one.stream.quality.level for one in heard_by_others(sender)] if sender else []
    return most(sum(level in IMPAIRED for level in levels), len(levels))


def _received(received: Reception | None) -> Words:
    if received is None or received.sender_id is None:
        return [received.stream.stream_id if received else ""]
    return [Named(received.sender_id), f"'s {received.stream.stream_id}"]


def _costliest(quality: StreamQuality) -> Term | None:
    return max(quality.terms, key=lambda term: term.cost, default=None)


def _with(term: Term) -> str:
    if term.term in ("delay", "loss"):
        return f"with {_figure(term)} {term.term}"
    return f"at {_figure(term)}"


def _figure(term: Term) -> str:
    digits = {"delay": 0, "loss": 1, "frame_rate": 0, "picture": 3}[term.term]
    text = f"{term.value:.{digits}f}"
    return f"{text.removesuffix('.0')} {term.unit}"


def _worst_first(user: UserMetrics) -> tuple[float, str]:
    return user.quality.score or 0, user.user_id
