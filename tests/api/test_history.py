"""GET /report/history/{room_id}."""

from collections.abc import AsyncIterator, Callable, Iterable
from datetime import UTC, datetime
from typing import Any

import httpx
import msgspec
import pytest

from roompulse.clock import WallClock
from roompulse.engines import engine_of
from roompulse.report.model import Entry
from roompulse.rooms.admission import Limits
from roompulse.rooms.aggregate import aggregate_of
from roompulse.rooms.memory import RoomsInMemory
from roompulse.rooms.model import Aggregate
from roompulse.settings import Settings
from tests.api import assert_problem, data, serving
from tests.builders import NOW, REFERENCE, network, received, stream, video
from tests.conftest import Clock
from tests.process import soon

HISTORY = "/report/history/room-1"
GRID = NOW - 3600
"""The time of the first snapshot, on every grid of up to an hour."""


def iso(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).replace(tzinfo=None).isoformat()


def aggregate(packet_loss: float = 0.3, users: int = 1, **figures: Any) -> Aggregate:
    """A room whose users all have this packet loss and these figures of their camera."""
    rooms = RoomsInMemory(Limits(9, 9, 9), stale_after=15, leave_after=60)
    camera = stream(video=video(**figures), network=network(packet_loss=packet_loss))
    for number in range(users):
        user_id = f"u{number}"
        rooms.apply(received(user_id=user_id, metrics=[Entry(user_id, [camera])]))
    room = rooms.get("room-1")
    assert room
    return room.summary().aggregate


Kept = tuple[float, Aggregate]


async def keep(settings: Settings, *snapshots: Kept, **rooms: Iterable[Kept]) -> None:
    """Write snapshots of room-1, and of other rooms, into the database of an application that is not running."""
    engine = engine_of(settings, WallClock())
    async with engine.database.open():
        for room_id, of_room in {"room-1": snapshots, **rooms}.items():
            for timestamp, one in of_room:
                await engine.store.add_snapshots(timestamp, [(room_id, one)])


WORST = aggregate(packet_loss=8, users=3, bitrate=300)
UNKNOWN = aggregate_of([], [])


@pytest.fixture(scope="module")
async def history(make_settings: Callable[[], Settings]) -> AsyncIterator[httpx.AsyncClient]:
    """A client of an application that has ten snapshots of room-1, ten seconds apart, and some of other rooms."""
    settings, usual = make_settings(), aggregate()
    await keep(
        settings,
        *((GRID + 10 * number, aggregate(packet_loss=number)) for number in range(10)),
        one=[(GRID + 0.125, usual)],
        unknown=[(GRID, UNKNOWN)],
        many=[(GRID + number, usual) for number in range(2005)],
        worse=[(GRID, usual), (GRID + 10, WORST), (GRID + 20, aggregate(packet_loss=0, frame_rate=10))],
        known=[(GRID, UNKNOWN), (GRID + 10, usual), (GRID + 20, UNKNOWN)],
    )
    async with serving(settings, Clock()) as client:
        yield client


async def times(client: httpx.AsyncClient, query: str = "", path: str = HISTORY) -> list[float]:
    """Timestamps of the answer, in seconds after the first snapshot."""
    return [snapshot["timestamp"] - GRID for snapshot in await data(client, f"{path}?{query}")]


async def test_a_snapshot_is_the_aggregate_at_a_moment(history: httpx.AsyncClient) -> None:
    assert await data(history, "/report/history/one") == [
        {
            "timestamp": GRID + 0.125,
            "user_count": 1,
            "stream_count": 1,
            "quality": {
                "score": 4.37,
                "level": "good",
                "worst": 4.37,
                "good": 1,
                "fair": 0,
                "poor": 0,
                "unknown": 0,
                "verdict": "healthy",
            },
            "rtt": {"avg": 45, "median": 45, "p95": 45, "max": 45},
            "packet_loss": {"avg": 0.3, "median": 0.3, "p95": 0.3, "max": 0.3},
            "jitter": {"avg": 8, "median": 8, "p95": 8, "max": 8},
            "video": {
                "stream_count": 1,
                "frame_rate": {"avg": 25, "min": 25},
                "send_bitrate": 1200,
                "recv_bitrate": 0,
            },
            "audio": {"stream_count": 1, "send_bitrate": 64, "recv_bitrate": 0},
        }
    ]


