"""Users of all live rooms: found by name, or by their level."""

from collections.abc import Iterator
from typing import NamedTuple

from msgspec import Struct

from roompulse.quality import Level, level_of
from roompulse.rooms.contract import LiveRoom, LiveRooms
from roompulse.rooms.names import is_named
from roompulse.rooms.ranking import Place


class WantedUsers(Struct, frozen=True):
    """Users whose id or name contains `q`, ignoring case, and who are of this `level` unless None."""

    q: str = ""
    level: Level | None = None


class UserPlace(NamedTuple):
    """The place of a user among the users of all rooms."""

    place: Place
    room_id: str


def users_of(rooms: LiveRooms, wanted: WantedUsers) -> list[UserPlace]:
    """The users that match, worst first; those who are not rated come last."""
    found = []
    for room_id in rooms.ids():
        if room := rooms.get(room_id):
            found += [UserPlace(place, room_id) for place in _matches(room, wanted)]
    return sorted(found)


def _matches(room: LiveRoom, wanted: WantedUsers) -> Iterator[Place]:
    if wanted.level and not getattr(room.summary().aggregate.quality, wanted.level):
        return
    q, users = wanted.q.casefold(), room.users
    for place in room.worst_first():
        if wanted.level in (None, level_of(None if place.unrated else place.score)) and (
            not q or is_named(q, place.user_id, users[place.user_id].given.user_name)
        ):
            yield place
