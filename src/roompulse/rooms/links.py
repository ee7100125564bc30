"""Senders and receivers: the streams of a user, separated by where they were measured.

A stream is kept with its entry's user. Here it is paired with its sender and its receiver.
"""

from collections.abc import Iterator, Mapping
from itertools import chain
from typing import Protocol
from weakref import ref

from msgspec import Struct

from roompulse.quality import Level
from roompulse.rooms.model import Receiving, StreamMetrics, UserMetrics
from roompulse.rooms.stream import Reporting, StreamState


class Reception(Struct, frozen=True):
    """A stream with its sender (None where that is not known) and its receiver.

    `by_server`: a media server measured it.
    """

    sender_id: str | None
    receiver_id: str
    stream: StreamMetrics
    by_server: bool = False


class Weakest(Struct, frozen=True):
    """The streams that decide a user's uplink and downlink; None where no stream is rated."""

    uplink: StreamMetrics | None
    downlink: Reception | None


class RoomOfUser(Protocol):
    @property
    def users(self) -> Mapping[str, "UserLinks"]: ...


class UserLinks:
    """What one user sends and receives.

    `reporters` are the reporters about it, with their streams; `receiving` is what it receives, by any
    reporter; `by_servers` is what others receive from it by media servers' reports, in the order of their first ones.
    It refers to its room weakly: by a cycle, the room would stay until a collection, and after reads of large rooms of
    the past one of these took 0.7 s.
    """

    __slots__ = ("_room", "by_servers", "receiving", "reporters", "user_id")

    def __init__(self, user_id: str, room: RoomOfUser) -> None:
        self.user_id = user_id
        self._room = ref(room)
        self.reporters: dict[str, Reporting] = {}
        self.receiving: dict[tuple[str, str, str], StreamState] = {}
        self.by_servers: dict[StreamState, None] = {}

    def other(self, user_id: str) -> "UserLinks | None":
        """Another user of the same room."""
        room = self._room()
        return room.users.get(user_id) if room else None

    def streams(self) -> Iterator[StreamState]:
        """The streams that entries about this user gave."""
        return chain.from_iterable(reporting.streams.values() for reporting in self.reporters.values())

    def stream_count(self) -> int:
        return sum(len(reporting.streams) for reporting in self.reporters.values())

    def own_stream(self, stream_id: str) -> StreamState | None:
        """The stream of that id that this user itself reports as sent."""
        reporting = self.reporters.get(self.user_id)
        return reporting.streams.get((stream_id, "send", "")) if reporting else None

    def sending(self) -> Iterator[StreamState]:
        """The streams that it sends by its own reports, without stale ones."""
        reporting = self.reporters.get(self.user_id)
        own = reporting.streams.values() if reporting else ()
        return (one for one in own if one.sample.direction == "send" and not one.stale)

    @property
    def servers(self) -> list[str]:
        """The media servers that report about it."""
        return sorted(server for server, reporting in self.reporters.items() if reporting.by_server)

    def weakest(self) -> Weakest:
        """The streams that decide its score, found without `metrics()`."""
        sending = [one for one in self.streams() if one.sample.direction == "send" and one.quality.score is not None]
        receiving = [one for one in self.receiving.values() if one.quality.score is not None]
        uplink = min(sending, key=lambda one: (one.quality.score, one.order()), default=None)
        worst = min(receiving, key=lambda one: (one.quality.score, one.user_id, one.sample.stream_id), default=None)
        return Weakest(uplink.metrics() if uplink else None, _reception(worst) if worst else None)

    def rated(self) -> Iterator[StreamState]:
        """The streams that count for its score: sent and received ones."""
        sending = (one for one in self.streams() if one.sample.direction == "send")
        return (one for one in chain(sending, self.receiving.values()) if not one.stale)

    def received(self) -> list[Receiving]:
        """The streams that it receives, by sender and stream."""
        streams = [self.receiving[key] for key in sorted(self.receiving)]
        return [
            Receiving(stream.user_id, stream.sample.stream_id, stream.quality.score, stream.quality.level)
            for stream in streams
        ]

    def receptions(self) -> list[Reception]:
        """The streams that it receives, by sender and stream, with all figures."""
        return [_reception(self.receiving[key]) for key in sorted(self.receiving)]

    def received_by_others(self) -> Iterator[tuple[str, Level]]:
        """The known receivers of each of its streams, and how well they receive it."""
        return ((one.receiver_id, one.quality.level) for one in self._by_others() if not one.stale)

    def receptions_by_others(self) -> list[Reception]:
        """The streams that it sends, as each other user receives them."""
        return [_reception(one) for one in sorted(self._by_others(), key=StreamState.order)]

    def _by_others(self) -> Iterator[StreamState]:
        by_clients = (one for one in self.streams() if one.receiver_id and not one.by_server and one.is_named)
        return chain(by_clients, self.by_servers)


def _reception(stream: StreamState) -> Reception:
    sender_id = stream.user_id if stream.is_named else None
    return Reception(sender_id, stream.receiver_id, stream.metrics(), stream.by_server)


def sent(user: UserMetrics) -> list[StreamMetrics]:
    """What the user sends, as measured where it is sent."""
    return [stream for stream in user.streams if stream.direction == "send"]
