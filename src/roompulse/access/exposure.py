"""Whether a server may listen where other machines reach it, and warnings about access."""

from roompulse.access.database import AccessDatabase
from roompulse.access.model import Known
from roompulse.access.store import AccessStore
from roompulse.errors import StartupError, StoreError
from roompulse.net import is_loopback
from roompulse.settings import Settings


async def exposure_remarks(settings: Settings) -> list[str]:
    """What is to be said of access before a server listens on HOST.

    Raises StartupError where others would have access by oversight, or the database of access cannot be used.
    """
    reachable, known = not is_loopback(settings.host), Known()
    if reachable:
        database = AccessDatabase(settings)
        try:
            async with database.open():
                known = await AccessStore(database).load()
        except StoreError as error:
            raise StartupError(f"the database {database.path} failed: {error}") from None
    return remarks_at_start(settings, known, reachable=reachable)


def remarks_at_start(settings: Settings, known: Known, *, reachable: bool) -> list[str]:
    """Warnings for the operator at start; `reachable`: whether other machines can reach the server.

    Raises StartupError where the server would be open by oversight.
    """
    if settings.open:
        return [f"--open: no access control; any client that reaches {settings.host} can post and see everything"]
    if not reachable or settings.behind_proxy:
        return []
    kinds = {key.kind for key in known.keys.values()}
    if not kinds and not known.operators:
        raise StartupError(
            f"{settings.host} can be reached from other machines, and there is no access control: add API keys and "
            "operators (roompulse key add, roompulse user add), put a proxy with access control in front "
            "(--behind-proxy), or allow access to everyone (--open)"
        )
    remarks = []
    if not known.operators and "read" not in kinds:
        remarks.append("no one can read yet: add an operator (roompulse user add) or a read key (roompulse key add)")
    if not kinds & {"ingest", "token"}:
        remarks.append("no client can post yet: add a key for ingest or for tokens (roompulse key add)")
    return remarks
