"""Which callers are admitted, by the API keys and operators that exist."""

import asyncio
import hmac

from roompulse.access.keys import digest_of
from roompulse.access.model import ANYBODY, Caller, Key, KeyKind, Known, Role, Share, SignIn
from roompulse.access.revocation import OpenSessions
from roompulse.access.store import AccessStore
from roompulse.clock import Clock
from roompulse.net import is_loopback
from roompulse.periodic import every
from roompulse.settings import Settings

READING: tuple[KeyKind, ...] = ("read", "manage")
"""Keys that permit to read JSON."""

SHARE_PROOF = "share:"
"""The beginning of the proof of a caller with a share; ids of keys have no colon."""

RELOAD_EVERY = 2.0
"""Seconds until a running server applies a change made by a command."""


class AccessRegistry:
    """The contents of the database of access control in memory, so that requests need no query.

    On a loopback address and behind a proxy, access control is off until a key or operator exists.
    """

    def __init__(self, settings: Settings, store: AccessStore, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._open = settings.open
        self._asks_anyway = not (settings.behind_proxy or is_loopback(settings.host))
        self._signed_on = settings.behind_proxy and settings.proxy_user_header is not None
        self._idle, self._lifetime = settings.session_idle, settings.session_lifetime
        self._used: dict[bytes, float] = {}  # the time of last use of sign-ins, by digest
        self._reading = asyncio.Lock()  # or an older state might replace a newer one
        self.known = Known()
        self.signing_keys: dict[str, Key] = {}
        """The keys that sign room tokens, by id. It is replaced by another dictionary when a key changes."""
        self._kinds: set[KeyKind] = set()
        self._adopted: dict[str, Key] = {}
        self.open_sessions = OpenSessions(self.admits)

    async def reload(self) -> None:
        """Read the database again, and end the streams of callers who are no longer admitted.

        Raises StoreError when the database fails; the known state is then kept.
        """
        async with self._reading:
            try:
                self.known = await self._store.load()
                self._know_keys()
            finally:
                self._review()

    def _review(self) -> None:
        # An open stream counts as use of the sign-in: a wall screen sends no other request for months.
        for caller in self.open_sessions.callers:
            if isinstance(caller.proof, bytes) and self.sign_in(caller.proof):
                self.use(caller.proof)
        self._used = {digest: at for digest, at in self._used.items() if digest in self.known.sign_ins}
        self.open_sessions.review()

    def adopt(self, key: Key) -> None:
        """Accept room tokens signed by a key that is not in the database."""
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
        """Whether a report needs a key or a room token."""
        return not self._open and (self._asks_anyway or "ingest" in self._kinds or "token" in self._kinds)

    @property
    def asks_readers(self) -> bool:
        """Whether JSON and pages need a key or a sign-in."""
        for_readers = self._signed_on or bool(self.known.operators) or not self._kinds.isdisjoint(READING)
        asks = self._asks_anyway or for_readers
        return asks and not self._open

    def admits(self, caller: Caller) -> bool:
        """Whether a caller admitted earlier would still be admitted."""
        if isinstance(caller.proof, str) and caller.proof.startswith(SHARE_PROOF):
            return self._is_valid(self.known.shares.get(caller.proof.removeprefix(SHARE_PROOF)))
        if not self.asks_readers:
            return True
        if isinstance(caller.proof, str):
            key = self.known.keys.get(caller.proof)
            return key is not None and key.kind in READING
        if caller.proof is not None:
            return self.sign_in(caller.proof) is not None
        return caller != ANYBODY  # such as a caller signed in by the proxy

    def share(self, shown: str) -> Share | None:
        """The share whose token a caller presents, unless it has expired or was revoked."""
        share = self.known.shares.get(shown.partition("_")[0])
        if share is None or not hmac.compare_digest(share.secret, digest_of(shown)):
            return None
        return share if self._is_valid(share) else None

    def _is_valid(self, share: Share | None) -> bool:
        return share is not None and share.expires_at > self._clock()

    def sign_in(self, digest: bytes) -> SignIn | None:
        """The sign-in with this digest, unless it has ended or expired."""
        found, now = self.known.sign_ins.get(digest), self._clock()
        if found is None or now - found.started_at >= self._lifetime or now - self.used_at(found) >= self._idle:
            return None
        return found

    def use(self, digest: bytes) -> None:
        self._used[digest] = self._clock()

    def used_at(self, sign_in: SignIn) -> float:
        return max(sign_in.used_at, self._used.get(sign_in.digest, 0.0))

    def role_of(self, operator: str) -> Role | None:
        """None if there is no operator with exactly this name."""
        found = self.known.operators.get(operator)
        return found.role if found else None

    def key(self, shown: str, *kinds: KeyKind) -> Key | None:
        """The key that a caller presents, if it is valid and of one of these kinds."""
        _, _, rest = shown.partition("_")
        key = self.known.keys.get(rest.partition("_")[0])
        if key is None or key.kind not in kinds or not hmac.compare_digest(key.secret, digest_of(shown)):
            return None
        return key
