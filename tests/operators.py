"""Operators in a small world: ada is an admin, bob a viewer, and a cookie is enough to be signed in."""

import re
import sqlite3
from collections.abc import Mapping
from contextlib import closing
from functools import cache
from typing import Any

import httpx

from roompulse.access.keys import digest_of
from roompulse.access.model import Operator, Role, SignIn
from roompulse.access.passwords import Passwords
from roompulse.access.store import AccessStore
from roompulse.engines import access_of
from roompulse.settings import Settings
from roompulse.store.files import access_path, is_postgres
from tests.builders import NOW
from tests.postgres_server import rows

PASSWORD = "correct horse"  # noqa: S105  (of nobody)
WRONG_PASSWORD = "a wrong password"  # noqa: S105
COOKIE = "roompulse"
SAME_SITE = {"Sec-Fetch-Site": "same-origin"}
NAVIGATION = {"Sec-Fetch-Mode": "navigate", "Accept": "text/html"}


def password_hash() -> str:
    """The hash of PASSWORD with today's parameters, made once as it takes long."""
    return _hash(Passwords()._unmatchable)


@cache
def _hash(_parameters: str) -> str:
    return Passwords()._hasher.hash(PASSWORD)


async def add_operators(settings: Settings, **roles: Role) -> None:
    """Add operators as in `ada="admin"`, all with the PASSWORD, to be signed in by `cookie_of`."""
    database = access_of(settings)
    async with database.open():
        store = AccessStore(database)
        for name, role in roles.items():
            await store.add_operator(Operator(name, role, password_hash(), NOW))
            await store.begin(SignIn(digest_of(secret_of(name)), name, NOW, NOW))


def secret_of(name: str) -> str:
    return f"{name}-is-signed-in-with-this-secret"


def cookie_of(name: str) -> dict[str, str]:
    return {"Cookie": f"{COOKIE}={secret_of(name)}"}


async def token_of(client: httpx.AsyncClient, headers: Mapping[str, str], path: str = "/") -> str:
    """The token in the forms of a page."""
    found = re.search(r'name="token" value="(\w+)"', (await client.get(path, headers=headers)).text)
    assert found
    return found[1]


async def send_form(
    client: httpx.AsyncClient,
    path: str,
    operator: str,
    fields: Mapping[str, str] | None = None,
    headers: dict[str, str] | None = None,
) -> httpx.Response:
    """Send a form as the page of an operator does; `headers` make it that of another page."""
    mine = cookie_of(operator)
    form = {"token": await token_of(client, mine)} | dict(fields or {})
    return await client.post(path, data=form, headers=mine | (headers or SAME_SITE))


def scope_of(method: str, path: str, headers: Mapping[str, str]) -> Any:
    """A request by ASGI, for requests and answers that httpx does not support."""
    return {
        "type": "http",
        "method": method,
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "headers": [
            (name.lower().encode(), value.encode()) for name, value in ({"Host": "localhost"} | dict(headers)).items()
        ],
        "scheme": "http",
        "http_version": "1.1",
        "client": ("192.0.2.1", 1),
        "server": ("localhost", 80),
        "state": {},
    }


def sign_ins_of(settings: Settings) -> list[str]:
    """Operators by their sign-ins, as the database has them."""
    query = "SELECT operator FROM sign_in ORDER BY operator, used_at"
    if is_postgres(settings):
        return [name for (name,) in rows(settings.database_url or "", query)]
    with closing(sqlite3.connect(access_path(settings))) as connection:
        return [name for (name,) in connection.execute(query)]
