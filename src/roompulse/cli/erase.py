"""`roompulse erase`."""

import asyncio
import os

import click

from roompulse.access.database import AccessDatabase
from roompulse.access.shares import about
from roompulse.access.store import AccessStore
from roompulse.erasure.erasure import Erased, Erasure
from roompulse.erasure.subject import Subject
from roompulse.errors import StartupError, StoreError
from roompulse.insights.mentions import erase_mentions
from roompulse.report.ids import id_fault
from roompulse.settings import Settings, load_settings
from roompulse.store.engine import Database


@click.command()
@click.option("--room", metavar="ID", help="The room, or with --user the one room of that user.")
@click.option("--user", metavar="ID", help="The user, in all rooms unless --room is given.")
@click.option("--data", help="Data folder.  [default: ./data]")
def erase(room: str | None, user: str | None, data: str | None) -> None:
    """Erase the data of a room or a user.

    Stop the server first, or erase by its page or API while it runs: see docs/api.md. The file is rebuilt, too, so
    that it contains nothing that earlier versions deleted.
    """
    if room is None and user is None:
        raise click.UsageError("name a room, a user, or both")
    for name, given in (("--room", room), ("--user", user)):
        if given is not None and (fault := id_fault(given)):
            raise click.BadParameter(fault, param_hint=name)
    try:
        erased = asyncio.run(_erase(load_settings(os.environ, {"data": data}), Subject(room, user)))
    except (StartupError, StoreError) as error:
        raise click.ClickException(str(error)) from None
    click.echo(f"erased: {erased.rows} rows")


async def _erase(settings: Settings, subject: Subject) -> Erased:
    database, access = Database(settings), AccessDatabase(settings)
    store = AccessStore(access)

    async def forget(subject: Subject) -> int:
        await erase_mentions(database, subject)
        ids = about((await store.load()).shares.values(), subject.room_id, subject.user_id)
        await store.remove_share(*ids)
        return len(ids)

    async def reread() -> None:
        pass

    async with database.open(), access.open():
        erased = await Erasure(database, forget, reread).erase(subject)
        await database.vacuum()
        return erased
