"""Whether a server may listen where other machines reach it, and warnings about access."""

from roompulse.access.model import Known
from roompulse.errors import StartupError
from roompulse.settings import Settings


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
    if not known.operators and not kinds & {"read", "manage"}:
        remarks.append("no one can read yet: add an operator (roompulse user add) or a read key (roompulse key add)")
    if not kinds & {"ingest", "token"}:
        remarks.append("no client can post yet: add a key for ingest or for tokens (roompulse key add)")
    return remarks
