"""The verdict on a room in one sentence: how many users are affected, and by what.

As in `1 of 8 users affected: u3's uplink loses 6 %`. What counts as affected is defined by roompulse.quality.
"""

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Sequence
from typing import NamedTuple, Protocol

from msgspec import Struct

from roompulse.quality import IMPAIRED, Level, RoomQuality, StreamQuality, Term, most, short_figure_of
from roompulse.rooms.links import Reception, Weakest
from roompulse.rooms.model import Receiving, StreamMetrics

MOST_FROM_EACH_TO_EACH = 20
"""Users of a call without a media server; each sends its media to each of the others."""


class Named(Struct, frozen=True):
    """A user's id within a sentence: a page links it, and isolates its text direction."""

    user_id: str


Words = Sequence[str | Named]
"""A sentence in pieces."""


def text_of(words: Words) -> str:
    return "".join(word.user_id if isinstance(word, Named) else word for word in words)


class Links(Protocol):
    """The links of one user."""

    def weakest(self) -> Weakest: ...

    def received(self) -> Iterable[Receiving]: ...

    def received_by_others(self) -> Iterable[tuple[str, Level]]:
        """The receivers of each stream of this user, and how well they receive it."""
        ...


class Trouble(NamedTuple):
    """`source_id` is the sender of the stream that decides the score: may be the user itself, None if unknown."""

    source_id: str | None
    receives_most_badly: bool


class Troubles:
    """The affected users, indexed so that what they share is found without a full scan."""

    def __init__(self) -> None:
        self._troubles: dict[str, Trouble] = {}
        self._sources: Counter[str] = Counter()
        self.receive_most_badly = 0

    def __len__(self) -> int:
        return len(self._troubles)

    def __getitem__(self, user_id: str) -> Trouble:
        return self._troubles[user_id]

    def put(self, user_id: str, links: Links) -> None:
        self.drop(user_id)
        trouble = self._troubles[user_id] = _trouble(user_id, links)
        self.receive_most_badly += trouble.receives_most_badly
        if trouble.source_id is not None:
            self._sources[trouble.source_id] += 1

    def drop(self, user_id: str) -> None:
        trouble = self._troubles.pop(user_id, None)
        if trouble is None:
            return
        self.receive_most_badly -= trouble.receives_most_badly
        if trouble.source_id is not None:
            self._sources[trouble.source_id] -= 1
            if not self._sources[trouble.source_id]:
                del self._sources[trouble.source_id]

    def most_of_one_source(self) -> int:
        return max(self._sources.values(), default=0)

    def of_source(self, source_id: str | None) -> int:
        return 0 if source_id is None else self._sources[source_id]


class Room(Struct, frozen=True):
    """The input of a verdict; `worst_first` begins with the ids of the affected users.

    `stale` users and those that `receive_nothing` are among the unknown ones of `quality`.
    """

    quality: RoomQuality
    stale: int
    receive_nothing: Collection[str]
    troubles: Troubles
    worst_first: Callable[[], Iterable[str]]
    links: Callable[[str], Links | None]


def in_words(room: Room) -> Words:
    quality, affected = room.quality, len(room.troubles)
    nothing = _receive_nothing(room.receive_nothing)
    if not affected:
        return _without_trouble(room, nothing)
    scored = quality.good + quality.fair + quality.poor
    cause = _received_by_all(room) or _by_one(room) or _shared(room) or _single(room)
    rest = ["; ", *nothing] if nothing else []
    return [f"{affected} of {_users(scored)} affected", *cause, *rest]


def _users(count: int) -> str:
    return f"{count} user{'' if count == 1 else 's'}"


def _receive_nothing(user_ids: Collection[str]) -> Words:
    if not user_ids:
        return []
    others = len(user_ids) - 1
    first = Named(min(user_ids))
    if not others:
        return [first, " receives nothing"]
    return [first, f" and {others} other{'' if others == 1 else 's'} receive nothing"]


def _without_trouble(room: Room, nothing: Words) -> Words:
    quality = room.quality
    not_rated = quality.unknown - room.stale - len(room.receive_nothing)
    parts = [f"{_users(quality.good)} good"] if quality.good else []
    parts += [f"{not_rated} not yet rated"] if not_rated else []
    parts += [f"{room.stale} unknown (no recent report)"] if room.stale else []
    rest = ", ".join(parts)
    if nothing:
        return [*nothing, f"; {rest}"] if rest else nothing
    return [f"{'Healthy' if quality.good else 'No user rated'}: {rest}"]


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


def _trouble(user_id: str, links: Links) -> Trouble:
    received = _fault(user_id, links).received
    if received is None:
        return Trouble(user_id, receives_most_badly=False)
    return Trouble(received.sender_id, _receives_most_badly(links))


def _first(room: Room, matches: Callable[[str, Trouble], bool]) -> _Fault | None:
    """The fault of the worst user with such a trouble."""
    for user_id, _ in zip(room.worst_first(), range(len(room.troubles)), strict=False):
        if matches(user_id, room.troubles[user_id]):
            return _fault(user_id, room.links(user_id))
    return None


