"""Shared by the API tests."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from typing import Any
from urllib.parse import quote

import httpx

from roompulse.settings import Settings
from roompulse.store.files import is_postgres
from tests import postgres_server
from tests.conftest import serving

__all__ = ["assert_problem", "data", "refusing", "serving", "url", "without_table"]


def url(*segments: str) -> str:
    """A path of these segments, each percent-encoded."""
    return "/" + "/".join(quote(segment, safe="") for segment in segments)


async def data(client: httpx.AsyncClient, path: str) -> Any:
    """The data of a successful answer."""
    answer = await client.get(path)
    assert answer.status_code == 200, answer.text
    envelope = answer.json()
    assert (envelope["code"], envelope["message"]) == (0, "success")
    return envelope["data"]


def assert_problem(answer: httpx.Response, status: int, *names: str) -> None:
    """The answer is the envelope of an error, and its message names the fault."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/json"
    envelope = answer.json()
    assert list(envelope) == ["code", "message", "data"]
    assert (envelope["code"], envelope["data"]) == (status, None)
    assert envelope["message"]
    assert "Traceback" not in envelope["message"]
    for name in names:
        assert name in envelope["message"]


@asynccontextmanager
async def refusing(settings: Settings, table: str, when: str = "1 = 1") -> AsyncIterator[None]:
    """Make the database refuse the rows of `table` for which `when` holds."""
    if is_postgres(settings):
        refuse = "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'refused'; END $$"
        trigger = f"CREATE TRIGGER refuse BEFORE INSERT ON {table} FOR EACH ROW WHEN ({when}) EXECUTE FUNCTION refuse()"
        await _execute(settings, refuse, trigger)
    else:
        body = "BEGIN SELECT RAISE(ABORT, 'refused'); END"
        await _execute(settings, f"CREATE TRIGGER refuse BEFORE INSERT ON {table} WHEN {when} {body}")
    try:
        yield
    finally:
        if is_postgres(settings):
            await _execute(settings, f"DROP TRIGGER refuse ON {table}", "DROP FUNCTION refuse")
        else:
            await _execute(settings, "DROP TRIGGER refuse")


@asynccontextmanager
async def without_table(settings: Settings, table: str) -> AsyncIterator[None]:
    """Take a table away from the application."""
    await _execute(settings, f"ALTER TABLE {table} RENAME TO taken_away")
    try:
        yield
    finally:
        await _execute(settings, f"ALTER TABLE taken_away RENAME TO {table}")


async def _execute(settings: Settings, *statements: str) -> None:
    def execute() -> None:
        with closing(sqlite3.connect(settings.data / "roompulse.db")) as connection, connection:
            for statement in statements:
                connection.execute(statement)

    if is_postgres(settings):
        await postgres_server.execute(settings.database_url or "", *statements)
    else:
        # In a thread, since the application may have to end a transaction first.
        await asyncio.to_thread(execute)
