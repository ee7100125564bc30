"""`roompulse import`."""

import asyncio
import os
import sys
from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path

import click

from roompulse.clock import system_clock
from roompulse.errors import StartupError
from roompulse.importing.recording import Unusable
from roompulse.importing.reports import Moment
from roompulse.importing.run import import_file, room_of
from roompulse.report.ids import id_fault
from roompulse.settings import load_settings


@click.command("import")
@click.argument("files", metavar="FILE...", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--data", help="Data folder.  [default: ./data]")
@click.option("--room", metavar="NAME", help="ID of the room.  [default: name of the file]")
def import_(files: tuple[Path, ...], data: str | None, room: str | None) -> None:
    """Import recorded calls as ended rooms.

    A FILE is a dump of chrome://webrtc-internals or of rtcstats, possibly compressed by gzip: see docs/import.md. Stop
    the server first: only one process at a time writes to the database.
    """
    if room is not None and (fault := id_fault(room)):
        raise click.BadParameter(fault, param_hint="--room")
    failed = False
    try:
        settings = load_settings(os.environ, {"data": data})
        for path in files:
            try:
                imported = asyncio.run(import_file(path, room or room_of(path), settings, system_clock, _bar))
                click.echo(f"{click.format_filename(path)}: {imported}")
            except Unusable as error:
                click.echo(f"Error: {click.format_filename(path)}: {error}", err=True)
                failed = True
    except StartupError as error:
        raise click.ClickException(str(error)) from None
    sys.exit(failed)


def _bar(moments: Sequence[Moment]) -> AbstractContextManager[Iterable[Moment]]:
    return click.progressbar(moments, file=sys.stderr, hidden=not sys.stderr.isatty())
