"""From a file to a room of the past."""

from collections.abc import Sequence
from datetime import UTC, datetime
from functools import partial
from itertools import count
from pathlib import Path
from urllib.parse import quote

from msgspec import Struct
from msgspec.structs import replace

from roompulse.clock import Clock
from roompulse.errors import StoreError
from roompulse.importing.files import read
from roompulse.importing.recording import Unusable
from roompulse.importing.replay import past_of
from roompulse.importing.reports import Progress, reports_of
from roompulse.insights.store import put
from roompulse.report.ids import MAX_ID_LENGTH, id_fault
from roompulse.report.model import Received, Report
from roompulse.settings import Settings
from roompulse.store.engine import Database
from roompulse.store.recordings import SqlRecordings

_SUFFIXES = {".gz", ".json", ".jsonl", ".txt"}


class Imported(Struct, frozen=True):
    """The result for a file; times are Unix seconds, `recorded_at` is when the call really began."""

    wanted: str
    room_id: str
    users: int
    samples: int
    recorded_at: float
    started_at: float
    ended_at: float

    def __str__(self) -> str:
        taken = "" if self.room_id == self.wanted else f" ({self.wanted!r} has a history of its own)"
        began = datetime.fromtimestamp(self.recorded_at, UTC)
        return (
            f"room {self.room_id!r}{taken}, {self.users} users, {self.ended_at - self.started_at:.0f} s, "
            f"{self.samples} samples, recorded {began:%Y-%m-%d %H:%M:%S} UTC and moved to just before now: "
            f"/rooms/{quote(self.room_id, safe='')}?at={self.ended_at:.3f}"
        )


async def import_file(path: Path, room_id: str, settings: Settings, clock: Clock, progress: Progress) -> Imported:
    """Save a recorded call whole, in a room of this name or, where that has a history, of a similar one.

    Raises:
        Unusable: the file cannot be imported; nothing was saved.
        StartupError: the database cannot be used, as while a server runs on it.

    """
    recorded = reports_of(read(path), room_id, progress)
    _check_length(recorded, settings)
    database = Database(settings)
    async with database.open():
        recordings = SqlRecordings(database)
        try:
            free = await _free_name(recordings, room_id)
            # Earlier by LEAVE_AFTER, so that for a server that starts now the room is not live.
            reports = _moved(recorded, free, ends_at=clock() - settings.leave_after)
            past = past_of(reports, settings)
            await recordings.add(free, past.calls, partial(put, minutes=past.minutes, same_moments=True))
        except StoreError as error:
            raise Unusable(f"nothing was saved, for the database failed: {error}") from None
    return Imported(
        wanted=room_id,
        room_id=free,
        users=len({entry.user_id for received in reports for entry in received.report.metrics}),
        samples=sum(len(entry.streams) for received in reports for entry in received.report.metrics),
        recorded_at=recorded[0].at,
        started_at=reports[0].at,
        ended_at=reports[-1].at,
    )


def room_of(path: Path) -> str:
    """The name of the room of a file."""
    name = path.name
    while Path(name).suffix in _SUFFIXES:
        name = Path(name).stem
    name = "".join(" " if id_fault(f"-{character}-") else character for character in name)
    name = name[:MAX_ID_LENGTH].strip()
    return "recording" if id_fault(name) else name


async def _free_name(recordings: SqlRecordings, wanted: str) -> str:
    name = wanted
    for number in count(2):
        if not await recordings.is_known(name):
            break
        suffix = f" ({number})"
        name = wanted[: MAX_ID_LENGTH - len(suffix)] + suffix
    return name


def _check_length(reports: Sequence[Received], settings: Settings) -> None:
    hours = (reports[-1].at - reports[0].at + settings.leave_after) / 3600
    if hours > settings.sample_retention / 3600:
        kept = settings.sample_retention / 3600
        raise Unusable(f"lasts {hours:.1f} hours, and reports are kept for {kept:.1f} (SAMPLE_RETENTION)")


def _moved(reports: Sequence[Received], room_id: str, ends_at: float) -> list[Received]:
    """The same reports of another room, and so that the last one is at `ends_at` (Unix seconds)."""
    later = ends_at - reports[-1].at
    return [Received(_report_moved(one, room_id, later), round(one.at + later, 3)) for one in reports]


def _report_moved(one: Received, room_id: str, later: float) -> Report:
    events = [replace(event, time=int((event.time or one.at) + later)) for event in one.report.events or ()]
    return replace(one.report, room_id=room_id, report_time=int(one.at + later), events=events or None)
