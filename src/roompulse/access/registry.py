"""Who may what, by the keys and operators that there are."""

import asyncio
import hmac

from roompulse.access.keys import digest_of
from roompulse.access.model import ANYBODY, Caller, Key, KeyKind, Known, Role, SignIn
from roompulse.access.revocation import OpenSessions
from roompulse.access.store import AccessStore
from roompulse.clock import Clock
from roompulse.net import is_loopback
from roompulse.periodic import every
from roompulse.settings import Settings

RELOAD_EVERY = 2.0
"""Seconds until what a command changed holds for a server that runs."""


class AccessRegistry:
    """Knows what the database of access control holds, so that a request costs no look into it.

    Off on a loopback address and behind a proxy until there is something to ask for: a key, or an operator.
    """

    def __init__(self, settings: Settings, store: AccessStore, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._open = settings.open
        self._asks_anyway = not (settings.behind_proxy or is_loopback(settings.host))
        self._signed_on = settings.behind_proxy and settings.proxy_user_header is not None
        self._idle, self._lifetime = settings.session_idle, settings.session_lifetime
        self._used: dict[bytes, float] = {}  # when sign-ins were, by their digests
        self._reading = asyncio.Lock()  # or what was read first might be known last
        self.known = Known()
        self.signing_keys: dict[str, Key] = {}
        """By which room tokens are signed: another dictionary whenever one of them is."""
        self._kinds: set[KeyKind] = set()
        self._adopted: dict[str, Key] = {}
        self.open_sessions = OpenSessions(self.admits)

    async def reload(self) -> None:
        """Raises StoreError when the database fails; what is known stays. Who is not let in any more is shown out."""
        async with self._reading:
            try:
                self.known = await self._store.load()
                self._know_keys()
            finally:
                self._review()

    def _review(self) -> None:
        # Who looks at a stream uses the sign-in, though a wall screen asks for nothing in months.
        for caller in self.open_sessions.authenticator:
            if isinstance(caller.proof, bytes) and self.sign_in(caller.proof):
                self.use(caller.proof)
        self._used = {digest: at for digest, at in self._used.items() if digest in self.known.sign_ins}
        self.open_sessions.review()

    def adopt(self, key: Key) -> None:
        """Take room tokens by a key that is in no database."""
        self._adopted[key.id] = key
        self._know_keys()

    def _know_keys(self) -> None:
        keys = self.known.keys.values()
        self._kinds = {key.kind for key in keys}
        signing = {key.id: key for key in keys if key.kind == "token"} | self._adopted
        if signing != self.signing_keys:
            self.signing_keys = signing

    async def run(self) -> None:
        await every(RELOAD_EVERY, self.reload, "keys and operators could not be read")

    @property
    def asks_senders(self) -> bool:
        """Say whether a report needs a key or a room token."""
        return not self._open and (self._asks_anyway or "ingest" in self._kinds or "token" in self._kinds)

    @property
    def asks_readers(self) -> bool:
        """Say whether JSON and pages need a key or a sign-in."""
        asks = self._asks_anyway or self._signed_on or "read" in self._kinds or bool(self.known.operators)
        return asks and not self._open

    def admits(self, caller: Caller) -> bool:
        """Say whether who was let in before still would be."""
        if not self.asks_readers:
            return True
        if isinstance(caller.proof, str):
            key = self.known.keys.get(caller.proof)
            return key is not None and key.kind == "read"
        if caller.proof is not None:
            return self.sign_in(caller.proof) is not None
        return caller != ANYBODY  # but whom a proxy let in

    def sign_in(self, digest: bytes) -> SignIn | None:
        """The sign-in, unless it has ended or expired."""
        found, now = self.known.sign_ins.get(digest), self._clock()
        if found is None or now - found.started_at >= self._lifetime or now - self.used_at(found) >= self._idle:
            return None
        return found

    def use(self, digest: bytes) -> None:
        self._used[digest] = self._clock()

    def used_at(self, sign_in: SignIn) -> float:
        return max(sign_in.used_at, self._used.get(sign_in.digest, 0.0))

    def role_of(self, operator: str) -> Role | None:
        """None where there is no operator of this very name."""
        found = self.known.operators.get(operator)
        return found.role if found else None

    def key(self, shown: str, kind: KeyKind) -> Key | None:
        """The key that its holder shows, if it is one of this kind."""
        _, _, rest = shown.partition("_")
        key = self.known.keys.get(rest.partition("_")[0])
        if key is None or key.kind != kind or not hmac.compare_digest(key.secret, digest_of(shown)):
            return None
        return key
