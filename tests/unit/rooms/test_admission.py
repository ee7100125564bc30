from collections.abc import Sequence

from msgspec.structs import replace

from roompulse import token_buckets
from roompulse.errors import Problem, TooManyRequests, Unavailable
from roompulse.report.model import Entry, Received
from roompulse.rooms.admission import MANY, Limits, Quotas
from roompulse.rooms.memory import RoomsInMemory
from tests.builders import NOW, received, stream

ANY = 1000


def live(
    *reports: Received, rooms: int = ANY, users: int = ANY, streams: int = ANY, reported_users: int = ANY
) -> RoomsInMemory:
    """Rooms of these limits, to which `reports` were applied."""
    live = RoomsInMemory(Limits(rooms, users, streams, reported_users), stale_after=15, leave_after=60)
    for one in reports:
        live.apply(one)
    return live


def admitted(rooms: RoomsInMemory, *reports: Received) -> list[bool]:
    return [problem is None for problem in rooms.admit(reports)]


def about(*user_ids: str, by: str = "u1", room_id: str = "room-1") -> Received:
    return received(user_id=by, room_id=room_id, metrics=[Entry(user_id, []) for user_id in user_ids])


def by_token(one: Received) -> Received:
    return replace(one, by_token=True)


def giving(*stream_ids: str, by: str = "u1", of: str = "u1") -> Received:
    return received(user_id=by, metrics=[Entry(of, [stream(one) for one in stream_ids])])


def refusal(problems: Sequence[Problem | None]) -> Problem:
    (problem,) = problems
    assert problem
    return problem


class TestRooms:
    def test_fit_up_to_the_limit(self) -> None:
        rooms = live(received(room_id="a"), rooms=2)
        assert admitted(rooms, received(room_id="b")) == [True]
        rooms.apply(received(room_id="b"))
        assert admitted(rooms, received(room_id="c")) == [False]

    def test_past_the_limit_are_refused_until_one_may_have_ended(self) -> None:
        problem = refusal(live(received(room_id="a"), rooms=1).admit([received(room_id="b")]))
        assert isinstance(problem, Unavailable)
        assert problem.message == "$.room_id: all 1 rooms are taken"
        assert problem.retry_after == 60

    def test_that_are_live_take_reports_all_the_same(self) -> None:
        assert admitted(live(received(room_id="a"), rooms=1), received(room_id="a", user_id="u2")) == [True]

    def test_are_counted_within_a_batch(self) -> None:
        batch = [received(room_id=room_id) for room_id in ("a", "b", "a", "c", "b", "live")]
        assert admitted(live(received(room_id="live"), rooms=3), *batch) == [True, True, True, False, True, True]

    def test_that_ended_make_place(self) -> None:
        rooms = live(received(NOW, room_id="a"), rooms=1)
        rooms.expire(NOW + 60)
        assert admitted(rooms, received(NOW + 60, room_id="b")) == [True]


class TestUsers:
    def test_fit_up_to_the_limit(self) -> None:
        rooms = live(about(by="u1"), users=2)
        assert admitted(rooms, about(by="u2")) == [True]
        rooms.apply(about(by="u2"))
        assert admitted(rooms, about(by="u3")) == [False]

    def test_past_the_limit_are_refused_until_one_may_have_left(self) -> None:
        problem = refusal(live(about(by="u1"), users=1).admit([about(by="u2")]))
        assert isinstance(problem, TooManyRequests)
        assert problem.message == "$.metrics: a room has no place for more than 1 users"
        assert problem.retry_after == 60

    def test_are_those_who_report_and_those_who_are_reported_on(self) -> None:
        assert admitted(live(users=3), about("u2", "u3", by="u1")) == [True]
        assert admitted(live(users=3), about("u2", "u3", "u4", by="u1")) == [False]

    def test_that_one_report_names_often_count_once(self) -> None:
        assert admitted(live(users=2), about("u1", "u2", "u2", "u1", by="u1")) == [True]

    def test_who_are_there_may_go_on_in_a_full_room(self) -> None:
        rooms = live(about("u2", by="u1"), users=2)
        assert admitted(rooms, about("u1", by="u2"), about(by="u1")) == [True, True]

    def test_are_counted_within_a_batch(self) -> None:
        batch = [about(by="u1"), about("u2", by="u1"), about("u3", by="u1"), about(by="u2"), about(by="u3")]
        assert admitted(live(users=2), *batch) == [True, True, False, True, False]

    def test_of_a_report_that_is_refused_take_no_place(self) -> None:
        batch = [about("u2", "u3", by="u1"), about("u2", by="u1")]
        assert admitted(live(users=2), *batch) == [False, True]

    def test_of_one_room_do_not_crowd_another(self) -> None:
        rooms = live(about(by="u1", room_id="a"), users=1)
        assert admitted(rooms, about(by="u2", room_id="b"), about(by="u2", room_id="a")) == [True, False]


