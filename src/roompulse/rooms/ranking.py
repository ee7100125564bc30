"""The ranking of a room's users: worst first, and how many are at each level."""

from collections import Counter
from collections.abc import Collection
from typing import NamedTuple

from sortedcontainers import SortedList

from roompulse.quality import Level, RoomQuality, level_of, room_quality
from roompulse.rooms.user import UserState


class Place(NamedTuple):
    """A user's place: by its rank, which is close to its score. Users without one come last, equal ones by id."""

    unrated: bool
    rank: float
    user_id: str
    score: float


def place_of(user: UserState) -> Place:
    score = user.score()
    return Place(score is None, user.rank() or 0, user.user_id, score or 0)


class Ranking:
    """The places of users, updated incrementally: only changed users are placed again."""

    __slots__ = ("_levels", "_places", "_scores", "_stale", "receive_nothing", "worst_first")

    def __init__(self) -> None:
        self._places: dict[str, Place] = {}
        self._stale: set[str] = set()
        self.receive_nothing: set[str] = set()
        self._levels: Counter[Level] = Counter()
        self._scores: SortedList[float] = SortedList()
        self.worst_first: SortedList[Place] = SortedList()

    def add(self, users: Collection[UserState]) -> None:
        """Add users who are not there."""
        places = {user.user_id: place_of(user) for user in users}
        self._places |= places
        self._stale |= {user.user_id for user in users if user.stale}
        self.receive_nothing |= {user.user_id for user in users if user.missing}
        self._levels.update(_level(place) for place in places.values())
        self._scores.update(one.score for one in places.values() if not one.unrated)
        self.worst_first.update(places.values())

    def put(self, user: UserState) -> None:
        """Add a user, or place it again."""
        user_id, place = user.user_id, place_of(user)
        if place != self._places.get(user_id):
            self.drop(user_id)
            self._places[user_id] = place
            self.worst_first.add(place)
            self._levels[_level(place)] += 1
            if not place.unrated:
                self._scores.add(place.score)
        (self._stale.add if user.stale else self._stale.discard)(user_id)
        (self.receive_nothing.add if user.missing else self.receive_nothing.discard)(user_id)

    def drop(self, user_id: str) -> None:
        """Remove a user, if it is there."""
        self._stale.discard(user_id)
        self.receive_nothing.discard(user_id)
        place = self._places.pop(user_id, None)
        if place:
            self.worst_first.remove(place)
            self._levels[_level(place)] -= 1
            if not place.unrated:
                self._scores.remove(place.score)

    def quality(self) -> RoomQuality:
        return room_quality(self._scores, self._levels)

    def all_stale(self) -> bool:
        return self.stale == len(self._places)

    @property
    def stale(self) -> int:
        """How many users are stale."""
        return len(self._stale)


def _level(place: Place) -> Level:
    return level_of(None if place.unrated else place.score)
