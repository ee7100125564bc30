"""The verdict on a room in one line: how far the trouble reaches, and where it is worst.

As in `isolated: 1 of 8, u3's uplink loses 6 %`. What counts as trouble is for quality.py to say.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple, Protocol

from msgspec import Struct

from roompulse.quality import IMPAIRED, Level, RoomQuality, StreamQuality, Term, most, short_figure_of
from roompulse.rooms.links import Find, Reception, Weakest, heard_by_others, weakest
from roompulse.rooms.model import Receiving, RoomMetrics, StreamMetrics, UserMetrics


class Named(Struct, frozen=True):
    """A user's id within a sentence: a page links it, and keeps its direction of writing to itself."""

    user_id: str


Words = Sequence[str | Named]
"""A sentence in pieces."""


def text_of(words: Words) -> str:
    return "".join(word.user_id if isinstance(word, Named) else word for word in words)


class Links(Protocol):
    """The links of one user."""

    def weakest(self) -> Weakest: ...

    def received(self) -> Iterable[Receiving]: ...

    def heard(self) -> Iterable[Level]:
        """How well each of the others receives each stream of this user."""
        ...


class Trouble(NamedTuple):
    """`sender_id` is whose stream decides the score, if it is one that the user receives of somebody it names."""

    sender_id: str | None
    receives_most_badly: bool


class Troubles:
    """The users who are in trouble, so that what they share is found without asking all of them."""

    def __init__(self) -> None:
        self._troubles: dict[str, Trouble] = {}
        self._senders: Counter[str | None] = Counter()
        self.receive_most_badly = 0

    def __len__(self) -> int:
        return len(self._troubles)

    def __getitem__(self, user_id: str) -> Trouble:
        return self._troubles[user_id]

    def put(self, user_id: str, links: Links) -> None:
        self.drop(user_id)
        received = _fault(user_id, links).received
        trouble = (
            Trouble(received.sender_id, _receives_most_badly(links))
            if received
            else Trouble(None, receives_most_badly=False)
        )
        self._troubles[user_id] = trouble
        self.receive_most_badly += trouble.receives_most_badly
        if trouble.sender_id is not None:
            self._senders[trouble.sender_id] += 1

    def drop(self, user_id: str) -> None:
        trouble = self._troubles.pop(user_id, None)
        if trouble is None:
            return
        self.receive_most_badly -= trouble.receives_most_badly
        if trouble.sender_id is not None:
            self._senders[trouble.sender_id] -= 1
            if not self._senders[trouble.sender_id]:
                del self._senders[trouble.sender_id]

    def most_of_one_sender(self) -> int:
        return max(self._senders.values(), default=0)

    def of_sender(self, sender_id: str | None) -> int:
        return self._senders.get(sender_id, 0)


class Room(Struct, frozen=True):
    """What a verdict is found from; `worst_first` begins with the ids of those who are in trouble."""

    quality: RoomQuality
    troubles: Troubles
    worst_first: Callable[[], Iterable[str]]
    links: Callable[[str], Links | None]


def verdict_in_words(room: RoomMetrics, find: Find) -> Words:
    def links(user_id: str) -> Links | None:
        user = find(user_id)
        return LinksOfMetrics(user, find) if user else None

    troubled = sorted((user for user in room.users if user.quality.level in IMPAIRED), key=_worst_first)
    troubles = Troubles()
    for user in troubled:
        troubles.put(user.user_id, LinksOfMetrics(user, find))
    return in_words(Room(room.aggregate.quality, troubles, lambda: (user.user_id for user in troubled), links))


def in_words(room: Room) -> Words:
    quality, troubled = room.quality, len(room.troubles)
    if not troubled:
        return [_without_trouble(quality)]
    scored = quality.good + quality.fair + quality.poor
    reach = f"{quality.verdict}: {troubled} of {scored}, "
    return [reach, *(_received_by_all(room) or _shared(room) or _single(room))]


class LinksOfMetrics(Struct, frozen=True):
    user: UserMetrics
    find: Find

    def weakest(self) -> Weakest:
        return weakest(self.user, self.find)

    def received(self) -> Iterable[Receiving]:
        return self.user.receiving

    def heard(self) -> Iterable[Level]:
        return (one.stream.quality.level for one in heard_by_others(self.user))


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


