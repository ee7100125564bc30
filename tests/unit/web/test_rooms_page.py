"""The page of all rooms as it is answered."""

import re
from pathlib import Path

import httpx
import pytest

from roompulse.app import create_app
from roompulse.report.model import Entry, Network
from roompulse.rooms.trends import Trends
from roompulse.settings import Settings
from roompulse.store.engine import Database
from roompulse.store.snapshots import Snapshots, refill
from roompulse.store.sql_store import SqlStore
from tests.builders import NOW, body, network, received, stream
from tests.conftest import Clock
from tests.unit.ingest.test_ingest import World

LOSSY = network(packet_loss=9)


async def post(client: httpx.AsyncClient, room_id: str, figures: Network | None = None, users: int = 1) -> None:
    entries = [Entry(f"u{number}", [stream(network=figures or network())]) for number in range(users)]
    content = body(user_id="u0", room_id=room_id, metrics=entries)
    answer = await client.post("/report/metrics", content=content, headers={"Content-Type": "application/json"})
    assert answer.status_code == 200


async def page(client: httpx.AsyncClient, **query: str) -> str:
    answer = await client.get("/", params=query)
    assert answer.status_code == 200
    return answer.text


def names(html: str) -> list[str]:
    return re.findall(r'<th scope="row"><a class="id"[^>]*>([^<]*)</a>', html)


def words(html: str) -> str:
    """The text of the page, as a line."""
    return " ".join(re.sub(r"<[^>]*>", " ", html.partition("<main>")[2]).replace("\N{NO-BREAK SPACE}", " ").split())


async def test_without_rooms_it_teaches_the_curl_whatever_is_looked_for(client: httpx.AsyncClient) -> None:
    for query in ({}, {"q": "room", "level": "poor"}):
        html = await page(client, **query)
        assert "curl -X POST" in html
        assert "No matching rooms" not in html


async def test_a_row_tells_median_and_p95_and_bitrates(client: httpx.AsyncClient) -> None:
    rtts = (10, 20, 30, 40, 500)
    streams = [stream(f"s{rtt}", network=network(rtt=rtt)) for rtt in rtts]
    metrics = [Entry("u1", [*streams, stream("camera", "recv", network=network(rtt=None))])]
    content = body(metrics=metrics)
    await client.post("/report/metrics", content=content, headers={"Content-Type": "application/json"})
    text = words(await page(client))
    assert "30 ms p95 500" in text
    assert "0.3 % p95 0.3" in text
    assert "up 6320 down 1264" in text


async def test_totals_count_rooms_users_levels_and_reports(client: httpx.AsyncClient, clock: Clock) -> None:
    await post(client, "board", users=3)
    await post(client, "standup", LOSSY)
    clock.advance(4)
    text = words(await page(client))
    assert "Rooms 2 Users 4 poor 1 user fair 0 users good 3 users unknown 0 users Reports 0.2 /s" in text
    clock.advance(7)
    assert "Reports 0.0 /s" in words(await page(client))


@pytest.mark.parametrize(
    "nonsense", ["sort=best", "level=awful", "page=0", "page=x", "q=%20", "q=%FF", "page=1&page=2", "q"]
)
async def test_nonsense_in_the_url_is_no_error(client: httpx.AsyncClient, nonsense: str) -> None:
    await post(client, "board")
    answer = await client.get(f"/?{nonsense}")
    assert answer.status_code == 200


async def test_a_filter_that_matches_nothing_says_so_and_offers_to_clear_it(client: httpx.AsyncClient) -> None:
    await post(client, "board")
    html = await page(client, q="<i>", level="poor", sort="rtt")
    assert "1 room is live. None has a poor user and an ID or name containing &lt;i&gt;" in words(html)
    assert '<a href="./?sort=rtt">Show all live rooms</a>' in html
    assert 'value="&lt;i&gt;"' in html


async def test_the_stream_has_the_query_of_the_page(client: httpx.AsyncClient) -> None:
    await post(client, "board")
    html = await page(client, q="b&d", level="good", page="3")
    assert 'data-url="stream?q=b%26d&amp;level=good&amp;page=3"' in html


async def test_50_rooms_make_a_page_and_links_keep_the_rest(client: httpx.AsyncClient) -> None:
    for number in range(51):
        await post(client, f"room-{number:02}")
    first = await page(client, q="room", sort="id")
    assert names(first) == [f"room-{number:02}" for number in range(50)]
    assert 'href="./?q=room&amp;sort=id&amp;page=2" rel="next"' in first
    assert names(await page(client, q="room", sort="id", page="2")) == ["room-50"]
    assert names(await page(client, q="room", sort="id", page="9")) == ["room-50"]


async def test_a_row_is_rendered_anew_when_its_room_or_its_trend_changed(client: httpx.AsyncClient) -> None:
    await post(client, "board")
    assert "4.37" in await page(client)
    assert "4.37" in await page(client)
    await post(client, "board", LOSSY)
    assert "4.37" not in await page(client)


async def test_trends_are_noted_with_snapshots_and_refilled_from_them(tmp_path: Path, clock: Clock) -> None:
    database, world = Database(Settings(data=tmp_path)), World()
    async with database.open():
        store = SqlStore(database)
        noted, refilled = Trends(10, 100), Trends(10, 100)
        snapshots = Snapshots(store, world.rooms, noted, clock, 10)
        for second, figures in ((0, network()), (10, LOSSY), (20, None), (30, network())):
            if figures:  # at 20 s there is no change, and so no snapshot
                entries = [Entry("u1", [stream(network=figures)])]
                world.rooms.apply(received(NOW + second, metrics=entries))
            await snapshots.save(NOW + second)
        await refill(refilled, store, NOW + 30, leave_after=60)
    scores = noted.scores("room-1")[-4:]
    assert scores == [4.37, scores[1], scores[1], 4.37]
    assert scores[1] is not None
    assert refilled.scores("room-1") == noted.scores("room-1")


async def test_old_snapshots_are_left_alone_by_a_start(tmp_path: Path, clock: Clock) -> None:
    settings, world = Settings(data=tmp_path), World()
    world.rooms.apply(received(NOW))
    database = Database(settings)
    async with database.open():
        store = SqlStore(database)
        room = world.rooms.get("room-1")
        assert room
        for at in (NOW - 2000, NOW - 901, NOW - 100):
            await store.add_snapshots(at, [("room-1", room.summary().aggregate)])
        portions = [portion async for portion in store.scores(NOW - 900)]
    assert portions == [[("room-1", NOW - 100, 4.37)]]
    app = create_app(settings, clock)
    async with app.lifespan():
        pass
