"""Users whose scores are about equal keep their places."""

import pytest

from roompulse.quality import level_of
from roompulse.report.model import Entry, Received
from roompulse.rooms import room
from roompulse.rooms.admission import Limits
from roompulse.rooms.memory import RoomsInMemory
from roompulse.rooms.user import DEAD_BAND
from tests.builders import NOW, network, report, stream


@pytest.fixture(params=[0, 200], ids=["with an index", "without"])
def rooms(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> RoomsInMemory:
    monkeypatch.setattr(room, "INDEXED_FROM", request.param)
    return RoomsInMemory(Limits(9, 9, 9), stale_after=15, leave_after=60)


def places(rooms: RoomsInMemory, **losses: float | None) -> list[str]:
    """The users, worst first, once each of these has reported its loss; with None it has no figures."""
    for user_id, loss in losses.items():
        figures = stream(network=network(packet_loss=loss)) if loss is not None else stream(network=None, video=None)
        rooms.apply(Received(report(user_id, metrics=[Entry(user_id, [figures])]), NOW))
    live = rooms.get("room-1")
    assert live
    return [place.user_id for place in live.worst_first()]


def score(rooms: RoomsInMemory, user_id: str) -> float:
    live = rooms.get("room-1")
    user = live.user(user_id) if live else None
    assert user
    score = user.score()
    assert score is not None
    return score


def test_a_little_more_or_less_loss_moves_nobody(rooms: RoomsInMemory) -> None:
    assert places(rooms, u1=0.4, u2=0.3) == ["u1", "u2"]
    for loss in (0.5, 0.3, 0.6, 0.35):
        assert places(rooms, u2=loss) == ["u1", "u2"]
        assert abs(score(rooms, "u1") - score(rooms, "u2")) <= DEAD_BAND


def test_a_change_that_adds_up_moves_whoever_it_is_of(rooms: RoomsInMemory) -> None:
    assert places(rooms, u1=1, u2=0.3) == ["u1", "u2"]
    found = [places(rooms, u2=loss / 10) for loss in range(4, 21)]
    assert found[0] == ["u1", "u2"]
    assert found[-1] == ["u2", "u1"]
    assert found == sorted(found)


def test_levels_are_never_mixed(rooms: RoomsInMemory) -> None:
    # About 4.0, where fair begins.
    losses = [loss / 100 for loss in range(100, 300)]
    for number, loss in enumerate(losses):
        listed = places(rooms, **{f"u{number % 7}": loss})
        scores = [score(rooms, user_id) for user_id in listed]
        levels = [level_of(one) for one in scores]
        assert levels == sorted(levels, key=["poor", "fair", "good"].index)


def test_whoever_has_no_score_is_last(rooms: RoomsInMemory) -> None:
    assert places(rooms, u1=0.3, u2=5) == ["u2", "u1"]
    assert places(rooms, u2=None) == ["u1", "u2"]
    assert places(rooms, u2=5) == ["u2", "u1"]


def test_the_room_is_rated_by_the_newest_scores(rooms: RoomsInMemory) -> None:
    places(rooms, u1=0.3)
    places(rooms, u1=0.4)
    live = rooms.get("room-1")
    assert live
    assert live.summary().aggregate.quality.worst == score(rooms, "u1")
