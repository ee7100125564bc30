"""Who sends what to whom: the streams of a user, told apart by where they were measured.

A `recv` stream is kept with its sender (whom the entry was about). Here it is found for its receiver, with all figures.
"""

from bisect import bisect_left
from collections.abc import Callable

from msgspec import Struct

from roompulse.rooms.model import Receiving, StreamMetrics, UserMetrics

Find = Callable[[str], UserMetrics | None]
"""A user of the room at hand by its id."""


class Reception(Struct, frozen=True):
    """A stream as a user receives it; `sender_id` is None where the receiver did not name the sender."""

    sender_id: str | None
    stream: StreamMetrics


class Weakest(Struct, frozen=True):
    """The streams that decide a user's uplink and downlink; None where there is none that is rated."""

    uplink: StreamMetrics | None
    downlink: Reception | None


def sent(user: UserMetrics) -> list[StreamMetrics]:
    """What the user sends, as measured where it is sent."""
    return [stream for stream in user.streams if stream.direction == "send"]


def heard_by_others(user: UserMetrics) -> list[Reception]:
    """What the user sends, as each of the others receives it."""
    recv = (stream for stream in user.streams if stream.direction == "recv" and stream.reporter_id != user.user_id)
    return [Reception(user.user_id, stream) for stream in recv]


def receptions(user: UserMetrics, find: Find) -> list[Reception]:
    """What the user receives, from whom."""
    found = (_reception(user, receiving, find) for receiving in user.receiving)
    return [reception for reception in found if reception]


def _reception(user: UserMetrics, receiving: Receiving, find: Find) -> Reception | None:
    sender = find(receiving.user_id)
    if sender is None:
        return None
    # A user's streams are in this order (StreamState.order); a speaker may have as many as there are listeners.
    wanted = (receiving.stream_id, "recv", user.user_id)
    at = bisect_left(sender.streams, wanted, key=_order)
    if at == len(sender.streams) or _order(sender.streams[at]) != wanted:
        return None
    return Reception(None if sender.user_id == user.user_id else sender.user_id, sender.streams[at])


def _order(stream: StreamMetrics) -> tuple[str, str, str]:
    return stream.stream_id, stream.direction, stream.reporter_id
