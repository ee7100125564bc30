"""Upgrade a database to the schema of this version."""

import re
from pathlib import Path
from typing import TYPE_CHECKING

from roompulse.errors import StartupError

if TYPE_CHECKING:
    from alembic.config import Config
    from sqlalchemy import Connection

MIGRATIONS = Path(__file__).parent / "migrations"
VERSIONS = MIGRATIONS / "versions"

_REVISION = re.compile(r'^revision = "(\w+)"$', re.MULTILINE)


OWN_TABLE = "alembic_version"
READABLE_BY = "readable_by"
"""A table of PostgreSQL: a migration after which older versions cannot run writes its own revision there."""


def migrate(connection: "Connection", versions: Path = VERSIONS, table: str = OWN_TABLE) -> None:
    """Run the migrations in the folder `versions` that were not run on the database yet.

    `table` names the table of applied migrations: with another one than usual, the database has other tables too.

    Raises:
        StartupError: the database is of another program, or was written by a newer version, whose migrations this one
            does not know.

    """
    known, current = known_revisions(versions), _revisions_of(connection, table)
    if not current and table == OWN_TABLE and (tables := connection.dialect.get_table_names(connection)):
        raise StartupError(
            f"the database {connection.engine.url.database} is not one of roompulse: it has the tables "
            f"{', '.join(tables[:3])}; move it away, or set another DATA"
        )
    unknown = current - set(known)
    if unknown and _oldest_reader(connection, table) in known:
        return  # While workers are upgraded one after the other, those of the previous version keep running.
    if unknown:
        raise StartupError(
            f"the database {connection.engine.url.database} is of a newer roompulse (schema {', '.join(unknown)}); "
            "start that version or a later one"
        )
    if current == {known[0]}:
        return
    # Alembic takes longer to import than most commands run, and is seldom needed.
    from alembic import command

    config = _config(versions)
    config.attributes |= {"connection": connection, "table": table}
    command.upgrade(config, "head")


def known_revisions(versions: Path = VERSIONS) -> list[str]:
    """The schemas that this version knows, newest (its own) first; files are numbered in their order."""
    texts = (path.read_text("utf-8") for path in sorted(versions.glob("[0-9]*.py"), reverse=True))
    return [found[1] for text in texts if (found := _REVISION.search(text))]


def _revisions_of(connection: "Connection", table: str) -> set[str]:
    if not connection.dialect.has_table(connection, table):
        return set()
    return set(connection.exec_driver_sql(f"SELECT version_num FROM {table}").scalars())  # noqa: S608  (our own)


def _oldest_reader(connection: "Connection", table: str) -> str | None:
    """The oldest schema whose version can use the database as it is now, where its migrations say so."""
    if not connection.dialect.has_table(connection, READABLE_BY):
        return None
    found = f"SELECT revision FROM {READABLE_BY} WHERE version_table = '{table}'"  # noqa: S608  (our own)
    return connection.exec_driver_sql(found).scalar()


def _config(versions: Path) -> "Config":
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.set_main_option("version_locations", str(versions).replace("%", "%%"))
    config.set_main_option("path_separator", "newline")  # so that a path may contain any other character
    return config
