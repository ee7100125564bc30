"""`roompulse backup`."""

import os
from datetime import UTC, datetime
from pathlib import Path

import click

from roompulse.access.database import access_path
from roompulse.errors import StartupError
from roompulse.settings import load_settings
from roompulse.store.backup import BackupError, back_up
from roompulse.store.engine import database_url


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--data", help="Folder of the database.  [default: ./data]")
def backup(file: Path, data: str | None) -> None:
    """Copy the database to FILE, while a server runs on it or not.

    FILE has every report that was acknowledged before; it must not be there yet. Keys and operators go beside it, to
    <FILE without suffix>-access.db. How to restore them is in docs/operations.md.
    """
    try:
        settings = load_settings(os.environ, {"data": data})
        found = back_up(Path(database_url(settings).database or ""), access_path(settings), file)
    except (StartupError, BackupError) as error:
        raise click.ClickException(str(error)) from None
    newest = "" if found.newest is None else f", the newest of {datetime.fromtimestamp(found.newest, UTC):%F %T} UTC"
    click.echo(
        f"{click.format_filename(file)}: {found.rooms} rooms, {found.samples} samples{newest}; {found.size} bytes"
    )
