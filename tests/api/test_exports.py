"""Downloads of a room."""

import csv
import json
from datetime import UTC, datetime
from io import StringIO
from typing import Any

import httpx
import pytest

from roompulse.report.model import Device, Entry, Event
from roompulse.settings import Settings
from roompulse.store import sql_store
from roompulse.web.api.downloads import spreadsheet_safe
from tests.api import data, serving, url
from tests.api.test_history import aggregate, keep
from tests.api.test_pages import post
from tests.builders import NOW, REFERENCE, audio, body, network, stream, video
from tests.conftest import Clock

OPTIONAL_COLUMNS = (
    *("video_codec", "content", "limited_by", "frames_dropped", "freezes", "frozen_s"),
    *("audio_codec", "muted", "audio_level", "concealed_percent"),
    *("device_type", "os", "browser", "network_type", "receiver_id"),
)


async def table(client: httpx.AsyncClient, path: str) -> list[dict[str, str]]:
    answer = await client.get(path)
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    return list(csv.DictReader(StringIO(answer.content.decode("utf-8-sig"), newline="")))


async def array(client: httpx.AsyncClient, path: str) -> Any:
    answer = await client.get(path)
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json"
    return json.loads(answer.content)


def written(at: float) -> str:
    """A time as it is in a table."""
    return f"{datetime.fromtimestamp(at, UTC):%Y-%m-%d %H:%M:%S}.000"


async def test_users_are_every_stream_of_every_report(kept: httpx.AsyncClient, kept_clock: Clock) -> None:
    began = kept_clock.now
    await post(kept, REFERENCE.replace(b"room-1", b"users"))
    kept_clock.advance(70)
    receives = stream("mic", "recv", video=None, network=network(rtt=None))
    await post(kept, body(room_id="users", user_id="u2", metrics=[Entry("u1", [receives])]))
    kept_clock.advance(1)
    first, second = await table(kept, "/rooms/users/users.csv")
    assert first == {
        "time_utc": written(began),
        "user_id": "u1",
        "reporter_id": "u1",
        "stream_id": "camera",
        "direction": "send",
        "sdk_version": "1.2.0",
        "score": "4.37",
        "level": "good",
        "arithmetic": first["arithmetic"],
        "rtt_ms": "45",
        "packet_loss_percent": "0.3",
        "jitter_ms": "8",
        "width_px": "1280",
        "height_px": "720",
        "frame_rate_fps": "25",
        "video_kbit_s": "1200",
        "sample_rate_hz": "48000",
        "channels": "2",
        "audio_kbit_s": "64",
        **dict.fromkeys(OPTIONAL_COLUMNS, ""),
    }
    assert first["arithmetic"].startswith("4.37 = 4.44 − 0.0")
    # An unknown value is an empty cell, and never 0.
    assert (second["reporter_id"], second["rtt_ms"], second["width_px"]) == ("u2", "", "")
    exported = await array(kept, "/rooms/users/users.json")
    assert exported[0] == (await data(kept, f"/report/history/users/u1?from={began}"))[0]
    assert len(exported) == 2


async def test_users_have_a_column_for_whatever_else_a_report_says(kept: httpx.AsyncClient, kept_clock: Clock) -> None:
    picture = video(
        codec="=VP9", content="screen", limited_by="cpu", frames_dropped=3, freeze_count=2, freeze_duration=1.2
    )
    sound = audio(codec="opus", muted=True, level=0.25, concealed=1.5)
    device = Device("phone", "Android 15", "Chrome 136", "4g")
    await post(kept, body(room_id="columns", metrics=[Entry("u1", [stream(video=picture, audio=sound)], device)]))
    kept_clock.advance(1)
    (row,) = await table(kept, "/rooms/columns/users.csv")
    values = ("'=VP9", "screen", "cpu", "3", "2", "1.2", "opus", "True", "0.25", "1.5")
    assert tuple(row[name] for name in OPTIONAL_COLUMNS) == (*values, "phone", "Android 15", "Chrome 136", "4g", "")
    (one,) = await array(kept, "/rooms/columns/users.json")
    assert one["device"] == {"type": "phone", "os": "Android 15", "browser": "Chrome 136", "network_type": "4g"}
    assert (one["video"]["codec"], one["audio"]["muted"]) == ("=VP9", True)


async def test_history_is_every_snapshot(settings: Settings, clock: Clock) -> None:
    """However many there are: they are read in portions."""
    every = [(NOW - 40_000 + 10 * number, aggregate(packet_loss=number % 50)) for number in range(0, 4000, 100)]
    await keep(settings, *every)
    async with serving(settings, clock) as client:
        rows = await table(client, "/rooms/room-1/history.csv")
        exported = await array(client, "/rooms/room-1/history.json")
        assert [datetime.fromisoformat(row["time_utc"]).replace(tzinfo=UTC).timestamp() for row in rows] == [
            at for at, _ in every
        ]
        assert [one["timestamp"] for one in exported] == [at for at, _ in every]
        assert exported[-1] == (await data(client, "/report/history/room-1"))[-1]
        assert rows[1]["users"] == "1"
        assert rows[1]["rtt_avg_ms"] == "45.0"
        assert set(rows[0]) == set(rows[1])
        span = f"?from={every[3][0]}&to={every[5][0]}"
        assert len(await array(client, f"/rooms/room-1/history.json{span}")) == 3
        assert len(await table(client, f"/rooms/room-1/history.csv{span}")) == 3


