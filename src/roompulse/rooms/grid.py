"""Sender by receiver: how well each user of a room receives each of the others."""

from collections.abc import Callable, Sequence
from typing import Protocol

from msgspec import Struct

from roompulse.quality import Level, level_of, worst
from roompulse.rooms.links import sent
from roompulse.rooms.model import UserMetrics

MOST = 20
"""Senders and receivers of a grid: as many as fit a page and a push."""


_WORST_FIRST: tuple[Level, ...] = ("poor", "fair", "good", "unknown")


class Cell(Struct, frozen=True):
    """One pair by its worst stream; `stale` where either user is stale."""

    score: float | None
    level: Level
    stale: bool


class Sender(Protocol):
    @property
    def user_id(self) -> str: ...
    @property
    def stale(self) -> bool: ...


class GridRow(Struct, frozen=True):
    """What each receiver receives from `sender`, which is None for senders that a receiver did not name."""

    sender: Sender | None
    cells: list[Cell | None]


class Grid(Struct, frozen=True):
    """`cells` of each row are in the order of `receivers`; `senders` counts all senders, with or without a row."""

    receivers: list[UserMetrics]
    rows: list[GridRow]
    senders: int


def grid_of(users: Sequence[UserMetrics], find: Callable[[str], Sender | None]) -> Grid:
    """The grid of the first MOST of `users`, and of the senders that they receive.

    A cell on the diagonal is what the user sends, as measured by itself. Rows are in the order of the receivers, then
    the other senders, by level and id. If there are more than MOST, those with the worst cells stay.
    """
    receivers = list(users[:MOST])
    senders: dict[str, Sender] = {user.user_id: user for user in receivers}
    table: dict[str, Cells] = {user.user_id: {} for user in receivers}
    nameless: Cells = {}
    for number, receiver in enumerate(receivers):
        if own := [one.quality.score for one in sent(receiver)]:
            table[receiver.user_id][number] = _cell(own, receiver, receiver)
        for sender_id, scores in _received_by(receiver).items():
            if sender_id is None:
                nameless[number] = _cell(scores, receiver, None)
            elif sender := senders.get(sender_id) or find(sender_id):
                senders[sender_id] = sender
                table.setdefault(sender_id, {})[number] = _cell(scores, receiver, sender)
    rows = [(sender_id, cells) for sender_id, cells in table.items() if cells]
    place = {user.user_id: number for number, user in enumerate(receivers)}
    kept = sorted(sorted(rows, key=_worst_row_first)[:MOST], key=lambda row: _place(row, place))
    shown: list[tuple[Sender | None, Cells]] = [(senders[sender_id], cells) for sender_id, cells in kept]
    if nameless:
        shown.append((None, nameless))
    across = range(len(receivers))
    return Grid(receivers, [GridRow(one, [cells.get(at) for at in across]) for one, cells in shown], len(rows))


Cells = dict[int, Cell]
"""What one sender sends to each receiver, by the number of its column."""

Column = dict[str | None, list[float | None]]
"""What one user receives: scores by sender, None for those not named."""


def _received_by(user: UserMetrics) -> Column:
    column: Column = {}
    for one in user.receiving:
        column.setdefault(None if one.user_id == user.user_id else one.user_id, []).append(one.score)
    return column


def _cell(scores: list[float | None], receiver: UserMetrics, sender: Sender | None) -> Cell:
    score = worst(scores)
    return Cell(score, level_of(score), receiver.stale or bool(sender and sender.stale))


def _worst_row_first(row: tuple[str, Cells]) -> tuple[bool, float]:
    score = worst([cell.score for cell in row[1].values()])
    return score is None, score or 0


def _place(row: tuple[str, Cells], place: dict[str, int]) -> tuple[int, int, str]:
    level = level_of(worst([cell.score for cell in row[1].values()]))
    return place.get(row[0], len(place)), _WORST_FIRST.index(level), row[0]
