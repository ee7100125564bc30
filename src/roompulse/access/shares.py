"""Links that open one page, read-only, to their holders, until they expire or are revoked."""

import re
import secrets
from collections.abc import Iterable
from string import ascii_lowercase, digits
from urllib.parse import parse_qsl, quote, unquote, urlsplit

from msgspec import Struct

from roompulse.access.keys import digest_of
from roompulse.access.model import Share
from roompulse.access.registry import AccessRegistry
from roompulse.access.store import AccessStore
from roompulse.clock import Clock
from roompulse.errors import BadRequest, NotFound
from roompulse.report.ids import id_fault

MAX_SHARES = 1000
"""Each server holds all of them in memory."""

SHORTEST, LONGEST = 60.0, 2_592_000.0
"""Seconds until a share expires: a minute to 30 days."""

_ID_LENGTH = 10
_TIME = re.compile(r"\d{1,14}(\.\d{1,3})?")


OWN = "user 1"
"""The placeholder for the page's own user, on a page that hides the users."""


class Shared(Struct, frozen=True):
    """The page that a share opens: its path in decoded segments, and the time that it shows, if it is a past one."""

    segments: tuple[str, ...]
    at: str | None = None


def page_of(path: str) -> Shared:
    """The page of a path such as `/rooms/room-1?at=1800000000`; raises BadRequest for one that cannot be shared."""
    parts = urlsplit(path)
    segments = tuple(unquote(segment) for segment in parts.path.removeprefix("/").split("/"))
    query = dict(parse_qsl(parts.query, keep_blank_values=True))
    at = query.pop("at", None)
    match segments:
        case ("rooms", room_id):
            ids = [room_id]
        case ("rooms", room_id, "users", user_id):
            ids = [room_id, user_id]
        case ("calls", room_id, started_at) if _TIME.fullmatch(started_at) and at is None:
            ids = [room_id]
        case _:
            raise BadRequest("$.path: must be the page of a room, a user or a call, as in /rooms/room-1")
    if fault := next(filter(None, map(id_fault, ids)), None):
        raise BadRequest(f"$.path: {fault}")
    if parts.scheme or parts.netloc or query or (at is not None and not _TIME.fullmatch(at)):
        raise BadRequest("$.path: only `at` is allowed in the query, Unix seconds")
    return Shared(segments, at)


def opened_by(share: Share) -> Shared:
    """The page that a share opens, as its holder sees its path."""
    page = page_of(share.path)
    match page.segments:
        case ("rooms", room_id, users, _) if share.hide_ids:
            return Shared(("rooms", room_id, users, OWN), page.at)
    return page


def path_of(share: Share) -> str:
    """The same as a path with its query."""
    if not share.hide_ids:
        return share.path
    page = opened_by(share)
    path = "/".join(quote(segment, safe="") for segment in page.segments)
    return f"/{path}" if page.at is None else f"/{path}?at={page.at}"


def about(shares: Iterable[Share], room_id: str | None, user_id: str | None) -> list[str]:
    """Ids of the shares of a room's pages (None: any room) and, unless that is None, of a user's."""
    found = []
    for share in shares:
        segments = page_of(share.path).segments
        users = segments[3:] if segments[0] == "rooms" else ()
        if room_id in (None, segments[1]) and (user_id is None or user_id in users):
            found.append(share.id)
    return found


class Shares:
    def __init__(self, registry: AccessRegistry, store: AccessStore, clock: Clock) -> None:
        self._registry = registry
        self._store = store
        self._clock = clock

    def all(self) -> list[Share]:
        """The shares that have not expired, newest first."""
        now = self._clock()
        shares = self._registry.known.shares.values()
        return sorted((one for one in shares if one.expires_at > now), key=lambda one: (-one.created_at, one.id))

    async def add(self, path: str, expires_in: float, by: str, *, hide_ids: bool = False) -> tuple[Share, str]:
        """A new share, and the token in its URL, of which only a digest is stored.

        Raises BadRequest for a page that cannot be shared, and StoreError.
        """
        page_of(path)
        if not SHORTEST <= expires_in <= LONGEST:
            raise BadRequest(f"$.expires_in: must be between {SHORTEST:.0f} and {LONGEST:.0f} seconds")
        if len(self.all()) >= MAX_SHARES:
            raise BadRequest(f"$: there are {MAX_SHARES} shares already, the maximum")
        now = self._clock()
        share_id = "".join(secrets.choice(ascii_lowercase + digits) for _ in range(_ID_LENGTH))
        shown = f"{share_id}_{secrets.token_urlsafe(32)}"
        path = "/" + path.removeprefix("/")
        share = Share(share_id, digest_of(shown), path, by, now, now + expires_in, hide_ids)
        await self._store.add_share(share, now)
        await self._registry.reload()
        return share, shown

    async def remove_about(self, room_id: str | None, user_id: str | None) -> int:
        """Revoke the shares of a room's or a user's pages, and return how many; raises StoreError."""
        if ids := about(self._registry.known.shares.values(), room_id, user_id):
            await self._store.remove_share(*ids)
            await self._registry.reload()
        return len(ids)

    async def remove(self, share_id: str) -> None:
        """Revoke a share: its streams end immediately. Raises NotFound and StoreError."""
        if not await self._store.remove_share(share_id):
            raise NotFound("share_id: there is no such share")
        await self._registry.reload()
