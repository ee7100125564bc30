"""Conversion between reports, snapshots, sessions and their rows."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from itertools import chain
from typing import Any

from msgspec.structs import astuple
from sqlalchemy import Connection as DatabaseConnection
from sqlalchemy import Table
from sqlalchemy.dialects import postgresql, sqlite

from roompulse.report.model import Connection, Device, Entry, Event, Received, Report
from roompulse.rooms.model import Aggregate
from roompulse.store.packing import Packed, pack_aggregate, pack_report, unpack_entry, unpack_lone_entry, unpack_report
from roompulse.store.schema import samples

_NOTHING: dict[str, Any] = {}

FETCH_AT_ONCE = 1000
"""Rows that are fetched in one go; then other tasks run."""

BETWEEN_USERS = "\n"
"""Which no id contains."""


_sample = samples.c
REPORT_COLUMNS = (
    *(_sample.room_id, _sample.reporter_id, _sample.sdk_version, _sample.report_time, _sample.received_at),
    *(_sample.users, _sample.streams),
)
"""The columns of a report's row."""

STORED_COLUMNS = (_sample.id, *REPORT_COLUMNS, _sample.user_id)
"""Those that `reports_of` reads."""

_INSERT = f"INSERT INTO sample ({', '.join(column.name for column in REPORT_COLUMNS)}) VALUES "  # noqa: S608  (our own)
_PLACES = f"({', '.join('?' * len(REPORT_COLUMNS))})"
_MOST_ROWS = 2048
"""Rows in one statement: SQLite allows 32,766 values."""


def put_rows(connection: DatabaseConnection, table: Table, rows: Iterable[dict[str, Any]]) -> None:
    """Insert rows, or replace those with the same id."""
    insert = _INSERTS[connection.dialect.name]
    for row in rows:
        connection.execute(insert(table).values(row).on_conflict_do_update(index_elements=["id"], set_=row))


_INSERTS: Mapping[str, Any] = {"sqlite": sqlite.insert, "postgresql": postgresql.insert}


def insert_reports(connection: DatabaseConnection, rows: Sequence[tuple[Any, ...]]) -> int:
    """Insert rows of REPORT_COLUMNS, many in one statement, and return the id of the last one; ids are consecutive.

    Python's sqlite3 acquires the interpreter's lock again for each row of an `executemany`, and waits for it while
    other threads are busy; it releases the lock for the whole of a statement. It caches 128 prepared statements, half a
    kilobyte for each row in them: so the number of rows in a statement is always a power of two.
    """
    start = last = 0
    while rest := len(rows) - start:
        count = min(_MOST_ROWS, 1 << (rest.bit_length() - 1))
        values = tuple(chain.from_iterable(rows[start : start + count]))
        last = connection.exec_driver_sql(_insert_of(count), values).lastrowid
        start += count
    return last


@cache
def _insert_of(count: int) -> str:
    return _INSERT + ", ".join([_PLACES] * count)


def rows_of(reports: Iterable[Received]) -> list[tuple[Any, ...]]:
    """Rows of REPORT_COLUMNS, one for each report."""
    return [_row_of(received.report, round(received.at * 1000)) for received in reports]


def _row_of(report: Report, at: int) -> tuple[Any, ...]:
    entries = [
        (one.streams, _of_entry(one) if one.device or one.user_name or one.connection else _NOTHING)
        for one in report.metrics
    ]
    users = searched_user(BETWEEN_USERS.join([one.user_id for one in report.metrics])) if entries else None
    packed = pack_report(entries, _of_report(report), report.report_time)
    return report.room_id, report.user_id, report.sdk_version, report.report_time, at, users, packed


def searched_user(user_id: str) -> str:
    """What the column `users` contains if an entry is about this user."""
    return f"{BETWEEN_USERS}{user_id}{BETWEEN_USERS}"


def _of_report(report: Report) -> dict[str, Any]:
    more: dict[str, Any] = {}
    if report.room_name:
        more["room_name"] = report.room_name
    if report.labels:
        more["labels"] = report.labels
    if report.events:
        more["events"] = [astuple(event) for event in report.events]
    return more