class TestUsersThatDoNotReport:
    def test_never_take_the_place_of_one_that_reports(self) -> None:
        rooms = live(about("x", "y", by="u1"), users=3)
        assert admitted(rooms, about(by="u2"), about(by="u3"), about(by="u4")) == [True, True, False]

    def test_have_no_place_in_a_room_that_is_full(self) -> None:
        rooms = live(about("x", "y", by="u1"), users=3)
        assert admitted(rooms, about("z", by="u1"), about("z", by="u2")) == [False, False]

    def test_hold_a_place_of_those_who_report_once_they_do(self) -> None:
        rooms = live(about("x", by="u1"), users=2)
        assert admitted(rooms, about(by="x"), about(by="u2")) == [True, False]
        rooms.apply(about(by="x"))
        assert admitted(rooms, about(by="u2"), about(by="x")) == [False, True]

    def test_are_bounded_for_each_room_token(self) -> None:
        rooms = live(reported_users=2)
        batch = [about("x", by="u1"), about("x", "y", by="u1"), about("z", by="u1"), about("z", by="u2")]
        assert admitted(rooms, *map(by_token, batch)) == [True, True, False, True]

    def test_past_the_limit_are_refused_until_one_may_have_left(self) -> None:
        problem = refusal(live(about("x", by="u1"), reported_users=1).admit([by_token(about("y", by="u1"))]))
        assert isinstance(problem, TooManyRequests)
        assert problem.message == "$.metrics: a room token brings in no more than 1 users that do not report themselves"
        assert problem.retry_after == 60

    def test_make_place_when_they_report_or_leave(self) -> None:
        rooms = live(about("x", "y", by="u1"), reported_users=2)
        assert admitted(rooms, by_token(about("z", by="u1"))) == [False]
        rooms.apply(about(by="x"))
        assert admitted(rooms, by_token(about("z", by="u1"))) == [True]
        rooms = live(about("x", "y", by="u1"), received(NOW + 59, user_id="u1"), reported_users=2)
        rooms.expire(NOW + 60)
        assert admitted(rooms, by_token(about("z", "w", by="u1"))) == [True]

    def test_are_not_bounded_for_a_key(self) -> None:
        assert admitted(live(reported_users=1), about("x", "y", "z", by="u1")) == [True]


class TestStreams:
    def test_fit_up_to_the_limit(self) -> None:
        rooms = live(giving("a"), streams=2)
        assert admitted(rooms, giving("b")) == [True]
        rooms.apply(giving("b"))
        assert admitted(rooms, giving("c")) == [False]

    def test_past_the_limit_are_refused_until_one_may_have_left(self) -> None:
        problem = refusal(live(giving("a"), streams=1).admit([giving("b")]))
        assert isinstance(problem, TooManyRequests)
        assert problem.message == "$.metrics: one reporter can give no more than 1 streams about one user"
        assert problem.retry_after == 60

    def test_that_are_there_may_go_on(self) -> None:
        assert admitted(live(giving("a", "b"), streams=2), giving("a", "b"), giving("b")) == [True, True]

    def test_are_counted_for_each_reporter_and_user(self) -> None:
        rooms = live(giving("a"), streams=1)
        assert admitted(rooms, giving("b", by="u2"), giving("b", of="u2"), giving("b")) == [True, True, False]

    def test_are_counted_by_direction(self) -> None:
        both = received(metrics=[Entry("u1", [stream("a", "send"), stream("a", "recv")])])
        assert admitted(live(streams=2), both) == [True]
        assert admitted(live(streams=1), both) == [False]

    def test_are_counted_within_a_batch(self) -> None:
        assert admitted(live(streams=2), giving("a"), giving("b", "a"), giving("c"), giving("a")) == [
            True,
            True,
            False,
            True,
        ]

    def test_that_one_report_gives_twice_count_once(self) -> None:
        assert admitted(live(streams=1), giving("a", "a")) == [True]

    def test_cannot_slip_past_in_several_entries_about_one_user(self) -> None:
        split = received(metrics=[Entry("u1", [stream("a")]), Entry("u1", [stream("b")])])
        assert admitted(live(streams=2), split) == [True]
        assert admitted(live(streams=1), split) == [False]

    def test_that_left_make_place(self) -> None:
        rooms = live(giving("a"), streams=1)
        rooms.apply(received(NOW + 30, metrics=[]))
        rooms.expire(NOW + 60)
        assert admitted(rooms, giving("b")) == [True]


