"""/sign-in and /sign-out."""

import logging
import re
from typing import Any

from litestar import Response, route
from litestar.handlers import HTTPRouteHandler
from litestar.response import Redirect

from roompulse.access.login import Login
from roompulse.access.registry import AccessRegistry
from roompulse.access.sessions import OperatorSessions
from roompulse.errors import Forbidden, Problem, TooManyRequests, Unauthorized, Unavailable
from roompulse.net import address_key
from roompulse.web.html.templates import Templates
from roompulse.web.http.authentication import Authenticator, caller_of
from roompulse.web.http.client_address import ClientAddresses
from roompulse.web.http.problems import problem_headers
from roompulse.web.http.routes import FOR_ANYBODY, FOR_OPERATORS, GET, POST, AnyRequest
from roompulse.web.http.session_cookie import SessionCookie
from roompulse.web.http.urls import base_of
from roompulse.web.pages.forms import Forms

logger = logging.getLogger(__name__)


class SignInPage:
    def __init__(self, templates: Templates, registry: AccessRegistry) -> None:
        self._templates = templates
        self._registry = registry

    def answer(self, request: AnyRequest, name: str = "", problem: Problem | None = None) -> Response[Any]:
        html = self._templates.render(
            "sign_in.html",
            base=base_of(request.scope),
            entered=name,
            next=wanted(request),
            error=problem.message if problem else None,
            no_operators=not self._registry.known.operators,
        )
        headers = problem_headers(problem) if problem else {}
        return Response(html, status_code=problem.status if problem else 200, media_type="text/html", headers=headers)


def sign_in_routes(
    login: Login,
    authenticator: Authenticator,
    page: SignInPage,
    forms: Forms,
    cookie: SessionCookie,
    peers: ClientAddresses,
) -> list[HTTPRouteHandler]:
    @route("/sign-in", http_method=GET, opt=FOR_ANYBODY)
    async def get_sign_in(request: AnyRequest) -> Response[Any]:
        return page.answer(request) if authenticator.must_sign_in(request) else to(wanted(request))

    @route("/sign-in", http_method=POST, opt=FOR_ANYBODY)
    async def post_sign_in(request: AnyRequest) -> Response[Any]:
        form = await forms.read_unauthenticated(request)
        if not authenticator.sign_in_here:
            return to(wanted(request))
        name = form.get("name", "").strip()
        try:
            secret = await login.sign_in(
                name, form.get("password", ""), address_key(peers.address(request.scope)), cookie.read(request)
            )
        except (Unauthorized, TooManyRequests, Unavailable) as problem:
            return page.answer(request, name, problem)
        answer = to(wanted(request))
        answer.cookies.append(cookie.holding(request, secret))
        return answer

    return [get_sign_in, post_sign_in]


def sign_out_routes(sign_ins: OperatorSessions, forms: Forms, cookie: SessionCookie) -> list[HTTPRouteHandler]:
    def signed_out(request: AnyRequest) -> Response[Any]:
        answer = to("/sign-in")
        answer.cookies.append(cookie.gone(request))
        return answer

    @route("/sign-out", http_method=POST, opt=FOR_OPERATORS)
    async def post_sign_out(request: AnyRequest) -> Response[Any]:
        await forms.read(request)
        await sign_ins.end(_proof(request))
        return signed_out(request)

    @route("/sign-out/everywhere", http_method=POST, opt=FOR_OPERATORS)
    async def post_sign_out_everywhere(request: AnyRequest) -> Response[Any]:
        await forms.read(request)
        _proof(request)
        await sign_ins.end_all(caller_of(request).name)
        logger.info("%r signed out everywhere", caller_of(request).name)
        return signed_out(request)

    return [post_sign_out, post_sign_out_everywhere]


def _proof(request: AnyRequest) -> bytes:
    proof = caller_of(request).proof
    if not isinstance(proof, bytes):
        raise Forbidden("sign-in and sign-out are handled by the proxy")
    return proof


def to(path: str) -> Response[Any]:
    return Redirect(path, status_code=303)


def wanted(request: AnyRequest) -> str:
    """Where to go after signing in: a path of this server; anything else in a link (a host, a scheme) is ignored."""
    text: str = request.query_params.get("next", "")
    # Browsers read `\` as `/` in a URL, and skip tabs and line ends.
    return text if re.fullmatch(r"/(?!/)[!-\[\]-~]{0,4000}", text) else "/"
