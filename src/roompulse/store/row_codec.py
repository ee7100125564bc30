"""Conversion between reports, snapshots, sessions and their rows."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from itertools import chain
from typing import Any, NamedTuple

from msgspec.structs import astuple
from sqlalchemy import Boolean, ColumnElement, Table
from sqlalchemy import Connection as DatabaseConnection
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.expression import FunctionElement

from roompulse.report.model import Connection, Device, Entry, Event, Received, Report, Role
from roompulse.rooms.model import Aggregate
from roompulse.store.packing import Packed, pack_aggregate, pack_report, unpack_entry, unpack_lone_entry, unpack_report
from roompulse.store.schema import samples

_NOTHING: dict[str, Any] = {}

FETCH_AT_ONCE = 1000
"""Rows fetched before other tasks run."""

BETWEEN_USERS = "\n"
"""A separator that no id contains."""


_sample = samples.c
REPORT_COLUMNS = (
    *(_sample.room_id, _sample.reporter_id, _sample.sdk_version, _sample.report_time, _sample.received_at),
    *(_sample.users, _sample.streams),
)
"""The columns of a report's row."""

STORED_COLUMNS = (_sample.id, *REPORT_COLUMNS, _sample.user_id)
"""The columns that `reports_of` reads."""

_INSERT = f"INSERT INTO sample ({', '.join(column.name for column in REPORT_COLUMNS)}) VALUES "  # noqa: S608  (our own)
_PLACES = f"({', '.join('?' * len(REPORT_COLUMNS))})"
_MOST_ROWS = 2048
"""Rows in one statement: SQLite allows 32,766 values."""


def put_rows(connection: DatabaseConnection, table: Table, rows: Iterable[dict[str, Any]]) -> None:
    """Insert rows, or replace those with the same id."""
    insert = _INSERTS[connection.dialect.name]
    for row in rows:
        connection.execute(insert(table).values(row).on_conflict_do_update(index_elements=["id"], set_=row))


def add_rows(connection: DatabaseConnection, table: Table, rows: Sequence[dict[str, Any]]) -> None:
    """Insert rows, except those already present by a unique index: another worker may have found the same."""
    connection.execute(_INSERTS[connection.dialect.name](table).on_conflict_do_nothing(), rows)


_INSERTS: Mapping[str, Any] = {"sqlite": sqlite.insert, "postgresql": postgresql.insert}


def mentions(column: ColumnElement[str], q: str) -> ColumnElement[bool]:
    """Whether a column of case-folded text, which is never NULL, has `q` in it, without regard to case."""
    # No stored text has a U+0000, and PostgreSQL takes none.
    return column.is_(None) if "\0" in q else column.contains(q.casefold(), autoescape=True)


class holds(FunctionElement[bool]):  # noqa: N801  (it is used as a function)
    """Whether a column of bytes has some bytes in it."""

    type = Boolean()
    inherit_cache = True


@compiles(holds)
def _in_sqlite(element: holds, compiler: Any, **how: Any) -> str:
    column, part = element.clauses
    return f"instr({compiler.process(column, **how)}, {compiler.process(part, **how)}) > 0"


@compiles(holds, "postgresql")
def _in_postgres(element: holds, compiler: Any, **how: Any) -> str:
    column, part = element.clauses
    return f"position({compiler.process(part, **how)} in {compiler.process(column, **how)}) > 0"


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
    """Rows of REPORT_COLUMNS, `rows_in` of each report: one, and of a media server one for each entry.

    Entries of a media server are stored as reports of their users, and name the server: so all data
    of a user is found in one place, measured by a client or a server.
    """
    rows: list[tuple[Any, ...]] = []
    for received in reports:
        if received.rows is not None:
            rows += received.rows
            continue
        report, at = received.report, round(received.at * 1000)
        more = _of_report(report)
        if not report.by_server:
            rows.append(_row_of(report, report.user_id, report.metrics, more, at))
            continue
        of_each = {"server": report.user_id}
        more = of_each | more
        if not report.metrics:
            rows.append(_row_of(report, report.user_id, (), more, at))
        for entry in report.metrics:
            rows.append(_row_of(report, entry.user_id, (entry,), more, at))
            more = of_each  # The first row has the fields of the report as a whole.
    return rows


def rows_in(report: Report) -> int:
    return max(1, len(report.metrics)) if report.by_server else 1


def _row_of(report: Report, about: str, metrics: Sequence[Entry], more: dict[str, Any], at: int) -> tuple[Any, ...]:
    entries = [
        (one.streams, _of_entry(one) if one.device or one.user_name or one.connection else _NOTHING) for one in metrics
    ]
    packed = pack_report(entries, more, report.report_time)
    return report.room_id, about, report.sdk_version, report.report_time, at, _listed(metrics, about), packed


