import asyncio
from collections.abc import Hashable
from contextlib import ExitStack
from functools import partial

import pytest

from roompulse.errors import Unavailable
from roompulse.hub.contract import Frames
from roompulse.hub.local import LocalHub
from roompulse.hub.mailbox import Mailbox
from roompulse.hub.renderer import MAX_WAITING
from roompulse.meters import Meters
from tests.conftest import Clock


class Board:
    """A view with content written by a test."""

    def __init__(self, room_id: str | None = "room-1", key: Hashable = "board", **frames: bytes) -> None:
        self.key = key
        self.room_id = room_id
        self.gone: Frames = {"a": b"gone"}
        self.frames: dict[str, bytes] = frames
        self.renders = 0
        self.broken = False

    def render(self) -> Frames:
        self.renders += 1
        if self.broken:
            raise RuntimeError("the view is broken")
        return dict(self.frames)


class SlowBoard(Board):
    """Takes `takes` seconds to render."""

    def __init__(self, time: Clock, takes: float, key: Hashable = "board") -> None:
        super().__init__(key=key, a=b"1")
        self._time = time
        self._takes = takes

    def render(self) -> Frames:
        self._time.advance(self._takes)
        return super().render()


def hub_of(
    *, push_interval: float = 0, max_viewers: int = 100, max_views: int = 100, meters: Meters | None = None
) -> LocalHub:
    return LocalHub(
        push_interval, max_viewers, max_views, meters or Meters(), lambda seconds: {"pace": b"%d s" % seconds}
    )


@pytest.fixture
def hub() -> LocalHub:
    return hub_of()


