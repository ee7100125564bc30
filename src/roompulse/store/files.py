"""The files of a server: where its databases are, and which process may use them.

No import of SQLAlchemy here: it takes longer than most commands run.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

from roompulse.errors import DatabaseLostError, StartupError
from roompulse.settings import Settings

LOG_KEPT = 67_108_864
"""Bytes to which the write-ahead log is truncated once all of it is in the database."""


def database_path(settings: Settings) -> Path:
    """The file of the database of reports; raises StartupError for a DATABASE_URL that names none."""
    if settings.database_url is None:
        return settings.data / "roompulse.db"
    from roompulse.store.engine import database_url

    return Path(database_url(settings).database or "")


def is_postgres(settings: Settings) -> bool:
    """Whether the reports are in PostgreSQL."""
    return (settings.database_url or "").partition(":")[0] in ("postgresql", "postgres", "postgresql+asyncpg")


def access_path(settings: Settings) -> Path:
    """The database of access control, beside the one of reports; raises as `database_path`."""
    reports = database_path(settings)
    return reports.with_name(f"{reports.stem}-access.db")


def in_use(path: Path) -> bool:
    """Whether a process holds the lock of `only_process_on`. The lock file is not created by this."""
    lock = _lock(path)
    try:
        if Path(lock.lock_file).exists():
            lock.acquire()
            lock.release()
    except Timeout:
        return True
    except OSError:
        return False
    return False


@contextmanager
def only_process_on(path: Path) -> Iterator[None]:
    """Hold a lock beside the database, which the operating system releases however the process ends.

    Raises StartupError where another process holds it, or the folder cannot be written.
    """
    lock = _lock(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock.acquire()
    except Timeout:
        raise StartupError(f"another roompulse is running on the database {path}: stop it first") from None
    except OSError as error:
        raise StartupError(f"the folder {path.parent} cannot be written: {error.strerror}") from None
    try:
        yield
    finally:
        lock.release()


MOVED = (
    "its file was moved, deleted or replaced while the server was running; put the file back, or restart the server to "
    "use the new one"
)
OVERWRITTEN = (
    "its file was overwritten while the server was running; stop the server, restore a backup, and start the server"
)


class OpenFiles:
    """Whether the files of an open database are still the files at its path.

    SQLite does not check: it keeps writing to a file that was moved, deleted or overwritten, and reports success. Not
    to be used by two threads at once. None of these files is closed here while SQLite uses it: to close a file ends all
    locks that the process has on it (https://sqlite.org/howtocorrupt.html, section 2.2).
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._paths = path, path.with_name(f"{path.name}-wal"), path.with_name(f"{path.name}-shm")
        self._identities: list[tuple[int, int] | None] = []
        self._content: tuple[int, int] | None = None
        self._index: int | None = None
        self._checkpoint = b""

    def opened(self) -> None:
        """Take the files at the path for the open ones; to be called right after they were opened."""
        self._identities = [_identity(path) for path in self._paths]
        self._index = os.open(self._paths[2], os.O_RDONLY)
        self._content, self._checkpoint = _content(self._path), _checkpoint(self._index)

    def close(self) -> None:
        """To be called when SQLite has closed its files: this ends the locks of the whole process on the index."""
        if self._index is not None:
            os.close(self._index)

    def check(self) -> None:
        """Raises DatabaseLostError; also where another program wrote to the main file since `wrote` was called.

        The log is not compared: with a newer SQLite, other programs may write to it.
        """
        for path, identity in zip(self._paths, self._identities, strict=False):
            if identity and _identity(path) != identity:
                raise DatabaseLostError(MOVED)
        if self._content and _content(self._path) != self._content:
            raise DatabaseLostError(OVERWRITTEN)

    def wrote(self) -> None:
        """Note the main file as it is after a transaction, if its checkpoint has changed it.

        Raises DatabaseLostError if anything else has, or the file was moved meanwhile: the transaction may be lost.
        """
        if self._index is not None and (newest := _checkpoint(self._index)) != self._checkpoint:
            self._content, self._checkpoint = _content(self._path), newest
        self.check()


def _identity(path: Path) -> tuple[int, int] | None:
    with suppress(OSError):
        found = os.stat(path)  # noqa: PTH116  (before each commit: half the time of Path.stat)
        return found.st_dev, found.st_ino
    return None


def _checkpoint(index: int) -> bytes:
    """What changes with each checkpoint: the salt of the log, and how many of its pages are in the main file.

    Bytes 32 to 39 and 96 to 99 of the index (https://sqlite.org/walformat.html, section 2.1).
    """
    found = os.pread(index, 100, 0)
    return found[32:40] + found[96:]


def _content(path: Path) -> tuple[int, int] | None:
    """What changes whenever a file is written."""
    with suppress(OSError):
        found = os.stat(path)  # noqa: PTH116
        return found.st_size, found.st_mtime_ns
    return None


def _lock(path: Path) -> FileLock:
    return FileLock(path.with_name(path.name + ".lock"), timeout=0)
