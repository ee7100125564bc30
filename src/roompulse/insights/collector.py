"""Samples live users, each once a minute, and sums up the samples of a minute.

A sample counts a minute of a user at the level that it has at that moment, if that is known. For the dimensions of
streams, `video_codec`, `audio_codec` and `direction`, it is the level of the user's worst stream of that kind.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from zlib import crc32

from msgspec import Struct

from roompulse.erasure.subject import Subject
from roompulse.insights.cell import Cell, Cells, Look, cut
from roompulse.insights.model import LABEL, PARTS
from roompulse.insights.users import hash_of
from roompulse.quality import UNRATED, StreamQuality, level_of
from roompulse.report.model import Stream
from roompulse.rooms.contract import LiveRoom, LiveUser
from roompulse.store.contract import Steps

MOST_LABELS = 50
"""Keys of labels in a minute; users with more of them are in the dimensions of the first ones."""

EXAMPLES = 10
"""Users with the most poor samples whose ids are kept for each value."""

_USERS_AT_ONCE = 100
"""A few milliseconds."""

Trait = tuple[str, str]
"""A dimension, and the value that a user has in it."""


class Totals(Struct):
    """The whole server: sums over `looks` samples. `reports` is reports per second."""

    looks: int = 0
    rooms: int = 0
    good: int = 0
    fair: int = 0
    poor: int = 0
    unknown: int = 0
    reports: float = 0.0


class Example(Struct, frozen=True):
    """A user that was poor in `poor` samples, with its groups."""

    room_id: str
    user_id: str
    poor: int
    traits: list[Trait]


class _Seen(Struct):
    """One user of one room: its groups as a whole, its rating, and the ratings of its streams of each kind."""

    traits: list[Trait]
    look: Look
    streams: dict[Trait, Look]


class Minute:
    """The minute that begins at `start` (Unix seconds)."""

    def __init__(self, start: int) -> None:
        self.start = start
        self.totals = Totals()
        self._seen: dict[tuple[str, str], _Seen] = {}

    def begin_look(self, reports: float) -> None:
        """Begin to sample all rooms; there are so many `reports` per second now."""
        self.totals.looks += 1
        self.totals.reports += reports

    def look(self, room: LiveRoom, part: int) -> None:
        """Sample a room, and its users in this one of PARTS."""
        for _ in self.steps(room, part):
            pass

    def steps(self, room: LiveRoom, part: int) -> Iterator[None]:
        """The same, a few users with each step."""
        totals, quality = self.totals, room.summary().aggregate.quality
        totals.rooms += 1
        totals.good += quality.good
        totals.fair += quality.fair
        totals.poor += quality.poor
        totals.unknown += quality.unknown
        mine = [user for user in room.users.values() if crc32(user.user_id.encode()) % PARTS == part]
        for count, user in enumerate(mine, start=1):
            if user.score() is not None:
                self._seen[room.room_id, user.user_id] = _look_at(user)
            if count % _USERS_AT_ONCE == 0:
                yield

    def forget(self, subject: Subject) -> None:
        """Drop erased users."""
        # In a new dictionary, as `rollup` may be iterating over this one.
        self._seen = {ids: seen for ids, seen in self._seen.items() if not subject.covers(*ids)}

    def rollup(self) -> Steps["Rollup"]:
        """Merge all users, a few with each step."""
        rollup = Rollup(self.start, self.totals)
        for count, ((room_id, user_id), seen) in enumerate(self._seen.items(), start=1):
            rollup.add(room_id, user_id, seen)
            if count % _USERS_AT_ONCE == 0:
                yield
        rollup.finish()
        return rollup


class Rollup:
    """A minute as it is stored: the cells of each dimension, the totals, and examples of poor users."""

    def __init__(self, start: int, totals: Totals) -> None:
        self.start = start
        self.totals = totals
        self.cells: dict[str, Cells] = {}
        self.examples: list[Example] = []
        self._labels = 0

    def add(self, room_id: str, user_id: str, seen: _Seen) -> None:
        user = hash_of(user_id)
        for trait in seen.traits:
            self._add(trait, user, seen.look)
        for trait, look in seen.streams.items():
            self._add(trait, user, look)
        if level_of(seen.look[0]) == "poor":
            self.examples.append(Example(room_id, user_id, 1, [*seen.traits, *seen.streams]))

    def _add(self, trait: Trait, user: int, look: Look) -> None:
        by, value = trait
        cells = self.cells.get(by)
        if cells is None:
            if by.startswith(LABEL):
                if self._labels == MOST_LABELS:
                    return
                self._labels += 1
            cells = self.cells[by] = {}
        cell = cells.get(value)
        if cell is None:
            cell = cells[value] = Cell()
        cell.add(user, look)

    def forget(self, subject: Subject) -> None:
        """Drop the ids of erased users; they stay counted."""
        self.examples = [one for one in self.examples if not subject.covers(one.room_id, one.user_id)]

    def finish(self) -> None:
        """Trim to the bounds."""
        self.cells = {by: cut(cells) for by, cells in self.cells.items()}
        self.examples = pick(self.examples)


def pick(examples: Iterable[Example]) -> list[Example]:
    """Users among the EXAMPLES worst of any of their traits."""
    # Among equal ones always the same, so that they stay the same from minute to minute.
    worst_first = sorted(examples, key=lambda one: (-one.poor, hash_of(one.user_id)))
    counts: Counter[Trait] = Counter()
    picked = []
    for one in worst_first:
        if any(counts[trait] < EXAMPLES for trait in one.traits):
            picked.append(one)
            counts.update(one.traits)
    return picked


def _traits(user: LiveUser) -> Iterator[Trait]:
    """The values of a user as a whole."""
    given, own = user.given, user.by_itself
    # For a user that does not report itself it is its reporter's version.
    values: list[tuple[str, str | None]] = [("sdk_version", own[0] if own else user.metrics().sdk_version)]
    if device := given.device:
        values += [("browser", device.browser), ("os", device.os), ("device", device.type)]
        values.append(("network_type", device.network_type))
    if connection := given.connection:
        values += [("candidate_type", connection.candidate_type), ("protocol", connection.protocol)]
    if given.labels:
        values += [(LABEL + key, value) for key, value in given.labels.items()]
    return ((by, value) for by, value in values if value)


def has_trait(user: LiveUser, trait: Trait) -> bool:
    """Whether a user is grouped by it now."""
    rated = (stream for stream in user.rated() if stream.quality.score is not None)
    return trait in _traits(user) or any(trait in _kinds(stream.sample) for stream in rated)


def _look_at(user: LiveUser) -> _Seen:
    worst: dict[Trait, StreamQuality] = {}
    lowest = UNRATED
    for stream in user.rated():
        quality = stream.quality
        if quality.score is None:
            continue
        if _is_lower(quality, lowest):
            lowest = quality
        for kind in _kinds(stream.sample):
            if _is_lower(quality, worst.get(kind, UNRATED)):
                worst[kind] = quality
    return _Seen(list(_traits(user)), _look_of(lowest), {kind: _look_of(quality) for kind, quality in worst.items()})


def _kinds(stream: Stream) -> Iterator[Trait]:
    yield "direction", stream.direction
    if stream.video and stream.video.codec:
        yield "video_codec", stream.video.codec
    if stream.audio and stream.audio.codec:
        yield "audio_codec", stream.audio.codec


def _is_lower(one: StreamQuality, other: StreamQuality) -> bool:
    return one.score is not None and (other.score is None or one.score < other.score)


def _look_of(quality: StreamQuality) -> Look:
    costliest = max(quality.terms, key=lambda term: term.cost, default=None)
    return quality.score or 0.0, costliest.term if costliest else None
