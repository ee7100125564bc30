"""Workers of one cluster have the same settings: where they differ, two clusters may share a schema by mistake."""

import logging
from collections.abc import Mapping

import msgspec
from sqlalchemy import Connection, text

from roompulse.postgres.database import PostgresDatabase
from roompulse.settings import Settings

logger = logging.getLogger(__name__)

_OF_EACH = {"host", "port", "data", "database_url", "smtp_url", "log_format", "log_requests"}
"""Settings that may differ by worker, or that contain a password."""

_READ = text("SELECT value FROM secret WHERE name = 'settings' FOR UPDATE")
_WRITE = text("INSERT INTO secret VALUES ('settings', :value) ON CONFLICT (name) DO UPDATE SET value = excluded.value")


async def compare(database: PostgresDatabase, settings: Settings) -> None:
    """Log differences from the previously started worker; the next one compares with this. Raises StoreError."""
    mine = {name.upper(): str(getattr(settings, name)) for name in settings.__struct_fields__ if name not in _OF_EACH}

    def work(connection: Connection) -> Mapping[str, str]:
        before = connection.scalar(_READ)
        connection.execute(_WRITE, {"value": msgspec.json.encode(mine).decode()})
        return msgspec.json.decode(before, type=dict[str, str]) if before else {}

    before = await database.write(work)
    if differing := [
        f"{name} is {mine[name]} here and {value} there"
        for name, value in before.items()
        if mine.get(name, value) != value
    ]:
        logger.warning(
            "a worker that uses this database has other settings (%s): give each cluster a schema of its own by "
            "?schema=NAME in DATABASE_URL, or restart the workers with the old ones",
            ", ".join(differing),
        )
