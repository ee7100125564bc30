"""A live or past room whose users are hidden by their pseudonyms: it is shown like any other."""

from collections.abc import Iterator, Mapping, Sequence

from msgspec import UNSET
from msgspec.structs import replace

from roompulse.pseudonyms.model import Pseudonyms
from roompulse.report.model import Device
from roompulse.rooms.contract import LiveRoom, LiveStream, LiveUser
from roompulse.rooms.given import Given
from roompulse.rooms.links import Reception, Weakest
from roompulse.rooms.model import RoomMetrics, RoomSummary, RoomTotals, StreamMetrics, UserMetrics
from roompulse.rooms.ranking import Place
from roompulse.rooms.same_id import TwoSdks
from roompulse.rooms.verdict import Named, Words


class PseudonymousUser:
    """Implements `LiveUser`. Names and labels, which are free text, are left out."""

    def __init__(self, user: LiveUser, names: Pseudonyms) -> None:
        self._user = user
        self._names = names
        self.given = Given()

    @property
    def version(self) -> int:
        return self._user.version

    @property
    def user_id(self) -> str:
        return self._names.of(self._user.user_id)

    @property
    def stale(self) -> bool:
        return self._user.stale

    @property
    def joined_at(self) -> float:
        return self._user.joined_at

    @property
    def received_at(self) -> float:
        return self._user.received_at

    @property
    def two_sdks(self) -> TwoSdks | None:
        return self._user.two_sdks

    @property
    def late_by(self) -> float | None:
        return self._user.late_by

    @property
    def by_itself(self) -> tuple[str, int] | None:
        found = self._user.by_itself
        return found and (self._names.words(found[0]), found[1])

    @property
    def servers(self) -> Sequence[str]:
        return self._user.servers

    def score(self) -> float | None:
        return self._user.score()

    def rated(self) -> Iterator[LiveStream]:
        return self._user.rated()

    def metrics(self) -> UserMetrics:
        names, shown = self._names, self._user.metrics()
        servers = self._user.servers
        # Before the reasons, which may name new users.
        streams = [self._stream(one, by_server=one.reporter_id in servers) for one in shown.streams]
        receiving = [
            replace(one, user_id=names.of(one.user_id), stream_id=names.stream(one.stream_id))
            for one in shown.receiving
        ]
        return replace(
            shown,
            user_id=self.user_id,
            user_name=None,
            sdk_version=names.words(shown.sdk_version),
            device=device(names, shown.device),
            labels=None,
            reporters=[one if one in servers else names.of(one) for one in shown.reporters],
            quality=replace(shown.quality, reasons=[names.sentence(reason) for reason in shown.quality.reasons]),
            streams=streams,
            receiving=receiving,
        )

    def weakest(self) -> Weakest:
        found = self._user.weakest()
        up, down = found.uplink, found.downlink
        return Weakest(
            self._stream(up, by_server=up.reporter_id in self._user.servers) if up else None,
            self._reception(down) if down else None,
        )

    def stream_count(self) -> int:
        return self._user.stream_count()

    def steps(self) -> Iterator[None]:
        return self._user.steps()

    def receptions(self) -> Sequence[Reception]:
        return [self._reception(one) for one in self._user.receptions()]

    def receptions_by_others(self) -> Sequence[Reception]:
        return [self._reception(one) for one in self._user.receptions_by_others()]

    def _reception(self, one: Reception) -> Reception:
        return Reception(
            None if one.sender_id is None else self._names.of(one.sender_id),
            self._names.of(one.receiver_id),
            self._stream(one.stream, by_server=one.by_server),
            one.by_server,
        )

    def _stream(self, one: StreamMetrics, *, by_server: bool) -> StreamMetrics:
        names, sender_id = self._names, one.sender_id
        return replace(
            one,
            stream_id=names.stream(one.stream_id),
            reporter_id=one.reporter_id if by_server else names.of(one.reporter_id),
            sender_id=sender_id if sender_id is UNSET or sender_id is None else names.of(sender_id),
        )


class PseudonymousRoom:
    """Implements `LiveRoom`. New users are numbered in the order in which they joined."""

    def __init__(self, room: LiveRoom, names: Pseudonyms) -> None:
        self._room = room
        self._names = names
        for user in sorted(room.users.values(), key=lambda user: (user.joined_at, user.user_id)):
            names.add(user.user_id, user.given.user_name)

    def steps(self) -> Iterator[None]:
        return self._room.steps()

    @property
    def room_id(self) -> str:
        return self._room.room_id

    @property
    def updated_at(self) -> float:
        return self._room.updated_at

    @property
    def version(self) -> int:
        return self._room.version

    @property
    def room_name(self) -> str | None:
        return self._named(self._room.room_name)

    @property
    def tag(self) -> str:
        return self._room.tag

    @property
    def started_at(self) -> float:
        return self._room.started_at

    @property
    def heard_at(self) -> float:
        return self._room.heard_at

    @property
    def users(self) -> Mapping[str, LiveUser]:
        names = self._names
        return {names.of(user_id): PseudonymousUser(user, names) for user_id, user in self._room.users.items()}

    def metrics(self) -> RoomMetrics:
        found = self._room.metrics()
        users = sorted((user.metrics() for user in self.users.values()), key=lambda user: user.user_id)
        return replace(found, room_name=self._named(found.room_name), users=users)

    def totals(self) -> RoomTotals:
        found = self._room.totals()
        return replace(found, room_name=self._named(found.room_name))

    def summary(self) -> RoomSummary:
        found = self._room.summary()
        return replace(found, room_name=self._named(found.room_name))

    def worst_first(self) -> Sequence[Place]:
        return [place._replace(user_id=self._names.of(place.user_id)) for place in self._room.worst_first()]

    def verdict(self) -> Words:
        names = self._names
        return [
            Named(names.of(word.user_id)) if isinstance(word, Named) else names.sentence(word)
            for word in self._room.verdict()
        ]

    def user(self, user_id: str) -> LiveUser | None:
        known = self._names.known(user_id)
        user = None if known is None else self._room.user(known)
        return PseudonymousUser(user, self._names) if user else None

    def _named(self, name: str | None) -> str | None:
        return name and self._names.words(name)


def hidden_room(room: LiveRoom | None, names: Pseudonyms | None) -> LiveRoom | None:
    """The room as a page shows it, which hides its users if there are `names` for them."""
    return PseudonymousRoom(room, names) if room and names else room


def device(names: Pseudonyms, one: Device | None) -> Device | None:
    """A device, whose words may name its owner."""
    if one is None:
        return None
    given = {name: getattr(one, name) for name in one.__struct_fields__}
    return Device(**{name: value and names.words(value) for name, value in given.items()})