def _of_entry(entry: Entry) -> dict[str, Any]:
    more: dict[str, Any] = {}
    if entry.device:
        more["device"] = astuple(entry.device)
    if entry.user_name:
        more["user_name"] = entry.user_name
    if entry.connection:
        more["connection"] = astuple(entry.connection)
    return more


def snapshot_row(room_id: str, timestamp: float, aggregate: Aggregate) -> dict[str, Any]:
    return {"room_id": room_id, "timestamp": round(timestamp * 1000), "aggregate": pack_aggregate(aggregate)}


def session_row(room_id: str, started_at: float) -> dict[str, Any]:
    return {"room_id": room_id, "searched": room_id.casefold(), "started_at": round(started_at * 1000)}


def reports_of(rows: Iterable[Any], about: str | None = None) -> Iterator[Received]:
    """The reports that are stored in rows of STORED_COLUMNS; their positions are the ids of the rows.

    With `about`, those with an entry about that user, without their other entries.
    """
    entries = _LoneEntries()
    for row in rows:
        *_, users, streams, user_id = row
        if user_id is not None:
            yield from entries.add(row)
            continue
        yield from entries.end()
        yield from _report_of(row, users[1:-1].split(BETWEEN_USERS) if users else (), streams, about)
    yield from entries.end()


def _report_of(row: Any, users: Sequence[str], streams: bytes, about: str | None) -> Iterator[Received]:
    row_id, room_id, reporter_id, sdk_version, report_time, received_at, *_ = row
    packed, more = unpack_report(streams)
    entries = [
        _entry_of(user_id, unpack_entry(entry, report_time))
        for user_id, entry in zip(users, packed, strict=True)
        if about in (None, user_id)
    ]
    if entries or about is None:
        whole = _report_fields(more) if more else ()
        report = Report(reporter_id, room_id, sdk_version, report_time, entries, *whole)
        yield Received(report, received_at / 1000, position=row_id)


def _entry_of(user_id: str, unpacked: Packed) -> Entry:
    streams, more = unpacked
    return Entry(user_id, list(streams), *_entry_fields(more)) if more else Entry(user_id, list(streams))


class _LoneEntries:
    """Reports of which each entry has a row of its own, as versions up to 0.1.0 stored them.

    Adjacent rows that may be of one report become one report: applying it takes half of the time. The first row has
    what is said of the report as a whole.
    """

    def __init__(self) -> None:
        self._common: tuple[Any, ...] | None = None
        self._users = set[str]()
        self._report: Received | None = None

    def add(self, row: Any) -> Iterator[Received]:
        """Add an entry; yields the report before, if this is the first entry of another one."""
        row_id, room_id, reporter_id, sdk_version, report_time, received_at, _, streams, user_id = row
        common = received_at, reporter_id, room_id, report_time, sdk_version
        unpacked = unpack_lone_entry(streams, report_time)
        is_first = not _OF_REPORT.isdisjoint(unpacked[1])
        if self._report is None or common != self._common or user_id in self._users or is_first:
            yield from self.end()
            whole = _report_fields(unpacked[1]) if is_first else ()
            report = Report(reporter_id, room_id, sdk_version, report_time, [], *whole)
            self._report, self._common = Received(report, received_at / 1000, position=row_id), common
        self._users.add(user_id)
        self._report.report.metrics.append(_entry_of(user_id, unpacked))

    def end(self) -> Iterator[Received]:
        if self._report:
            yield self._report
        self._report, self._users = None, set()


_OF_REPORT = frozenset({"room_name", "labels", "events"})


def _report_fields(more: Mapping[str, Any]) -> tuple[str | None, dict[str, str] | None, list[Event] | None]:
    events = more.get("events")
    return more.get("room_name"), more.get("labels"), events and [Event(*values) for values in events]


def _entry_fields(more: Mapping[str, Any]) -> tuple[Device | None, str | None, Connection | None]:
    device, connection = more.get("device"), more.get("connection")
    return device and Device(*device), more.get("user_name"), connection and Connection(*connection)
