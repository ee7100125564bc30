"""Pages of earlier times: moments in the past, calls that ended, visits."""

import re
from collections.abc import AsyncIterator, Callable

import httpx
import pytest
from msgspec.structs import replace

from roompulse.report.model import Device, Entry
from roompulse.settings import Settings
from tests.api import serving, without_table
from tests.api.test_pages import links, page, post, words
from tests.builders import NOW, body, network, stream, video
from tests.conftest import Clock
from tests.process import soon


async def lossy(client: httpx.AsyncClient, packet_loss: float, user_id: str = "u1", **fields: object) -> None:
    metrics = [Entry(user_id, [stream(network=network(packet_loss=packet_loss))])]
    await post(client, body(user_id=user_id, metrics=metrics, **fields))


def sections(html: str) -> list[str]:
    """The live sections of a page; of a past page, without the time in its links."""
    without_time = re.sub(r'(\?|&amp;)at=[\d.]+(?=["#])', "", html)
    found = re.findall(
        r'<div id="(summary|users|grid|user)">(.*?)</div>\s*<(?:/?section|/?details|form|p )', without_time, re.S
    )
    assert found
    return [text for _, text in found]


async def ended_rooms(client: httpx.AsyncClient, path: str = "/calls") -> list[str]:
    """Ids of the rooms in the list, in its order."""
    return re.findall(r'<th scope="row"><a class="id"[^>]*>([^<]*)</a>', await page(client, path))


@pytest.fixture(scope="module")
async def recent(make_settings: Callable[[], Settings]) -> AsyncIterator[httpx.AsyncClient]:
    """A client of an application that got its only report half a minute ago, at NOW."""
    clock = Clock()
    async with serving(make_settings(), clock) as client:
        await post(client)
        clock.advance(30)
        yield client


SHOWN = ["/rooms/room-1", "/rooms/room-1?q=U2", "/rooms/room-1/users/u1"]


@pytest.fixture(scope="module")
async def over(make_settings: Callable[[], Settings]) -> AsyncIterator[tuple[httpx.AsyncClient, dict[str, str]]]:
    """A client of an application with a room that is over, and the pages SHOWN as they were at NOW + 20."""
    clock = Clock()
    async with serving(make_settings(), clock) as client:
        await lossy(client, 7)
        await post(client, body(user_id="u2", metrics=[Entry("u1", [stream(direction="recv")])]))
        clock.advance(20)
        await lossy(client, 0.5, user_id="u2")
        then = {path: await page(client, path) for path in SHOWN}
        clock.advance(5)
        await lossy(client, 1)
        clock.advance(300)
        yield client, then


@pytest.mark.parametrize("path", SHOWN)
async def test_the_past_is_shown_as_it_was(over: tuple[httpx.AsyncClient, dict[str, str]], path: str) -> None:
    client, then = over
    separator = "&" if "?" in path else "?"
    assert sections(await page(client, f"{path}{separator}at={NOW + 20}")) == sections(then[path])
    answer = await client.get("/rooms/room-1")
    assert answer.status_code in (200, 404)  # whether its session was recorded meanwhile: see test_ended.py
    assert "No active call" in words(answer.text)


async def test_the_past_has_its_freezes_and_devices(client: httpx.AsyncClient, clock: Clock) -> None:
    for number, device in enumerate((Device(type="phone"), None, Device(type="desktop"))):
        frozen = stream(video=video(freeze_duration=1, codec="AV1"))
        await post(client, body(report_time=5 * number, metrics=[Entry("u1", [frozen], device)]))
        clock.advance(5)
    now = words(await page(client, "/rooms/room-1/users/u1"))
    then = words(await page(client, f"/rooms/room-1/users/u1?at={NOW + 9}"))
    for text, device_type in ((then, "phone"), (now, "desktop")):
        for shown in ("frozen 20 % of the time sending camera", "− 1.00 freeze", f"on {device_type}", "AV1"):
            assert shown in text
    assert "freeze" not in words(await page(client, f"/rooms/room-1/users/u1?at={NOW + 4}"))