class TestNewRoomsOfASender:
    """Three a minute: one every 20 s, after three at once."""

    def rooms(self) -> RoomsInMemory:
        return RoomsInMemory(Limits(5, ANY, ANY, sender_rooms=3), stale_after=15, leave_after=60)

    def start(self, rooms: RoomsInMemory, *room_ids: str, at: float = NOW, sender: str = "a") -> list[bool]:
        """Whether each of these reports, in one batch, is taken; those that are, are applied."""
        batch = [Received(received(room_id=room_id).report, at, sender) for room_id in room_ids]
        problems = rooms.admit(batch)
        for one, problem in zip(batch, problems, strict=True):
            if problem is None:
                rooms.apply(one)
        return [problem is None for problem in problems]

    def test_may_be_as_many_at_once_as_in_a_minute(self) -> None:
        assert self.start(self.rooms(), "1", "2", "3", "4") == [True, True, True, False]

    def test_are_counted_over_batches(self) -> None:
        rooms = self.rooms()
        assert [self.start(rooms, room_id) for room_id in "1234"] == [[True], [True], [True], [False]]

    def test_past_the_limit_are_refused_until_there_may_be_another(self) -> None:
        rooms = self.rooms()
        self.start(rooms, "1", "2", "3")
        problem = refusal(rooms.admit([Received(received(room_id="4").report, NOW + 5, "a")]))
        assert isinstance(problem, TooManyRequests)
        assert problem.message == "$.room_id: more than 3 new rooms a minute from one sender"
        assert problem.retry_after == 15
        assert self.start(rooms, "4", at=NOW + 19.9) == [False]
        assert self.start(rooms, "4", "5", at=NOW + 20) == [True, False]

    def test_do_not_keep_rooms_that_are_live_from_going_on(self) -> None:
        rooms = self.rooms()
        assert self.start(rooms, "1", "2", "3", "4", "1", "3") == [True, True, True, False, True, True]
        assert self.start(rooms, "1", "4") == [True, False]

    def test_cost_once_however_many_reports_they_start_with(self) -> None:
        assert self.start(self.rooms(), "1", "1", "1", "2", "2", "3") == [True] * 6

    def test_of_one_sender_do_not_count_for_another(self) -> None:
        rooms = self.rooms()
        assert self.start(rooms, "1", "2", "3") == [True] * 3
        assert self.start(rooms, "4", sender="b") == [True]

    def test_cost_nothing_where_they_are_refused(self) -> None:
        rooms = self.rooms()
        self.start(rooms, "1", "2", "3", sender="b")
        self.start(rooms, "4", "5", sender="c")
        assert self.start(rooms, "6", "7", "8", "9") == [False] * 4  # all rooms are taken
        rooms.expire(NOW + 60)
        assert self.start(rooms, "6", "7", "8", "9", at=NOW + 60) == [True, True, True, False]

    def test_cost_nothing_where_they_could_not_be_saved(self) -> None:
        rooms = self.rooms()
        for _ in range(10):
            assert rooms.admit([Received(received(room_id="1").report, NOW, "a")]) == [None]
        assert self.start(rooms, "1", "2", "3", "4") == [True, True, True, False]

    def test_have_no_limit_without_a_sender_or_without_a_limit(self) -> None:
        assert self.start(self.rooms(), *"12345", sender="") == [True] * 5
        assert self.start(live(rooms=5), *"12345") == [True] * 5

    def test_of_a_hundred_thousand_senders_are_remembered_in_a_table_that_does_not_grow(self) -> None:
        rooms = Quotas(Limits(1, 1, 1, sender_rooms=3)).rooms
        for number in range(100_000):
            rooms.note(f"made-up-{number}", NOW)
        assert rooms._buckets
        assert len(rooms._buckets._buckets) == token_buckets.MOST


