"""What access control is about."""

from typing import Literal, get_args

from msgspec import Struct

KeyKind = Literal["ingest", "read", "token"]
"""What a key is for: to post reports, to read JSON, or to sign the room tokens that let browsers post."""

KEY_KINDS: tuple[KeyKind, ...] = get_args(KeyKind)

Role = Literal["viewer", "admin"]
"""A viewer sees everything; an admin also says who else may."""

ROLES: tuple[Role, ...] = get_args(Role)


class Key(Struct, frozen=True):
    """A key of a program; `id` is public, and the `kid` of the tokens that it signs. Times are Unix seconds.

    `secret` is the SHA-256 of what its holder shows, or for `token` the HMAC key itself: who checks a signature of
    HS256 can make one.
    """

    id: str
    kind: KeyKind
    name: str
    secret: bytes
    created_at: float


class Operator(Struct, frozen=True):
    """Somebody who signs in with a password, of which the argon2id hash is kept."""

    name: str
    role: Role
    password_hash: str
    created_at: float


class SignIn(Struct, frozen=True):
    """An operator in one browser; `digest` is the SHA-256 of the secret in its cookie. Times are Unix seconds."""

    digest: bytes
    operator: str
    started_at: float
    used_at: float


class Known(Struct, frozen=True):
    """Everything that is known, as it was read in one go."""

    keys: dict[str, Key] = {}
    operators: dict[str, Operator] = {}
    sign_ins: dict[bytes, SignIn] = {}


class Caller(Struct, frozen=True):
    """Who asks, once that is known: an operator by its sign-in or by the proxy in front, or the holder of a key.

    `role` is None for a program. `proof` is what it ends with: the digest of the sign-in, or the id of the key.
    """

    name: str
    role: Role | None = None
    proof: bytes | str | None = None


ANYBODY = Caller("", "admin")
"""Who asks where no access control is needed."""
