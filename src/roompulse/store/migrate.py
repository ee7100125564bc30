"""Bring a database to the schema of this version."""

from functools import cache
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection

from roompulse.errors import StartupError

MIGRATIONS = Path(__file__).parent / "migrations"
VERSIONS = MIGRATIONS / "versions"


def migrate(connection: Connection, versions: Path = VERSIONS) -> None:
    """Run the migrations of the folder `versions` that the database has not seen yet.

    Raises:
        StartupError: the database was written by a newer version, whose migrations this one does not know.

    """
    config = _config(versions)
    config.attributes["connection"] = connection
    known = known_revisions(versions)
    current = set(MigrationContext.configure(connection).get_current_heads())
    if current == set(known[:1]):
        return
    if unknown := current - set(known):
        raise StartupError(
            f"the database {connection.engine.url.database} is of a newer roompulse (schema {', '.join(unknown)}); "
            "start that version, or one newer still"
        )
    command.upgrade(config, "head")


@cache
def known_revisions(versions: Path = VERSIONS) -> list[str]:
    """The schemas that this version knows, the newest and its own first."""
    return [script.revision for script in ScriptDirectory.from_config(_config(versions)).walk_revisions()]


def _config(versions: Path) -> Config:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.set_main_option("version_locations", str(versions).replace("%", "%%"))
    config.set_main_option("path_separator", "newline")  # so that a path may hold whatever else
    return config
