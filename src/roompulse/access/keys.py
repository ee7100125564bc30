"""API keys: how one is created and presented."""

import secrets
from hashlib import sha256
from string import ascii_lowercase, digits
from typing import TYPE_CHECKING

from roompulse.access.model import Key, KeyKind

if TYPE_CHECKING:
    from roompulse.access.store import AccessStore

MAX_KEYS = 1000
"""Each server holds all of them in memory."""

MAX_NAME_LENGTH = 64
"""Characters of the name of a key, which describes its use."""

_ID_LENGTH = 10


class NotAdded(Exception):  # noqa: N818  (an answer to the caller)
    """No key was created; the message has the reason."""


def make_key(kind: KeyKind, name: str, at: float) -> tuple[Key, str]:
    """A key created at `at`, and the text that its holder presents: `rp_<id>_<secret>`, of which a digest is stored.

    For `token` the whole text is stored: its UTF-8 bytes are the HMAC key.
    """
    key_id = "".join(secrets.choice(ascii_lowercase + digits) for _ in range(_ID_LENGTH))
    shown = f"rp_{key_id}_{secrets.token_urlsafe(32)}"
    secret = shown.encode() if kind == "token" else digest_of(shown)
    return Key(key_id, kind, name, secret, at), shown


async def add_key(store: "AccessStore", kind: KeyKind, name: str, at: float) -> tuple[Key, str]:
    """Create a key and save it.

    Raises:
        NotAdded: the name is invalid, or there are too many keys.
        StoreError: the database failed.

    """
    if fault := _name_fault(name):
        raise NotAdded(f"the name {fault}")
    if len((await store.load()).keys) >= MAX_KEYS:
        raise NotAdded(f"there are {MAX_KEYS} keys already, the maximum: remove one that is no longer used")
    key, shown = make_key(kind, name, at)
    await store.add_key(key)
    return key, shown


def _name_fault(name: str) -> str | None:
    if not 1 <= len(name) <= MAX_NAME_LENGTH:
        return f"must have 1 to {MAX_NAME_LENGTH} characters"
    if not name.isprintable() or name != name.strip():
        return "must not contain control characters, or begin or end with a blank"
    return None


def digest_of(secret: str) -> bytes:
    """The stored digest of a random secret of 128 bits or more: salt or a slow hash would not protect it better."""
    return sha256(secret.encode(errors="replace")).digest()
