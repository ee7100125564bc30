"""`roompulse migrate-to`."""

import asyncio
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import click
from msgspec.structs import replace

from roompulse.engines import postgres_module
from roompulse.errors import StartupError
from roompulse.settings import load_settings
from roompulse.store.files import is_postgres


@click.command("migrate-to")
@click.argument("url")
@click.option("--data", help="Data folder to copy from.  [default: ./data]")
def migrate_to(url: str, data: str | None) -> None:
    """Copy everything from SQLite to PostgreSQL.

    URL names an empty database, as in postgresql://USER@HOST/DATABASE. Stop the server first. If it is interrupted, run
    it again: it continues from there. The SQLite files stay. See docs/cluster.md.
    """
    try:
        settings = load_settings(os.environ, {"data": data})
        if is_postgres(settings):  # the environment is already that of the new server
            settings = replace(settings, database_url=None)
        target = replace(settings, database_url=url)
        if not is_postgres(target):
            raise click.BadParameter("must be as postgresql://USER@HOST/DATABASE", param_hint="URL")
        is_new = asyncio.run(postgres_module("move").move(settings, target, _bar))
    except StartupError as error:
        raise click.ClickException(str(error)) from None
    click.echo(
        "Everything is copied: start the server with ROOMPULSE_DATABASE_URL set to this URL."
        if is_new
        else "Everything was copied before: there is nothing to do."
    )


@contextmanager
def _bar(table: str, rows: int) -> Iterator[Callable[[int], None]]:
    if sys.stderr.isatty():
        with click.progressbar(length=rows, label=f"{table:<12}", file=sys.stderr) as bar:
            yield bar.update
        return
    yield lambda _: None
    click.echo(f"{table}: {rows} rows")