async def test_what_was_not_known_is_null(history: httpx.AsyncClient) -> None:
    (snapshot,) = await data(history, "/report/history/unknown")
    assert [snapshot[name] for name in ("rtt", "packet_loss", "jitter")] == [None, None, None]
    assert snapshot["quality"]["score"] is None
    assert snapshot["video"] == {"stream_count": 0, "frame_rate": None, "send_bitrate": 0, "recv_bitrate": 0}


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", range(0, 100, 10)),
        (f"from={GRID + 70}", [70, 80, 90]),
        (f"from={GRID + 70.5}", [80, 90]),
        (f"to={GRID + 20}", [0, 10, 20]),
        (f"from={GRID + 30}&to={GRID + 40}", [30, 40]),
        (f"from={GRID + 30}&to={GRID + 30}", [30]),
        (f"from={GRID + 31}&to={GRID + 39}", []),
        (f"from={NOW + 10**6}", []),
        ("from=0&to=1e14", range(0, 100, 10)),
        (f"from={(GRID + 30) * 1000:.0f}&to={(GRID + 40) * 1000:.0f}", [30, 40]),
        (f"from={iso(GRID + 30)}Z&to={iso(GRID + 40)}%2B00:00", [30, 40]),
        (f"from={iso(GRID + 3630)}+01:00", range(30, 100, 10)),
        ("limit=3", [70, 80, 90]),
        (f"to={GRID + 50}&limit=2", [40, 50]),
        (f"from={GRID}&limit=2", [80, 90]),
        ("limit=1", [90]),
        ("limit=10000", range(0, 100, 10)),
        ("limit=2.0", [80, 90]),
        ("step=30", [0, 30, 60, 90]),
        ("step=30&limit=2", [60, 90]),
        ("step=60", [0, 60]),
        (f"step=30&from={GRID + 40}&to={GRID + 70}", [30, 60]),
        ("step=10", range(0, 100, 10)),
        ("step=2.5", range(0, 100, 10)),
        ("unknown=1", range(0, 100, 10)),
    ],
)
async def test_it_gives_what_is_asked_for_oldest_first(
    history: httpx.AsyncClient, query: str, expected: list[float]
) -> None:
    assert await times(history, query) == list(expected)


async def test_it_gives_the_newest_720_unless_told(history: httpx.AsyncClient) -> None:
    many = "/report/history/many"
    assert await times(history, path=many) == list(range(1285, 2005))
    assert await times(history, "limit=10000", many) == list(range(2005))


@pytest.mark.parametrize(
    "nonsense",
    ["", "nan", "NaN", "inf", "-inf", "Infinity", "1e999", "-1", "abc", "1_000", "0x10", "1,000", "true", "null", "٣"],
)
async def test_it_refuses_a_number_that_is_none_by_its_name(history: httpx.AsyncClient, nonsense: str) -> None:
    for name in ("from", "to", "step", "limit"):
        assert_problem(await history.get(HISTORY, params={name: nonsense}), 400, f"{name}: ")


@pytest.mark.parametrize(
    ("query", "named"),
    [
        ("limit=0", "limit"),
        ("limit=10001", "limit"),
        ("limit=1.5", "limit"),
        ("step=0", "step"),
        ("step=0.5", "step"),
        ("step=1e10", "step"),
        ("from=1e15", "from"),
        ("to=2026-11-27T10:00:00", "to"),
        ("from=20&to=10", "from"),
    ],
)
async def test_it_refuses_numbers_that_make_no_sense_by_their_name(
    history: httpx.AsyncClient, query: str, named: str
) -> None:
    assert_problem(await history.get(f"{HISTORY}?{query}"), 400, f"{named}: ")


