"""Attempts to sign in, counted by all workers together: so a delay applies at each of them."""

import hashlib
import hmac
from collections.abc import Callable, Sequence

import msgspec
from sqlalchemy import Boolean, Column, Connection, Float, Integer, LargeBinary, MetaData, Table, delete, select
from sqlalchemy.dialects.postgresql import insert

from roompulse.access.throttle import FORGET_AFTER, MAX_ENTRIES, Attempts, Change, Subject
from roompulse.postgres.access import PostgresAccess

_attempts = Table(
    "attempt",
    MetaData(),
    Column("digest", LargeBinary, primary_key=True),
    Column("count", Integer),
    Column("last", Float),
    Column("succeeded", Boolean),
)


class PostgresAttempts:
    """Implements `AttemptStore`, by digests under a key: a name may be a password typed into the wrong field."""

    def __init__(self, access: PostgresAccess, key: Callable[[], str]) -> None:
        self._access = access
        self._key = key

    async def change(self, subjects: Sequence[Subject], change: Change) -> None:
        digests = [self._digest(subject) for subject in subjects]

        def work(connection: Connection) -> None:
            rows = connection.execute(select(_attempts).where(_attempts.c.digest.in_(digests)))
            known = {digest: Attempts(*of_digest) for digest, *of_digest in rows}
            found = [known.get(digest, Attempts()) for digest in digests]
            change(found)
            for digest, attempts in zip(digests, found, strict=True):
                values = msgspec.structs.asdict(attempts)
                new = insert(_attempts).values(digest=digest, **values)
                connection.execute(new.on_conflict_do_update(index_elements=["digest"], set_=values))
            _forget(connection, max(attempts.last for attempts in found))

        await self._access.run(work)

    def _digest(self, subject: Subject) -> bytes:
        return hmac.digest(self._key().encode(), msgspec.json.encode(subject), hashlib.sha256)


def _forget(connection: Connection, now: float) -> None:
    is_over = ~_attempts.c.succeeded & (_attempts.c.last < now - FORGET_AFTER)
    newest_first = select(_attempts.c.digest).order_by(_attempts.c.last.desc())
    connection.execute(delete(_attempts).where(is_over | _attempts.c.digest.in_(newest_first.offset(MAX_ENTRIES))))
