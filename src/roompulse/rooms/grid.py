"""Sender by receiver: how well each user of a room receives each of the others."""

from collections.abc import Iterable, Sequence

from msgspec import Struct

from roompulse.quality import Level, level_of, worst
from roompulse.rooms.links import Find, sent
from roompulse.rooms.model import UserMetrics

MOST = 20
"""Senders and receivers of a grid: what a page can show, and what a push can carry."""


class Cell(Struct, frozen=True):
    """One pair by its worst stream; `stale` where either of the two has not been heard of lately."""

    score: float | None
    level: Level
    stale: bool


class GridRow(Struct, frozen=True):
    """What each receiver receives of `sender`, which is None for those whom a receiver did not name."""

    sender: UserMetrics | None
    cells: list[Cell | None]


class Grid(Struct, frozen=True):
    """`cells` of each row are in the order of `receivers`; `senders` counts those who had a row if there was room."""

    receivers: list[UserMetrics]
    rows: list[GridRow]
    senders: int


def grid_of(users: Sequence[UserMetrics], find: Find) -> Grid:
    """The grid of the first MOST of `users`, and of whom they receive.

    A cell on the diagonal is what the user sends, by its own measure. Rows are in the order of the receivers, then
    come senders who are none of them. If there are more than MOST, those with the worst cells stay.
    """
    receivers = list(users[:MOST])
    columns = [_received_by(user) for user in receivers]
    own = {user.user_id: [stream.quality.score for stream in sent(user)] for user in receivers}

    def row_of(sender: UserMetrics | None) -> GridRow:
        pairs = zip(receivers, columns, strict=True)
        return GridRow(sender, [_cell(sender, receiver, column, own) for receiver, column in pairs])

    rows = [row for row in map(row_of, _senders(receivers, columns, find)) if any(row.cells)]
    place = {user.user_id: number for number, user in enumerate(receivers)}
    kept = sorted(sorted(rows, key=_worst_row_first)[:MOST], key=lambda row: _place(row, place))
    nameless = row_of(None)
    return Grid(receivers, [*kept, nameless] if any(nameless.cells) else kept, len(rows))


Column = dict[str | None, list[float | None]]
"""What one user receives: scores by sender, None for those not named."""


def _received_by(user: UserMetrics) -> Column:
    column: Column = {}
    for one in user.receiving:
        column.setdefault(None if one.user_id == user.user_id else one.user_id, []).append(one.score)
    return column


def _senders(receivers: Iterable[UserMetrics], columns: Iterable[Column], find: Find) -> list[UserMetrics]:
    senders = {user.user_id: user for user in receivers}
    for column in columns:
        for sender_id in column:
            if sender_id is not None and sender_id not in senders and (sender := find(sender_id)):
                senders[sender_id] = sender
    return list(senders.values())


def _cell(
    sender: UserMetrics | None, receiver: UserMetrics, column: Column, own: dict[str, list[float | None]]
) -> Cell | None:
    if sender and sender.user_id == receiver.user_id:
        scores = own[receiver.user_id]
    else:
        scores = column.get(sender.user_id if sender else None, [])
    if not scores:
        return None
    score = worst(scores)
    return Cell(score, level_of(score), receiver.stale or bool(sender and sender.stale))


def _worst_row_first(row: GridRow) -> tuple[bool, float]:
    score = worst(cell.score for cell in row.cells if cell)
    return score is None, score or 0


def _place(row: GridRow, place: dict[str, int]) -> tuple[int, bool, float, str]:
    user_id = row.sender.user_id if row.sender else ""
    return place.get(user_id, len(place)), *_worst_row_first(row), user_id
