"""/report/shares: links that open one page to their holders."""

from litestar import route
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath
from msgspec import Struct

from roompulse.access.model import Share
from roompulse.access.shares import Shares
from roompulse.alerts.validation import decode
from roompulse.web.api.alerts import JsonBodies, created
from roompulse.web.http.authentication import caller_of, name_of
from roompulse.web.http.client_address import ClientAddresses
from roompulse.web.http.envelope import ACKNOWLEDGED, success
from roompulse.web.http.json_answer import JsonAnswer, hashed_answer
from roompulse.web.http.routes import DELETE, FOR_MANAGERS, GET, POST, AnyRequest
from roompulse.web.http.shared import url_of


class ShareBody(Struct, forbid_unknown_fields=True):
    """A page to share."""

    path: str
    """The path of a room's, a user's or a call's page, as in `/rooms/room-1`."""
    expires_in: float
    """Seconds: from 60 to 30 days."""
    hide_ids: bool = False
    """Whether numbers stand for the ids and names of users."""


class ShownShare(Struct, frozen=True):
    """A share without its URL, which is shown once."""

    id: str
    """Not the token in its URL."""
    path: str
    """Of the page that it opens."""
    by: str
    """Who made it."""
    created_at: float
    """Unix seconds."""
    expires_at: float
    """Unix seconds."""
    hide_ids: bool
    """Whether numbers stand for the ids and names of users."""


class NewShare(ShownShare, frozen=True):
    url: str
    """Opens the page; shown once."""


def share_routes(shares: Shares, bodies: JsonBodies, peers: ClientAddresses) -> list[HTTPRouteHandler]:
    @route("/report/shares", http_method=GET, opt=FOR_MANAGERS)
    async def get_shares(request: AnyRequest) -> JsonAnswer:
        return hashed_answer(request, success([ShownShare(*_shown(share)) for share in shares.all()]))

    @route("/report/shares", http_method=POST, opt=FOR_MANAGERS)
    async def add_share(request: AnyRequest) -> JsonAnswer:
        body = decode(await bodies.read(request), ShareBody)
        by = name_of(caller_of(request))
        share, token = await shares.add(body.path, body.expires_in, by, hide_ids=body.hide_ids)
        return created(NewShare(*_shown(share), url=url_of(request, peers, token, share)))

    @route("/report/shares/{share_id:str}", http_method=DELETE, status_code=200, opt=FOR_MANAGERS)
    async def remove_share(share_id: FromPath[str]) -> JsonAnswer:
        await shares.remove(share_id)
        return JsonAnswer(ACKNOWLEDGED)

    return [get_shares, add_share, remove_share]


def _shown(share: Share) -> tuple[str, str, str, float, float, bool]:
    return share.id, share.path, share.by, share.created_at, share.expires_at, share.hide_ids
