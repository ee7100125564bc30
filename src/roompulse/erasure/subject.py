"""The subject of erasing: a room, a user, or a user of one room; and removing a user from texts about others."""

from msgspec import Struct
from sqlalchemy import ColumnElement, Table, and_, or_

from roompulse.erasure import mentions

ERASED = "(erased)"


class Subject(Struct, frozen=True):
    """A room without a `user_id`, a user of that room, or without a `room_id` a user of all rooms.

    `names` are the user's stored names.
    """

    room_id: str | None
    user_id: str | None
    names: tuple[str, ...] = ()

    def rows(self, table: Table) -> ColumnElement[bool]:
        """Rows of a table about it."""
        found = [table.c.room_id == self.room_id] if self.room_id is not None else []
        if self.user_id is not None:
            names = [name for name in ("user_id", "reporter_id") if name in table.c]
            found.append(or_(*(table.c[name] == self.user_id for name in names)))
        return and_(*found)

    def of_same_rooms(self, table: Table) -> ColumnElement[bool] | None:
        """Rows about others in which a user may be mentioned; None where a whole room is erased."""
        if self.user_id is None:
            return None
        return and_(table.c.room_id == self.room_id) if self.room_id is not None else and_(table.c.id.is_not(None))

    def covers(self, room_id: str | None, user_id: str | None) -> bool:
        """Whether data of this room and user is data of the subject."""
        return self.room_id in (None, room_id) and self.user_id in (None, user_id)

    def in_sentence(self, text: str) -> str:
        """A sentence of the server without the user's name."""
        return text if self.user_id is None else mentions.in_sentence(text, [self.user_id], _erased)

    def in_words(self, text: str | None) -> str | None:
        """A text by people or SDKs without the user's id and names."""
        if self.user_id is None or text is None:
            return text
        return mentions.in_words(text, [self.user_id, *self.names], _erased)


def _erased(_user_id: str) -> str:
    return ERASED
