"""The files of a server: where its databases are, and which process may use them.

No import of SQLAlchemy here: it takes longer than most commands run.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from roompulse.errors import StartupError
from roompulse.settings import Settings

LOG_KEPT = 67_108_864
"""Bytes to which the write-ahead log is truncated once all of it is in the database."""


def database_path(settings: Settings) -> Path:
    """The database of reports; raises StartupError for a DATABASE_URL that cannot be used."""
    if settings.database_url is None:
        return settings.data / "roompulse.db"
    from roompulse.store.engine import database_url

    return Path(database_url(settings).database or "")


def access_path(settings: Settings) -> Path:
    """The database of access control, beside that of reports; raises as `database_path`."""
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


def _lock(path: Path) -> FileLock:
    return FileLock(path.with_name(path.name + ".lock"), timeout=0)
