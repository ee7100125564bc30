"""Room tokens: what a browser may hold, so that it can post for one user in one room, and not for long.

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
"""Seconds that a token holds at most: it cannot be taken back but by removing its key."""

LEEWAY = 60
"""Seconds by which the clock of who signs may be ahead of ours."""

MAX_TOKEN_LENGTH = 4500
"""Bytes: claims of the longest ids, escaped by whoever made them, take 4,300."""

MAX_REMEMBERED = 10_000
"""Valid tokens that are remembered; one that is forgotten is verified again."""

_HS256 = PyJWS(["HS256"])


class Claims(Struct, frozen=True):
    """What a token lets its holder do: post for this user in this room until `exp` (Unix seconds).

    `nbf` is when that begins. Other claims are ignored, `iat` among them: when a token was made does not matter.
    """

    room: str
    user: str
    exp: float
    nbf: float = 0

    @property
    def bucket(self) -> str:
        """What stands for the user in the room, in 64 characters."""
        return sha256(f"{self.room}\n{self.user}".encode()).hexdigest()


def sign_token(key: Key, room: str, user: str, exp: float) -> str:
    """A token by a key for `token`."""
    claims = msgspec.json.encode({"room": room, "user": user, "exp": exp})
    return _HS256.encode(claims, key.secret, headers={"kid": key.id})


def read_token(token: str, keys: Mapping[str, Key], now: float) -> Claims:
    """The claims of a token that holds at the time `now`, signed by one of `keys`, which are by their ids.

    Raises Unauthorized with what is wrong with it.
    """
    if len(token) > MAX_TOKEN_LENGTH:
        raise Unauthorized(f"token: longer than {MAX_TOKEN_LENGTH} bytes")
    claims = _claims(_verified(token, keys))
    for name, value in (("room", claims.room), ("user", claims.user)):
        if fault := id_fault(value):
            raise Unauthorized(f"token: {name} {fault}")
    if claims.exp > now + LONGEST_LIFE + LEEWAY:
        raise Unauthorized(f"token: exp must be at most {LONGEST_LIFE} s ahead")
    if claims.nbf > now + LEEWAY:
        raise Unauthorized("token: nbf is still to come")
    _check_not_expired(claims, now)
    return claims


def _verified(token: str, keys: Mapping[str, Key]) -> bytes:
    """The payload, whoever signed it with a key that is known."""
    try:
        kid = _HS256.get_unverified_header(token).get("kid")
        key = keys.get(kid) if isinstance(kid, str) else None
        if key is None:
            raise Unauthorized("token: kid is none of a key for tokens")
        payload: bytes = _HS256.decode(token, key.secret, algorithms=["HS256"])
    except (InvalidTokenError, UnicodeEncodeError, NotImplementedError):
        # The library's words may quote the token.
        raise Unauthorized("token: no JWT that is signed with HS256 by that key") from None
    return payload


def _claims(payload: bytes) -> Claims:
    try:
        return msgspec.json.decode(payload, type=Claims)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise Unauthorized("token: needs room and user as strings, exp and nbf as numbers of seconds") from None


def _check_not_expired(claims: Claims, now: float) -> None:
    if claims.exp <= now:
        raise Unauthorized("token: expired")


class Tokens:
    """Reads tokens, and knows those that it has read already, so that a report costs no signature.

    It knows MAX_REMEMBERED at most, of holders of a key, and none once the keys have changed.
    """

    def __init__(self) -> None:
        self._keys: Mapping[str, Key] = {}
        self._read: BoundedMap[str, Claims] = BoundedMap(MAX_REMEMBERED)

    def read(self, token: str, keys: Mapping[str, Key], now: float) -> Claims:
        """As `read_token`; `keys` is another mapping whenever there are other keys."""
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
