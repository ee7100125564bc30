"""`roompulse token`."""

import re
from typing import TYPE_CHECKING

import click

from roompulse.access.keys import add_key
from roompulse.access.model import Key
from roompulse.access.tokens import LONGEST_LIFE, sign_token
from roompulse.cli.access import data_option, with_access
from roompulse.clock import system_clock
from roompulse.report.ids import id_fault

if TYPE_CHECKING:
    from roompulse.access.store import AccessStore

_UNITS = {"s": 1, "m": 60, "h": 3600}


def _seconds(text: str) -> int:
    """Seconds, written as 30s, 15m or 1h."""
    found = re.fullmatch(r"([0-9]{1,6})([smh])", text)
    seconds = int(found[1]) * _UNITS[found[2]] if found else 0
    if not 1 <= seconds <= LONGEST_LIFE:
        message = f"must be a time such as 30s, 15m or 1h, at most {LONGEST_LIFE // 3600}h, not {text!r}"
        raise click.BadParameter(message, param_hint="--ttl")
    return seconds


@click.command()
@click.option("--room", required=True, help="ID of the room.")
@click.option("--user", required=True, help="ID of the user.")
@click.option("--ttl", default="1h", show_default=True, help="How long the token is valid: 30s, 15m, 1h, at most 24h.")
@data_option
def token(room: str, user: str, ttl: str, data: str | None) -> None:
    """Print a room token, to post for one user in one room.

    It is signed with the newest key for `token`. If there is none, one is created, and from then on every report needs
    a token or an ingest key. Only the token goes to standard output.
    """
    for option, value in (("--room", room), ("--user", user)):
        if fault := id_fault(value):
            raise click.BadParameter(fault, param_hint=option)
    life, now = _seconds(ttl), system_clock()
    (signing, made), path = with_access(data, lambda store: _signing_key(store, now))
    if made:
        click.echo(
            f"Created key {signing.id} for token in {path}: reports need a token or an ingest key now.",
            err=True,
        )
    click.echo(sign_token(signing, room, user, int(now) + life))


async def _signing_key(store: "AccessStore", now: float) -> tuple[Key, bool]:
    """The newest key that signs tokens, and whether it was created by this call."""
    keys = [key for key in (await store.load()).keys.values() if key.kind == "token"]
    if keys:
        return max(keys, key=lambda key: key.created_at), False
    key, _ = await add_key(store, "token", "created by roompulse token", now)
    return key, True