def _single(room: Room) -> Words:
    """The worst user and its costliest impairment."""
    fault = _first(room, lambda _user_id, _trouble: True)
    prefix = ": " if len(room.troubles) == 1 else "; worst: "
    return [prefix, *(_of_link(fault) if fault else [])]


def _of_link(fault: _Fault) -> Words:
    """The impairment of a user's link or, where it is not the network, of a stream."""
    if not fault.stream or not (term := _costliest(fault.stream.quality)):
        return [Named(fault.user_id)]
    link = "downlink" if fault.received else "uplink"
    if term.term == "delay":
        return [Named(fault.user_id), f"'s {link} has {short_figure_of(term)} delay"]
    if term.term == "loss":
        return [Named(fault.user_id), f"'s {link} loses {short_figure_of(term)}"]
    doing = ["receives ", *_received(fault.received)] if fault.received else [f"sends {fault.stream.stream_id}"]
    return [Named(fault.user_id), " ", *doing, f" {_with(term)}"]


def _received_by_all(room: Room) -> Words | None:
    """What most affected users share if they receive most senders badly: then no single sender is the cause."""
    count, of = room.troubles.receive_most_badly, len(room.troubles)
    if count < 2 or not most(count, of):
        return None
    fault = _first(room, lambda _, trouble: trouble.receives_most_badly)
    term = _costliest(fault.stream.quality) if fault and fault.stream else None
    scored = room.quality.good + room.quality.fair + room.quality.poor
    who = "everyone receives" if count == of == scored else f"{_them(count, of)} receive"
    return [f": {who} poor quality from most others{f' ({_up_to(term)})' if term else ''}"]


def _by_one(room: Room) -> Words | None:
    """The one user whose link is bad: all bad streams go to or come from that user, and the rest is good.

    Where that is true of both ends of a path, it is the receiver. This occurs only in calls without a media server,
    which otherwise is between any two users.
    """
    if not 2 <= len(room.troubles) <= MOST_FROM_EACH_TO_EACH:
        return None
    affected = [user_id for user_id, _ in zip(room.worst_first(), range(len(room.troubles)), strict=False)]
    possible = set(affected)
    for user_id in affected:
        links = room.links(user_id)
        possible &= {user_id, *(_only_bad_partner(user_id, room.troubles[user_id], links) if links else ())}
        if not possible:
            return None
    if len(possible) > 1:
        possible = {user_id for user_id in possible if room.troubles[user_id].source_id != user_id}
    if len(possible) != 1:
        return None
    (found,) = possible
    return [": ", *_of_link(_fault(found, room.links(found)))]


def _only_bad_partner(user_id: str, trouble: Trouble, links: Links) -> Collection[str]:
    """The user to or from which this user's streams are bad, where that explains its trouble and others are good."""
    hears = [(one.user_id, one.level) for one in links.received()]
    is_heard = list(links.received_by_others())
    bad = {other for other, level in (*hears, *is_heard) if level in IMPAIRED}
    good = {other for other, level in (*hears, *is_heard) if level == "good"}
    if len(bad) != 1 or not good - bad:
        return ()
    if trouble.source_id == user_id and not any(level in IMPAIRED for _, level in is_heard):
        return ()
    return bad


def _shared(room: Room) -> Words | None:
    """The one sender of the streams that decide most of the scores: its uplink if that is bad by its own measure."""
    troubles, of = room.troubles, len(room.troubles)
    count = troubles.most_of_one_source()
    if count < 2 or not most(count, of):
        return None
    fault = _first(room, lambda user_id, one: troubles.of_source(one.source_id) == count and one.source_id != user_id)
    source_id = fault.received.sender_id if fault and fault.received else None
    sender = None if source_id is None else room.links(source_id)
    if source_id is None or fault is None or sender is None:
        return None
    uplink = sender.weakest().uplink
    if uplink and uplink.quality.level in IMPAIRED:
        cause = _of_link(_Fault(source_id, uplink, None))
        return [": ", *cause] if count == of else [f", {count} of them by one sender: ", *cause]
    if not _is_bad_for_most(sender):
        return None
    term = _costliest(fault.stream.quality) if fault.stream else None
    return [f": {_them(count, of)} receive ", *_received(fault.received), f" {_with(term)}" if term else ""]


def _receives_most_badly(links: Links) -> bool:
    levels: dict[str, bool] = {}
    for one in links.received():
        if one.score is not None:
            levels[one.user_id] = levels.get(one.user_id, False) or one.level in IMPAIRED
    return len(levels) > 1 and sum(levels.values()) * 2 > len(levels)


def _them(count: int, of: int) -> str:
    return "both" if count == of == 2 else f"all {count}" if count == of else f"{count} of them"


def _is_bad_for_most(sender: Links) -> bool:
    """Whether most of those who receive this sender receive it badly: else it is not the sender."""
    levels = [level for _, level in sender.received_by_others()]
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
    if term.term == "concealment":
        return f"with {figure} concealed"
    return f"frozen {figure} of the time" if term.term == "freeze" else f"at {figure}"


def _up_to(term: Term) -> str:
    return f"up to {_with(term).removeprefix('with ')}" if _with(term).startswith("with ") else _with(term)