@pytest.fixture
async def time(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """The time of the event loop, which stands still until a test moves it."""
    loop = asyncio.get_running_loop()
    clock = Clock(loop.time())
    monkeypatch.setattr(loop, "time", clock)
    return clock


async def taken(mailbox: Mailbox) -> bytes | None:
    """The frames in the mailbox, or soon in it, for a viewer that then stops reading; None at its end."""
    read: asyncio.Future[bytes | None] = asyncio.get_running_loop().create_future()

    def deliver(frames: bytes) -> bool:
        read.set_result(frames)
        return False

    def end() -> None:
        if not read.done():
            read.set_result(None)

    mailbox.open(deliver, end)
    if mailbox.ended:
        end()
    async with asyncio.timeout(5):
        return await read


async def settled() -> None:
    """Let the event loop do all that is due."""
    for _ in range(5):
        await asyncio.sleep(0)


async def is_quiet(mailbox: Mailbox) -> bool:
    """Whether nothing is in the mailbox once all that is due was done."""
    await settled()
    return not mailbox._frames


def counted(meters: Meters, name: str) -> float | None:
    return meters.registry.get_sample_value(f"roompulse_{name}")


class TestWhatIsCounted:
    @pytest.fixture
    def meters(self) -> Meters:
        return Meters()

    @pytest.fixture
    def hub(self, meters: Meters) -> LocalHub:
        return hub_of(meters=meters)

    async def test_is_every_frame_that_a_viewer_gets(self, hub: LocalHub, meters: Meters) -> None:
        board = Board(a=b"1", b=b"1")
        with hub.subscribe(board) as one, hub.subscribe(board) as other:
            await asyncio.gather(taken(one), taken(other))
            assert counted(meters, "frames_total") == 4
            board.frames["a"] = b"2"
            hub.publish(["room-1"])
            await asyncio.gather(taken(one), taken(other))
            assert (counted(meters, "frames_total"), counted(meters, "frames_dropped_total")) == (6, 0)

    async def test_is_every_frame_that_a_slow_viewer_skips(self, hub: LocalHub, meters: Meters) -> None:
        board = Board(a=b"1", b=b"1")
        with hub.subscribe(board) as slow, hub.subscribe(board) as quick:
            await taken(quick)
            for text in (b"2", b"3"):
                board.frames["a"] = text
                hub.publish(["room-1"])
                assert await taken(quick) == text
            assert await taken(slow) == b"31"
        assert (counted(meters, "frames_total"), counted(meters, "frames_dropped_total")) == (8, 2)

    async def test_is_how_long_after_a_change_it_was_pushed(self, hub: LocalHub, meters: Meters, time: Clock) -> None:
        board = Board(a=b"1")
        with hub.subscribe(board) as mailbox:
            await taken(mailbox)
            board.frames["a"] = b"2"
            hub.publish(["room-1"])
            time.advance(0.2)
            assert await taken(mailbox) == b"2"
        assert counted(meters, "push_lag_seconds_count") == 2  # with the first one, at once
        assert counted(meters, "push_lag_seconds_sum") == pytest.approx(0.2)


class TestViewers:
    async def test_get_the_whole_view_first(self, hub: LocalHub) -> None:
        with hub.subscribe(Board(a=b"1", b=b"2")) as mailbox:
            assert await taken(mailbox) == b"12"

    async def test_then_get_what_changed_and_no_more(self, hub: LocalHub) -> None:
        board = Board(a=b"1", b=b"2")
        with hub.subscribe(board) as mailbox:
            await taken(mailbox)
            board.frames["b"] = b"3"
            hub.publish(["room-1"])
            assert await taken(mailbox) == b"3"

    async def test_get_nothing_when_a_change_does_not_show(self, hub: LocalHub) -> None:
        board = Board(a=b"1")
        with hub.subscribe(board) as mailbox:
            await taken(mailbox)
            hub.publish(["room-1"])
            assert await is_quiet(mailbox)
            assert board.renders == 2

    async def test_who_join_later_get_the_whole_view_too(self, hub: LocalHub) -> None:
        board = Board(a=b"1", b=b"2")
        with hub.subscribe(board) as early:
            await taken(early)
            board.frames["b"] = b"3"
            hub.publish(["room-1"])
            await taken(early)
            with hub.subscribe(board) as late:
                assert await taken(late) == b"13"

    async def test_who_join_while_a_change_is_due_get_it_next(self, hub: LocalHub) -> None:
        board = Board(a=b"1")
        with hub.subscribe(board):
            board.frames["a"] = b"2"
            hub.publish(["room-1"])
            with hub.subscribe(board) as late:
                await settled()
                assert await taken(late) == b"2"

    async def test_who_are_slow_skip_states(self, hub: LocalHub) -> None:
        board = Board(a=b"1", b=b"x")
        with hub.subscribe(board) as mailbox:
            for state in (b"2", b"3", b"4"):
                board.frames["a"] = state
                hub.publish(["room-1"])
                await settled()
            assert await taken(mailbox) == b"4x"
            assert await is_quiet(mailbox)

    async def test_of_one_view_share_its_rendering(self, hub: LocalHub) -> None:
        board = Board(a=b"1")
        with hub.subscribe(board) as one, hub.subscribe(board) as two, hub.subscribe(Board(a=b"other")) as three:
            await settled()
            board.frames["a"] = b"2"
            hub.publish(["room-1"])
            await settled()
            assert [await taken(mailbox) for mailbox in (one, two, three)] == [b"2", b"2", b"2"]
        assert board.renders == 2

    async def test_of_several_views_of_a_room_get_their_own(self, hub: LocalHub) -> None:
        html, json = Board(key="html", a=b"<p>"), Board(key="json", a=b"{}")
        with hub.subscribe(html) as one, hub.subscribe(json) as two:
            assert [await taken(one), await taken(two)] == [b"<p>", b"{}"]
            html.frames["a"], json.frames["a"] = b"<b>", b"[]"
            hub.publish(["room-1"])
            assert [await taken(one), await taken(two)] == [b"<b>", b"[]"]

    async def test_of_all_rooms_get_changes_of_any(self, hub: LocalHub) -> None:
        board = Board(room_id=None, a=b"1")
        with hub.subscribe(board) as mailbox:
            await taken(mailbox)
            board.frames["a"] = b"2"
            hub.publish(["room-1", "room-2"])
            assert await taken(mailbox) == b"2"
            hub.publish([])
            await settled()
            assert board.renders == 2

    async def test_of_all_rooms_get_what_changed_with_time(self, hub: LocalHub) -> None:
        board, other = Board(room_id=None, a=b"1"), Board(key="other", a=b"1")
        with hub.subscribe(board) as mailbox, hub.subscribe(other):
            await taken(mailbox)
            board.frames["a"] = b"2"
            hub.refresh()
            assert await taken(mailbox) == b"2"
            assert other.renders == 1

    async def test_of_another_room_are_left_alone(self, hub: LocalHub) -> None:
        board = Board(room_id="room-2", a=b"1")
        with hub.subscribe(board):
            hub.publish(["room-1"])
            await settled()
            assert board.renders == 1


class TestTheEndOfAView:
    async def test_is_told_once_there_is_nothing_left_to_show(self, hub: LocalHub) -> None:
        board = Board(a=b"1")
        with hub.subscribe(board) as mailbox:
            await taken(mailbox)
            board.frames = {}
            hub.publish(["room-1"])
            assert await taken(mailbox) == b"gone"
            hub.publish(["room-1"])
            assert await is_quiet(mailbox)

    async def test_takes_the_place_of_a_state_that_nobody_read(self, hub: LocalHub) -> None:
        board = Board(a=b"1")
        with hub.subscribe(board) as mailbox:
            await settled()
            board.frames = {}
            hub.publish(["room-1"])
            await settled()
            assert await taken(mailbox) == b"gone"

    async def test_may_be_followed_by_a_new_beginning(self, hub: LocalHub) -> None:
        board = Board(a=b"1")
        with hub.subscribe(board) as mailbox:
            await taken(mailbox)
            board.frames = {}
            hub.publish(["room-1"])
            assert await taken(mailbox) == b"gone"
            board.frames = {"a": b"1"}
            hub.publish(["room-1"])
            assert await taken(mailbox) == b"1"

    async def test_is_not_the_last_word_when_it_began_anew_before_anybody_read(self, hub: LocalHub) -> None:
        board = Board(a=b"1", b=b"x")
        with hub.subscribe(board) as mailbox:
            await settled()
            for frames in ({}, {"a": b"2"}):
                board.frames = frames
                hub.publish(["room-1"])
                await settled()
            assert await taken(mailbox) == b"2x"

    async def test_is_nothing_to_those_who_wait_for_the_beginning(self, hub: LocalHub) -> None:
        board = Board()
        with hub.subscribe(board) as mailbox:
            assert await is_quiet(mailbox)
            hub.publish(["room-1"])
            assert await is_quiet(mailbox)
            board.frames = {"a": b"1"}
            hub.publish(["room-1"])
            assert await taken(mailbox) == b"1"


class TestWhatEveryViewShows:
    async def test_reaches_all_viewers_whatever_they_look_at(self, hub: LocalHub) -> None:
        boards = [Board(room_id, key=room_id, a=b"1") for room_id in ("room-1", "room-2", None)]
        with ExitStack() as stack:
            mailboxes = [stack.enter_context(hub.subscribe(board)) for board in boards]
            for mailbox in mailboxes:
                await taken(mailbox)
            for board in boards:
                board.frames["a"] = b"2"
            hub.refresh(everywhere=True)
            assert [await taken(mailbox) for mailbox in mailboxes] == [b"2"] * 3

    async def test_is_not_what_only_all_rooms_together_show(self, hub: LocalHub) -> None:
        board = Board(a=b"1")
        with hub.subscribe(board) as mailbox:
            await taken(mailbox)
            board.frames["a"] = b"2"
            hub.refresh()
            assert await is_quiet(mailbox)


class TestPushing:
    async def test_happens_at_once_when_it_was_quiet(self, time: Clock) -> None:
        hub, board = hub_of(push_interval=60), Board(a=b"1")
        with hub.subscribe(board) as mailbox:
            await taken(mailbox)
            time.advance(60)
            board.frames["a"] = b"2"
            hub.publish(["room-1"])
            await settled()
            assert await taken(mailbox) == b"2"

    async def test_happens_at_most_once_per_interval_and_then_with_the_newest(self, time: Clock) -> None:
        hub, board = hub_of(push_interval=60), Board(a=b"1")
        with hub.subscribe(board) as mailbox:
            await taken(mailbox)
            for second in range(60):
                board.frames["a"] = b"%d" % second
                hub.publish(["room-1"])
                await settled()
                time.advance(0.999)
            assert board.renders == 1
            assert await is_quiet(mailbox)
            time.advance(1)
            await settled()
            assert (board.renders, await taken(mailbox)) == (2, b"59")
            time.advance(1000)
            await settled()
            assert board.renders == 2

    async def test_begins_the_next_interval(self, time: Clock) -> None:
        hub, board = hub_of(push_interval=60), Board(a=b"1")
        with hub.subscribe(board):
            await settled()
            time.advance(1000)
            hub.publish(["room-1"])
            await settled()
            hub.publish(["room-1"])
            time.advance(59)
            await settled()
            assert board.renders == 2
            time.advance(1)
            await settled()
            assert board.renders == 3

    async def test_of_a_few_small_views_does_not_wait(self, time: Clock) -> None:
        hub, boards = hub_of(), [SlowBoard(time, takes=0.002, key=number) for number in range(10)]
        with ExitStack() as stack:
            for board in boards:
                stack.enter_context(hub.subscribe(board))
            for _ in boards:
                await settled()
            assert [board.renders for board in boards] == [1] * 10

    async def test_leaves_everything_else_a_turn_between_two_views(self, time: Clock) -> None:
        order: list[str] = []

        class Noted(Board):
            def render(self) -> Frames:
                order.append("view")
                asyncio.get_running_loop().call_soon(order.append, "other")
                return super().render()

        hub = hub_of()
        with hub.subscribe(Noted(key=1)), hub.subscribe(Noted(key=2)):
            await settled()
            await settled()
        assert order == ["view", "other"] * 2

    async def test_goes_on_after_a_view_was_broken(self, hub: LocalHub, caplog: pytest.LogCaptureFixture) -> None:
        board = Board(a=b"1")
        with hub.subscribe(board) as mailbox:
            await taken(mailbox)
            board.broken = True
            hub.publish(["room-1"])
            assert await is_quiet(mailbox)
            assert "the view 'board' could not be rendered" in caplog.text
            board.broken, board.frames = False, {"a": b"2"}
            hub.publish(["room-1"])
            assert await taken(mailbox) == b"2"

    async def test_of_a_broken_view_does_not_touch_the_others(self, hub: LocalHub) -> None:
        broken, whole = Board(key="broken", a=b"1"), Board(key="whole", a=b"1")
        with hub.subscribe(broken), hub.subscribe(whole) as mailbox:
            await taken(mailbox)
            broken.broken, whole.frames = True, {"a": b"2"}
            hub.publish(["room-1"])
            assert await taken(mailbox) == b"2"


async def test_all_views_together_are_rendered_in_a_quarter_of_the_time(time: Clock) -> None:
    hub, boards = hub_of(), [SlowBoard(time, takes=0.01, key=number) for number in range(100)]
    with ExitStack() as stack:
        for board in boards:
            stack.enter_context(hub.subscribe(board))
        for _ in range(400):
            await settled()
            hub.publish(["room-1"])
            time.advance(0.01)
    assert sum(board.renders for board in boards) == pytest.approx(133, abs=5)
    assert max(board.renders for board in boards) - min(board.renders for board in boards) <= 1


class TestPlaces:
    async def test_are_bounded(self) -> None:
        hub = hub_of(max_viewers=2)
        with hub.subscribe(Board()), hub.subscribe(Board(key="other")):
            assert hub.viewers == 2
            third = hub.subscribe(Board())
            with pytest.raises(Unavailable, match="the maximum of 2 viewers is reached") as refused, third:
                pass
            assert refused.value.retry_after
        assert hub.viewers == 0
        with hub.subscribe(Board()):
            assert hub.viewers == 1

    async def test_get_free_however_a_viewer_leaves(self, hub: LocalHub) -> None:
        with pytest.raises(ConnectionError), hub.subscribe(Board()):
            raise ConnectionError
        assert hub.viewers == 0

    async def test_of_different_views_are_bounded(self) -> None:
        hub = hub_of(max_views=2)
        with hub.subscribe(Board()), hub.subscribe(Board(key="other")), hub.subscribe(Board()):
            assert (hub.viewers, hub.views) == (3, 2)
            third = hub.subscribe(Board(key="third"))
            with pytest.raises(Unavailable, match="the maximum of 2 different views is reached") as refused, third:
                pass
            assert refused.value.retry_after
        assert (hub.viewers, hub.views) == (0, 0)
        with hub.subscribe(Board(key="third")):
            assert hub.views == 1


class TestAViewThatIsBrokenFromTheStart:
    async def test_ends_the_streams_and_is_rendered_anew_for_the_next_viewer(self, hub: LocalHub) -> None:
        board = Board(a=b"1")
        board.broken = True
        with hub.subscribe(board) as early:
            await settled()
            assert early.ended
            board.broken = False
            with hub.subscribe(board) as late:
                assert await taken(late) == b"1"


class TestRequestsForPages:
    async def test_are_rendered_in_their_turn_among_the_views(self, hub: LocalHub) -> None:
        order: list[str] = []

        class Noted(Board):
            def render(self) -> Frames:
                order.append("view")
                return super().render()

        with hub.subscribe(Noted(key=1)), hub.subscribe(Noted(key=2)):
            requests = [hub.render(lambda: order.append("page")) for _ in range(2)]
            await asyncio.gather(*requests)
        assert sorted(order[:2]) == sorted(order[2:]) == ["page", "view"]

    async def test_take_a_quarter_of_the_time_too(self, hub: LocalHub, time: Clock) -> None:
        pages = [asyncio.create_task(hub.render(partial(time.advance, 0.01))) for _ in range(100)]
        for _ in range(100):
            await settled()
            time.advance(0.01)
        assert sum(page.done() for page in pages) == pytest.approx(37, abs=3)
        for page in pages:
            page.cancel()

    async def test_are_answered_with_the_error_of_one_that_fails(self, hub: LocalHub) -> None:
        board = Board()
        board.broken = True
        with pytest.raises(RuntimeError, match="the view is broken"):
            await hub.render(board.render)

    async def test_are_bounded(self, hub: LocalHub) -> None:
        waiting = [asyncio.create_task(hub.render(lambda: "page")) for _ in range(MAX_WAITING)]
        await asyncio.sleep(0)
        with pytest.raises(Unavailable, match="too many pages wait") as refused:
            await hub.render(lambda: "page")
        assert refused.value.retry_after
        assert await asyncio.gather(*waiting) == ["page"] * MAX_WAITING

    async def test_are_answered_though_the_hub_is_closed_meanwhile_and_refused_later(self, hub: LocalHub) -> None:
        waiting = asyncio.create_task(hub.render(lambda: "page"))
        await asyncio.sleep(0)
        hub.close()
        assert await waiting == "page"
        with pytest.raises(Unavailable, match="shutting down"):
            await hub.render(lambda: "page")


class TestViewersAreToldThat:
    async def test_views_are_slowed_down_and_that_it_is_over(self, time: Clock) -> None:
        hub, boards = hub_of(push_interval=0.25), [SlowBoard(time, takes=0.05, key=number) for number in range(10)]
        with ExitStack() as stack:
            mailboxes = [stack.enter_context(hub.subscribe(board)) for board in boards]
            for _ in range(100):
                await settled()
                hub.publish(["room-1"])
                time.advance(0.05)
            # 10 views of 50 ms in a quarter of the time
            assert {mailbox._frames["pace"] for mailbox in mailboxes} == {b"2 s"}
            with hub.subscribe(Board(key="late")) as late:
                assert late._frames["pace"] == b"2 s"
            for _ in range(200):
                await settled()
                time.advance(0.05)
            assert {mailbox._frames["pace"] for mailbox in mailboxes} == {b"0 s"}

    async def test_views_are_slowed_down_is_nothing_to_say_while_they_are_not(self, time: Clock) -> None:
        hub, board = hub_of(push_interval=0.25), SlowBoard(time, takes=0.005)
        with hub.subscribe(board) as mailbox:
            for _ in range(200):
                await settled()
                hub.publish(["room-1"])
                time.advance(0.05)
            assert "pace" not in mailbox._frames


class TestARoomThatNobodyWatches:
    async def test_is_not_rendered(self, hub: LocalHub) -> None:
        board = Board(a=b"1")
        with hub.subscribe(board):
            await settled()
        hub.publish(["room-1"])
        await settled()
        assert board.renders == 1

    async def test_is_not_rendered_for_a_change_that_was_due_when_the_last_one_left(self, hub: LocalHub) -> None:
        board = Board(a=b"1")
        with hub.subscribe(board):
            await settled()
            hub.publish(["room-1"])
        await settled()
        assert board.renders == 1

    async def test_is_not_rendered_for_one_who_left_before_its_turn(self, hub: LocalHub) -> None:
        board = Board(a=b"1")
        with hub.subscribe(board):
            pass
        await settled()
        assert board.renders == 0

    async def test_is_rendered_anew_for_the_next_one(self, hub: LocalHub) -> None:
        board = Board(a=b"1")
        with hub.subscribe(board):
            pass
        board.frames["a"] = b"2"
        with hub.subscribe(board) as mailbox:
            assert await taken(mailbox) == b"2"

    async def test_is_still_rendered_for_those_who_stay(self, hub: LocalHub) -> None:
        board = Board(a=b"1")
        with hub.subscribe(board) as stays:
            with hub.subscribe(board):
                pass
            await taken(stays)
            board.frames["a"] = b"2"
            hub.publish(["room-1"])
            assert await taken(stays) == b"2"


class TestClosing:
    async def test_ends_mailboxes_after_what_is_in_them(self, hub: LocalHub) -> None:
        with hub.subscribe(Board(a=b"1")) as mailbox, hub.subscribe(Board(key="other", room_id=None)) as empty:
            await settled()
            hub.close()
            assert await taken(mailbox) == b"1"
            assert await taken(mailbox) is None
            assert await taken(mailbox) is None
            assert await taken(empty) is None

    async def test_wakes_those_who_wait(self, hub: LocalHub) -> None:
        with hub.subscribe(Board()) as mailbox:
            waiting = asyncio.create_task(taken(mailbox))
            await settled()
            hub.close()
            async with asyncio.timeout(5):
                assert await waiting is None

    async def test_takes_no_more_viewers(self, hub: LocalHub) -> None:
        hub.close()
        with pytest.raises(Unavailable, match="shutting down") as refused, hub.subscribe(Board()):
            pass
        assert refused.value.retry_after


async def test_a_mailbox_that_was_closed_takes_nothing_more_in_so_that_it_ends() -> None:
    mailbox = Mailbox()
    mailbox.put({"a": b"1"})
    mailbox.close()
    mailbox.put({"a": b"2"})
    assert await taken(mailbox) == b"1"
    assert await taken(mailbox) is None


class TestAMailboxWhoseViewerReads:
    async def test_hands_on_at_once_what_comes(self) -> None:
        delivered: list[bytes] = []

        def deliver(frames: bytes) -> bool:
            delivered.append(frames)
            return True

        mailbox = Mailbox()
        mailbox.put({"a": b"1"})
        mailbox.open(deliver, lambda: None)
        assert mailbox.put({"a": b"2", "b": b"3"}) == 0
        assert delivered == [b"1", b"23"]

    async def test_holds_the_newest_from_when_it_reads_no_more_until_it_does_again(self) -> None:
        delivered: list[bytes] = []
        takes = False

        def deliver(frames: bytes) -> bool:
            delivered.append(frames)
            return takes

        mailbox = Mailbox()
        mailbox.open(deliver, lambda: None)
        assert [mailbox.put({"a": number}) for number in (b"1", b"2", b"3")] == [0, 0, 1]
        assert delivered == [b"1"]
        takes = True
        mailbox.ready()
        mailbox.put({"a": b"4"})
        assert delivered == [b"1", b"3", b"4"]

    async def test_tells_its_end_once_all_is_delivered(self) -> None:
        ends: list[str] = []
        mailbox = Mailbox()
        mailbox.open(lambda _: False, lambda: ends.append("end"))
        mailbox.put({"a": b"1"})
        mailbox.put({"a": b"2"})
        mailbox.close()
        assert (ends, mailbox.ended) == ([], False)
        mailbox.ready()
        assert (ends, mailbox.ended) == (["end"], True)
