"""The pseudonyms of each shared page that hides its users: numbered in the stored order of joining."""

from sqlalchemy import func, select

from roompulse.access.model import Share
from roompulse.access.shares import MAX_SHARES, page_of
from roompulse.bounded import BoundedMap
from roompulse.pseudonyms.model import Pseudonyms
from roompulse.store.contract import Steps
from roompulse.store.engine import Database
from roompulse.store.reader import Reader
from roompulse.store.schema import attendances, events

Known = list[tuple[str, str | None]]
"""Users and their names."""


class PagePseudonyms:
    """Once a page was opened, users keep their numbers; also after a restart, since the order is that of joining."""

    def __init__(self, database: Database, reader: Reader) -> None:
        self._fetch = database.fetch
        self._reader = reader
        self._of_shares: BoundedMap[str, Pseudonyms] = BoundedMap(MAX_SHARES)

    async def of(self, share: Share | None) -> Pseudonyms | None:
        """None for a page that shows ids; raises StoreError where the users of its room cannot be read."""
        if share is None or not share.hide_ids:
            return None
        if (known := self._of_shares.get(share.id)) is None:
            found = await self._reader.result(self._known(share))
            # Another request may have read them meanwhile.
            known = self._of_shares.get(share.id) or Pseudonyms(share.id, found)
            self._of_shares.put(share.id, known)
        return known

    def _known(self, share: Share) -> Steps[Known]:
        """The user of the page, then those of its room or call in the order in which they joined."""
        match page_of(share.path).segments:
            case ("calls", room_id, started_at):
                return (yield from self._joined(room_id, round(float(started_at) * 1000)))
            case (_, room_id, _, user_id):
                return [(user_id, None), *(yield from self._joined(room_id, 0))]
            case (_, room_id):
                return (yield from self._joined(room_id, 0))
        return []

    def _joined(self, room_id: str, since: int) -> Steps[Known]:
        """Users who were there at `since` (Unix milliseconds) or later."""
        there = attendances.c.room_id == room_id, attendances.c.seen_at >= since
        names = select(attendances.c.user_id, attendances.c.user_name, func.min(attendances.c.joined_at)).where(*there)
        rows = list(self._fetch(names.group_by(attendances.c.user_id, attendances.c.user_name)))
        yield
        told = events.c.room_id == room_id, events.c.time >= since, events.c.user_id.is_not(None)
        users = select(events.c.user_id, func.min(events.c.time)).where(*told).group_by(events.c.user_id)
        rows += [(user_id, None, at) for user_id, at in self._fetch(users)]
        return [(user_id, name) for user_id, name, _ in sorted(rows, key=lambda row: (row[2], row[0]))]
