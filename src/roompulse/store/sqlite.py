"""What both databases need of SQLAlchemy and SQLite."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Engine, event
from sqlalchemy.exc import SQLAlchemyError

from roompulse.errors import StoreError


@contextmanager
def store_errors() -> Iterator[None]:
    """Raise StoreError for what SQLAlchemy raises, with the words of the database alone."""
    try:
        yield
    except SQLAlchemyError as error:
        raise StoreError(str(getattr(error, "orig", None) or error)) from error


def set_pragmas(engine: Engine, pragmas: tuple[str, ...]) -> None:
    """Run these pragmas on each new connection."""

    @event.listens_for(engine, "connect")
    def run(connection: Any, _record: object) -> None:
        cursor = connection.cursor()
        for pragma in pragmas:
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()
