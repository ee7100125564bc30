"""Conversion between reports, snapshots, sessions and their rows."""

from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from itertools import chain
from typing import Any

from msgspec.structs import astuple
from sqlalchemy import Connection as DatabaseConnection

from roompulse.report.model import Connection, Device, Entry, Event, Received, Report, Role
from roompulse.rooms.model import Aggregate
from roompulse.store.packing import pack_aggregate, pack_entry, unpack_entry
from roompulse.store.schema import samples

_NOTHING: dict[str, Any] = {}

FETCH_AT_ONCE = 1000
"""Rows that are fetched in one go; then other tasks run."""


_sample = samples.c
REPORT_COLUMNS = (
    *(_sample.room_id, _sample.reporter_id, _sample.sdk_version, _sample.report_time, _sample.received_at),
    *(_sample.user_id, _sample.streams),
)
"""The columns of a report's rows: first those that all rows of one report have in common."""

STORED_COLUMNS = (_sample.id, *REPORT_COLUMNS)
"""Those that `reports_of` reads."""

_INSERT = f"INSERT INTO sample ({', '.join(column.name for column in REPORT_COLUMNS)}) VALUES "  # noqa: S608  (our own)
_PLACES = f"({', '.join('?' * len(REPORT_COLUMNS))})"
_MOST_ROWS = 2048
"""Rows in one statement: SQLite allows 32,766 values."""


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
    """Rows of REPORT_COLUMNS. A report without entries is a sign of life, and stored as one row without a user.

    Entries of a media server are stored as reports of the users they are about, and name the server: so what is known
    of a user is found in one place, whoever measured it.
    """
    rows: list[tuple[Any, ...]] = []
    for received in reports:
        report = received.report
        at = round(received.at * 1000)
        version, time, of_each = report.sdk_version, report.report_time, _NOTHING
        if report.by_server:
            of_each = {"server": report.user_id}
        more = of_each | _of_report(report)
        if not report.metrics:
            rows.append((report.room_id, report.user_id, version, time, at, None, pack_entry((), more, time)))
        for entry in report.metrics:
            # The first row has what is said of the report as a whole.
            if entry.device or entry.user_name or entry.connection:
                more = more | _of_entry(entry)
            reporter_id = entry.user_id if report.by_server else report.user_id
            packed = pack_entry(entry.streams, more, time)
            rows.append((report.room_id, reporter_id, version, time, at, entry.user_id, packed))
            more = of_each
    return rows


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


def reports_of(rows: Iterable[Any]) -> list[Received]:
    """The reports from which rows of STORED_COLUMNS were made; their positions are the ids of their first rows.

    Adjacent rows that may be of one report become one report: applying it takes half of the time.
    """
    reports: list[Received] = []
    newest, metrics, users = None, list[Entry](), set[str]()
    for row_id, room_id, reporter_id, sdk_version, report_time, received_at, user_id, streams in rows:
        unpacked, more = unpack_entry(streams, report_time)
        server = more.get("server") if more else None
        common = received_at, server or reporter_id, room_id, report_time, sdk_version, server is None
        is_first = bool(more) and not _OF_REPORT.isdisjoint(more)
        if common != newest or user_id in users or user_id is None or is_first:
            metrics, users = [], set()
            whole = _report_fields(more) if is_first else _NO_FIELDS
            role: Role | None = "server" if server else None
            report = Report(server or reporter_id, room_id, sdk_version, report_time, metrics, *whole, role)
            reports.append(Received(report, received_at / 1000, position=row_id))
        if user_id is None:
            newest = None
        else:
            newest = common
            users.add(user_id)
            metrics.append(Entry(user_id, unpacked, *_entry_fields(more)) if more else Entry(user_id, unpacked))
    return reports


_OF_REPORT = frozenset({"room_name", "labels", "events"})
_NO_FIELDS = (None, None, None)


def _report_fields(more: Mapping[str, Any]) -> tuple[str | None, dict[str, str] | None, list[Event] | None]:
    events = more.get("events")
    return more.get("room_name"), more.get("labels"), events and [Event(*values) for values in events]


def _entry_fields(more: Mapping[str, Any]) -> tuple[Device | None, str | None, Connection | None]:
    device, connection = more.get("device"), more.get("connection")
    return device and Device(*device), more.get("user_name"), connection and Connection(*connection)
