"""Requirements on the machine besides a folder for data."""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from datetime import UTC, datetime

from roompulse.checking.finding import Finding, Group, Subject, error, ok, warning
from roompulse.errors import StartupError

OTHER_FILES = 250
"""Open files besides the streams: connections of senders and programs, the database, and files of Python."""

FIRST_YEAR, LAST_YEAR = 2025, 2100
"""The range of years of a plausible clock."""


def listening(listen: Callable[[str, int], AbstractContextManager[object]]) -> Group:
    """`listen` opens the socket that the server would open."""

    def check(subject: Subject) -> Iterator[Finding]:
        settings = subject.settings
        if subject.serving:
            yield ok("a server is running on this database: it is not disturbed, and the port is not tried")
            return
        try:
            with listen(settings.host, settings.port):
                yield ok(f"can listen on {settings.host} port {settings.port}")
        except StartupError as problem:
            yield error(str(problem))

    return check


def open_files(subject: Subject) -> Iterator[Finding]:
    try:
        import resource
    except ImportError:  # Windows has no such limit
        return
    limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = subject.settings.max_viewers + OTHER_FILES
    if limit == resource.RLIM_INFINITY or limit >= needed:
        yield ok("open files: enough for MAX_VIEWERS")
    else:
        yield warning(
            f"open files: the limit is {limit}, but MAX_VIEWERS ({subject.settings.max_viewers}) needs {needed} "
            "(ulimit -n; LimitNOFILE= of a service)"
        )


def clock(subject: Subject) -> Iterator[Finding]:
    now = datetime.fromtimestamp(subject.now, UTC)
    said = f"the clock is at {now:%F %T} UTC"
    yield ok(said) if FIRST_YEAR <= now.year < LAST_YEAR else error(f"{said}: reports would be stored with that time")


def sqlite(_subject: Subject) -> Iterator[Finding]:
    version = sqlite3.sqlite_version
    if sqlite3.sqlite_version_info < (3, 51, 3):
        yield ok(f"SQLite {version}: before 3.51.3, no other program may write to the database of a running server")
    else:
        yield ok(f"SQLite {version}")
