"""Answers about users with many streams are put together in steps, between which the user may change."""

from itertools import islice

import pytest

from roompulse.report.model import Entry, Received
from roompulse.rooms.admission import Limits
from roompulse.rooms.memory import RoomsInMemory
from roompulse.rooms.user import UserState
from tests.builders import NOW, network, received, stream

MANY = [
    received(metrics=[Entry("u1", [stream("camera"), stream("mic"), stream("screen")])]),
    received(user_id="u2", metrics=[Entry("u1", [stream("camera", "recv"), stream("mic", "recv")])]),
    received(metrics=[Entry("u2", [stream("camera", "recv"), stream("mic", "recv")])]),
]
WORSE = received(NOW + 1, metrics=[Entry("u1", [stream("mic", network=network(packet_loss=9))])])


@pytest.fixture(autouse=True)
def steps_of_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("roompulse.rooms.user.STREAMS_AT_ONCE", 1)


def user_after(*reports: Received) -> tuple[RoomsInMemory, UserState]:
    rooms = RoomsInMemory(Limits(9, 9, 9), stale_after=15, leave_after=60)
    for one in reports:
        rooms.apply(one)
    room = rooms.get("room-1")
    assert room
    return rooms, room.users["u1"]


def test_the_answer_is_the_same_in_steps() -> None:
    _, user = user_after(*MANY)
    _, other = user_after(*MANY)
    taken = list(user.steps())
    assert len(taken) >= 5
    assert list(user.steps()) == []
    assert user.metrics() == other.metrics()


@pytest.mark.parametrize("taken", range(8))
def test_what_changes_between_two_steps_is_in_it(taken: int) -> None:
    rooms, user = user_after(*MANY)
    steps = user.steps()
    for _ in islice(steps, taken):
        pass
    rooms.apply(WORSE)
    for _ in steps:
        pass
    assert user.metrics() == user_after(*MANY, WORSE)[1].metrics()
