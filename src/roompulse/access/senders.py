"""Senders of reports: an ingest key permits reports of every user, a room token those of one user in one room."""

from msgspec import Struct

from roompulse.access.registry import AccessRegistry
from roompulse.access.tokens import Tokens
from roompulse.clock import Clock
from roompulse.errors import Forbidden, Unauthorized
from roompulse.report.model import Report

KEY_PREFIX = "rp_"


class Sender(Struct, frozen=True):
    """An authenticated sender. `room` and `user` are those that a room token is for; None without one.

    `bucket` is the key of its rate limit: its address without access control; the id of its key; or its user and room,
    so that a stolen token posts no more from many addresses than from one, and many users can share an address.
    """

    bucket: str
    room: str | None = None
    user: str | None = None

    def check(self, report: Report) -> None:
        """Raises Forbidden for a report that this sender may not post."""
        if self.room not in (None, report.room_id):
            raise Forbidden("$.room_id: the token is for another room")
        if self.user is not None:
            self._check_user(report)

    def _check_user(self, report: Report) -> None:
        if report.by_server:
            raise Forbidden("$.role: a room token is for one user; a media server needs an ingest key")
        if report.user_id != self.user:
            raise Forbidden("$.user_id: the token is for another user")
        for index, entry in enumerate(report.metrics):
            if entry.user_id == self.user:
                continue
            for position, stream in enumerate(entry.streams):
                if stream.direction == "send":
                    where = f"$.metrics[{index}].streams[{position}].direction"
                    raise Forbidden(f"{where}: with a room token, `send` is for the token's own user alone")


class Senders:
    def __init__(self, registry: AccessRegistry, clock: Clock) -> None:
        self._registry = registry
        self._clock = clock
        self._tokens = Tokens()

    @property
    def asks(self) -> bool:
        return self._registry.asks_senders

    def sender(self, shown: str | None) -> Sender:
        """The sender that presents this key or token; raises Unauthorized if it permits no reports."""
        if not shown:
            raise Unauthorized("send an ingest key or a room token: `Authorization: Bearer …`, or `token` in the body")
        if shown.startswith(KEY_PREFIX):
            if key := self._registry.key(shown, "ingest"):
                return Sender(key.id)
            raise Unauthorized("invalid key, or not an ingest key")
        claims = self._tokens.read(shown, self._registry.signing_keys, self._clock())
        return Sender(claims.bucket, claims.room, claims.user)