def _listed(metrics: Sequence[Entry], reporter_id: str) -> str | None:
    """The column `users`: ids between line feeds; empty for the usual one entry about the reporter."""
    return _list_of([one.user_id for one in metrics], reporter_id)


def _list_of(users: Sequence[str], reporter_id: str) -> str | None:
    if not users:
        return None
    return "" if users == [reporter_id] else BETWEEN_USERS.join(["", *users, ""])


def _users_in(listed: str | None, reporter_id: str) -> Sequence[str]:
    if listed is None:
        return ()
    return listed[1:-1].split(BETWEEN_USERS) if listed else (reporter_id,)


def without_user(listed: str | None, reporter_id: str, values: list[Any], user_id: str) -> tuple[str | None, list[Any]]:
    """The column `users` and the decoded `streams` of a report's row, without the data about a user."""
    users = _users_in(listed, reporter_id)
    entries = [(one, value) for one, value in zip(users, values, strict=False) if one != user_id]
    kept = [one for one, _ in entries]
    return _list_of(kept, reporter_id), [*(value for _, value in entries), *values[len(users) :]]


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
    """The reports that are stored in rows of STORED_COLUMNS; their positions are the ids of their first rows.

    With `about`, only entries about that user or about the stored reporter.
    """
    parts = _Parts()
    for row in rows:
        part = _part_of(row, about)
        if part is None:
            continue
        if part.is_whole:
            yield from parts.end()
            yield part.report
        else:
            yield from parts.add(part)
    yield from parts.end()


class _Part(NamedTuple):
    """A row: a whole report, or one user's entry in a report of a media server or of a version up to 0.1.0.

    `is_first` says that it has the fields of the report as a whole.
    """

    report: Received
    is_whole: bool
    is_first: bool


def _part_of(row: Any, about: str | None) -> _Part | None:
    """The report as of this row; None if it has no entry that is wanted."""
    row_id, room_id, reporter_id, sdk_version, report_time, received_at, users, streams, user_id = row
    if user_id is None:
        packed, more = unpack_report(streams)
        entries = [
            _entry_of(one, unpack_entry(entry, report_time))
            for one, entry in zip(_users_in(users, reporter_id), packed, strict=True)
            if about in (None, one) or one == reporter_id
        ]
    else:
        unpacked = unpack_lone_entry(streams, report_time)
        entries, more = [_entry_of(user_id, unpacked)], unpacked[1]
    if about is not None and not entries:
        return None
    is_first = not _OF_REPORT.isdisjoint(more)
    server = more.get("server")
    role: Role | None = "server" if server else None
    whole = _report_fields(more) if is_first else _NO_FIELDS
    report = Report(server or reporter_id, room_id, sdk_version, report_time, entries, *whole, role)
    is_whole = not entries or (user_id is None and server is None)
    return _Part(Received(report, received_at / 1000, position=row_id), is_whole, is_first)


def _entry_of(user_id: str, unpacked: Packed) -> Entry:
    streams, more = unpacked
    return Entry(user_id, list(streams), *_entry_fields(more)) if more else Entry(user_id, list(streams))


class _Parts:
    """Merges adjacent rows that may be of one report: applying that takes half of the time."""

    def __init__(self) -> None:
        self._newest: Received | None = None
        self._users = set[str]()

    def add(self, part: _Part) -> Iterator[Received]:
        """Add a part; yields the report before, if this one begins another."""
        (entry,) = part.report.report.metrics
        newest = self._newest
        if newest and not part.is_first and entry.user_id not in self._users and _may_be_one(newest, part.report):
            newest.report.metrics.append(entry)
        else:
            yield from self.end()
            self._newest = part.report
        self._users.add(entry.user_id)

    def end(self) -> Iterator[Received]:
        if self._newest:
            yield self._newest
        self._newest, self._users = None, set()


def _may_be_one(one: Received, other: Received) -> bool:
    return one.at == other.at and _common(one.report) == _common(other.report)


def _common(report: Report) -> tuple[Any, ...]:
    return report.user_id, report.room_id, report.report_time, report.sdk_version, report.role


_OF_REPORT = frozenset({"room_name", "labels", "events"})
_NO_FIELDS = (None, None, None)


def _report_fields(more: Mapping[str, Any]) -> tuple[str | None, dict[str, str] | None, list[Event] | None]:
    events = more.get("events")
    return more.get("room_name"), more.get("labels"), events and [Event(*values) for values in events]


def _entry_fields(more: Mapping[str, Any]) -> tuple[Device | None, str | None, Connection | None]:
    device, connection = more.get("device"), more.get("connection")
    return device and Device(*device), more.get("user_name"), connection and Connection(*connection)
