from typing import Any

from roompulse.report.model import Entry
from roompulse.rooms.admission import Limits
from roompulse.rooms.grid import MOST, Cell, Grid, grid_of
from roompulse.rooms.links import Reception, sent
from roompulse.rooms.memory import RoomsInMemory
from roompulse.rooms.model import UserMetrics
from roompulse.rooms.user import UserState
from tests.builders import NOW, network, received, stream

BAD = network(rtt=300, jitter=30, packet_loss=5)


class Room:
    """A room with users whose reports a test defines."""

    def __init__(self) -> None:
        self.rooms = RoomsInMemory(Limits(rooms=1, room_users=2000, user_streams=100), stale_after=15, leave_after=60)

    def report(self, user_id: str, *entries: Entry, at: float = NOW) -> None:
        self.rooms.apply(received(at, user_id=user_id, metrics=list(entries)))

    def user(self, user_id: str) -> UserMetrics:
        return self.live(user_id).metrics()

    def live(self, user_id: str) -> UserState:
        room = self.rooms.get("room-1")
        user = room.user(user_id) if room else None
        assert user
        return user

    def users(self) -> list[UserMetrics]:
        live = self.rooms.get("room-1")
        assert live
        return live.metrics().users

    def grid(self) -> Grid:
        return grid_of(self.users(), {user.user_id: user for user in self.users()}.get)


def sends(user_id: str, **parts: Any) -> Entry:
    return Entry(user_id, [stream(**parts)])


def receives(sender_id: str, stream_id: str = "camera", **parts: Any) -> Entry:
    return Entry(sender_id, [stream(stream_id, "recv", **parts)])


def cells(grid: Grid) -> dict[tuple[str, str], Cell]:
    """Cells by sender and receiver; "" is the unknown sender."""
    return {
        (row.sender.user_id if row.sender else "", receiver.user_id): cell
        for row in grid.rows
        for receiver, cell in zip(grid.receivers, row.cells, strict=True)
        if cell
    }


def scores(grid: Grid) -> dict[tuple[str, str], float | None]:
    return {pair: cell.score for pair, cell in cells(grid).items()}


class TestGrid:
    def test_a_row_sends_and_a_column_receives(self) -> None:
        room = Room()
        room.report("u2", receives("u1", network=BAD))
        assert scores(room.grid()) == {("u1", "u2"): 2.3}

    def test_the_diagonal_is_the_worst_of_what_a_user_sends(self) -> None:
        room = Room()
        room.report("u1", Entry("u1", [stream(), stream("screen", network=BAD)]))
        assert scores(room.grid()) == {("u1", "u1"): 2.3}

    def test_a_pair_is_its_worst_stream(self) -> None:
        room = Room()
        room.report("u2", Entry("u1", [stream("camera", "recv"), stream("screen", "recv", network=BAD)]))
        assert scores(room.grid()) == {("u1", "u2"): 2.3}
        assert cells(room.grid())["u1", "u2"].level == "poor"

    def test_a_pair_without_figures_is_unknown_and_not_absent(self) -> None:
        room = Room()
        room.report("u2", receives("u1", network=None, video=None, audio=None))
        assert cells(room.grid()) == {("u1", "u2"): Cell(None, "unknown", stale=False)}

    def test_whom_a_receiver_does_not_name_has_a_row_of_its_own_at_the_end(self) -> None:
        room = Room()
        room.report("u1", sends("u1"), receives("u1", "mix", network=BAD))
        grid = room.grid()
        assert scores(grid) == {("u1", "u1"): 4.37, ("", "u1"): 2.3}
        assert grid.rows[-1].sender is None
        assert grid.senders == 1

    def test_who_sends_nothing_has_a_column_but_no_row(self) -> None:
        room = Room()
        room.report("u1", sends("u1"))
        room.report("u2", receives("u1"))
        grid = room.grid()
        assert [user.user_id for user in grid.receivers] == ["u1", "u2"]
        assert [row.sender.user_id for row in grid.rows if row.sender] == ["u1"]

    def test_what_a_stale_user_sends_or_receives_is_stale(self) -> None:
        room = Room()
        room.report("u1", sends("u1"))
        room.report("u2", sends("u2"), receives("u3"))
        room.report("u3", sends("u3"), at=NOW + 14)
        room.rooms.expire(NOW + 16)
        stale = {pair: cell.stale for pair, cell in cells(room.grid()).items()}
        assert stale == {("u1", "u1"): True, ("u2", "u2"): True, ("u3", "u3"): False, ("u3", "u2"): True}

    def test_it_is_bounded_and_keeps_the_rows_with_the_worst_cells(self) -> None:
        room = Room()
        room.report("zz", sends("zz"))
        for number in range(100):
            senders = [receives(f"s{(number + step) % 100:02}") for step in range(3)]
            room.report(f"r{number:02}", *senders, receives("zz", network=BAD))
        grid = room.grid()
        assert len(grid.receivers) == len(grid.rows) == MOST
        assert grid.senders == 23
        assert grid.rows[0].sender == room.user("zz")

    def test_a_room_without_streams_has_no_rows(self) -> None:
        room = Room()
        room.report("u1")
        assert room.grid().rows == []


class TestLinks:
    def test_a_users_streams_are_told_apart_by_where_they_were_measured(self) -> None:
        room = Room()
        room.report("u1", sends("u1"), receives("u2"), receives("u1", "mix"))
        room.report("u2", receives("u1"))
        user = room.user("u1")
        assert [one.stream_id for one in sent(user)] == ["camera"]
        assert [one.receiver_id for one in room.live("u1").receptions_by_others()] == ["u2"]
        assert [(one.sender_id, one.stream.stream_id) for one in room.live("u1").receptions()] == [
            (None, "mix"),
            ("u2", "camera"),
        ]

    def test_a_received_stream_has_all_its_figures(self) -> None:
        room = Room()
        for number in range(30):
            room.report(f"r{number:02}", receives("u1", network=network(rtt=number)))
        (reception,) = room.live("r17").receptions()
        assert reception == Reception("u1", "r17", reception.stream)
        assert reception.stream.network == network(rtt=17)
