"""`roompulse user`: operators are added, changed and removed, also while a server runs, which follows within 2 s."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import TypeVar

import click

from roompulse.access.database import AccessDatabase
from roompulse.access.model import ROLES, Known, Operator, Role
from roompulse.access.operators import add_operator, check_new_name, existing
from roompulse.access.passwords import Passwords, password_fault
from roompulse.access.store import AccessStore
from roompulse.clock import system_clock
from roompulse.errors import Problem, StartupError, StoreError
from roompulse.settings import load_settings

T = TypeVar("T")

_name = click.argument("name")
_password_stdin = click.option("--password-stdin", is_flag=True, help="Read the password from standard input.")


@click.group()
@click.option("--data", help="Folder of the database.  [default: ./data]")
@click.pass_context
def user(context: click.Context, data: str | None) -> None:
    """Add, change and remove operators, who sign in with a password."""
    context.obj = data


@user.command()
@_name
@click.option("--role", type=click.Choice(ROLES), help="[default: viewer; the first operator is an admin]")
@_password_stdin
def add(name: str, role: Role | None, *, password_stdin: bool) -> None:
    """Add an operator."""
    # What is wrong with the name is better said before a password is typed twice.
    _with_store(lambda store: check_new_name(store, name))
    password = _password(from_stdin=password_stdin)

    async def run(store: AccessStore) -> Operator:
        return await add_operator(store, name, role, await Passwords().hash(password), system_clock())

    click.echo(f"{name} is added: {_with_store(run).role}")


@user.command("list")
def list_() -> None:
    """List the operators."""
    known = _with_store(AccessStore.load)
    for operator in sorted(known.operators.values(), key=lambda one: one.name.casefold()):
        click.echo(_line(operator, known))


@user.command()
@_name
@_password_stdin
def password(name: str, *, password_stdin: bool) -> None:
    """Set another password, and sign the operator out everywhere."""
    operator = _with_store(lambda store: existing(store, name))
    chosen = _password(from_stdin=password_stdin)

    async def run(store: AccessStore) -> None:
        await store.change_operator(operator.name, password_hash=await Passwords().hash(chosen))
        await store.end_all(operator.name)

    _with_store(run)
    click.echo(f"{operator.name} has another password, and is signed out everywhere")


@user.command()
@_name
@click.argument("role", type=click.Choice(ROLES))
def role(name: str, role: Role) -> None:
    """Set the role: a viewer sees every room, an admin also says who else may."""

    async def run(store: AccessStore) -> Operator:
        operator = await existing(store, name)
        await store.change_operator(operator.name, role=role)
        return operator

    click.echo(f"{_with_store(run).name} is {role} now")


@user.command()
@_name
def remove(name: str) -> None:
    """Remove an operator, who is signed out everywhere."""

    async def run(store: AccessStore) -> Operator:
        operator = await existing(store, name)
        await store.remove_operator(operator.name)
        return operator

    click.echo(f"{_with_store(run).name} is removed")


@user.command("sign-out")
@_name
def sign_out(name: str) -> None:
    """Sign an operator out everywhere."""

    async def run(store: AccessStore) -> Operator:
        operator = await existing(store, name)
        await store.end_all(operator.name)
        return operator

    click.echo(f"{_with_store(run).name} is signed out everywhere")


def _with_store(work: Callable[[AccessStore], Awaitable[T]]) -> T:
    async def run() -> T:
        async with _store() as store:
            return await work(store)

    try:
        return asyncio.run(run())
    except (Problem, StartupError, StoreError) as error:
        raise click.ClickException(str(error)) from None


@asynccontextmanager
async def _store() -> AsyncIterator[AccessStore]:
    database = AccessDatabase(load_settings(os.environ, {"data": click.get_current_context().find_object(str)}))
    async with database.open():
        yield AccessStore(database)


def _password(*, from_stdin: bool) -> str:
    if from_stdin:
        password = sys.stdin.readline().rstrip("\r\n")
    elif sys.stdin.isatty():
        password = click.prompt("Password", hide_input=True, confirmation_prompt=True)
    else:
        raise click.UsageError("there is no terminal to ask for the password: use --password-stdin")
    if fault := password_fault(password):
        raise click.ClickException(f"the password {fault}")
    return password


def _line(operator: Operator, known: Known) -> str:
    mine = [sign_in for sign_in in known.sign_ins.values() if sign_in.operator == operator.name]
    where = f"signed in in {len(mine)} browser{'' if len(mine) == 1 else 's'}" if mine else "signed in nowhere"
    seen = f", last seen {_time(max(sign_in.used_at for sign_in in mine))}" if mine else ""
    return f"{operator.name}\t{operator.role}\tsince {_time(operator.created_at)}\t{where}{seen}"


def _time(timestamp: float) -> str:
    return f"{datetime.fromtimestamp(timestamp, UTC):%Y-%m-%d %H:%M} UTC"
