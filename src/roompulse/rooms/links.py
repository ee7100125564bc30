"""Who sends what to whom: the streams of a user, told apart by where they were measured.

A stream is kept with the user whom the entry was about. Here it stands beside its sender and its receiver.
"""

from msgspec import Struct

from roompulse.rooms.model import StreamMetrics, UserMetrics


class Reception(Struct, frozen=True):
    """A stream beside who sends it (None where that is not known) and who receives it.

    `by_server`: a media server measured it.
    """

    sender_id: str | None
    receiver_id: str
    stream: StreamMetrics
    by_server: bool = False


class Weakest(Struct, frozen=True):
    """The streams that decide a user's uplink and downlink; None where there is none that is rated."""

    uplink: StreamMetrics | None
    downlink: Reception | None


def sent(user: UserMetrics) -> list[StreamMetrics]:
    """What the user sends, as measured where it is sent."""
    return [stream for stream in user.streams if stream.direction == "send"]