class TestNewUsersOfASender:
    """Four a minute: one every 15 s, after four at once."""

    def rooms(self, a_minute: int | None = 4) -> RoomsInMemory:
        return RoomsInMemory(Limits(5, ANY, ANY, sender_users=a_minute), stale_after=15, leave_after=60)

    def bring(self, rooms: RoomsInMemory, *reports: Received, sender: str = "a") -> list[bool]:
        """Whether each of these reports, in one batch, is taken; those that are, are applied."""
        batch = [Received(one.report, one.at, sender) for one in reports]
        problems = rooms.admit(batch)
        for one, problem in zip(batch, problems, strict=True):
            if problem is None:
                rooms.apply(one)
        return [problem is None for problem in problems]

    def of(self, *user_ids: str, at: float = NOW, room_id: str = "room-1") -> Received:
        entries = [Entry(user_id, [stream()]) for user_id in user_ids]
        return received(at, user_id="server", room_id=room_id, metrics=entries, role="server")

    def test_may_be_more_than_in_a_minute_in_one_report_after_which_none_may_come(self) -> None:
        rooms = self.rooms()
        assert self.bring(rooms, self.of(*"abcdef"), self.of("g")) == [True, False]
        problem = refusal(rooms.admit([Received(self.of("g").report, NOW, "a")]))
        assert isinstance(problem, TooManyRequests)
        assert problem.message == "$.metrics: more than 4 new users a minute from one sender"
        assert (problem.reason, problem.retry_after) == ("sender_users", 45)
        assert self.bring(rooms, self.of("g", at=NOW + 45), self.of("h", at=NOW + 45)) == [True, False]

    def test_are_counted_over_batches_and_rooms(self) -> None:
        rooms = self.rooms()
        assert self.bring(rooms, self.of("a", "b"), self.of("a", room_id="room-2")) == [True, True]
        assert self.bring(rooms, self.of("b", room_id="room-2")) == [True]
        assert self.bring(rooms, self.of("c", room_id="room-2")) == [False]

    def test_do_not_keep_users_who_are_there_from_being_reported(self) -> None:
        rooms = self.rooms()
        assert self.bring(rooms, self.of(*"abcdef")) == [True]
        assert self.bring(rooms, self.of(*"abcdef"), self.of("a", "g")) == [True, False]

    def test_are_refused_in_a_large_report_as_in_a_small_one(self) -> None:
        rooms, many = self.rooms(), [f"u{number}" for number in range(MANY)]
        assert self.bring(rooms, self.of(*many)) == [True]
        assert self.bring(rooms, self.of(*many), self.of(*many, "new"), self.of("new")) == [True, False, False]
        at = NOW + 15 * (MANY - 3)
        assert self.bring(rooms, self.of(*many, "new", at=at)) == [True]

    def test_are_new_once_in_large_reports_of_one_batch_too(self) -> None:
        rooms, many = self.rooms(), [f"u{number}" for number in range(MANY)]
        assert self.bring(rooms, self.of(*many), self.of(*many), self.of(*many, "new")) == [True, True, False]

    def test_are_not_those_who_begin_to_report_themselves(self) -> None:
        rooms = self.rooms()
        assert self.bring(rooms, self.of(*"abcd")) == [True]
        assert self.bring(rooms, received(user_id="a", metrics=[]), received(user_id="e", metrics=[])) == [True, False]

    def test_cost_once_however_many_reports_they_come_with(self) -> None:
        rooms = self.rooms()
        assert self.bring(rooms, *[received(user_id="a")] * 9, self.of("b", "c"), self.of("d", "b")) == [True] * 11

    def test_of_one_sender_do_not_count_for_another(self) -> None:
        rooms = self.rooms()
        assert self.bring(rooms, self.of(*"abcdef")) == [True]
        assert self.bring(rooms, self.of("g"), sender="b") == [True]

    def test_have_no_limit_without_a_sender_or_without_a_limit(self) -> None:
        assert self.bring(self.rooms(), *(self.of(one) for one in "abcdef"), sender="") == [True] * 6
        assert self.bring(self.rooms(None), *(self.of(one) for one in "abcdef")) == [True] * 6


def test_asking_changes_nothing() -> None:
    rooms = live(rooms=1, users=1, streams=1)
    for _ in range(3):
        assert admitted(rooms, giving("a")) == [True]
    assert rooms.ids() == []


def test_what_was_admitted_keeps_to_the_limits_once_it_is_applied() -> None:
    rooms = live(rooms=2, users=3, streams=2)
    batch = [
        received(
            user_id=f"u{n % 5}",
            room_id=f"room-{n % 3}",
            metrics=[Entry(f"u{n % 4}", [stream(f"s{n % 7}"), stream(f"s{n % 2}")])],
        )
        for n in range(60)
    ]
    for one, problem in zip(batch, rooms.admit(batch), strict=True):
        if problem is None:
            rooms.apply(one)
    assert len(rooms.ids()) == 2
    for room_id in rooms.ids():
        room = rooms.get(room_id)
        assert room
        assert len(room.users) - room.brought_in.total <= 3
        assert room.brought_in.total <= 3
        for user in room.users.values():
            assert all(len(reporting.streams) <= 2 for reporting in user.reporters.values())