async def test_history_that_takes_several_portions_is_whole_too(
    settings: Settings, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sql_store, "FETCH_AT_ONCE", 3)
    every = [(NOW - 400 + 7 * number, aggregate()) for number in range(30)]
    await keep(settings, *every)
    async with serving(settings, clock) as client:
        exported = await array(client, "/rooms/room-1/history.json")
        assert [one["timestamp"] for one in exported] == [at for at, _ in every]


@pytest.mark.parametrize("name", ["history", "users"])
async def test_what_is_empty_is_so_in_its_own_form(kept: httpx.AsyncClient, name: str) -> None:
    assert await array(kept, f"/rooms/empty/{name}.json") == []
    assert await table(kept, f"/rooms/empty/{name}.csv") == []
    head = await kept.head(f"/rooms/empty/{name}.csv")
    assert (head.status_code, head.content) == (200, b"")
    assert (await kept.get(f"/rooms/empty/{name}.csv?from=x")).status_code == 400


async def test_only_the_range_that_is_asked_for(kept: httpx.AsyncClient, kept_clock: Clock) -> None:
    began = kept_clock.now
    for _ in range(4):
        await post(kept, body(room_id="range"))
        kept_clock.advance(50)
    exported = await array(kept, f"/rooms/range/users.json?from={began + 50}&to={began + 100}")
    assert [one["received_at"] for one in exported] == [began + 50, began + 100]


FORMULAS = ["=1+1", "+1", "-1", "@SUM(A1)", "＝1"]


@pytest.mark.parametrize("formula", FORMULAS)
async def test_no_id_is_a_formula_in_a_spreadsheet(kept: httpx.AsyncClient, formula: str) -> None:
    await post(kept, body(user_id=formula, room_id=formula, metrics=[Entry(formula, [stream(formula)])]))
    clocked = await table(kept, url("rooms", formula, "users.csv"))
    assert [row["user_id"] for row in clocked] == [f"'{formula}"]
    assert [row["stream_id"] for row in clocked] == [f"'{formula}"]
    # JSON is read by programs, which want the id as it is.
    assert [row["user_id"] for row in await array(kept, url("rooms", formula, "users.json"))] == [formula]


def test_other_texts_stay_as_they_are() -> None:
    assert spreadsheet_safe("u1=+-@") == "u1=+-@"
    assert spreadsheet_safe("") == ""


@pytest.mark.parametrize("room_id", ["a/b", 'x"; filename="evil.exe', "Straße 7", "日本", "a;b,c\\d"])
async def test_the_name_of_the_file_holds_the_room_and_nothing_breaks_out(
    kept: httpx.AsyncClient, room_id: str
) -> None:
    await post(kept, body(room_id=room_id))
    answer = await kept.get(url("rooms", room_id, "history.csv"))
    encoded = url(room_id)[1:]
    expected = f"attachment; filename=\"history.csv\"; filename*=UTF-8''{encoded}-history.csv"
    assert answer.headers["content-disposition"] == expected
    assert answer.headers["x-content-type-options"] == "nosniff"


async def test_the_reference_report_can_be_downloaded_from_the_room_page(kept: httpx.AsyncClient) -> None:
    await kept.post("/report/metrics", content=REFERENCE)
    html = (await kept.get("/rooms/room-1")).text
    for name in ("history.csv", "history.json", "users.csv", "users.json", "events.csv", "events.json"):
        assert f'href="rooms/room-1/{name}"' in html
        assert (await kept.get(f"/rooms/room-1/{name}")).status_code == 200


async def test_events_are_all_that_happened(kept: httpx.AsyncClient, kept_clock: Clock) -> None:
    began = kept_clock.now
    await post(kept, body(room_id="events", events=[Event("=camera off", None, "camera", "by the user")]))
    kept_clock.advance(61)
    rows = await table(kept, "/rooms/events/events.csv")
    assert [row["kind"] for row in rows][:3] == ["room_started", "user_joined", "sdk"]
    assert [row["kind"] for row in rows][3:] == ["user_stale", "user_left", "room_ended"]
    assert rows[2] == {
        "time_utc": written(began),
        "kind": "sdk",
        "user_id": "u1",
        "stream_id": "camera",
        "level": "",
        "text": "'=camera off",
        "detail": "by the user",
    }
    exported = await array(kept, "/rooms/events/events.json")
    assert exported == await data(kept, "/report/events/events")
    assert len(await table(kept, f"/rooms/events/events.csv?from={began + 1}")) == 3
    assert await array(kept, "/rooms/unknown/events.json") == []
