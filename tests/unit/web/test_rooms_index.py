"""The incrementally kept list of rooms, and the cached parts of pages."""

import asyncio
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Struct
from sse_starlette import ServerSentEvent

from roompulse.overview import rooms_index as listing
from roompulse.overview.query import ORDERS, Order
from roompulse.overview.rooms_index import RoomAlerts, RoomsIndex
from roompulse.report.model import Entry
from roompulse.rooms.admission import Limits
from roompulse.rooms.memory import RoomsInMemory
from roompulse.rooms.model import RoomSummary
from roompulse.web.html.fragment_cache import FragmentCache
from roompulse.web.html.sparklines import LEVELS
from roompulse.web.pages.query import SORTS, RoomsQuery
from roompulse.web.sse.events import event
from tests.builders import NOW, network, received, stream

MANY = Limits(rooms=100, room_users=1000, user_streams=100)


def no_rooms() -> RoomsInMemory:
    return RoomsInMemory(MANY, stale_after=15, leave_after=60)


class Step(Struct, frozen=True):
    """Some seconds pass, a report of a room arrives, and the list may be read in one of its orders."""

    seconds: float
    room_id: str
    user_id: str
    loss: float
    looks_at: RoomsQuery | None


queries = st.builds(
    RoomsQuery,
    q=st.sampled_from(["", "", "", "1"]),
    sort=st.sampled_from(list[Order](SORTS)),
    level=st.sampled_from([None, None, None, "good", "poor"]),
    page=st.integers(1, 3),
)
steps = st.builds(
    Step,
    st.sampled_from([0, 0, 1, 15, 60, -100]),
    st.sampled_from([f"room-{number}" for number in range(20)]),
    st.sampled_from(["u1", "u2"]),
    st.sampled_from([0.0, 2.0, 4.0, 9.0]),
    st.none() | queries,
)


