"""The streams of a recording, and their senders."""

from collections import Counter

from roompulse.importing.changes import Part
from roompulse.importing.figures import LOCAL, Media, Track
from roompulse.importing.recording import Connection, Recording, Stats, media_of
from roompulse.importing.sdp import keys_of
from roompulse.report.ids import id_fault
from roompulse.report.model import Direction

_DIRECTIONS: dict[str, Direction] = {"outbound-rtp": "send", "inbound-rtp": "recv"}
_REMOTE = "remote-inbound-rtp"


def tracks_of(recording: Recording) -> list[Track]:
    """All streams, in the order in which the dump has them."""
    names = _Names()
    tracks: dict[tuple[object, ...], Track] = {}
    for connection_id, connection in recording.connections.items():
        remotes = _remotes(connection)
        for stats_id, stats in connection.stats.items():
            direction, media = _DIRECTIONS.get(stats.kind), _media(stats_id, stats)
            if direction is None or media is None or not stats.points:
                continue
            user_id = LOCAL if direction == "send" else names.sender(connection_id, connection, stats)
            key = (connection_id, direction, user_id, media, _line(connection, stats_id, stats))
            if key not in tracks:
                stream_id = names.stream(user_id, direction, media)
                tracks[key] = Track(user_id, stream_id, direction, media, connection, [])
            tracks[key].parts.append(Part(stats, remotes.get(stats_id) or remotes.get(f"ssrc:{stats.last('ssrc')}")))
    return list(tracks.values())


def _remotes(connection: Connection) -> dict[object, Stats]:
    """Receivers' reports by the id of their stream, and by its SSRC."""
    remotes: dict[object, Stats] = {}
    for remote in connection.of_kind(_REMOTE).values():
        remotes[remote.last("localId")] = remote
        if (ssrc := remote.last("ssrc")) is not None:
            remotes[f"ssrc:{ssrc}"] = remote
    return remotes


def _media(stats_id: str, stats: Stats) -> Media | None:
    match media_of(stats_id, stats):
        case "audio":
            return "mic"
        case "video":
            return "screen" if stats.last("contentType") == "screenshare" else "camera"
    return None


def _line(connection: Connection, stats_id: str, stats: Stats) -> str:
    """The key shared by the parts of one stream.

    Without other data, all that a connection sends of a kind is one stream: simulcast layers in Firefox.
    """
    known = [stats.last("mid"), stats.last("mediaSourceId"), stats.last("trackId")]
    if stats.kind == "outbound-rtp":
        known += [connection.sources.get(str(stats.last("ssrc"))), "sent"]
    return str(next((one for one in known if one is not None), stats_id))


class _Names:
    """Names of users and streams. A remote user is the sender of a media stream, else the other end of a connection."""

    def __init__(self) -> None:
        self._unnamed: dict[str, str] = {}
        self._streams: Counter[tuple[str, Direction, Media]] = Counter()

    def sender(self, connection_id: str, connection: Connection, stats: Stats) -> str:
        keys = list(keys_of(stats, connection.of_kind("track")))
        newest = next(reversed(stats.points.values())).at
        found = None
        for at, senders in connection.senders:
            if at <= newest:  # a media server gives the same `mid` to others later
                found = next((senders[key] for key in keys if key in senders), found)
        if found is None or found == LOCAL or id_fault(found):
            return self._unnamed.setdefault(connection_id, f"remote-{len(self._unnamed) + 1}")
        return found

    def stream(self, user_id: str, direction: Direction, media: Media) -> str:
        self._streams[user_id, direction, media] += 1
        count = self._streams[user_id, direction, media]
        return media if count == 1 else f"{media}-{count}"
