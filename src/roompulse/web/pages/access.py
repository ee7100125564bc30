"""/access: the page on which admins manage operators and API keys."""

import logging
from collections.abc import Awaitable, Callable
from typing import Any

from litestar import Response, route
from litestar.handlers import HTTPRouteHandler

from roompulse.access.administration import Administration, NewSecret
from roompulse.access.model import KEY_KINDS, ROLES
from roompulse.access.registry import AccessRegistry
from roompulse.errors import Problem
from roompulse.web.http.authentication import caller_of
from roompulse.web.http.routes import FOR_ADMINS, GET, POST, AnyRequest
from roompulse.web.pages.forms import Form, Forms
from roompulse.web.pages.layout import Layout
from roompulse.web.pages.sign_in import to

logger = logging.getLogger(__name__)


def access_routes(
    administration: Administration, registry: AccessRegistry, forms: Forms, layout: Layout
) -> list[HTTPRouteHandler]:
    async def page(
        request: AnyRequest, *, shown: NewSecret | None = None, problem: Problem | None = None
    ) -> Response[str]:
        context: dict[str, Any] = {
            "operators": administration.operators(),
            "keys": sorted(registry.known.keys.values(), key=lambda key: (key.kind, key.name, key.id)),
            "roles": ROLES,
            "kinds": KEY_KINDS,
            "shown": shown,
            "error": problem.message if problem else None,
        }
        return await layout.answer(request, "access.html", {}, status=problem.status if problem else 200, **context)

    @route("/access", http_method=GET, opt=FOR_ADMINS)
    async def get_access(request: AnyRequest) -> Response[str]:
        return await page(request)

    def action(path: str, act: Callable[[Form], Awaitable[NewSecret | None]]) -> HTTPRouteHandler:
        @route(f"/access/{path}", http_method=POST, opt=FOR_ADMINS)
        async def post_access(request: AnyRequest) -> Response[Any]:
            form = await forms.read(request)
            try:
                shown = await act(form)
            except Problem as problem:
                return await page(request, problem=problem)
            logger.info("%r: %s %r", caller_of(request).name, path, form.get("name") or form.get("id"))
            await registry.reload()
            return await page(request, shown=shown) if shown else to("/access")

        return post_access

    return [
        get_access,
        action("operators/add", administration.add),
        action("operators/role", administration.change_role),
        action("operators/sign-out", administration.sign_out),
        action("operators/remove", administration.remove),
        action("keys/add", administration.add_key),
        action("keys/remove", administration.remove_key),
    ]
