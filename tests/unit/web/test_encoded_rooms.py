"""Rooms as JSON that is put together from encoded users."""

import asyncio
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from roompulse.report.model import Entry
from roompulse.rooms.memory import RoomsInMemory
from roompulse.rooms.user import UserState
from roompulse.web.api.encoded_rooms import AT_ONCE, EncodedRooms
from roompulse.web.http.envelope import success
from tests.builders import NOW, network, received, stream
from tests.store.test_replay import no_rooms

USERS = ["u1", "u2", "u3"]
changes = st.tuples(
    st.sampled_from([0, 1, 15, 60]), st.sampled_from(USERS), st.sampled_from(USERS), st.sampled_from([0.0, 4.0, 9.0])
)


def report(rooms: RoomsInMemory, now: float, user_id: str, about: str, loss: float = 0.0) -> None:
    direction: Any = "send" if about == user_id else "recv"
    entry = Entry(about, [stream(direction=direction, network=network(packet_loss=loss))])
    rooms.apply(received(now, user_id=user_id, report_time=int(now), metrics=[entry]))


@pytest.fixture
def built(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Ids of users whose answer was read, to be encoded."""
    ids: list[str] = []
    metrics = UserState.metrics

    def noted(user: UserState) -> Any:
        ids.append(user.user_id)
        return metrics(user)

    monkeypatch.setattr(UserState, "metrics", noted)
    return ids


@given(st.lists(changes, max_size=30))
def test_it_is_the_room_as_it_would_be_encoded_as_a_whole(sequence: list[tuple[int, str, str, float]]) -> None:
    rooms, encoded, now = no_rooms(), EncodedRooms(), NOW
    for seconds, user_id, about, loss in sequence:
        now += seconds
        rooms.expire(now)
        report(rooms, now, user_id, about, loss)
        room = rooms.get("room-1")
        assert room
        assert encoded.answer(room) == success(room.metrics())


def test_a_user_is_encoded_once_per_change(built: list[str]) -> None:
    rooms, encoded = no_rooms(), EncodedRooms()
    for user_id in USERS:
        report(rooms, NOW, user_id, user_id)
    room = rooms.get("room-1")
    assert room
    for changed in (USERS, [], ["u2"]):
        for user_id in changed:
            report(rooms, NOW + 1, user_id, user_id)
        built.clear()
        encoded.answer(room)
        encoded.user("room-1", room.users["u2"])
        encoded.answer(room)
        assert built == changed


async def test_it_is_caught_up_with_in_portions_with_turns_between(built: list[str]) -> None:
    rooms, encoded, turns = no_rooms(), EncodedRooms(), list[int]()
    for number in range(3 * AT_ONCE + 1):
        report(rooms, NOW, f"user-{number}", f"user-{number}")
    room = rooms.get("room-1")
    assert room
    catching_up = asyncio.create_task(encoded.catch_up(room))
    while not catching_up.done():
        await asyncio.sleep(0)
        turns.append(len(built))
    assert turns[:3] == [AT_ONCE, 2 * AT_ONCE, 3 * AT_ONCE]
    built.clear()
    encoded.answer(room)
    assert built == []
    with pytest.raises(StopIteration):  # no user is read again, however many there are
        encoded.catch_up(room).send(None)


async def test_who_comes_and_goes_meanwhile_is_there_or_not() -> None:
    rooms, encoded = no_rooms(), EncodedRooms()
    for number in range(2 * AT_ONCE):
        report(rooms, NOW, f"user-{number}", f"user-{number}")
    room = rooms.get("room-1")
    assert room
    catching_up = asyncio.create_task(encoded.catch_up(room))
    await asyncio.sleep(0)
    report(rooms, NOW + 30, "late", "late")
    rooms.expire(NOW + 60)
    await catching_up
    assert [user["user_id"] for user in msgspec.json.decode(encoded.answer(room))["data"]["users"]] == ["late"]