async def test_the_past_is_marked_and_leads_back_to_the_present(recent: httpx.AsyncClient) -> None:
    html = await page(recent, f"/rooms/room-1?at={NOW}&q=u")
    assert 'data-state="past"' in html
    assert "Viewing history 2027-01-15 08:00:00 UTC" in words(html)
    assert 'id="stream"' not in html
    assert {"/rooms/room-1?q=u", f"/rooms/room-1?q=u&at={NOW:.0f}"} <= set(links(html))  # to live, and to share
    # Links on the page stay in the past, and steps beyond the present lead to the present.
    assert f"/rooms/room-1/users/u1?at={NOW:.0f}" in links(html)
    assert f"/rooms/room-1?q=u&at={NOW - 60:.0f}" in links(html)
    assert f"/rooms/room-1?q=u&at={NOW + 10:.0f}" in links(html)
    assert f"/rooms/room-1?q=u&at={NOW + 60:.0f}" not in links(html)


@pytest.mark.parametrize("path", ["/rooms/room-1", "/rooms/room-1/users/u1"])
async def test_how_long_ago_becomes_a_time_that_can_be_shared(recent: httpx.AsyncClient, path: str) -> None:
    answer = await recent.get(f"{path}?ago=60&q=a%26b")
    assert answer.status_code == 303
    assert answer.headers["location"] == f"{path}?q=a%26b&at={NOW - 30:.0f}"
    assert (await recent.get(answer.headers["location"])).status_code == 404
    now = await recent.get(f"{path}?ago=0")
    assert (await recent.get(now.headers["location"])).status_code == 200


@pytest.mark.parametrize(
    ("text", "status"),
    [
        (f"{NOW:.0f}", 200),
        (f"{NOW:.3f}", 200),
        (f"{NOW * 1000:.0f}", 200),
        ("2027-01-15T08:00:00", 200),
        ("2027-01-15T08:00", 200),
        ("2027-01-15T09:00:00%2B01:00", 200),
        (f"{NOW - 0.001:.3f}", 404),
        ("0", 404),
        ("1970-01-01T00:00:00", 404),
        ("0001-01-01T00:00:00%2B10:00", 404),
    ],
)
async def test_a_time_is_unix_seconds_milliseconds_or_iso_8601(
    recent: httpx.AsyncClient, text: str, status: int
) -> None:
    assert 'data-state="past"' in await page(recent, f"/rooms/room-1?at={text}", status)


@pytest.mark.parametrize("text", ["", f"{NOW + 31}", f"{NOW * 1000 + 31_000:.0f}", "2030-01-01"])
async def test_no_time_and_a_time_that_is_not_past_are_the_present(recent: httpx.AsyncClient, text: str) -> None:
    assert 'data-url="rooms/room-1/stream"' in await page(recent, f"/rooms/room-1?at={text}")


@pytest.mark.parametrize("text", ["x", "-1", "nan", "²", "1e15", "2027-01-15T25:00:00"])
async def test_what_is_no_time_is_refused_by_its_name(recent: httpx.AsyncClient, text: str) -> None:
    for path in ("/rooms/room-1", "/rooms/room-1/users/u1", "/rooms/room-1/sessions", "/rooms/room-1/stream"):
        answer = await recent.get(path, params={"at": text})
        assert answer.status_code == 400
        assert "at: must be Unix seconds, Unix milliseconds or ISO 8601 with a zone" in answer.text


async def test_where_samples_are_gone_the_figures_of_the_room_are_left(settings: Settings, clock: Clock) -> None:
    short = replace(settings, sample_retention=300, snapshot_interval=0.1)
    async with serving(short, clock) as client:
        await post(client)

        async def snapshot() -> bool:
            clock.advance(0.1)  # one is taken for each time on the grid
            return bool((await client.get("/report/history/room-1")).json()["data"])

        await soon(snapshot)
        at = (await client.get("/report/history/room-1")).json()["data"][0]["timestamp"]
        clock.now = at + 400
        html = await page(client, f"/rooms/room-1?at={at}")
        assert "Healthy" in words(html)
        assert "Per-user data has expired" in words(html)
        await page(client, f"/rooms/room-1/users/u1?at={at}", 404)
        assert "No call at that time" in words(await page(client, f"/rooms/room-1?at={at - 200}", 404))


