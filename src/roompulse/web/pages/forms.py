"""Forms that operators submit, protected against submission by pages of other sites (CSRF)."""

import hmac
from collections.abc import Callable
from hashlib import sha256
from urllib.parse import parse_qsl

from msgspec import Struct

from roompulse.access.model import ANYBODY, Caller, Role
from roompulse.errors import BadRequest, Forbidden, UnsupportedMediaType
from roompulse.web.http.authentication import caller_of
from roompulse.web.http.body import read_body
from roompulse.web.http.routes import AnyConnection, AnyRequest
from roompulse.web.http.same_origin import is_same_origin
from roompulse.web.http.session_cookie import SessionCookie

MAX_FORM = 16_384
"""Bytes: room for the longest name and password, and for a rule of alerts, percent-encoded."""

_MAX_FIELDS = 150

Form = dict[str, str]


class Account(Struct, frozen=True):
    """The signed-in operator, for the bar of a page; `token` goes into its forms.

    `signs_out` is False where the proxy in front signs operators in and out.
    """

    name: str
    role: Role
    token: str
    signs_out: bool


class Forms:
    """`key` is for callers without a session here: signed in by a proxy, or without any sign-in."""

    def __init__(self, cookie: SessionCookie, timeout: float, key: Callable[[], str]) -> None:
        self._cookie = cookie
        self._timeout = timeout
        self._key = key

    def account(self, connection: AnyConnection) -> Account | None:
        """None where signing in is not required, and for programs."""
        caller = caller_of(connection)
        if caller is ANYBODY or caller.role is None:
            return None
        return Account(caller.name, caller.role, self._token(connection, caller), caller.proof is not None)

    def token(self, connection: AnyConnection) -> str | None:
        """The token in the forms of callers that may manage; None for others, who have no such forms."""
        caller = caller_of(connection)
        return self._token(connection, caller) if caller.may_manage and not isinstance(caller.proof, str) else None

    def _token(self, connection: AnyConnection, caller: Caller) -> str:
        """Derived from the secret of the session, which no page of another site can read."""
        secret = self._key() if caller.proof is None else self._cookie.read(connection) or ""
        return hmac.new(secret.encode(), f"a form for {caller.name}".encode(), sha256).hexdigest()

    async def read(self, request: AnyRequest) -> Form:
        """The fields of a form that a page of ours submitted.

        Raises:
            Forbidden: the form was submitted by another site, or belongs to another session.
            BadRequest, BodyTooLarge, RequestTimeout, UnsupportedMediaType: the body is not a form.

        """
        form = await self.read_unauthenticated(request)
        token = self._token(request, caller_of(request))
        if not hmac.compare_digest(form.pop("token", "").encode(), token.encode()):
            raise Forbidden("this form belongs to an earlier session: reload the page")
        return form

    async def read_unauthenticated(self, request: AnyRequest) -> Form:
        """The same without a token, for the sign-in form: there is no session yet to derive one from."""
        if not is_same_origin(request.scope):
            raise Forbidden("this form was submitted by a page of another site")
        if request.content_type[0] != "application/x-www-form-urlencoded":
            raise UnsupportedMediaType("Content-Type: send application/x-www-form-urlencoded")
        body = await read_body(request, MAX_FORM, self._timeout, "form")
        try:
            return dict(
                parse_qsl(body.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=_MAX_FIELDS)
            )
        except ValueError:
            raise BadRequest("the form is malformed") from None
