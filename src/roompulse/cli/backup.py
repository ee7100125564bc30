"""`roompulse backup`."""

import os
from datetime import UTC, datetime
from pathlib import Path

import click

from roompulse.errors import StartupError
from roompulse.settings import load_settings
from roompulse.store.backup import BackupError, back_up
from roompulse.store.files import access_path, database_path


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--data", help="Data folder.  [default: ./data]")
def backup(file: Path, data: str | None) -> None:
    """Copy the database to FILE, while a server may be running on it.

    FILE must not exist yet; it contains every report acknowledged before the copy. API keys and operators are copied
    beside it, to <FILE without suffix>-access.db. To restore both, see docs/operations.md.
    """
    try:
        settings = load_settings(os.environ, {"data": data})
        found = back_up(database_path(settings), access_path(settings), file)
    except (StartupError, BackupError) as error:
        raise click.ClickException(str(error)) from None
    newest = "" if found.newest is None else f", newest {datetime.fromtimestamp(found.newest, UTC):%F %T} UTC"
    click.echo(
        f"{click.format_filename(file)}: {found.rooms} rooms, {found.reports} reports{newest}; {found.size} bytes"
    )