async def test_ended_rooms_are_found_with_start_end_and_duration(client: httpx.AsyncClient, clock: Clock) -> None:
    assert "No calls" in words(await page(client, "/calls"))
    await post(client, body(room_id="Über/uns"))
    await post(client, body(room_id="short"))

    async def unfinished() -> bool:
        return (await page(client, "/calls")).count("state-live") == 2

    await soon(unfinished)
    clock.advance(50)
    await post(client, body(room_id="Über/uns"))
    clock.advance(100)

    async def both_ended() -> bool:
        return "state-live" not in await page(client, "/calls")

    await soon(both_ended)
    assert await ended_rooms(client) == ["Über/uns", "short"]
    assert await ended_rooms(client, "/calls?q=BER%2F") == ["Über/uns"]
    assert "No matching calls" in words(await page(client, "/calls?q=nothing"))
    assert await ended_rooms(client, "/calls?page=9") == ["Über/uns", "short"]  # the last page there is
    html = await page(client, "/calls?sort=duration")
    assert "Über/uns 2027-01-15 08:00:00 UTC 2027-01-15 08:00:50 UTC 50 s" in words(html)
    # It can be opened at its end, after it has ended.
    end = f"/rooms/%C3%9Cber%2Funs?at={NOW + 50:.0f}"
    assert end in links(html)
    assert "4.37" in words(await page(client, end))
    assert end in links(await page(client, "/rooms/%C3%9Cber%2Funs"))


async def test_a_users_page_says_when_it_came_and_went(client: httpx.AsyncClient, clock: Clock) -> None:
    await post(client)
    clock.advance(100)
    await post(client)
    clock.advance(30)
    here = words(await page(client, "/rooms/room-1/users/u1"))
    assert "in the room since 2027-01-15 08:01:40 UTC , for 30 s" in here
    assert "2027-01-15 08:01:40 UTC to now, 30 s 2027-01-15 08:00:00 UTC to 2027-01-15 08:00:00 UTC , under 1 s" in here
    clock.advance(60)
    assert "left , last report 2027-01-15 08:01:40 UTC" in words(await page(client, "/rooms/room-1/users/u1"))
    # As of then it had not left.
    assert "in the room since" in words(await page(client, f"/rooms/room-1/users/u1?at={NOW + 30}"))
    fragment = await page(client, "/rooms/room-1/users/u1/visits")
    assert fragment.lstrip().startswith("<h2>")


async def test_without_the_database_the_present_is_still_shown(client: httpx.AsyncClient, settings: Settings) -> None:
    await post(client)
    async with without_table(settings, "session"):
        assert "History is unavailable: database error." in words(await page(client, "/rooms/room-1"))
        await page(client, "/calls", 503)
    async with without_table(settings, "sample"):
        assert "History is unavailable: database error." in words(await page(client, "/rooms/room-1/users/u1"))
        await page(client, f"/rooms/room-1?at={NOW}", 503)


@pytest.mark.parametrize("path", ["/rooms/room-1", "/rooms/room-1/users/u1"])
async def test_what_ended_is_found_as_long_as_something_is_retained(
    settings: Settings, clock: Clock, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    monkeypatch.setattr("roompulse.store.sessions.RECORD_EVERY", 0.01)
    async with serving(settings, clock) as client:
        assert (await client.get(path)).status_code == 404
        assert (await client.post("/report/metrics", content=body(user_id="u1"))).status_code == 200

        async def recorded() -> bool:
            return "live</span>" in (await client.get("/rooms/room-1/sessions")).text

        await soon(recorded)
        clock.advance(3600)
        assert (await client.get(path)).status_code == 200
        assert (await client.get(f"{path}x")).status_code == 404
        async with without_table(settings, "session" if path == "/rooms/room-1" else "sample"):
            answer = await client.get(path)
            assert answer.status_code == 503
            assert "History is unavailable" in answer.text