def _fault(user_id: str, links: Links | None) -> _Fault:
    weakest = links.weakest() if links else Weakest(None, None)
    up, down = weakest.uplink, weakest.downlink
    if down and (up is None or (down.stream.quality.score or 0) < (up.quality.score or 0)):
        return _Fault(user_id, down.stream, down)
    return _Fault(user_id, up, None)


def _first(room: Room, matches: Callable[[Trouble], bool]) -> _Fault:
    """The fault of the worst of the users whose trouble is such."""
    user_id = next(user_id for user_id in room.worst_first() if matches(room.troubles[user_id]))
    return _fault(user_id, room.links(user_id))


def _single(room: Room) -> Words:
    """The worst user and its costliest impairment: of the link if it is one, else of the stream."""
    fault = _first(room, lambda _: True)
    worst = "worst: " if len(room.troubles) > 1 else ""
    if not fault.stream or not (term := _costliest(fault.stream.quality)):
        return [worst, Named(fault.user_id)]
    link = "downlink" if fault.received else "uplink"
    if term.term == "delay":
        return [worst, Named(fault.user_id), f"'s {link} has {short_figure_of(term)} delay"]
    if term.term == "loss":
        return [worst, Named(fault.user_id), f"'s {link} loses {short_figure_of(term)}"]
    doing = ["receives ", *_received(fault.received)] if fault.received else [f"sends {fault.stream.stream_id}"]
    return [worst, Named(fault.user_id), " ", *doing, f" {_with(term)}"]


def _received_by_all(room: Room) -> Words | None:
    """What most of the troubled users have in common if they receive most senders badly: then it is none of these."""
    count, of = room.troubles.receive_most_badly, len(room.troubles)
    if count < 2 or not most(count, of):
        return None
    fault = _first(room, lambda trouble: trouble.receives_most_badly)
    term = _costliest(fault.stream.quality) if fault.stream else None
    how = f", at worst {_with(term)}" if term else ""
    return [f"{_them(count, of)} receive most others badly{how}"]


def _shared(room: Room) -> Words | None:
    """The one sender whom most of the troubled users receive badly."""
    count, of = room.troubles.most_of_one_sender(), len(room.troubles)
    if count < 2 or not most(count, of):
        return None
    received = _first(room, lambda trouble: room.troubles.of_sender(trouble.sender_id) == count).received
    if received is None or received.sender_id is None or not _is_bad_for_most(room.links(received.sender_id)):
        return None
    term = _costliest(received.stream.quality)
    how = f" {_with(term)}" if term else ""
    return [f"{_them(count, of)} receive ", *_received(received), how]


def _receives_most_badly(links: Links) -> bool:
    levels: dict[str, bool] = {}
    for one in links.received():
        levels[one.user_id] = levels.get(one.user_id, False) or one.level in IMPAIRED
    return len(levels) > 1 and sum(levels.values()) * 2 > len(levels)


def _them(count: int, of: int) -> str:
    return "both" if count == of == 2 else "all" if count == of else f"{count} of them"


def _is_bad_for_most(sender: Links | None) -> bool:
    """Whether most of those who receive this sender receive it badly: else it is not the sender."""
    levels = list(sender.heard()) if sender else []
    return most(sum(level in IMPAIRED for level in levels), len(levels))


def _received(received: Reception | None) -> Words:
    if received is None or received.sender_id is None:
        return [received.stream.stream_id if received else ""]
    return [Named(received.sender_id), f"'s {received.stream.stream_id}"]


def _costliest(quality: StreamQuality) -> Term | None:
    return max(quality.terms, key=lambda term: term.cost, default=None)


def _with(term: Term) -> str:
    figure = short_figure_of(term)
    if term.term in ("delay", "loss"):
        return f"with {figure} {term.term}"
    return f"frozen {figure} of the time" if term.term == "freeze" else f"at {figure}"


def _worst_first(user: UserMetrics) -> tuple[float, str]:
    return user.quality.score or 0, user.user_id
