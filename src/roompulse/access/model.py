"""The types of access control."""

from typing import Literal, get_args

from msgspec import Struct

KeyKind = Literal["ingest", "read", "token", "manage"]
"""What a key permits: to post reports, to read JSON, to sign room tokens, with which browsers post, or to manage."""

KEY_KINDS: tuple[KeyKind, ...] = get_args(KeyKind)

Role = Literal["viewer", "admin"]
"""A viewer sees everything; an admin also manages operators and API keys."""

ROLES: tuple[Role, ...] = get_args(Role)


class Key(Struct, frozen=True):
    """An API key; `id` is public, and is the `kid` of the tokens that the key signs. Times are Unix seconds.

    `secret` is the SHA-256 of the presented text. For `token` it is the HMAC key itself: a signature of HS256 is
    verified with the key that made it.
    """

    id: str
    kind: KeyKind
    name: str
    secret: bytes
    created_at: float


class Operator(Struct, frozen=True):
    """A person who signs in with a password, of which the argon2id hash is stored."""

    name: str
    role: Role
    password_hash: str
    created_at: float


class SignIn(Struct, frozen=True):
    """A session of an operator in one browser; `digest` is the SHA-256 of the secret in its cookie. Unix seconds."""

    digest: bytes
    operator: str
    started_at: float
    used_at: float


class Share(Struct, frozen=True):
    """A link that opens the page at `path` until a time (Unix seconds); `secret` is the SHA-256 of its token.

    With `hide_ids` the page has numbers in place of the ids and names of users.
    """

    id: str
    secret: bytes
    path: str
    by: str
    created_at: float
    expires_at: float
    hide_ids: bool = False


class Known(Struct, frozen=True):
    """The contents of the database of access control, read in one transaction."""

    keys: dict[str, Key] = {}
    operators: dict[str, Operator] = {}
    sign_ins: dict[bytes, SignIn] = {}
    shares: dict[str, Share] = {}


class Caller(Struct, frozen=True):
    """An authenticated caller: an operator, by a sign-in or by the proxy in front, or the holder of a key.

    `role` is None for a program, which `manages` if it has a key for that. `proof` is the reason for admission:
    the digest of the sign-in, or the id of the key or of the share.
    """

    name: str
    role: Role | None = None
    proof: bytes | str | None = None
    manages: bool = False

    @property
    def may_manage(self) -> bool:
        return self.manages or self.role == "admin"

    @property
    def may_write_notes(self) -> bool:
        return self.manages or self.role is not None


ANYBODY = Caller("", "admin")
"""The caller where there is no access control."""
