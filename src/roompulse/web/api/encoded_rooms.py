"""Live rooms as JSON, assembled from their users, each of whom is encoded once per change.

A room of 1,000 users takes megabytes, and milliseconds in which reports would wait; between two reports few of its
users change.
"""

import asyncio

from msgspec import json

from roompulse.rooms.contract import LiveRoom, LiveUser
from roompulse.rooms.user import STREAMS_AT_ONCE
from roompulse.web.http.envelope import success_of
from roompulse.web.http.json_answer import AnswerCache, etag_of

AT_ONCE = 50
"""Users encoded before other tasks run."""


_ATTEMPTS = 3


class EncodedRooms:
    """The newest encoded rooms and users, shared by all readers."""

    def __init__(self) -> None:
        self._encoded = AnswerCache()
        self._one_is_large = asyncio.Lock()

    async def catch_up(self, room: LiveRoom) -> None:
        """Encode the users that changed since `room` was last encoded; encoding the room is fast afterwards."""
        if self._encoded.has(room.room_id, room.version):
            return
        for _ in room.steps():
            await asyncio.sleep(0)
        for count, user in enumerate(list(room.users.values()), start=1):
            self.user(room.room_id, user)
            if count % AT_ONCE == 0:
                await asyncio.sleep(0)

    def user(self, room_id: str, user: LiveUser) -> bytes:
        return self._encoded.get((room_id, user.user_id), user.version, lambda: json.encode(user.metrics()))

    async def catch_up_user(self, user: LiveUser) -> None:
        """Put together the answer about a user with many streams, unless it changes all the time."""
        if user.stream_count() < STREAMS_AT_ONCE:
            return
        async with self._one_is_large:
            for _ in range(_ATTEMPTS):
                for _ in user.steps():
                    await asyncio.sleep(0)

    def tag(self, room_id: str, user: LiveUser) -> str:
        """The ETag of the answer about a user: of its content."""

        def tag() -> bytes:
            return etag_of([success_of(self.user(room_id, user))]).encode()

        return self._encoded.get(("tag", room_id, user.user_id), user.version, tag).decode()

    def answer(self, room: LiveRoom) -> bytes:
        """The room in the envelope, as it is sent: copying megabytes takes longer than the rest of a request."""
        return self._encoded.get(room.room_id, room.version, lambda: self._encode(room))

    def _encode(self, room: LiveRoom) -> bytes:
        users = [self.user(room.room_id, room.users[user_id]) for user_id in sorted(room.users)]
        totals = json.encode(room.totals()).removesuffix(b"}")
        return success_of(b'%b,"users":[%b]}' % (totals, b",".join(users)))
