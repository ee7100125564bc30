"""The folder of the database: whether it can be written, whether SQLite works there, and the free space."""

import os
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from roompulse.checking.finding import Finding, Subject, error, in_bytes, ok, warning
from roompulse.store.backup import reading

NETWORK = {
    "nfs",
    "nfs4",
    "cifs",
    "smb3",
    "smbfs",
    "9p",
    "afs",
    "ceph",
    "lustre",
    "glusterfs",
    "beegfs",
    "ocfs2",
    "gfs2",
}
"""File systems on which SQLite's write-ahead log does not work: its index is memory shared by processes."""

FLEETING = {"tmpfs": "the next boot", "ramfs": "the next boot", "overlay": "the container"}
"""Volatile file systems, and when their data is lost."""

LEAST_ROOM = 100_000_000
"""Bytes for the log, and for temporary files of SQLite."""

RATE_OF, RATE_FOR = 1_000, 3_600
"""The fewest newest samples, and the fewest seconds of them, from which the growth of a day is estimated."""

MOUNTS = Path("/proc/mounts")


def folder(subject: Subject) -> Iterator[Finding]:
    place, there = subject.path.parent, _existing(subject.path.parent)
    if not there.is_dir() or not os.access(there, os.W_OK | os.X_OK):
        yield error(f"the folder {place} cannot be {'written' if place == there else 'created'}")
    elif subject.path.exists() and not os.access(subject.path, os.W_OK):
        yield error(f"the database {subject.path} cannot be written")
    else:
        yield ok(f"the folder {place} can be {'written' if place == there else 'created'}")
    kind = file_system(there, MOUNTS)
    if kind in NETWORK or kind == "fuse.sshfs":
        yield error(f"{place} is on {kind}, a network file system: SQLite is not safe there")
    elif kind in FLEETING:
        yield warning(f"{place} is on {kind}: the data is lost with {FLEETING[kind]}")
    elif kind:
        yield ok(f"{place} is on {kind}")


def file_system(place: Path, mounts: Path) -> str:
    """The kind of file system of a folder, from a table such as /proc/mounts; empty if unknown."""
    try:
        lines = [line.split() for line in mounts.read_text(errors="surrogateescape").splitlines()]
    except OSError:
        return ""
    points = {Path(_unescaped(line[1])): line[2] for line in lines}  # of two mounts at one point, the later one counts
    return next((points[parent] for parent in (place, *place.parents) if parent in points), "")


def room(subject: Subject) -> Iterator[Finding]:
    free = shutil.disk_usage(_existing(subject.path.parent)).free
    size, rate = _size_and_rate(subject.path)
    kept = rate * subject.settings.sample_retention
    said = f"free disk space: {in_bytes(free)}; size of the database: {in_bytes(size)}"
    if rate:
        said += f"; growth at the present rate: {in_bytes(rate * 86_400)} a day"
    elif size:
        said += "; growth: not known before there are reports of an hour"
    if free < LEAST_ROOM:
        yield error(f"{said}: the disk is almost full")
    elif kept - size > free:
        yield warning(f"{said}: not enough for SAMPLE_RETENTION, which needs {in_bytes(kept)}")
    else:
        yield ok(said)


def _existing(folder: Path) -> Path:
    """The folder, or the nearest existing one above it."""
    whole = folder.resolve()
    return next(place for place in (whole, *whole.parents) if place.exists())


def _unescaped(name: str) -> str:
    return name.replace("\\040", " ").replace("\\011", "\t").replace("\\012", "\n").replace("\\134", "\\")


def _size_and_rate(path: Path) -> tuple[int, float]:
    """Bytes of the database with its log, and bytes per second at the present rate; 0 if unknown."""
    size = sum(file.stat().st_size for file in (path, path.with_name(f"{path.name}-wal")) if file.exists())
    try:
        with closing(reading(path)) as connection:
            return size, size * _share_per_second(connection)
    except sqlite3.Error:
        return size, 0.0


def _share_per_second(connection: sqlite3.Connection) -> float:
    """The samples of a second at the present rate, as a share of all samples; 0 where they are too few.

    The whole size of the database is attributed to the samples, which are most of it.
    """
    oldest, newest = connection.execute("SELECT min(id), max(id) FROM sample").fetchone()
    time_of = "SELECT received_at FROM sample WHERE id <= ? ORDER BY id DESC LIMIT 1"
    every = 0 if newest is None else newest - oldest
    for some in (min(RATE_OF << doubled, every) for doubled in range(every.bit_length())):
        start, end = (connection.execute(time_of, [row_id]).fetchone()[0] for row_id in (newest - some, newest))
        if some >= RATE_OF and end - start >= RATE_FOR * 1000:
            return float(some / (every + 1) / ((end - start) / 1000))
    return 0.0
