"""The streams in session descriptions, by the keys that statistics use for a stream.

A key is `mid:` with the place in the description, `ssrc:` with the number of the stream, or `track:` with the id of its
track.
"""

import re
from collections.abc import Iterator, Mapping

import msgspec

from roompulse.importing.recording import Stats

_PLACEHOLDERS = {"-", "mixedmslabel"}
"""`-` is a track without a stream, the other Jitsi's name for streams that no participant sends."""


def senders_of(description: object) -> dict[str, str]:
    """Ids of media streams by key, from an RTCSessionDescription: an object, its JSON, or `type: …, sdp: …`."""
    senders: dict[str, str] = {}
    for section in _sections(description):
        streams = _streams_of(section)
        of_section = {stream for stream, _ in streams.values()}
        if len(of_section) == 1:
            keys = [f"mid:{_mid_of(section)}", *(f"ssrc:{ssrc}" for ssrc in _ssrcs_of(section))]
            senders |= dict.fromkeys(keys, next(iter(of_section)))
        for ssrc, (stream, track) in streams.items():
            senders[f"track:{track}"] = stream
            if ssrc:
                senders[f"ssrc:{ssrc}"] = stream
    return _participants(senders)


def sources_of(description: object) -> dict[str, str]:
    """The source of each SSRC in a local description: the layers of one simulcast camera have the same."""
    sources = {}
    for section in _sections(description):
        streams, mid = _streams_of(section), _mid_of(section)
        for ssrc in _ssrcs_of(section):
            found = streams.get(ssrc) or streams.get("")
            if found or mid:
                sources[ssrc] = " ".join(found) if found else f"mid:{mid}"
    return sources


def sender_of_track(event: object) -> dict[str, str]:
    """The media stream of a remote track, from an `ontrack` of rtcstats: a list, or `video:TRACK stream:STREAM`."""
    if isinstance(event, list):
        _, track, _, stream, *_ = [*event, None, None, None, None]
    else:
        found = re.match(r"(?:audio|video):(\S+) stream:([^\s,]+)", event) if isinstance(event, str) else None
        track, stream = found.groups() if found else (None, None)
    return _participants({f"track:{track}": stream} if isinstance(track, str) and isinstance(stream, str) else {})


def keys_of(stats: Stats, tracks: Mapping[str, Stats]) -> Iterator[str]:
    """The possible keys of a stream in descriptions, the surest first. `tracks` are the objects of old browsers."""
    track = tracks.get(str(stats.last("trackId")), stats).last("trackIdentifier")
    # chrome://webrtc-internals converts all texts that look like numbers.
    for kind, value in (("ssrc", stats.last("ssrc")), ("mid", stats.last("mid")), ("track", track)):
        if value is not None:
            yield f"{kind}:{value}"


def _participants(streams: Mapping[str, str]) -> dict[str, str]:
    """Jitsi names the streams of a participant after it: `8a4e8995-video-0-1`."""
    known = {key: stream for key, stream in streams.items() if stream not in _PLACEHOLDERS}
    return {key: re.sub(r"(?<=.)-(audio|video)-\d+(-\d+)?$", "", stream) for key, stream in known.items()}


def _sections(description: object) -> list[str]:
    if isinstance(description, str) and description.startswith("{"):
        try:
            description = msgspec.json.decode(description)
        except msgspec.DecodeError:
            return []
    text = description.get("sdp") if isinstance(description, dict) else description
    return re.split(r"[\r\n]+m=", text)[1:] if isinstance(text, str) else []


def _mid_of(section: str) -> str | None:
    found = re.search(r"^a=mid:(\S+)", section, re.M)
    return found[1] if found else None


def _ssrcs_of(section: str) -> list[str]:
    return re.findall(r"^a=ssrc:(\d+) ", section, re.M)


def _streams_of(section: str) -> dict[str, tuple[str, str]]:
    """Media stream and track by SSRC; without an SSRC those of the whole section."""
    found = re.findall(r"^a=(?:ssrc:(\d+) )?msid:(\S+)(?: (\S+))?", section, re.M)
    return {ssrc: (stream, track) for ssrc, stream, track in found}
