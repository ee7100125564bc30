"""Copy a database, whether a server writes to it or not.

SQLite before 3.51.3 can corrupt a write-ahead log when two connections write or checkpoint at once. So a database that
a server may use is opened for reading only: such a connection never writes, nor does it checkpoint, not even where it
is the last one to close, or the first one after a crash.
"""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from msgspec import Struct

PATIENCE = 30
"""Seconds to wait for another connection that recovers the log, or writes to a database without one."""


class BackupError(Exception):
    """There is no backup; the message is one line that says why."""


class Copied(Struct, frozen=True):
    """What is in a copy: rooms that have a history, samples, the newest of them (Unix seconds), and bytes."""

    rooms: int
    samples: int
    newest: float | None
    size: int


def reading(path: Path) -> sqlite3.Connection:
    """A connection that leaves database and log as they are, to the byte; raises sqlite3.Error."""
    return sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=PATIENCE)


def back_up(reports: Path, access: Path, target: Path) -> Copied:
    """Copy the database of reports to the new file `target`, and that of access, if there is one, beside it.

    The copy has everything that was committed before, and is whole: its file appears when it has been checked and
    flushed.

    Raises:
        BackupError: and neither file is there.

    """
    beside = target.with_name(f"{target.stem}-access.db")
    with _one_line(reports, target):
        for path in (target, beside):
            if path.exists():
                raise BackupError(f"{path} is there already")
        if not reports.exists():
            raise BackupError(f"there is no database {reports}")
        return _back_up(reports, access, target, beside)


def _back_up(reports: Path, access: Path, target: Path, beside: Path) -> Copied:
    with TemporaryDirectory(prefix=".roompulse-", dir=target.parent) as folder:
        copied, access_copied = Path(folder) / "roompulse.db", Path(folder) / "access.db"
        with closing(reading(reports)) as original:
            _copy(original, copied)
        if access.exists():
            # It has a rollback journal, which whoever opens it first after a crash plays back, and any process may.
            with closing(sqlite3.connect(access, timeout=PATIENCE)) as original:
                _copy(original, access_copied)
        found = _look(copied)
        if access_copied.exists():
            access_copied.rename(beside)
        copied.rename(target)
        if os.name != "nt":  # where a folder cannot be opened
            _flush(target.parent)
    return found


def _copy(original: sqlite3.Connection, copied: Path) -> None:
    """Copy all in one go, which is one moment of the original, to a file that needs no other beside it."""
    os.close(os.open(copied, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    with closing(sqlite3.connect(copied)) as copy:
        copy.execute("PRAGMA synchronous=OFF")  # _flush does it once
        original.backup(copy)
    with closing(sqlite3.connect(copied)) as copy:
        copy.execute("PRAGMA journal_mode=DELETE")
        faults = [fault for (fault,) in copy.execute("PRAGMA integrity_check(1)")]
    if faults != ["ok"]:
        raise BackupError(f"the database is damaged, and so would be the copy: {' '.join(faults[0].split())}")
    _flush(copied)


def _look(copied: Path) -> Copied:
    with closing(reading(copied)) as copy:
        rooms = copy.execute(
            "SELECT count(*) FROM (SELECT room_id FROM sample UNION SELECT room_id FROM snapshot)"
        ).fetchone()[0]
        samples = copy.execute("SELECT count(*) FROM sample").fetchone()[0]
        newest = copy.execute("SELECT received_at FROM sample ORDER BY id DESC LIMIT 1").fetchone()
    return Copied(rooms, samples, newest[0] / 1000 if newest else None, copied.stat().st_size)


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
