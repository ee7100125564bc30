"""Copy a database, while a server may be writing to it.

SQLite before 3.51.3 can corrupt a write-ahead log when two connections write or checkpoint at once. So a database that
a server may use is opened for reading only: such a connection neither writes nor checkpoints, not even when it is the
last one to close, or the first one after a crash.
"""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from msgspec import Struct

BUSY_TIMEOUT = 30
"""Seconds to wait for another connection that recovers the log, or writes to a database without a log."""


class BackupError(Exception):
    """The backup failed; the message is one line with the reason."""


class Copied(Struct, frozen=True):
    """The contents of a copy: rooms with history, reports, time of the newest one (Unix seconds), and bytes."""

    rooms: int
    reports: int
    newest: float | None
    size: int


def reading(path: Path) -> sqlite3.Connection:
    """A connection that leaves database and log unchanged, to the byte; raises sqlite3.Error."""
    return sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=BUSY_TIMEOUT)


def back_up(reports: Path, access: Path, target: Path) -> Copied:
    """Copy the database of reports to the new file `target`, and that of access, if there is one, beside it.

    The copy includes all earlier commits. Its file appears once it is complete, checked and flushed.

    Raises:
        BackupError: neither file was created.

    """
    beside = target.with_name(f"{target.stem}-access.db")
    with _one_line(reports, target):
        for path in (target, beside):
            if path.exists():
                raise BackupError(f"{path} already exists")
        if not reports.exists():
            raise BackupError(f"there is no database {reports}")
        return _back_up(reports, access, target, beside)


def _back_up(reports: Path, access: Path, target: Path, beside: Path) -> Copied:
    with TemporaryDirectory(prefix=".roompulse-", dir=target.parent) as folder:
        copied, access_copied = Path(folder) / "roompulse.db", Path(folder) / "access.db"
        with closing(reading(reports)) as original:
            _copy(original, copied)
        if access.exists():
            # It has a rollback journal, which any process that opens it first after a crash plays back.
            with closing(sqlite3.connect(access, timeout=BUSY_TIMEOUT)) as original:
                _copy(original, access_copied)
        found = _contents(copied)
        if access_copied.exists():
            access_copied.rename(beside)
        copied.rename(target)
        if os.name != "nt":  # there a folder cannot be opened
            _flush(target.parent)
    return found


def _copy(original: sqlite3.Connection, copied: Path) -> None:
    """Copy everything in one step, so that the copy is of one moment, to a file that needs no log or journal."""
    os.close(os.open(copied, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    with closing(sqlite3.connect(copied)) as copy:
        copy.execute("PRAGMA synchronous=OFF")  # _flush does it once
        original.backup(copy)
    with closing(sqlite3.connect(copied)) as copy:
        copy.execute("PRAGMA journal_mode=DELETE")
        faults = [fault for (fault,) in copy.execute("PRAGMA integrity_check(1)")]
    if faults != ["ok"]:
        raise BackupError(f"the database is damaged, so no copy was made: {' '.join(faults[0].split())}")
    _flush(copied)


def _contents(copied: Path) -> Copied:
    with closing(reading(copied)) as copy:
        rooms = copy.execute(
            "SELECT count(*) FROM (SELECT room_id FROM sample UNION SELECT room_id FROM snapshot)"
        ).fetchone()[0]
        reports = copy.execute("SELECT count(*) FROM sample").fetchone()[0]
        newest = copy.execute("SELECT received_at FROM sample ORDER BY id DESC LIMIT 1").fetchone()
    return Copied(rooms, reports, newest[0] / 1000 if newest else None, copied.stat().st_size)


def _flush(path: Path) -> None:
    file = os.open(path, os.O_RDONLY)
    try:
        os.fsync(file)
    finally:
        os.close(file)


@contextmanager
def _one_line(reports: Path, target: Path) -> Iterator[None]:
    try:
        yield
    except (sqlite3.Error, OSError) as error:
        reason = getattr(error, "strerror", None) or error
        raise BackupError(f"{reports} cannot be copied to {target}: {reason}") from None
