"""A recording as reports of its local user, as if its SDK had posted them."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext

import msgspec
from msgspec.structs import replace

from roompulse.errors import BadRequest
from roompulse.importing.figures import LOCAL, Track, why_nothing
from roompulse.importing.recording import LEGACY, RESTARTED, Recording, Unusable
from roompulse.importing.tracks import tracks_of
from roompulse.report.decode import decode_report
from roompulse.report.model import MAX_EVENTS, Entry, Event, Received, Report, Stream

Moment = tuple[int, float]
"""An interval with measurements, and the time of the last one (Unix seconds)."""

Progress = Callable[[Sequence[Moment]], AbstractContextManager[Iterable[Moment]]]
"""Shows the progress of the moments passing through."""


def reports_of(recording: Recording, room_id: str, progress: Progress = nullcontext) -> list[Received]:
    """Reports at the times of the recording, from the first with figures to the last.

    Raises Unusable: there are none.
    """
    if not recording.connections:
        raise Unusable("no connection in it: it was saved before the call, or after its tab was closed")
    tracks = tracks_of(recording)
    if not tracks and any(connection.of_kind(LEGACY) for connection in recording.connections.values()):
        raise Unusable("the statistics in it are Chromium's legacy ones (googTrack, ssrc), not those of the standard")
    if not tracks:
        raise Unusable("no media in it: its connections have neither inbound-rtp nor outbound-rtp")
    with progress(_moments(recording)) as moments:
        reports = [_received(recording, room_id, tracks, *moment) for moment in moments]
    known = [place for place, received in enumerate(reports) if received.report.metrics]
    if not known:
        raise Unusable(why_nothing(tracks))
    return list(_with_events(reports[known[0] : known[-1] + 1], _ice_events(recording)))


def _moments(recording: Recording) -> list[Moment]:
    newest: dict[int, float] = {}
    for connection in recording.connections.values():
        for stats in connection.stats.values():
            for interval, point in stats.points.items():
                newest[interval] = max(point.at, newest.get(interval, 0))
    return sorted(newest.items())


def _received(recording: Recording, room_id: str, tracks: list[Track], interval: int, at: float) -> Received:
    streams: dict[str, list[Stream]] = {}
    for track in tracks:
        if stream := track.at(interval):
            streams.setdefault(track.user_id, []).append(stream)
    entries = [Entry(user_id, some) for user_id, some in streams.items()]
    report = Report(LOCAL, room_id, recording.source, int(at), entries)
    try:
        # The same check as for posted reports, so that stored reports can be shown.
        return Received(decode_report(msgspec.json.encode(report)), at)
    except BadRequest as error:
        raise Unusable(f"a figure makes no sense: {error.message}") from None


def _ice_events(recording: Recording) -> list[tuple[float, Event]]:
    """Failures and recoveries of connections, by time (Unix seconds), in the words of the browser SDK."""
    found = []
    for connection in recording.connections.values():
        broken = False
        for at, state in connection.ice:
            told = None
            if state in _BAD:
                told, broken = f"ICE {state}", True
            elif state in _GOOD and broken:
                told, broken = "ICE connected again", False
            elif state == RESTARTED:
                told = "ICE restarted"
            if told:
                found.append((at, Event(told, int(at))))
    return sorted(found, key=lambda one: one[0])


_BAD, _GOOD = {"failed", "disconnected"}, {"connected", "completed"}


def _with_events(reports: Iterable[Received], events: Sequence[tuple[float, Event]]) -> Iterator[Received]:
    """Each event in the first following report with room for it."""
    waiting = deque(events)
    for received in reports:
        due: list[Event] = []
        while waiting and waiting[0][0] <= received.at and len(due) < MAX_EVENTS:
            due.append(waiting.popleft()[1])
        yield Received(replace(received.report, events=due), received.at) if due else received
