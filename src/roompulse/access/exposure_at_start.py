"""Warnings about access before a server listens, by the keys and operators in the database."""

from roompulse.access.database import AccessDatabase
from roompulse.access.exposure import remarks_at_start
from roompulse.access.model import Known
from roompulse.access.store import AccessStore
from roompulse.net import is_loopback
from roompulse.settings import Settings


async def exposure_remarks(settings: Settings, database: AccessDatabase) -> list[str]:
    """Warnings about access before a server listens on HOST.

    Raises StartupError where others would have access by oversight, or the database of access cannot be used.
    """
    reachable, known = not is_loopback(settings.host), Known()
    if reachable:
        with database.startup_errors():
            async with database.open():
                known = await AccessStore(database).load()
    return remarks_at_start(settings, known, reachable=reachable)
