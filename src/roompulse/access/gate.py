"""Who may what, by the keys and operators that there are."""

import asyncio
import hmac
import logging
from hashlib import sha256
from ipaddress import ip_address

from roompulse.access.model import Key, KeyKind, Known
from roompulse.access.store import AccessStore
from roompulse.clock import Clock
from roompulse.settings import Settings

logger = logging.getLogger(__name__)

RELOAD_EVERY = 2.0
"""Seconds until what a command changed holds for a server that runs."""


class Gate:
    """Knows what the database of access control holds, so that a request costs no look into it.

    Off on a loopback address and behind a proxy until there is something to ask for: a key, or an operator.
    """

    def __init__(self, settings: Settings, store: AccessStore, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._open = settings.open
        self._asks_anyway = not (settings.behind_proxy or is_loopback(settings.host))
        self.known = Known()

    async def reload(self) -> None:
        """Raises StoreError when the database fails; what is known stays."""
        self.known = await self._store.load()

    async def run(self) -> None:
        while True:
            await asyncio.sleep(RELOAD_EVERY)
            try:
                await self.reload()
            except Exception:  # whatever it is, the next time must come
                logger.exception("keys and operators could not be read; they will be")

    @property
    def asks_senders(self) -> bool:
        """Say whether a report needs a key or a room token."""
        return not self._open and (self._asks_anyway or self._has("ingest") or self._has("token"))

    @property
    def asks_readers(self) -> bool:
        """Say whether JSON and pages need a key or a sign-in."""
        return not self._open and (self._asks_anyway or self._has("read") or bool(self.known.operators))

    def _has(self, kind: KeyKind) -> bool:
        return any(key.kind == kind for key in self.known.keys.values())

    def key(self, shown: str, kind: KeyKind) -> Key | None:
        """The key that its holder shows, if it is one of this kind."""
        _, _, rest = shown.partition("_")
        key = self.known.keys.get(rest.partition("_")[0])
        if key is None or key.kind != kind or not hmac.compare_digest(key.secret, digest_of(shown)):
            return None
        return key


def digest_of(secret: str) -> bytes:
    """What is kept of a secret with 128 bits of chance or more: no salt or slow hash makes it harder to guess."""
    return sha256(secret.encode(errors="replace")).digest()


def is_loopback(host: str) -> bool:
    """Say whether only this machine can reach what listens there."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"
