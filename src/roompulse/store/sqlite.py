"""What both databases need of SQLAlchemy and SQLite."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from msgspec import MsgspecError
from sqlalchemy import Engine, event
from sqlalchemy.exc import SQLAlchemyError

from roompulse.errors import DatabaseDamagedError, StartupError, StoreError

_DAMAGED = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}
"""Primary error codes: the lowest byte of SQLite's error code."""


@contextmanager
def store_errors() -> Iterator[None]:
    """Raise StoreError for SQLAlchemy's errors, with only the database's message.

    For a damaged file, DatabaseDamagedError.
    """
    try:
        yield
    except SQLAlchemyError as error:
        cause = getattr(error, "orig", None) or error
        if getattr(cause, "sqlite_errorcode", 0) & 0xFF in _DAMAGED:
            message = f"its file is damaged ({cause}); run roompulse check, and restore a backup"
            raise DatabaseDamagedError(message) from error
        raise StoreError(str(cause)) from error
    except MsgspecError as error:
        raise StoreError(f"a stored row cannot be read: {error}") from error


@contextmanager
def startup_errors(path: Path) -> Iterator[None]:
    """Raise StartupError, with one line for the operator, where the database at this path fails."""
    try:
        with store_errors():
            yield
    except StoreError as error:
        raise StartupError(f"the database {path} cannot be used: {error}") from None


def set_pragmas(engine: Engine, pragmas: tuple[str, ...]) -> None:
    """Run these pragmas on each new connection."""

    @event.listens_for(engine, "connect")
    def run(connection: Any, _record: object) -> None:
        cursor = connection.cursor()
        for pragma in pragmas:
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()
