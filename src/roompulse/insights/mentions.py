"""Values of insights that mention an erased user: labels and versions, which may be any text."""

from functools import partial

import msgspec
from sqlalchemy import Connection, select, update

from roompulse.erasure.erasure import in_steps, of_others
from roompulse.erasure.subject import Subject
from roompulse.insights.cell import Cells, add_to, pack, unpack
from roompulse.store.engine import Database
from roompulse.store.schema import rollup_users, rollups

_VERSION = "sdk_version"


async def erase_mentions(database: Database, subject: Subject) -> None:
    """Replace them, in steps beside the ingest; their counts stay. Raises StoreError."""
    if subject.user_id is not None:
        await in_steps(database, rollups, partial(_scrub_rollups, subject=subject))
        await in_steps(database, rollup_users, partial(_scrub_examples, subject=subject))


def _scrub_rollups(connection: Connection, *, subject: Subject, start: int, end: int) -> int:
    """Values, whose counts stay."""
    within = rollups.c.id.between(start, end), rollups.c.dimension.like("label:%") | (rollups.c.dimension == _VERSION)
    for row in connection.execute(select(rollups).where(*within)).all():
        cells = unpack(row.cells)
        named = {value: subject.in_words(value) or "" for value in cells}
        if any(value != name for value, name in named.items()):
            after: Cells = {}
            for value, cell in cells.items():
                add_to(after, {named[value]: cell})
            connection.execute(update(rollups).where(rollups.c.id == row.id).values(cells=pack(after)))
    return 0


def _scrub_examples(connection: Connection, *, subject: Subject, start: int, end: int) -> int:
    """The same for other users who are examples of a group."""
    columns = select(rollup_users.c.id, rollup_users.c.traits)
    for row in connection.execute(of_others(columns, rollup_users, subject, start, end)).all():
        before = msgspec.json.decode(row.traits)
        of_words = [by.startswith("label:") or by == _VERSION for by, _ in before]
        after = [
            [by, subject.in_words(value) if ours else value] for (by, value), ours in zip(before, of_words, strict=True)
        ]
        if after != before:
            traits = msgspec.json.encode(after)
            connection.execute(update(rollup_users).where(rollup_users.c.id == row.id).values(traits=traits))
    return 0