@pytest.fixture(params=[0, 8], ids=["always", "while it is worth it"])
def orders_are_kept(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """With any number of changed rooms between two reads, or only with few."""
    monkeypatch.setattr(listing, "_MOST_CHANGES", request.param)
    monkeypatch.setattr(listing, "DEAD_BANDS", dict.fromkeys(SORTS, 0))


def matching(query: RoomsQuery, rooms: list[RoomSummary]) -> list[RoomSummary]:
    """The rooms of a query in its order, by going through all of them."""
    found = [room for room in rooms if query.q in room.room_id]
    if query.level:
        found = [room for room in found if getattr(room.aggregate.quality, query.level)]
    return sorted(found, key=ORDERS[query.sort])


@pytest.mark.usefixtures("orders_are_kept")
@given(st.lists(steps, max_size=40))
def test_a_page_of_the_list_is_that_of_all_rooms_put_in_order_anew(sequence: list[Step]) -> None:
    rooms, now = no_rooms(), NOW
    kept = RoomsIndex(rooms, dict)
    for step in sequence:
        now += step.seconds
        rooms.expire(now)
        entry = Entry(step.user_id, [stream(network=network(packet_loss=step.loss))])
        rooms.apply(received(now, user_id=step.user_id, room_id=step.room_id, metrics=[entry]))
        if (query := step.looks_at) is None:
            continue
        kept.refresh()
        live = [one.summary() for room_id in rooms.ids() if (one := rooms.get(room_id))]
        total = kept.count(query.wanted)
        first = 4 * (query.page - 1)
        wanted = matching(query, live)
        assert (kept.listed(query.wanted, first, 4), total) == (wanted[first:][:4], len(wanted))
        assert len(kept) == len(live)
        assert kept.users == sum(one.aggregate.user_count for one in live)
        assert kept.levels == {level: sum(getattr(one.aggregate.quality, level) for one in live) for level in LEVELS}


def report(rooms: RoomsInMemory, now: float, *room_ids: str) -> None:
    for room_id in room_ids:
        rooms.apply(received(now, room_id=room_id))


async def test_many_rooms_are_read_in_portions_with_turns_between(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listing, "_ROOMS_AT_ONCE", 10)
    rooms = no_rooms()
    report(rooms, NOW, *(f"room-{number}" for number in range(35)))
    kept, known = RoomsIndex(rooms, dict), list[int]()
    catching_up = asyncio.create_task(kept.catch_up())
    while not catching_up.done():
        await asyncio.sleep(0)
        known.append(len(kept))
    assert known[:4] == [10, 20, 30, 35]


async def test_what_changes_meanwhile_is_in_the_list(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listing, "_ROOMS_AT_ONCE", 1)
    rooms = no_rooms()
    report(rooms, NOW, "ends", "not yet read", "read already")
    report(rooms, NOW + 30, "not yet read", "read already")
    kept = RoomsIndex(rooms, dict)
    catching_up = asyncio.create_task(kept.catch_up())
    await asyncio.sleep(0)
    report(rooms, NOW + 61, "new")
    for room_id in ("read already", "not yet read"):
        rooms.apply(received(NOW + 61, user_id="u2", room_id=room_id))
    rooms.expire(NOW + 61)
    await catching_up
    kept.refresh()
    users = {room.room_id: room.aggregate.user_count for room in kept.listed(RoomsQuery().wanted, 0, 9)}
    assert users == {"read already": 2, "new": 1, "not yet read": 2}


@pytest.mark.parametrize("most_changes", [0, 8], ids=["orders are kept", "and put in order anew"])
@pytest.mark.parametrize("q", ["", "room"])
def test_rooms_whose_figures_are_about_equal_keep_their_places(
    monkeypatch: pytest.MonkeyPatch, most_changes: int, q: str
) -> None:
    monkeypatch.setattr(listing, "_MOST_CHANGES", most_changes)
    rooms = no_rooms()
    kept = RoomsIndex(rooms, dict)

    def listed(sort: Order, **losses: float) -> list[str]:
        for number, loss in losses.items():
            entry = Entry("u1", [stream(network=network(packet_loss=loss, rtt=45 + loss))])
            rooms.apply(received(NOW, room_id=f"room-{number}", metrics=[entry]))
        kept.refresh()
        return [room.room_id[-1] for room in kept.listed(RoomsQuery(q, sort).wanted, 0, 9)]

    for sort in ("score", "worst", "loss", "rtt"):
        assert listed(sort, a=0.4, b=0.3, c=0) == ["a", "b", "c"]
        assert listed(sort, a=0.3, b=0.4) == ["a", "b", "c"]
        assert listed(sort, b=20) == ["b", "a", "c"]
    rooms.expire(NOW + 60)
    assert listed("score") == []


@pytest.mark.parametrize("most_changes", [0, 8], ids=["orders are kept", "and put in order anew"])
@pytest.mark.parametrize("q", ["", "room"])
def test_rooms_with_alerts_come_first_within_their_level(
    monkeypatch: pytest.MonkeyPatch, most_changes: int, q: str
) -> None:
    monkeypatch.setattr(listing, "_MOST_CHANGES", most_changes)
    rooms, alerts = no_rooms(), dict[str, RoomAlerts]()
    kept = RoomsIndex(rooms, lambda: alerts)
    for room_id, loss in {"room-1": 20, "room-2": 12, "room-3": 4, "room-4": 3.5, "room-5": 0.3, "room-6": 0}.items():
        rooms.apply(received(NOW, room_id=room_id, metrics=[Entry("u1", [stream(network=network(packet_loss=loss))])]))

    def listed(sort: Order = "score") -> str:
        kept.refresh()
        return "".join(room.room_id[-1] for room in kept.listed(RoomsQuery(q, sort).wanted, 0, 9))

    assert listed() == listed("worst") == "123456"
    alerts = {f"room-{number}": RoomAlerts("warning", 1) for number in (2, 6)}
    assert (listed(), listed("worst")) == ("213465", "123456")
    alerts = {"room-4": RoomAlerts("info", 2)}
    assert listed() == "124356"
    alerts = {}
    assert listed() == "123456"


def test_ids_are_of_rooms_that_changed_since_a_version() -> None:
    rooms = no_rooms()
    for room_id in ("c", "a", "b"):
        rooms.apply(received(NOW, room_id=room_id))
    assert rooms.ids() == ["a", "b", "c"]
    seen = max(room.version for room_id in rooms.ids() if (room := rooms.get(room_id)))
    assert rooms.ids(since=seen) == []
    rooms.apply(received(NOW + 5, room_id="c"))
    rooms.apply(received(NOW + 5, room_id="new"))
    assert sorted(rooms.ids(since=seen)) == ["c", "new"]
    rooms.expire(NOW + 15)
    assert sorted(rooms.ids(since=seen)) == ["a", "b", "c", "new"]
    rooms.expire(NOW + 60)
    assert sorted(rooms.ids(since=seen)) == rooms.ids() == ["c", "new"]


def test_a_room_whose_users_turn_stale_is_among_them() -> None:
    rooms = no_rooms()
    for seconds, room_id in ((0, "quiet"), (10, "busy")):
        rooms.apply(received(NOW + seconds, room_id=room_id))
    seen = max(room.version for room_id in rooms.ids() if (room := rooms.get(room_id)))
    rooms.expire(NOW + 15)
    assert rooms.ids(since=seen) == ["quiet"]


def test_ids_that_were_given_out_do_not_change_when_rooms_start_and_end() -> None:
    rooms = no_rooms()
    rooms.apply(received(NOW, room_id="a"))
    given_out = rooms.ids()
    rooms.apply(received(NOW + 30, room_id="b"))
    rooms.expire(NOW + 60)
    assert (given_out, rooms.ids()) == (["a"], ["b"])


class Rendered:
    """The rendered parts, in order."""

    def __init__(self) -> None:
        self.all: list[str] = []

    def renders(self, html: str) -> Callable[[], str]:
        def render() -> str:
            self.all.append(html)
            return html

        return render


class TestPieces:
    def test_one_is_rendered_anew_when_its_version_is_another(self) -> None:
        pieces, rendered = FragmentCache(10), Rendered()
        shown = [pieces.fragment("u1", version, rendered.renders(f"<p>{version}")) for version in (1, 1, 2, 2, 1)]
        assert shown == ["<p>1", "<p>1", "<p>2", "<p>2", "<p>1"]
        assert rendered.all == ["<p>1", "<p>2", "<p>1"]

    def test_there_are_no_more_than_there_may_be(self) -> None:
        pieces, rendered = FragmentCache(2), Rendered()
        for key in ("a", "b", "b", "c", "a"):
            pieces.fragment(key, None, rendered.renders(key))
        assert rendered.all == ["a", "b", "c", "a"]


lines = st.lists(st.sampled_from(["a", "<p>é", "", "\n", "\r", "\r\n", "\n\n", "\u2028", "data: "])).map("".join)


@given(lines, st.none() | st.just("room"), st.none() | st.just("e-1"))
def test_an_event_is_as_sse_starlette_writes_it(data: str, name: str | None, ident: str | None) -> None:
    assert event(data, name=name, ident=ident) == ServerSentEvent(data, event=name, id=ident, sep="\n").encode()
