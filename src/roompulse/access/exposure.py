"""Whether a server may listen where others can reach it, and what is to be said of who gets in."""

from roompulse.access.model import Known
from roompulse.errors import StartupError
from roompulse.settings import Settings


def remarks_at_start(settings: Settings, known: Known, *, reachable: bool) -> list[str]:
    """Lines for who starts the server; `reachable` says whether others than this machine can reach it.

    Raises StartupError where it would be open by oversight.
    """
    if settings.open:
        return [f"--open: everybody who reaches {settings.host} may post and see everything"]
    if not reachable or settings.behind_proxy:
        return []
    kinds = {key.kind for key in known.keys.values()}
    if not kinds and not known.operators:
        raise StartupError(
            f"{settings.host} is reached by others, and nothing says who may post and look: "
            "set keys (roompulse key add, roompulse user add), put a proxy in front that does it (--behind-proxy), "
            "or say that everybody may (--open)"
        )
    remarks = []
    if not known.operators and "read" not in kinds:
        remarks.append("nobody can look yet: add an operator (roompulse user add) or a read key (roompulse key add)")
    if not kinds & {"ingest", "token"}:
        remarks.append("nobody can post yet: add a key for ingest or for tokens (roompulse key add)")
    return remarks
