"""Keys of programs: how one is made, added and shown, once."""

import secrets
from hashlib import sha256
from string import ascii_lowercase, digits
from typing import TYPE_CHECKING

from roompulse.access.model import Key, KeyKind

if TYPE_CHECKING:
    from roompulse.access.store import AccessStore

MAX_KEYS = 1000
"""Every one of them is held in memory by each server."""

MAX_NAME_LENGTH = 64
"""Characters of a key's name, which is for people."""

_ID_LENGTH = 10


class NotAdded(Exception):  # noqa: N818  (an answer to who wants to add one)
    """No key was made, and why."""


def make_key(kind: KeyKind, name: str, at: float) -> tuple[Key, str]:
    """A key of the time `at`, and what its holder shows: `rp_<id>_<secret>`, of which the former keeps a digest.

    That of `token` keeps it whole: its UTF-8 bytes are the HMAC key.
    """
    key_id = "".join(secrets.choice(ascii_lowercase + digits) for _ in range(_ID_LENGTH))
    shown = f"rp_{key_id}_{secrets.token_urlsafe(32)}"
    secret = shown.encode() if kind == "token" else digest_of(shown)
    return Key(key_id, kind, name, secret, at), shown


async def add_key(store: "AccessStore", kind: KeyKind, name: str, at: float) -> tuple[Key, str]:
    """Make a key and save it.

    Raises:
        NotAdded: the name is none, or there are too many keys.
        StoreError: the database failed.

    """
    if fault := _name_fault(name):
        raise NotAdded(f"the name {fault}")
    if len((await store.load()).keys) >= MAX_KEYS:
        raise NotAdded(f"there are {MAX_KEYS} keys already: remove one that is not used any more")
    key, shown = make_key(kind, name, at)
    await store.add_key(key)
    return key, shown


def _name_fault(name: str) -> str | None:
    if not 1 <= len(name) <= MAX_NAME_LENGTH:
        return f"must have 1 to {MAX_NAME_LENGTH} characters"
    if not name.isprintable() or name != name.strip():
        return "must not contain control characters, nor begin or end with a blank"
    return None


def digest_of(secret: str) -> bytes:
    """What is kept of a secret with 128 bits of chance or more: no salt or slow hash makes it harder to guess."""
    return sha256(secret.encode(errors="replace")).digest()
