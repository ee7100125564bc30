"""`roompulse user`."""

import sys
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, TypeVar

import click

from roompulse.access.model import ROLES, Known, Operator, Role
from roompulse.access.operators import add_operator, check_new_name, existing
from roompulse.access.passwords import Passwords, password_fault
from roompulse.cli.access import data_option, with_access
from roompulse.clock import system_clock
from roompulse.errors import Problem

if TYPE_CHECKING:
    from roompulse.access.store import AccessStore

T = TypeVar("T")

_password_stdin = click.option("--password-stdin", is_flag=True, help="Read the password from standard input.")


@click.group()
def user() -> None:
    """Add, change and remove operators, who sign in with a password. A running server applies the change within 2 s."""


@user.command()
@click.argument("name")
@click.option("--role", type=click.Choice(ROLES), help="[default: viewer; admin for the first operator]")
@_password_stdin
@data_option
def add(name: str, role: Role | None, data: str | None, *, password_stdin: bool) -> None:
    """Add an operator.

    A viewer sees every room; an admin also manages operators and API keys. The password has at least 10 characters.
    """
    # Before the password is typed twice.
    _work(data, lambda store: check_new_name(store, name))
    password = _password(from_stdin=password_stdin)

    async def work(store: "AccessStore") -> Operator:
        return await add_operator(store, name, role, await Passwords().hash(password), system_clock())

    operator = _work(data, work)
    click.echo(f"Added {operator.name} as {operator.role}.")


@user.command("list")
@data_option
def list_(data: str | None) -> None:
    """List the operators: name, role, created, and active sessions (times in UTC)."""
    known = _work(data, lambda store: store.load())
    if not known.operators:
        click.echo("There are no operators.", err=True)
    for operator in sorted(known.operators.values(), key=lambda one: one.name.casefold()):
        click.echo(_line(operator, known))


@user.command()
@click.argument("name")
@_password_stdin
@data_option
def password(name: str, data: str | None, *, password_stdin: bool) -> None:
    """Change the password, and sign the operator out everywhere."""
    _work(data, lambda store: existing(store, name))
    chosen = _password(from_stdin=password_stdin)

    async def change(store: "AccessStore", operator: Operator) -> None:
        await store.change_operator(operator.name, password_hash=await Passwords().hash(chosen))
        await store.end_all(operator.name)

    click.echo(f"Changed the password of {_change(data, name, change)} and ended all sessions.")


@user.command("role")
@click.argument("name")
@click.argument("role", type=click.Choice(ROLES))
@data_option
def set_role(name: str, role: Role, data: str | None) -> None:
    """Change the role of an operator."""
    changed = _change(data, name, lambda store, operator: store.change_operator(operator.name, role=role))
    click.echo(f"{changed} is {role} now.")


@user.command()
@click.argument("name")
@data_option
def remove(name: str, data: str | None) -> None:
    """Remove an operator; its sessions and streams end."""
    click.echo(f"Removed {_change(data, name, lambda store, operator: store.remove_operator(operator.name))}.")


@user.command("sign-out")
@click.argument("name")
@data_option
def sign_out(name: str, data: str | None) -> None:
    """Sign an operator out everywhere."""
    signed_out = _change(data, name, lambda store, operator: store.end_all(operator.name))
    click.echo(f"Ended all sessions of {signed_out}.")


def _change(data: str | None, name: str, change: Callable[["AccessStore", Operator], Awaitable[object]]) -> str:
    """Change an existing operator; returns its name as it is stored."""

    async def work(store: "AccessStore") -> str:
        operator = await existing(store, name)
        await change(store, operator)
        return operator.name

    return _work(data, work)


def _work(data: str | None, work: Callable[["AccessStore"], Awaitable[T]]) -> T:
    try:
        return with_access(data, work)[0]
    except Problem as problem:
        raise click.ClickException(problem.message) from None


def _password(*, from_stdin: bool) -> str:
    if from_stdin:
        password = sys.stdin.readline().rstrip("\r\n")
    elif sys.stdin.isatty():
        password = click.prompt("Password", hide_input=True, confirmation_prompt=True)
    else:
        raise click.UsageError("no terminal to prompt for the password: use --password-stdin")
    if fault := password_fault(password):
        raise click.ClickException(f"the password {fault}")
    return password


def _line(operator: Operator, known: Known) -> str:
    since = f"{operator.name}  {operator.role:6}  {_time(operator.created_at)}"
    mine = [sign_in for sign_in in known.sign_ins.values() if sign_in.operator == operator.name]
    if not mine:
        return f"{since}  no active sessions"
    sessions = f"{len(mine)} active session{'' if len(mine) == 1 else 's'}"
    return f"{since}  {sessions}, last used {_time(max(one.used_at for one in mine))}"


def _time(timestamp: float) -> str:
    return f"{datetime.fromtimestamp(timestamp, UTC):%Y-%m-%d %H:%M}"