async def test_a_step_keeps_its_worst_moment(history: httpx.AsyncClient) -> None:
    (step,) = await data(history, "/report/history/worse?step=60")
    assert step["timestamp"] == GRID
    assert step["quality"] == msgspec.to_builtins(WORST.quality)
    assert (step["user_count"], step["stream_count"]) == (3, 3)
    assert step["packet_loss"] == {"avg": pytest.approx(8.3 / 3, abs=0.001), "median": 0.3, "p95": 8, "max": 8}
    assert step["video"]["frame_rate"]["min"] == 10
    assert step["video"]["send_bitrate"] == (1200 + 3 * 300 + 1200) / 3
    assert step["audio"]["send_bitrate"] == pytest.approx((64 + 3 * 64 + 64) / 3, abs=0.001)


async def test_a_step_of_unknown_and_known_is_known(history: httpx.AsyncClient) -> None:
    (step,) = await data(history, "/report/history/known?step=60")
    assert step["quality"]["score"] == 4.37
    assert step["rtt"] == {"avg": 45, "median": 45, "p95": 45, "max": 45}


async def test_a_room_that_was_never_seen_is_not_found(history: httpx.AsyncClient) -> None:
    assert_problem(await history.get("/report/history/room-9"), 404, "room_id: ", "room-9")


async def test_a_live_room_without_a_snapshot_has_an_empty_history(client: httpx.AsyncClient, clock: Clock) -> None:
    await client.post("/report/metrics", content=REFERENCE)
    assert await data(client, HISTORY) == []
    clock.advance(60)
    assert await data(client, "/report/rooms") == []
    assert await data(client, HISTORY) == []  # it was seen within the retention of samples


async def test_history_outlives_the_room_and_the_process(history: httpx.AsyncClient) -> None:
    assert await data(history, "/report/rooms") == []
    assert len(await data(history, HISTORY)) == 10


async def test_live_rooms_get_snapshots_by_themselves(settings: Settings, clock: Clock) -> None:
    async with serving(msgspec.structs.replace(settings, snapshot_interval=0.05), clock) as client:
        await client.post("/report/metrics", content=REFERENCE)

        async def taken() -> list[Any]:
            # The report may have come too late for the first time of the grid.
            clock.advance(0.05)
            snapshots: list[Any] = await data(client, HISTORY)
            return snapshots

        (snapshot,) = await soon(taken)
        room = await data(client, "/report/metrics/room-1")
        assert snapshot == {"timestamp": snapshot["timestamp"]} | room["aggregate"]
        assert (snapshot["timestamp"] - NOW) / 0.05 == pytest.approx(round((snapshot["timestamp"] - NOW) / 0.05))
        assert NOW < snapshot["timestamp"] <= clock.now + 0.05


async def test_its_etag_changes_with_the_snapshots(settings: Settings, clock: Clock) -> None:
    seen = []
    for timestamp in (GRID, GRID + 10):
        await keep(settings, (timestamp, aggregate()))
        async with serving(settings, clock) as client:
            seen.append(await client.get(HISTORY))
            known = await client.get(HISTORY, headers={"if-none-match": seen[-1].headers["etag"]})
            assert known.status_code == 304
    assert seen[0].headers["etag"] != seen[1].headers["etag"]


async def test_a_long_history_is_the_same_in_portions(settings: Settings, clock: Clock) -> None:
    losses = [number % 101 for number in range(1500)]
    of_loss = {loss: aggregate(packet_loss=loss) for loss in set(losses)}
    await keep(settings, *((GRID + number, of_loss[loss]) for number, loss in enumerate(losses)))
    async with serving(settings, clock) as client:
        whole, head = await client.get(f"{HISTORY}?limit=10000"), await client.head(f"{HISTORY}?limit=10000")
        snapshots = whole.json()["data"]
        assert [round(one["timestamp"] - GRID) for one in snapshots] == list(range(1500))
        assert [one["packet_loss"]["avg"] for one in snapshots] == losses
        assert snapshots[-720:] == await data(client, HISTORY)
        assert head.headers["etag"] == whole.headers["etag"]
        known = {"if-none-match": whole.headers["etag"]}
        assert (await client.get(f"{HISTORY}?limit=10000", headers=known)).status_code == 304
        assert (await client.get(f"{HISTORY}?limit=1400", headers=known)).status_code == 200


async def test_rooms_do_not_share_their_history(history: httpx.AsyncClient) -> None:
    for other in ("room-", "room-1 x", "ROOM-1", "room%25", "room_1"):
        assert_problem(await history.get(f"/report/history/{other}"), 404)
