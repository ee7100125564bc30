"""The relevant events that Janus posts; any other is None."""

from collections.abc import Iterator
from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct

SESSION, HANDLE, WEBRTC, MEDIA, PLUGIN, CORE = 1, 2, 16, 32, 64, 256
"""Values of `Event.type`."""

VIDEOROOM = "janus.plugin.videoroom"

Id = str | int
"""Numbers, unless Janus is configured with `string_ids`."""

Handle = tuple[int, int]
"""The ids of a session and of a handle of it: one PeerConnection."""


Count = Annotated[int, Meta(ge=0, le=2**63 - 1)]


class Event(Struct, frozen=True):
    """`timestamp` is Unix time in microseconds."""

    type: int
    event: Any
    emitter: str | None = None
    session_id: Count = 0
    handle_id: Count = 0
    timestamp: Count = 0

    @property
    def handle(self) -> Handle:
        return self.session_id, self.handle_id


class Medium(Struct, frozen=True):
    """A stream that a participant publishes or, with `feed_id`, one that it subscribes to."""

    mid: str
    type: str = ""
    description: str | None = None
    feed_id: Id | None = None
    feed_mid: str | None = None
    feed_description: str | None = None


class Change(Struct, frozen=True):
    """What happened in a room: `id` is the participant, unknown for a subscription; `private_id` is known for both."""

    event: str
    room: Id
    id: Id | None = None
    private_id: Count | None = None
    display: str | None = None
    streams: list[Medium] = []


class Stats(Struct, frozen=True, rename="kebab"):
    """Counters of one stream of a PeerConnection since its beginning; `rtt` and jitter are ms."""

    mid: str
    media: str
    codec: str | None = None
    rtt: Count = 0
    lost: Count = 0
    lost_by_remote: Count = 0
    jitter_local: Count = 0
    jitter_remote: Count = 0
    packets_received: Count = 0
    packets_sent: Count = 0
    bytes_received: Count = 0
    bytes_sent: Count = 0


class _Plugin(Struct, frozen=True):
    plugin: str
    data: Any


def events_of(body: bytes) -> list[Event | None]:
    """The events of a request, None for each irrelevant one; raises ValueError for invalid JSON."""
    try:
        posted = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ValueError(f"the body is no JSON: {error}") from None
    return [_as(Event, one) for one in (posted if isinstance(posted, list) else [posted])]


def change_of(event: Event) -> Change | None:
    """The event of a room of the video room plugin."""
    plugin = _as(_Plugin, event.event)
    return _as(Change, plugin.data) if plugin and plugin.plugin == VIDEOROOM else None


def stats_of(event: Event) -> Iterator[Stats]:
    """The streams with statistics: one, or all of a PeerConnection (`combine_media_stats`)."""
    for one in event.event if isinstance(event.event, list) else [event.event]:
        stats = _as(Stats, one)
        if stats and stats.media != "data":
            yield stats


def word_of(event: Event, name: str) -> str | None:
    """A text in it."""
    word = event.event.get(name) if isinstance(event.event, dict) else None
    return word if isinstance(word, str) else None


def _as(kind: type[Any], value: Any) -> Any:
    try:
        return msgspec.convert(value, kind)
    except msgspec.ValidationError:
        return None
