"""What PostgreSQL, its driver and SQLAlchemy raise, as one kind of error."""

from collections.abc import Iterator
from contextlib import contextmanager

import asyncpg  # type: ignore[import-untyped]

from roompulse.errors import StoreError
from roompulse.store.sqlite import store_errors


@contextmanager
def driver_errors() -> Iterator[None]:
    """Raise StoreError for asyncpg's errors."""
    try:
        yield
    except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError) as error:
        raise StoreError(_in_words(error)) from error


@contextmanager
def database_errors() -> Iterator[None]:
    """Raise StoreError for what SQLAlchemy raises, with the words of PostgreSQL alone."""
    with driver_errors():
        try:
            with store_errors():
                yield
        except StoreError as error:
            if isinstance(found := _of_driver(error), asyncpg.PostgresError):
                raise StoreError(_in_words(found)) from error.__cause__
            raise


def _of_driver(error: StoreError) -> BaseException | None:
    """The error of asyncpg, which SQLAlchemy wraps twice."""
    return getattr(getattr(error.__cause__, "orig", None), "__cause__", None)


def _in_words(error: BaseException) -> str:
    """In one line: PostgreSQL's details and hints are in its own log."""
    if isinstance(error, TimeoutError):
        return "PostgreSQL did not answer in time"
    todo = ": make room on the disk of PostgreSQL" if isinstance(error, asyncpg.DiskFullError) else ""
    return f"{str(error).partition(chr(10))[0] or type(error).__name__}{todo}"
