"""Forms: what operators change, and what pages of other sites must not make their browsers change."""

import asyncio
import hmac
import secrets
from hashlib import sha256
from urllib.parse import parse_qsl

from litestar.exceptions import InternalServerException
from msgspec import Struct

from roompulse.access.model import ANYBODY, Caller, Role
from roompulse.errors import BadRequest, BodyTooLarge, Forbidden, RequestTimeout, UnsupportedMediaType
from roompulse.web.http.authentication import caller_of
from roompulse.web.http.problems import AnyRequest
from roompulse.web.http.same_origin import is_same_origin
from roompulse.web.http.session_cookie import AnyConnection, SessionCookie

MAX_FORM = 4_096
"""Bytes: room for the longest name and password, percent-encoded."""

_MAX_FIELDS = 20

Form = dict[str, str]


class Account(Struct, frozen=True):
    """Who is signed in, for the bar of a page. `token` goes into its forms; a proxy in front signs out by itself."""

    name: str
    role: Role
    token: str
    signs_out: bool


class Forms:
    def __init__(self, cookie: SessionCookie, timeout: float) -> None:
        self._cookie = cookie
        self._timeout = timeout
        self._key = secrets.token_hex(32)  # where the proxy has the secret of the sign-in

    def account(self, connection: AnyConnection) -> Account | None:
        """None for who did not have to sign in, and for programs."""
        caller = caller_of(connection)
        if caller is ANYBODY or caller.role is None:
            return None
        return Account(caller.name, caller.role, self._token(connection, caller), caller.proof is not None)

    def _token(self, connection: AnyConnection, caller: Caller) -> str:
        """Bound to the sign-in, whose secret no page of another site can read."""
        secret = self._key if caller.proof is None else self._cookie.read(connection) or ""
        return hmac.new(secret.encode(), f"a form for {caller.name}".encode(), sha256).hexdigest()

    async def read(self, request: AnyRequest) -> Form:
        """The fields of a form of ours.

        Raises:
            Forbidden: it is the form of another site, or of another sign-in.
            BadRequest, BodyTooLarge, RequestTimeout, UnsupportedMediaType: it is no form.

        """
        form = await self.read_of_stranger(request)
        token = self._token(request, caller_of(request))
        if not hmac.compare_digest(form.pop("token", "").encode(), token.encode()):
            raise Forbidden("this form is of an earlier sign-in: load its page again")
        return form

    async def read_of_stranger(self, request: AnyRequest) -> Form:
        """The same for who is not signed in yet, and so has no token."""
        if not is_same_origin(request.scope):
            raise Forbidden("this form was sent by a page of another site")
        if request.content_type[0] != "application/x-www-form-urlencoded":
            raise UnsupportedMediaType("Content-Type: send application/x-www-form-urlencoded")
        try:
            async with asyncio.timeout(self._timeout):
                body = await _read(request)
        except TimeoutError:
            raise RequestTimeout(f"the form did not arrive within {self._timeout:g} s") from None
        try:
            return dict(
                parse_qsl(body.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=_MAX_FIELDS)
            )
        except ValueError:
            raise BadRequest("the form is malformed") from None


async def _read(request: AnyRequest) -> bytes:
    body = b""
    try:
        async for fragment in request.stream():
            body += fragment
            if len(body) > MAX_FORM:
                raise BodyTooLarge(f"the form has more than {MAX_FORM} bytes")
    except InternalServerException:  # Litestar's word for a sender who left in the middle
        raise BadRequest("the form is not complete") from None
    return body
