"""`roompulse key`."""

from datetime import UTC, datetime

import click

from roompulse.access.keys import NotAdded, add_key
from roompulse.access.model import KEY_KINDS, Key, KeyKind
from roompulse.cli.access import data_option, with_access
from roompulse.clock import system_clock

WHAT_FOR = {
    "ingest": "it permits to post reports, for every user in every room",
    "read": "it permits to read JSON",
    "token": "it signs room tokens",
    "manage": "it permits to change alerts, to share and to erase, and to read JSON",
}


@click.group()
def key() -> None:
    """Add, list and remove API keys. A running server applies the change within 2 s."""


@key.command()
@click.argument("name")
@click.option("--for", "kind", required=True, type=click.Choice(KEY_KINDS), help="What the key permits.")
@data_option
def add(name: str, kind: KeyKind, data: str | None) -> None:
    """Create a key and print it, once.

    NAME describes its use. A key for `ingest` posts reports, a key for `read` reads JSON, a key for `token` signs room
    tokens, with which browsers post, and a key for `manage` changes alerts, shares and erases. Only the key goes to
    standard output. See docs/access.md.
    """
    try:
        (made, shown), path = with_access(data, lambda store: add_key(store, kind, name, system_clock()))
    except NotAdded as error:
        raise click.BadParameter(str(error), param_hint="NAME") from None
    click.echo(f"Created key {made.id} for {kind} in {path}: {WHAT_FOR[kind]}. It is shown only once.", err=True)
    click.echo(shown)


@key.command("list")
@data_option
def list_(data: str | None) -> None:
    """List the keys: ID, kind, created (UTC), name."""
    known, path = with_access(data, lambda store: store.load())
    if not known.keys:
        click.echo(f"There are no keys in {path}.", err=True)
    for one in sorted(known.keys.values(), key=lambda one: one.created_at):
        click.echo(_line(one))


def _line(one: Key) -> str:
    since = datetime.fromtimestamp(one.created_at, UTC)
    return f"{one.id}  {one.kind:6}  {since:%Y-%m-%d %H:%M}  {one.name}"


@key.command()
@click.argument("key_id", metavar="ID")
@data_option
def remove(key_id: str, data: str | None) -> None:
    """Remove the key with this ID; streams that were opened with it end."""
    removed, path = with_access(data, lambda store: store.remove_key(key_id))
    if not removed:
        raise click.ClickException(f"there is no key {key_id!r} in {path}")
    click.echo(f"Removed key {key_id}.", err=True)
