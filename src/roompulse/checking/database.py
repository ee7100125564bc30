"""Checks of the database, which is only read."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing

from roompulse.checking.finding import Finding, Subject, error, in_bytes, ok, warning
from roompulse.store.backup import reading
from roompulse.store.files import LOG_KEPT
from roompulse.store.migrate import known_revisions

CLOCK_SLACK = 60
"""Seconds by which a row may be newer than now: clocks are often set back a little."""

RETENTION_SLACK = 600
"""Seconds by which rows may be older than their retention while a server deletes them."""


NEWEST = 100_000
"""Samples that are searched for a clock that was set."""


def database(subject: Subject) -> Iterator[Finding]:
    path = subject.path
    if not path.exists():
        yield ok(f"there is no database {path} yet: the server will create it")
        return
    try:
        with closing(reading(path)) as connection:
            yield from _schema(connection)
            yield from _integrity(connection, full=subject.full)
            yield from _times(connection, subject)
    except sqlite3.Error as problem:
        yield error(f"the database {path} cannot be read: {problem}")
    yield from _log(subject)


def _schema(connection: sqlite3.Connection) -> Iterator[Finding]:
    tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    known = known_revisions()
    if not tables:
        yield ok("the database is empty: the server will create its tables")
    elif "alembic_version" not in tables:
        yield error(f"not a database of roompulse: it has the tables {', '.join(sorted(tables)[:3])}")
    else:
        for (version,) in connection.execute("SELECT version_num FROM alembic_version"):
            if version not in known:
                yield error(f"the database is of a newer roompulse (schema {version}; this version has {known[0]})")
            elif version != known[0]:
                yield ok(f"schema {version}: the server will upgrade it to {known[0]}; make a backup first")
            else:
                yield ok(f"schema {version}, the one of this version")


def _integrity(connection: sqlite3.Connection, *, full: bool) -> Iterator[Finding]:
    check = "integrity_check" if full else "quick_check"
    faults = [" ".join(fault.split()) for (fault,) in connection.execute(f"PRAGMA {check}(10)")]
    if faults == ["ok"]:
        yield ok(f"the database is intact ({check})")
    for fault in faults if faults != ["ok"] else ():
        yield error(f"the database is damaged: {fault}")


def _times(connection: sqlite3.Connection, subject: Subject) -> Iterator[Finding]:
    settings = subject.settings
    tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    if "sample" in tables:
        yield from _times_of(connection, "sample", "received_at", settings.sample_retention, subject)
        yield from _clock_set_back(connection)
    if "snapshot" in tables:
        yield from _times_of(connection, "snapshot", "timestamp", settings.snapshot_retention, subject)


def _times_of(
    connection: sqlite3.Connection, table: str, column: str, retention: float, subject: Subject
) -> Iterator[Finding]:
    future = round((subject.now + CLOCK_SLACK) * 1000)
    oldest, start, end, ahead = connection.execute(
        f"SELECT oldest, {_time('oldest')}, {_time('newest')}, ahead FROM (SELECT min({column}) AS oldest, "  # noqa: S608
        f"max({column}) AS newest, sum({column} > {future}) AS ahead FROM {table})"
    ).fetchone()
    if oldest is None:
        yield ok(f"there are no {table}s yet")
        return
    yield ok(f"{table}s from {start} to {end} UTC")
    if ahead:
        yield warning(f"{table}s with a time in the future: {ahead}; the clock was wrong, then or now")
    age = subject.now - oldest / 1000
    if subject.serving and age > retention + RETENTION_SLACK:
        yield warning(
            f"the oldest {table} is {age:.0f} s old, while {table.upper()}_RETENTION is {retention:g} s: "
            "deletion does not keep up, or waits: for an hour, as the clock was set or no report had come before the "
            "start, or for rows with a time in the future"
        )


def _clock_set_back(connection: sqlite3.Connection) -> Iterator[Finding]:
    """Ids grow with the time of receipt. A clock that was set forward looks like a pause, and is not reported."""
    newest = "SELECT id, received_at FROM sample ORDER BY id DESC LIMIT ?"
    pairs = f"SELECT received_at AS at, lag(received_at) OVER (ORDER BY id) AS before FROM ({newest})"  # noqa: S608
    last = f"SELECT {_time('at')}, (before - at) / 1000 FROM ({pairs}) WHERE before - at > ? ORDER BY at DESC"  # noqa: S608
    for start, seconds in connection.execute(f"{last} LIMIT 1", [NEWEST, CLOCK_SLACK * 1000]):
        yield warning(f"the clock was set back by {seconds} s at {start} UTC, or is right since then")


def _time(column: str) -> str:
    """An SQL expression: a date may be beyond those of Python."""
    return f"datetime({column} / 1000, 'unixepoch')"


def _log(subject: Subject) -> Iterator[Finding]:
    log = subject.path.with_name(f"{subject.path.name}-wal")
    size = log.stat().st_size if log.exists() else 0
    if size > LOG_KEPT:
        reason = "a reader keeps it open" if subject.serving else "the next start writes it to the database"
        yield warning(f"the write-ahead log has {in_bytes(size)}: {reason}")
    elif size and not subject.serving:
        yield ok(f"the write-ahead log has {in_bytes(size)}: the next start recovers what a crash left there")
    else:
        yield ok(f"the write-ahead log has {in_bytes(size)}")
