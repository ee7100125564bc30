"""Keys and room tokens for tests."""

import base64
import hashlib
import hmac
from typing import Any

import msgspec

from roompulse.access.keys import add_key
from roompulse.access.model import Key, KeyKind
from roompulse.access.store import AccessStore
from roompulse.engines import access_of
from roompulse.settings import Settings
from roompulse.store.files import is_postgres
from tests.builders import NOW
from tests.postgres_server import tables


async def new_key(settings: Settings, kind: KeyKind) -> tuple[Key, str]:
    """A key in the database of these settings, and the text that its holder presents."""
    database = access_of(settings)
    async with database.open():
        return await add_key(AccessStore(database), kind, "a program", NOW)


async def remove_key(settings: Settings, key: Key) -> None:
    database = access_of(settings)
    async with database.open():
        assert await AccessStore(database).remove_key(key.id)


def stored(settings: Settings) -> bytes:
    """Everything that is in the files of these settings, or in the tables of their database."""
    if is_postgres(settings):
        values = (value for rows in tables(settings.database_url or "").values() for row in rows for value in row)
        return b"\n".join(value if isinstance(value, bytes) else str(value).encode() for value in values)
    return b"".join(path.read_bytes() for path in settings.data.iterdir())


def bearer(shown: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {shown}"}


def part(value: Any) -> str:
    """A part of a token: base64url of JSON, or of bytes."""
    raw = value if isinstance(value, bytes) else msgspec.json.encode(value)
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def token(secret: bytes, header: Any, claims: Any, hash_name: str = "sha256") -> str:
    """A token of any header and claims, signed as it should be."""
    signed = f"{part(header)}.{part(claims)}"
    return f"{signed}.{part(hmac.digest(secret, signed.encode(), getattr(hashlib, hash_name)))}"
