"""The video rooms of Janus, by its events: their participants, sent streams, and received streams with senders."""

from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import NamedTuple, TypeVar

from msgspec import Struct

from roompulse.bridge.counters import Counter, Figures, stream_of
from roompulse.bridge.events import (
    CORE,
    HANDLE,
    MEDIA,
    PLUGIN,
    SESSION,
    WEBRTC,
    Change,
    Event,
    Handle,
    Id,
    change_of,
    stats_of,
    word_of,
)
from roompulse.client import Direction, Entry, Report, Stream
from roompulse.client import Event as Happened

MOST = 20_000
"""Participants and PeerConnections that are remembered: those without events for longest are dropped."""

MOST_MEDIA = 200
"""Streams of one PeerConnection."""

MOST_STREAMS = 2_000
"""Streams of one report, so that no server rejects it for its size. A larger room is reported in several."""

VERSION = "janus"
"""The `sdk_version` of reports."""

_NAMES = {"video": "camera", "audio": "mic"}
"""The name of a stream without a description, as in the SDK."""

_LONGEST = 128
"""Characters of an id or a name."""

Key = tuple[str, str]
"""Room and user."""

K = TypeVar("K")
V = TypeVar("V")


class _Participant(Struct):
    """`streams` are the names of what it sends, by mid."""

    room: str
    server: str
    handle: Handle
    private_id: int | None
    name: str | None
    streams: Mapping[str, str] = {}


class _Feed(NamedTuple):
    """The stream that a PeerConnection receives on one mid."""

    sender_id: str
    name: str


class _Connection(Struct):
    """A PeerConnection: `user` is its participant, `feeds` the received streams by mid, empty for a sender.

    `counters` are by mid and kind of media, of which a stream in several layers (simulcast) has several.
    """

    user: Key | None = None
    feeds: Mapping[str, _Feed] = {}
    counters: dict[tuple[str, str], Counter] = {}


