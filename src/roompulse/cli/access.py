"""Shared code of the access commands: they change its database, while a server may be running."""

import os
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, TypeVar

import click

from roompulse.errors import StartupError
from roompulse.settings import load_settings
from roompulse.store.files import is_postgres

if TYPE_CHECKING:
    from roompulse.access.store import AccessStore

T = TypeVar("T")

data_option = click.option("--data", help="Data folder.  [default: ./data]")


def with_access(data: str | None, work: Callable[["AccessStore"], Awaitable[T]]) -> tuple[T, str]:
    """Run `work` on the database of access control; returns its result and where the database is.

    Raises click.ClickException if the database cannot be used.
    """
    # Imported when the arguments are valid: importing SQLAlchemy takes longer than the rest of a command.
    import asyncio

    from roompulse.access.database import AccessDatabase
    from roompulse.access.store import AccessStore

    async def run() -> tuple[T, str]:
        settings = load_settings(os.environ, {"data": data})
        if is_postgres(settings):
            from roompulse.engines import access_of  # which imports the whole store

            database = access_of(settings)
        else:
            database = AccessDatabase(settings)
        with database.startup_errors():
            async with database.open():
                return await work(AccessStore(database)), database.place

    try:
        return asyncio.run(run())
    except StartupError as error:
        raise click.ClickException(str(error)) from None
