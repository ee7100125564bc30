"""/shares: links that open one page to their holders; made here and on the pages themselves."""

from typing import Any

from litestar import Response, route
from litestar.handlers import HTTPRouteHandler
from msgspec import Struct

from roompulse.access.shares import Shares
from roompulse.errors import BadRequest, Problem
from roompulse.web.http.authentication import caller_of, name_of
from roompulse.web.http.client_address import ClientAddresses
from roompulse.web.http.routes import FOR_MANAGERS, GET, POST, AnyRequest
from roompulse.web.http.shared import url_of
from roompulse.web.pages.forms import Forms
from roompulse.web.pages.layout import Layout
from roompulse.web.pages.sign_in import to

LIFETIMES = {"3600": "1 hour", "86400": "1 day", "604800": "1 week", "2592000": "30 days"}
"""How long a share lasts, in seconds and in words."""


class Said(Struct, frozen=True):
    """The result of the submitted form: the URL of a new share, or an error."""

    url: str | None = None
    error: str | None = None


def share_page_routes(shares: Shares, peers: ClientAddresses, forms: Forms, layout: Layout) -> list[HTTPRouteHandler]:
    async def page(request: AnyRequest, said: Said, *, path: str = "", status: int = 200) -> Response[str]:
        context: dict[str, Any] = {"shares": shares.all(), "said": said, "lifetimes": LIFETIMES, "path": path}
        return await layout.answer(request, "shares.html", {}, status=status, **context)

    @route("/shares", http_method=GET, opt=FOR_MANAGERS)
    async def get_shares_page(request: AnyRequest) -> Response[str]:
        return await page(request, Said(), path=request.query_params.get("path", ""))

    @route("/shares/add", http_method=POST, opt=FOR_MANAGERS)
    async def post_share(request: AnyRequest) -> Response[str]:
        form = await forms.read(request)
        path = form.get("path", "")
        try:
            if form.get("expires_in") not in LIFETIMES:
                raise BadRequest("expires_in: choose how long the link lasts")
            expires_in, by = float(form["expires_in"]), name_of(caller_of(request))
            share, token = await shares.add(path, expires_in, by, hide_ids="hide_ids" in form)
        except Problem as problem:
            return await page(request, Said(error=problem.message.removeprefix("$.")), path=path, status=problem.status)
        return await page(request, Said(url=url_of(request, peers, token, share)))

    @route("/shares/remove", http_method=POST, opt=FOR_MANAGERS)
    async def post_remove(request: AnyRequest) -> Response[Any]:
        form = await forms.read(request)
        await shares.remove(form.get("id", ""))
        return to("/shares")

    return [get_shares_page, post_share, post_remove]