class JanusRooms:
    """The state by the events so far. Events about unknown participants change nothing."""

    def __init__(self) -> None:
        self._participants: OrderedDict[Key, _Participant] = OrderedDict()
        self._connections: OrderedDict[Handle, _Connection] = OrderedDict()

    def take(self, events: Iterable[Event]) -> list[Report]:
        """Note events; returns the reports of users who left, each under the user's id."""
        return [_left(key) for event in events for key in self._take(event)]

    def _take(self, event: Event) -> list[Key]:
        """Note an event; returns the users who left."""
        if event.type == MEDIA:
            self._note_stats(event)
        elif event.type == PLUGIN and (change := change_of(event)):
            return self._note_change(event, change)
        elif event.type == WEBRTC and word_of(event, "connection") == "hangup":
            self._connections.pop(event.handle, None)
        elif event.type == HANDLE and word_of(event, "name") == "detached":
            return self._end(lambda one: one.handle == event.handle)
        elif event.type == SESSION and word_of(event, "name") in ("destroyed", "timeout"):
            return self._end(lambda one: one.handle[0] == event.session_id)
        elif event.type == CORE and word_of(event, "status") in ("started", "shutdown"):
            return self._end(lambda one: one.server == _server_of(event))
        return []

    def _note_change(self, event: Event, change: Change) -> list[Key]:
        room = _id(change.room)
        if room is None:
            return []
        if change.event == "destroyed":
            return self._end(lambda one: one.room == room)
        user = None if change.id is None else _id(change.id)
        if user is None:
            if change.streams:
                self._note_subscription(event.handle, room, change)
        elif change.event in ("leaving", "kicked"):
            return [(room, user)] if self._participants.pop((room, user), None) else []
        elif change.event == "joined":
            name = _readable(change.display or "")[:_LONGEST].strip() or None
            one = _Participant(room, _server_of(event), event.handle, change.private_id, name)
            _remember(self._participants, (room, user), one)
            self._connection(event.handle).user = (room, user)
        elif change.streams and (known := self._participants.get((room, user))):
            known.streams = _names({one.mid: (one.type, one.description) for one in change.streams[:MOST_MEDIA]})
        return []

    def _note_subscription(self, handle: Handle, room: str, change: Change) -> None:
        connection = self._connection(handle)
        connection.user = connection.user or self._subscriber(handle, room, change.private_id)
        feeds: dict[str, _Feed] = {}
        for one in change.streams[:MOST_MEDIA]:
            sender_id = None if one.feed_id is None else _id(one.feed_id)
            if sender_id is not None:
                sender = self._participants.get((room, sender_id))
                name = sender.streams.get(one.feed_mid or "") if sender else None
                feeds[one.mid] = _Feed(sender_id, name or _name(one.type, one.feed_description))
        connection.feeds = feeds

    def _subscriber(self, handle: Handle, room: str, private_id: int | None) -> Key | None:
        """The subscriber: by the `private_id` if the application gives it, else a participant of the same session."""
        there = [(key, one) for key, one in self._participants.items() if one.room == room]
        by_id = (key for key, one in there if private_id and one.private_id == private_id)
        by_session = (key for key, one in there if one.handle[0] == handle[0])
        return next(by_id, None) or next(by_session, None)

    def _note_stats(self, event: Event) -> None:
        connection = self._connections.get(event.handle)
        if connection is None or connection.user is None:
            return
        self._connections.move_to_end(event.handle)
        if connection.user in self._participants:
            self._participants.move_to_end(connection.user)
        for stats in stats_of(event):
            key = stats.mid, stats.media
            if counter := connection.counters.get(key):
                counter.note(stats, event.timestamp)
            elif len(connection.counters) < MOST_MEDIA:
                connection.counters[key] = Counter(stats, event.timestamp)

    def _connection(self, handle: Handle) -> _Connection:
        known = self._connections.get(handle) or _Connection()
        _remember(self._connections, handle, known)
        return known

    def _end(self, ends: Callable[[_Participant], bool]) -> list[Key]:
        """Remove the participants that match, and connections without a participant; returns the users who left."""
        left = [key for key, one in self._participants.items() if ends(one)]
        for key in left:
            del self._participants[key]
        gone = [handle for handle, one in self._connections.items() if one.user not in self._participants]
        for handle in gone:
            del self._connections[handle]
        return left

    def reports(self) -> list[Report]:
        """The changes since the previous call: one report for each room, or several for a large one."""
        streams: dict[Key, list[Stream]] = {key: [] for key in self._participants}
        for connection in self._connections.values():
            if connection.user in streams:
                streams[connection.user] += self._streams(connection, self._participants[connection.user])
        rooms: dict[tuple[str, str], list[Entry]] = {}
        for (room, user), found in streams.items():
            one = self._participants[room, user]
            if found or one.handle in self._connections:
                rooms.setdefault((one.server, room), []).append(Entry(user, found, user_name=one.name))
        return [
            Report(server, room, VERSION, part, role="server")
            for (server, room), entries in rooms.items()
            for part in _parts(entries)
        ]

    @staticmethod
    def _streams(connection: _Connection, participant: _Participant) -> Iterator[Stream]:
        direction: Direction = "recv" if connection.feeds else "send"
        layers: dict[str, list[Figures]] = {}
        kinds: dict[str, str] = {}
        for (mid, media), counter in connection.counters.items():
            if figures := counter.figures(direction):
                layers.setdefault(mid, []).append(figures)
                kinds[mid] = "video" if media.startswith("video") else "audio"
        for mid, found in layers.items():
            feed = connection.feeds.get(mid)
            if feed:
                yield stream_of(feed.name, direction, feed.sender_id, kinds[mid], found)
            elif direction == "send":
                name = participant.streams.get(mid) or _name(kinds[mid], None)
                yield stream_of(name, direction, None, kinds[mid], found)


def _parts(entries: list[Entry]) -> Iterator[list[Entry]]:
    """Entries of at most MOST_STREAMS streams together."""
    part: list[Entry] = []
    for entry in entries:
        if part and sum(len(one.streams) for one in part) + len(entry.streams) > MOST_STREAMS:
            yield part
            part = []
        part.append(entry)
    yield part


def _left(key: Key) -> Report:
    room, user = key
    return Report(user, room, VERSION, [], events=[Happened("left")])


def _names(media: Mapping[str, tuple[str, str | None]]) -> dict[str, str]:
    """Unique names of streams by mid: two cameras without descriptions are `camera` and `camera 1`, by mid."""
    names: dict[str, str] = {}
    for mid, (kind, description) in media.items():
        name = _name(kind, description)
        names[mid] = name if name not in names.values() else f"{name[:100]} {_readable(mid)[:20]}".strip()
    return names


def _name(kind: str, description: str | None) -> str:
    return _id(description or "") or _NAMES.get(kind) or _id(kind) or "stream"


def _server_of(event: Event) -> str:
    return _id(event.emitter or "") or VERSION


def _id(value: Id) -> str | None:
    """An id of a report, or None where it is invalid."""
    text = str(value)
    fits = 0 < len(text) <= _LONGEST and text.isprintable() and text == text.strip() and text not in (".", "..")
    return text if fits else None


def _readable(text: str) -> str:
    return "".join(filter(str.isprintable, text))


def _remember(known: OrderedDict[K, V], key: K, value: V) -> None:
    known[key] = value
    known.move_to_end(key)
    if len(known) > MOST:
        known.popitem(last=False)
