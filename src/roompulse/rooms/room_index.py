"""The figures and the verdict of a big room, updated while its users and streams change.

Nothing is computed when they change, but when it is read, and then only for those that changed since.
"""

from collections.abc import Iterator, Mapping, Sequence

from roompulse.quality import IMPAIRED, level_of
from roompulse.report.model import Stream
from roompulse.rooms.ranking import Ranking
from roompulse.rooms.running_totals import RunningTotals
from roompulse.rooms.stream import StreamState
from roompulse.rooms.user import UserState
from roompulse.rooms.verdict import Room, Troubles, Words, in_words

_MOST_STREAMS, _MOST_USERS = 1 / 5, 3 / 4
"""Shares of a room: where more than these changed, a full scan is as fast."""


AT_ONCE = 500
"""Users who are rated or placed in one step: some milliseconds."""


class RoomIndex:
    """`users` are the room's users, which the room changes; the index notes which of them changed.

    `steps` bring it up to date; users and streams may change between two of them.
    """

    __slots__ = (
        "_beginning",
        "_changed",
        "_most_streams",
        "_most_users",
        "_old",
        "_streams",
        "_troubles",
        "_users",
        "ranking",
        "totals",
    )

    def __init__(self, users: Mapping[str, UserState]) -> None:
        # As they are now, since what changes from now on is noted as a change of it.
        samples = [stream.sample for user in users.values() for stream in user.streams() if not stream.stale]
        self._users = users
        self.ranking = Ranking()
        self.totals = RunningTotals()
        self._beginning = self._begin(list(users.values()), samples)
        self._troubles: Troubles | None = None
        self._most_streams = _MOST_STREAMS * len(samples)
        self._most_users = _MOST_USERS * len(users)
        # Users who joined, changed or left; streams whose sample is not counted yet; samples that still are, though
        # their stream has a newer one, or no longer exists.
        self._changed: set[str] = set()
        self._streams: set[StreamState] = set()
        self._old: list[Stream] = []

    def _begin(self, users: Sequence[UserState], samples: Sequence[Stream]) -> Iterator[None]:
        for count, user in enumerate(users, start=1):
            user.score()  # which takes the most of the time
            if count % AT_ONCE == 0:
                yield
        self.ranking.add(users)
        yield
        self.totals.change(samples, [])
        yield

    def user_changes(self, user_id: str) -> None:
        self._changed.add(user_id)

    def stream_starts(self, stream: StreamState) -> None:
        """Note a stream that did not count until now."""
        self._streams.add(stream)

    def stream_changes(self, stream: StreamState) -> None:
        """To be called before the stream has its new sample."""
        if stream not in self._streams:
            self._streams.add(stream)
            self._old.append(stream.sample)

    def stream_ends(self, stream: StreamState) -> None:
        """Note a stream that no longer counts."""
        if stream in self._streams:
            self._streams.remove(stream)
        else:
            self._old.append(stream.sample)

    def is_worth_it(self) -> bool:
        streams = max(len(self._streams), len(self._old))
        return streams <= self._most_streams and len(self._changed) <= self._most_users

    def catch_up(self) -> None:
        for _ in self.steps():
            pass

    def steps(self) -> Iterator[None]:
        """Catch up in steps, with all that changes until the last of them."""
        for _ in self._beginning:  # not `yield from`: who does not take all steps would end them for others
            yield
        if self._streams or self._old:
            self.totals.change([stream.sample for stream in self._streams], self._old)
            self._streams, self._old = set(), []
        placed = 0
        while self._changed:
            self._place(self._changed.pop())
            placed += 1
            if placed % AT_ONCE == 0:
                yield

    def _place(self, user_id: str) -> None:
        user = self._users.get(user_id)
        if user:
            self.ranking.put(user)
        else:
            self.ranking.drop(user_id)
        if self._troubles is not None:
            _note_trouble(self._troubles, user_id, user)

    def words(self) -> Words:
        if self._troubles is None:
            self._troubles = _troubles_of(self._users)
        return _words(self._users, self.ranking, self._troubles)


def words_of(users: Mapping[str, UserState]) -> Words:
    """The verdict on these users, found by going through all of them."""
    ranking = Ranking()
    ranking.add(users.values())
    return _words(users, ranking, _troubles_of(users))


def _words(users: Mapping[str, UserState], ranking: Ranking, troubles: Troubles) -> Words:
    return in_words(
        Room(
            quality=ranking.quality(),
            stale=ranking.stale,
            receive_nothing=ranking.receive_nothing,
            troubles=troubles,
            worst_first=lambda: (place.user_id for place in ranking.worst_first),
            links=users.get,
        )
    )


def _troubles_of(users: Mapping[str, UserState]) -> Troubles:
    troubles = Troubles()
    for user_id, user in users.items():
        _note_trouble(troubles, user_id, user)
    return troubles


def _note_trouble(troubles: Troubles, user_id: str, user: UserState | None) -> None:
    if user and level_of(user.score()) in IMPAIRED:
        troubles.put(user_id, user)
    else:
        troubles.drop(user_id)
