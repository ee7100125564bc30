"""The page to sign in, and the ways out."""

import logging
import re
from typing import Any

from litestar import Response, route
from litestar.handlers import HTTPRouteHandler
from litestar.response import Redirect

from roompulse.access.model import Operator
from roompulse.access.operators import find_operator, folded
from roompulse.access.passwords import Passwords
from roompulse.access.registry import AccessRegistry
from roompulse.access.sessions import OperatorSessions
from roompulse.access.store import AccessStore
from roompulse.access.throttle import Throttle
from roompulse.errors import Forbidden, Problem, TooManyRequests, Unauthorized, Unavailable
from roompulse.web.html.templates import Templates
from roompulse.web.http.authentication import Authenticator, caller_of
from roompulse.web.http.client_address import ClientAddresses
from roompulse.web.http.problems import AnyRequest, problem_headers
from roompulse.web.http.rate_limit import address_key
from roompulse.web.http.routes import FOR_ANYBODY, FOR_OPERATORS, GET, POST
from roompulse.web.http.session_cookie import SessionCookie
from roompulse.web.pages.forms import Forms

logger = logging.getLogger(__name__)


class Login:
    """Lets in whoever knows the password of an operator."""

    def __init__(
        self,
        registry: AccessRegistry,
        store: AccessStore,
        sign_ins: OperatorSessions,
        throttle: Throttle,
        passwords: Passwords,
    ) -> None:
        self._registry = registry
        self._store = store
        self._sign_ins = sign_ins
        self._throttle = throttle
        self._passwords = passwords

    async def sign_in(self, name: str, password: str, address: str, shown: str | None) -> str:
        """The secret of a new sign-in, which replaces the one that the browser has `shown`.

        Raises:
            Unauthorized: the name or the password is wrong, and neither words nor time tell which.
            TooManyRequests: there were too many wrong ones.
            Unavailable: too many sign in at once.

        """
        known_as = folded(name)
        with self._passwords.place():
            self._throttle.attempt(known_as, address)
            operator = find_operator(self._registry.known, name)
            right = await self._passwords.matches(operator.password_hash if operator else None, password)
        if operator is None or not right:
            # A name that is none may be a password in the wrong field.
            logger.warning("%r from %s could not sign in", operator.name if operator else "somebody", address)
            raise Unauthorized("the name or the password is wrong")
        self._throttle.succeeded(known_as, address)
        await self._keep_up(operator, password)
        logger.info("%r signed in from %s", operator.name, address)
        return await self._sign_ins.begin(operator.name, shown)

    async def _keep_up(self, operator: Operator, password: str) -> None:
        if self._passwords.is_outdated(operator.password_hash):
            await self._store.change_operator(operator.name, password_hash=await self._passwords.hash(password))


class SignInPage:
    def __init__(self, templates: Templates, registry: AccessRegistry) -> None:
        self._templates = templates
        self._registry = registry

    def answer(self, request: AnyRequest, name: str = "", problem: Problem | None = None) -> Response[Any]:
        html = self._templates.render(
            "sign_in.html",
            entered=name,
            next=wanted(request),
            error=problem.message if problem else None,
            nobody=not self._registry.known.operators,
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
        form = await forms.read_of_stranger(request)
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
        raise Forbidden("the proxy in front signs in and out")
    return proof


def to(path: str) -> Response[Any]:
    return Redirect(path, status_code=303)


def wanted(request: AnyRequest) -> str:
    """Where to go after signing in: a path of this server, whatever a link made up (no host, no scheme)."""
    text: str = request.query_params.get("next", "")
    # Browsers take `\` for `/` in a URL, and leave out tabs and line ends.
    return text if re.fullmatch(r"/(?!/)[!-\[\]-~]{0,4000}", text) else "/"
