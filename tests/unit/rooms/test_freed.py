"""A room is freed with the last reference to it: a collection of all that large ones were takes most of a second."""

import gc
from itertools import pairwise

import pytest

from roompulse.report.model import Entry, Received
from roompulse.rooms.admission import Limits
from roompulse.rooms.links import UserLinks
from roompulse.rooms.memory import RoomsInMemory
from roompulse.rooms.room import INDEXED_FROM
from roompulse.rooms.stream import StreamState
from tests.builders import NOW, report, stream


def read_one(users: int) -> None:
    """Read in every way a room that clients and a media server report on, as a page of the past does."""
    rooms = RoomsInMemory(Limits(9, 9_999, 9_999), stale_after=15, leave_after=60)
    ids = [f"u{number}" for number in range(users)]
    received = {one: stream("camera", "recv", sender_id=other) for one, other in pairwise(ids)}
    for one in ids:
        heard = [Entry(other, [stream("camera", "recv")]) for other in ids[:2] if other != one]
        rooms.apply(Received(report(one, metrics=[Entry(one, [stream()]), *heard]), NOW))
    entries = [Entry(one, [given]) for one, given in received.items()]
    rooms.apply(Received(report("server", metrics=entries, role="server"), NOW))
    room = rooms.get("room-1")
    assert room
    room.metrics()
    room.verdict()
    room.worst_first()
    rooms.take_changes()
    rooms.expire(NOW + 20)
    room.metrics()


@pytest.mark.parametrize("users", [3, INDEXED_FROM])
def test_no_cycle_keeps_users_or_streams(users: int) -> None:
    gc.collect()
    gc.set_debug(gc.DEBUG_SAVEALL)
    try:
        read_one(users)
        gc.collect()
        kept = [one for one in gc.garbage if isinstance(one, UserLinks | StreamState)]
    finally:
        gc.set_debug(0)
        gc.garbage.clear()
    assert kept == []
