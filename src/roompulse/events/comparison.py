"""Changes in a user's sent streams, and in the path of its media."""

from collections.abc import Iterator

from roompulse.events import words
from roompulse.events.model import Kind, TimelineEvent
from roompulse.events.tracks import Sent, UserTrack
from roompulse.quality import limitation
from roompulse.report.model import Stream
from roompulse.rooms.contract import ChangedUser, SentStream

_NOTHING = Sent(None, None, None, None)


def compare(known: UserTrack, user: ChangedUser) -> list[TimelineEvent]:
    """Compare a user with its remembered state, and update that; a first value is no change."""
    before, known.sent = known.sent, {}
    found: list[TimelineEvent] = []
    for stream in user.sending():
        old = before.get(stream.sample.stream_id, _NOTHING)
        new = known.sent[stream.sample.stream_id] = _sent(stream.sample, old)
        if new != old:
            found += _stream(user.user_id, stream, old, new)
    if not user.given.is_empty:
        found += _connection(known, user)
    twice = user.two_sdks
    if twice and not known.twice:
        text = words.same_id_twice(twice.sdk_versions)
        found.append(TimelineEvent(twice.at, "same_id_twice", user.user_id, text=text))
    known.twice = twice is not None
    return found


def _stream(user_id: str, stream: SentStream, before: Sent, now: Sent) -> Iterator[TimelineEvent]:
    stream_id, at = stream.sample.stream_id, stream.said_at

    def event(kind: Kind, text: str) -> TimelineEvent:
        return TimelineEvent(at, kind, user_id, stream_id, text=text)

    if before.resolution and now.resolution and before.resolution != now.resolution:
        yield event("resolution_changed", words.changed(stream_id, _size(before.resolution), _size(now.resolution)))
    for old, new in ((before.video_codec, now.video_codec), (before.audio_codec, now.audio_codec)):
        if old and new and old != new:
            yield event("codec_changed", words.changed(f"{stream_id} codec", old, new))
    if before.limited_by != now.limited_by and (before.limited_by or now.limited_by != "none"):
        limits = limitation(stream.sample.video, f"sending {stream_id}")
        yield event("limited", limits or words.unlimited(stream_id))


def _sent(sample: Stream, before: Sent) -> Sent:
    """The current values; where there is none, the previous one still holds."""
    video, audio = sample.video, sample.audio
    resolution = (video.width, video.height) if video and video.width and video.height else None
    return Sent(
        resolution or before.resolution,
        (video and video.codec) or before.video_codec,
        (audio and audio.codec) or before.audio_codec,
        (video and video.limited_by) or before.limited_by,
    )


def _connection(known: UserTrack, user: ChangedUser) -> Iterator[TimelineEvent]:
    device, connection = user.given.device, user.given.connection
    network = device.network_type if device else None
    if network and network != known.network_type:
        if known.network_type:
            text = words.changed("network", known.network_type, network)
            yield TimelineEvent(user.given.network_since, "connection_changed", user.user_id, text=text)
        known.network_type = network
    if connection is None or connection.candidate_type is None:
        return
    relayed = connection.candidate_type == "relay"
    if relayed != known.relayed and known.relayed is not None:
        text = words.relayed(connection.protocol) if relayed else words.DIRECT
        yield TimelineEvent(user.given.way_since, "connection_changed", user.user_id, text=text)
    known.relayed = relayed


def _size(resolution: tuple[int, int]) -> str:
    return f"{resolution[0]}×{resolution[1]}"
