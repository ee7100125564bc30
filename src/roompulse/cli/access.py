"""What the commands of access control share: they work on its database, while a server runs or not."""

import asyncio
import os
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar

import click

from roompulse.access.database import AccessDatabase, access_path
from roompulse.access.store import AccessStore
from roompulse.errors import StartupError, StoreError
from roompulse.settings import Settings, load_settings

T = TypeVar("T")

data_option = click.option("--data", help="Folder of the database.  [default: ./data]")


def with_access(data: str | None, work: Callable[[AccessStore], Awaitable[T]]) -> tuple[T, Path]:
    """What `work` makes of the database of access control in the folder `data`, and which file that is.

    Raises click.ClickException where it cannot be used.
    """
    try:
        settings = load_settings(os.environ, {"data": data})
        return in_access(settings, work), access_path(settings).resolve()
    except StartupError as error:
        raise click.ClickException(str(error)) from None


def in_access(settings: Settings, work: Callable[[AccessStore], Awaitable[T]]) -> T:
    """What `work` makes of the database; raises StartupError where it cannot be used."""
    database = AccessDatabase(settings)
    try:
        return asyncio.run(_work(database, work))
    except StoreError as error:
        raise StartupError(f"the database {database.path} failed: {error}") from None


async def _work(database: AccessDatabase, work: Callable[[AccessStore], Awaitable[T]]) -> T:
    async with database.open():
        return await work(AccessStore(database))
