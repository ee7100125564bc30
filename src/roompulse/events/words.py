"""Events in words: every text of an event that the server makes."""

from collections.abc import Sequence

from roompulse.quality import VERDICTS, Level, Verdict, reason
from roompulse.rooms.contract import LiveRoom, LiveUser
from roompulse.rooms.links import Weakest
from roompulse.rooms.verdict import text_of

ROOM_STARTED = "call started"
ROOM_ENDED = "call ended"
JOINED = "joined"
LEFT_UNSEEN = "left while the server was not running"
_AT_ONCE = 1.0


def left(silent: float) -> str:
    """`silent` is the number of seconds without a report."""
    return "left" if silent < _AT_ONCE else f"left: no report for {silent:.0f} s"


def stale(after: float) -> str:
    return f"no report for {after:.0f} s"


def returned(silent: float) -> str:
    return f"reports again after {silent:.0f} s"


def level_changed(before: Level | None, level: Level, user: LiveUser) -> str:
    change = f"{before} → {level}" if before else f"rated {level}"
    cause = "" if level == "good" else _cause(user.user_id, user.weakest())
    return f"{change}: {cause}" if cause else change


def _cause(user_id: str, weakest: Weakest) -> str:
    """The costliest impairment of the stream that decides a score."""
    streams = [(weakest.uplink, f"sending {weakest.uplink.stream_id}")] if weakest.uplink else []
    if down := weakest.downlink:
        sender = "" if down.sender_id in (None, user_id) else f"{down.sender_id}'s "
        streams.append((down.stream, f"receiving {sender}{down.stream.stream_id}"))
    if not streams:
        return ""
    stream, doing = min(streams, key=lambda one: one[0].quality.score or 0)
    term = max(stream.quality.terms, key=lambda term: term.cost, default=None)
    return reason(term, doing) if term else ""


def verdict_changed(before: Verdict | None, verdict: Verdict, room: LiveRoom) -> str:
    sentence = text_of(room.verdict())
    name = VERDICTS[verdict]
    told = sentence if sentence.startswith(name) else f"{name}: {sentence}"
    return f"{VERDICTS[before]} → {told}" if before else told


def changed(what: str, before: str, after: str) -> str:
    return f"{what} {before} → {after}"


def unlimited(stream_id: str) -> str:
    return f"{stream_id} is no longer limited"


def relayed(protocol: str | None) -> str:
    return f"media goes through a relay{f' ({protocol})' if protocol else ''}"


DIRECT = "media no longer goes through a relay"


def same_id_twice(versions: Sequence[str]) -> str:
    return f"two SDKs report as this user ({' and '.join(versions)})"


def dropped(count: int, seconds: float) -> str:
    return f"too many events in {seconds:.0f} s: {count} not kept"
