from types import SimpleNamespace
from typing import Any, cast

import pytest

from roompulse.overview.query import Order
from roompulse.overview.rooms_index import RoomsIndex
from roompulse.report.model import Entry, Stream
from roompulse.rooms.contract import LiveRooms
from roompulse.rooms.model import RoomSummary
from roompulse.rooms.presence import Timeouts
from roompulse.rooms.room import RoomState
from roompulse.web.pages.query import RoomsQuery, page_number, rooms_query
from tests.builders import NOW, network, report, stream

LOSSY = stream(network=network(packet_loss=9))
HOPELESS = stream(network=network(rtt=900, packet_loss=60))
SLOW = stream(network=network(rtt=400))
SILENT = stream(network=None, video=None, audio=None)


def room(room_id: str, *streams: Stream, users: int = 1, at: float = NOW) -> RoomSummary:
    state = RoomState(room_id, NOW, Timeouts(stale_after=15, leave_after=60))
    entries = [Entry(f"u{number}", list(streams or (stream(),))) for number in range(users)]
    state.apply(report(user_id="u0", room_id=room_id, metrics=entries), at, 1)
    return state.summary()


def mixed(room_id: str, *streams: Stream) -> RoomSummary:
    """A room of users who send one of these streams each."""
    state = RoomState(room_id, NOW, Timeouts(stale_after=15, leave_after=60))
    entries = [Entry(f"u{number}", [one]) for number, one in enumerate(streams)]
    state.apply(report(user_id="u0", room_id=room_id, metrics=entries), NOW, 1)
    return state.summary()


def names(rooms: list[RoomSummary]) -> list[str]:
    return [room.room_id for room in rooms]


class Live:
    """Rooms that do not change, as the list of rooms needs them."""

    def __init__(self, rooms: list[RoomSummary]) -> None:
        self._rooms = {
            room.room_id: SimpleNamespace(version=1, steps=lambda: (), summary=lambda room=room: room) for room in rooms
        }

    def ids(self, since: int = 0) -> list[str]:
        return sorted(self._rooms) if since < 1 else []

    def get(self, room_id: str) -> Any:
        return self._rooms[room_id]


def selected(query: RoomsQuery, rooms: list[RoomSummary]) -> list[RoomSummary]:
    index = RoomsIndex(cast("LiveRooms", Live(rooms)), dict)
    index.refresh()
    return index.listed(query.wanted, 0, 100)


class TestAUrl:
    @pytest.mark.parametrize(
        "parameters",
        [
            {},
            {"q": "", "sort": "", "level": "", "page": ""},
            {"q": " \t", "sort": "best", "level": "bad", "page": "0"},
            {"sort": "SCORE", "level": "Poor", "page": "-1"},
            {"page": "two", "unknown": "1"},
            {"page": "99999999999999999999"},
            {"page": "²"},
        ],
    )
    def test_that_makes_no_sense_asks_for_all_rooms_worst_first(self, parameters: dict[str, str]) -> None:
        assert rooms_query(parameters) == RoomsQuery()

    def test_says_what_to_look_for(self) -> None:
        query = rooms_query({"q": " Stand ", "sort": "loss", "level": "poor", "page": "3"})
        assert query == RoomsQuery("Stand", "loss", "poor", 3)

    def test_holds_a_search_of_bounded_length(self) -> None:
        assert len(rooms_query({"q": "x" * 10_000}).q) == 256

    def test_of_a_query_leads_back_to_it(self) -> None:
        query = RoomsQuery("a&b=ü/#%", "rtt", "unknown", 7)
        assert query.url("/") == "/?q=a%26b%3D%C3%BC%2F%23%25&sort=rtt&level=unknown&page=7"
        assert RoomsQuery().url("/") == "/"
        assert RoomsQuery(sort="id").url("/stream") == "/stream?sort=id"

    def test_keeps_what_a_link_does_not_change(self) -> None:
        query = RoomsQuery("team", "loss", "poor", 7)
        assert query.url("/", page=8) == "/?q=team&sort=loss&level=poor&page=8"
        assert query.url("/", sort="score", page=1) == "/?q=team&level=poor"

    @pytest.mark.parametrize(("text", "page"), [("1", 1), ("12", 12), ("999999", 999_999), ("1.5", 1), ("", 1)])
    def test_has_a_page_number(self, text: str, page: int) -> None:
        assert page_number({"page": text}) == page


class TestAQuery:
    def test_finds_parts_of_names_whatever_their_case(self) -> None:
        rooms = [room("Standup Berlin"), room("STANDUP tokyo"), room("board"), room("Straße")]
        assert names(selected(RoomsQuery("standup", "id"), rooms)) == ["STANDUP tokyo", "Standup Berlin"]
        assert names(selected(RoomsQuery("STRASSE"), rooms)) == ["Straße"]
        assert selected(RoomsQuery("*"), rooms) == []

    def test_finds_rooms_of_a_level(self) -> None:
        rooms = [room("good"), room("poor", LOSSY), room("unknown", SILENT)]
        for level in ("good", "poor", "unknown"):
            assert names(selected(RoomsQuery(level=level), rooms)) == [level]
        assert selected(RoomsQuery(level="fair"), rooms) == []

    def test_finds_rooms_with_users_of_a_level_however_good_the_others_are(self) -> None:
        big = mixed("big", *[stream()] * 10, HOPELESS)
        assert (big.aggregate.quality.level, big.aggregate.quality.worst) == ("good", 1.0)
        rooms = [big, room("good")]
        assert names(selected(RoomsQuery(level="poor"), rooms)) == ["big"]
        assert names(selected(RoomsQuery(level="good", sort="id"), rooms)) == ["big", "good"]

    def test_orders_rooms_by_their_worst_user_and_by_how_many_are_affected(self) -> None:
        rooms = [
            mixed("fair", *[stream(network=network(packet_loss=3))] * 3, stream()),
            mixed("big", *[stream()] * 10, HOPELESS),
            room("good"),
            room("silent", SILENT),
        ]
        assert names(selected(RoomsQuery(sort="worst"), rooms)) == ["big", "fair", "good", "silent"]
        assert names(selected(RoomsQuery(sort="affected"), rooms)) == ["fair", "big", "good", "silent"]
        assert names(selected(RoomsQuery(sort="score"), rooms)) == ["fair", "big", "good", "silent"]

    @pytest.mark.parametrize(
        ("sort", "expected"),
        [
            ("score", ["lossy", "slow", "big", "small", "silent"]),
            ("users", ["big", "lossy", "silent", "slow", "small"]),
            ("loss", ["lossy", "big", "slow", "small", "silent"]),
            ("rtt", ["slow", "big", "lossy", "small", "silent"]),
            ("newest", ["small", "big", "lossy", "silent", "slow"]),
            ("id", ["big", "lossy", "silent", "slow", "small"]),
        ],
    )
    def test_orders_rooms_and_puts_what_is_not_known_last(self, sort: Order, expected: list[str]) -> None:
        better = stream(network=network(rtt=10, packet_loss=0))
        rooms = [
            room("silent", SILENT),
            room("small", better, at=NOW + 1),
            room("big", users=3),
            room("slow", SLOW),
            room("lossy", LOSSY),
        ]
        assert names(selected(RoomsQuery(sort=sort), rooms)) == expected
