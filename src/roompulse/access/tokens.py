"""Room tokens: with one, a browser can post for one user in one room, for a limited time.

A token is a JWT (RFC 7519) with HS256, whose `kid` is the id of a key for `token`.
"""

from collections.abc import Mapping
from hashlib import sha256

import msgspec
from jwt import InvalidTokenError, PyJWS
from msgspec import Struct

from roompulse.access.model import Key
from roompulse.bounded import BoundedMap
from roompulse.errors import Unauthorized
from roompulse.report.ids import id_fault

LONGEST_LIFE = 86_400
"""Seconds for which a token is valid at most: it can be revoked only by removing its key."""

LEEWAY = 60
"""Seconds by which the clock of the signing program may be ahead of the server's."""

MAX_TOKEN_LENGTH = 4500
"""Bytes: claims with the longest ids, escaped by a JSON encoder, take 4,300."""

MAX_REMEMBERED = 10_000
"""Valid tokens that are cached; a dropped one is verified again."""

_HS256 = PyJWS(["HS256"])


class Claims(Struct, frozen=True):
    """What a token permits: to post for this user in this room until `exp` (Unix seconds), from `nbf` on.

    Other claims are ignored, `iat` among them.
    """

    room: str
    user: str
    exp: float
    nbf: float = 0

    @property
    def bucket(self) -> str:
        """The key of the rate limit of this user in this room, 64 characters long."""
        return sha256(f"{self.room}\n{self.user}".encode()).hexdigest()


def sign_token(key: Key, room: str, user: str, exp: float) -> str:
    """A token signed with a key for `token`."""
    claims = msgspec.json.encode({"room": room, "user": user, "exp": exp})
    return _HS256.encode(claims, key.secret, headers={"kid": key.id})


def read_token(token: str, keys: Mapping[str, Key], now: float) -> Claims:
    """The claims of a token that is valid at the time `now`, signed by one of `keys` (by id).

    Raises Unauthorized with the reason.
    """
    if len(token) > MAX_TOKEN_LENGTH:
        raise Unauthorized(f"token: longer than {MAX_TOKEN_LENGTH} bytes")
    claims = _claims(_verified(token, keys))
    for name, value in (("room", claims.room), ("user", claims.user)):
        if fault := id_fault(value):
            raise Unauthorized(f"token: {name} {fault}")
    if claims.exp > now + LONGEST_LIFE + LEEWAY:
        raise Unauthorized(f"token: exp must be at most {LONGEST_LIFE} s in the future")
    if claims.nbf > now + LEEWAY:
        raise Unauthorized("token: not valid yet (nbf)")
    _check_not_expired(claims, now)
    return claims


def _verified(token: str, keys: Mapping[str, Key]) -> bytes:
    """The payload of a token that a known key signed."""
    try:
        kid = _HS256.get_unverified_header(token).get("kid")
        key = keys.get(kid) if isinstance(kid, str) else None
        if key is None:
            raise Unauthorized("token: unknown kid")
        payload: bytes = _HS256.decode(token, key.secret, algorithms=["HS256"])
    except (InvalidTokenError, UnicodeEncodeError, NotImplementedError):
        # The library's message may quote the token.
        raise Unauthorized("token: not a JWT signed with HS256 by that key") from None
    return payload


def _claims(payload: bytes) -> Claims:
    try:
        return msgspec.json.decode(payload, type=Claims)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise Unauthorized("token: room and user must be strings, exp and nbf numbers of seconds") from None


def _check_not_expired(claims: Claims, now: float) -> None:
    if claims.exp <= now:
        raise Unauthorized("token: expired")


class Tokens:
    """Reads tokens, and remembers the valid ones, so that a signature is not verified for each report.

    It remembers at most MAX_REMEMBERED, and none once the keys have changed.
    """

    def __init__(self) -> None:
        self._keys: Mapping[str, Key] = {}
        self._read: BoundedMap[str, Claims] = BoundedMap(MAX_REMEMBERED)

    def read(self, token: str, keys: Mapping[str, Key], now: float) -> Claims:
        """As `read_token`; `keys` must be another mapping after a key has changed."""
        if keys is not self._keys:
            self._read.clear()
            self._keys = keys
        if claims := self._read.get(token):
            if claims.exp <= now:
                self._read.discard(token)
            _check_not_expired(claims, now)
            return claims
        claims = read_token(token, keys, now)
        self._read.put(token, claims)
        return claims
