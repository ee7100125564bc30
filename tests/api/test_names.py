"""Names of rooms and users: shown beside the ids, which still identify, and searched like them."""

from typing import Any

import httpx
import pytest

from roompulse.report.model import Entry
from tests.api.test_overview import LOSSY, post
from tests.api.test_pages import HOSTILE, links, page, words
from tests.builders import network, stream
from tests.conftest import Clock


async def call(client: httpx.AsyncClient, **fields: Any) -> None:
    entry = Entry("u1", [stream()], user_name="Ann Smith")
    await post(client, **({"room_name": "Stand-up", "metrics": [entry]} | fields))


@pytest.mark.parametrize(
    ("path", "shown"),
    [
        ("/", "room-1 Stand-up"),
        ("/rooms/room-1", "room-1 Stand-up"),
        ("/rooms/room-1", "u1 Ann Smith"),
        ("/rooms/room-1?ago=0", "u1 Ann Smith"),
        ("/rooms/room-1/users/u1", "u1 Ann Smith"),
        ("/users", "u1 Ann Smith room-1 Stand-up"),
    ],
)
async def test_each_page_shows_the_name_beside_the_id(client: httpx.AsyncClient, path: str, shown: str) -> None:
    await call(client)
    answer = await client.get(path, follow_redirects=True)
    assert shown in words(answer.text)


@pytest.mark.parametrize("name", HOSTILE)
async def test_a_name_is_shown_as_it_is(client: httpx.AsyncClient, name: str) -> None:
    await call(client, room_name=name, metrics=[Entry("u1", [stream()], user_name=name)])
    for path in ("/", "/rooms/room-1", "/rooms/room-1/users/u1", "/users"):
        html = await page(client, path)
        assert name in words(html)
        assert "<script>alert" not in html
        assert "<img src=x" not in html


async def test_the_newest_name_is_shown(client: httpx.AsyncClient, clock: Clock) -> None:
    await call(client)
    clock.advance(1)
    await call(client, room_name="Retro", report_time=1746616001)
    text = words(await page(client, "/"))
    assert "Retro" in text
    assert "Stand-up" not in text


async def test_a_search_for_rooms_finds_names_of_rooms_and_users(client: httpx.AsyncClient) -> None:
    await call(client)
    await post(client, room_id="room-2", metrics=[Entry("u2", LOSSY, user_name="Bo Smith")])
    assert "/rooms/room-2" not in links(await page(client, "/?q=STAND"))
    html = await page(client, "/?q=smith")
    text = words(html)
    assert "No matching rooms" in text
    assert "2 whose ID or name contains “ smith ”, worst first" in text
    assert text.index("Bo Smith") < text.index("Ann Smith")
    assert {"/rooms/room-1/users/u1", "/rooms/room-2/users/u2"} <= set(links(html))


async def test_a_search_in_a_room_finds_names(client: httpx.AsyncClient) -> None:
    await call(client, metrics=[Entry("u1", [stream()], user_name="Ann"), Entry("u2", [stream()], user_name="Bo")])
    html = await page(client, "/rooms/room-1?q=ann")
    assert ('id="user-u1"' in html, 'id="user-u2"' in html) == (True, False)


async def test_more_users_than_a_search_shows_are_on_a_page_of_their_own(client: httpx.AsyncClient) -> None:
    await call(client, metrics=[Entry(f"u{number}", [stream()], user_name="Ann") for number in range(12)])
    html = await page(client, "/?q=ann")
    assert "All 12 matching users" in words(html)
    assert "/users?q=ann" in links(html)
    assert words(await page(client, "/users?q=ann")).count("Ann") == 12


FAIR = [stream(network=network(packet_loss=3))]


async def test_the_users_of_a_level_are_listed_across_rooms_worst_first(client: httpx.AsyncClient) -> None:
    worse = [stream(network=network(packet_loss=30))]
    await post(client, room_id="a", metrics=[Entry("u1", LOSSY), Entry("u2", [stream()])])
    await post(client, room_id="b", metrics=[Entry("u1", worse), Entry("u3", FAIR)])
    start = await page(client, "/")
    assert {"/users?level=poor", "/users?level=fair"} <= set(links(start))
    html = await page(client, "/users?level=poor")
    users = [link for link in links(html) if "/users/" in link]
    assert users == ["/rooms/b/users/u1", "/rooms/a/users/u1"]
    assert "2 poor users, worst first" in words(html)
    assert "packet loss sending camera" in words(html)
    assert [link for link in links(await page(client, "/users?level=fair")) if "/users/" in link] == [
        "/rooms/b/users/u3"
    ]


async def test_the_list_says_that_nobody_is_poor(client: httpx.AsyncClient) -> None:
    await call(client)
    assert "No poor users. New ones will appear automatically." in words(await page(client, "/users?level=poor"))


async def test_nonsense_lists_all_users(client: httpx.AsyncClient) -> None:
    await call(client)
    assert "1 user, worst first" in words(await page(client, "/users?level=bad&page=0"))
