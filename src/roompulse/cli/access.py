"""What the commands of access control share: they change its database, while a server may be running."""

import os
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import click

from roompulse.errors import StartupError
from roompulse.settings import Settings, load_settings
from roompulse.store.files import access_path

if TYPE_CHECKING:
    from roompulse.access.store import AccessStore

T = TypeVar("T")

data_option = click.option("--data", help="Data folder.  [default: ./data]")


def with_access(data: str | None, work: Callable[["AccessStore"], Awaitable[T]]) -> tuple[T, Path]:
    """Run `work` on the database of access control in the folder `data`; returns its result and the path of the file.

    Raises click.ClickException if the database cannot be used.
    """
    try:
        settings = load_settings(os.environ, {"data": data})
        return in_access(settings, work), access_path(settings).resolve()
    except StartupError as error:
        raise click.ClickException(str(error)) from None


def in_access(settings: Settings, work: Callable[["AccessStore"], Awaitable[T]]) -> T:
    """Run `work` on the database and return its result; raises StartupError if the database cannot be used."""
    # Imported when the arguments are right: SQLAlchemy takes longer to import than all else of a command.
    import asyncio

    from roompulse.access.store import AccessStore
    from roompulse.engines import access_of

    database = access_of(settings)

    async def run() -> T:
        with database.startup_errors():
            async with database.open():
                return await work(AccessStore(database))

    return asyncio.run(run())
