"""What is to be erased: a room, a user, or a user of one room; and how text about others is rid of a user."""

import re
from collections.abc import Iterator
from typing import Any

from msgspec import Struct
from sqlalchemy import ColumnElement, Table, and_, or_

ERASED = "(erased)"


class Subject(Struct, frozen=True):
    """A room without a `user_id`, a user of that room, or without a `room_id` a user of all rooms."""

    room_id: str | None
    user_id: str | None

    def rows(self, table: Table) -> ColumnElement[bool]:
        """Rows of a table that are about it."""
        found = [table.c.room_id == self.room_id] if self.room_id is not None else []
        if self.user_id is not None:
            names = [name for name in ("user_id", "reporter_id") if name in table.c]
            found.append(or_(*(table.c[name] == self.user_id for name in names)))
        return and_(*found)

    def of_same_rooms(self, table: Table) -> ColumnElement[bool] | None:
        """Rows about others in which a user may be mentioned; None where it is a room that goes as a whole."""
        if self.user_id is None:
            return None
        return and_(table.c.room_id == self.room_id) if self.room_id is not None else and_(table.c.id.is_not(None))

    def covers(self, room_id: str | None, user_id: str | None) -> bool:
        """Whether what is about this room and user is about it."""
        return self.room_id in (None, room_id) and self.user_id in (None, user_id)

    def without(self, value: Any) -> Any:
        """A value of JSON, in whose texts the user is named no more."""
        if self.user_id is None:
            return value
        if isinstance(value, str):
            return re.sub(rf"(?<!\w){re.escape(self.user_id)}(?!\w)", ERASED, value)
        if isinstance(value, list):
            return [self.without(one) for one in value]
        if isinstance(value, dict):
            return {name: self.without(one) for name, one in value.items()}
        return value


def windows(first: int, last: int, size: int) -> Iterator[tuple[int, int]]:
    """Ranges of ids from the first to the last, both included."""
    for start in range(first, last + 1, size):
        yield start, min(start + size - 1, last)
