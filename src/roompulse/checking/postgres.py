"""Checks of a database in PostgreSQL, which is only read."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import Any

from roompulse.checking.finding import Finding, Subject, error, ok, warning
from roompulse.errors import StartupError, StoreError
from roompulse.postgres.database import (
    MOVE_AGAIN,
    OLDEST,
    UNMOVED,
    PostgresDatabase,
    what_is_wrong,
)
from roompulse.postgres.errors import driver_errors
from roompulse.postgres.place import place_of
from roompulse.store.migrate import known_revisions

SLACK = 1.0
"""Seconds by which the clocks of a worker and of the database may differ unnoticed."""


def postgres(subject: Subject) -> Iterator[Finding]:
    try:
        database = PostgresDatabase(subject.settings)
    except StartupError as problem:
        yield error(str(problem))
    else:
        yield from asyncio.run(_all(database, subject.now))


async def _all(database: PostgresDatabase, now: float) -> list[Finding]:
    try:
        connection = await database.connect()
        with driver_errors():
            try:
                return [finding async for finding in _findings(connection, database, now)]
            finally:
                await connection.close()
    except StoreError as problem:
        return [error(f"the database {place_of(database.url)} {what_is_wrong(problem)}")]


async def _findings(connection: Any, database: PostgresDatabase, now: float) -> AsyncIterator[Finding]:
    version = await connection.fetchval("SELECT current_setting('server_version_num')::int") // 10_000
    yield (ok if version >= OLDEST else error)(f"PostgreSQL {version} ({OLDEST} or later is needed)")
    if await connection.fetchval("SELECT pg_is_in_recovery()"):
        yield error(f"{place_of(database.url)} is a replica, which cannot be written: name the primary")
    for setting in ("fsync", "synchronous_commit"):
        if await connection.fetchval("SELECT current_setting($1)", setting) == "off":
            yield warning(f"{setting} is off: a power loss may lose reports that were acknowledged")
    ahead = float(await connection.fetchval("SELECT extract(epoch FROM clock_timestamp())")) - now
    if abs(ahead) > SLACK:
        yield warning(f"the clock of the database is {ahead:+.0f} s from the clock of this machine")
    yield await _schema(connection)


async def _schema(connection: Any) -> Finding:
    known = known_revisions()
    if await connection.fetchval("SELECT to_regclass('alembic_version')") is None:
        return ok("the database is empty: the server will create its tables")
    found = await connection.fetchval("SELECT version_num FROM alembic_version")
    if found not in known:
        return error(f"the database is of a newer roompulse (schema {found}; this version has {known[0]})")
    if found != known[0]:
        return ok(
            f"schema {found}: the first worker of this version will upgrade it to {known[0]}; make a backup first"
        )
    if source := await connection.fetchval(UNMOVED):
        return error(f"it does not have all of {source} yet: {MOVE_AGAIN}")
    return ok(f"schema {found}, the one of this version")
