"""The first paint of a room's page and of a user's page."""

import re
from html import unescape

import httpx
import pytest

from roompulse.report.model import Entry
from roompulse.rooms.presence import Timeouts
from roompulse.rooms.room import RoomState
from roompulse.web.pages.query import UserQuery, user_query
from tests.builders import NOW, body, network, report, stream

BAD = network(rtt=20, jitter=2, packet_loss=6)


async def post(client: httpx.AsyncClient, **fields: object) -> None:
    assert (await client.post("/report/metrics", content=body(**fields))).status_code == 200


async def page(client: httpx.AsyncClient, path: str) -> str:
    answer = await client.get(path)
    assert answer.status_code == 200
    return answer.text


def listed(html: str) -> list[str]:
    """Ids of the users in the list, in its order."""
    return re.findall(r'<tr id="user-([^"]+)"', html)


def text(html: str) -> str:
    return unescape(re.sub(r"\s+", " ", re.sub(r"<[^>]+>", "", html)))


async def call(client: httpx.AsyncClient) -> None:
    """u1 and u2 send and receive each other; u3 sends with loss, and receives u1."""
    await post(client, metrics=[Entry("u1", [stream()]), Entry("u2", [stream(direction="recv")])])
    await post(client, user_id="u2", metrics=[Entry("u2", [stream()]), Entry("u1", [stream(direction="recv")])])
    bad = [Entry("u3", [stream(network=BAD)]), Entry("u1", [stream(direction="recv")])]
    await post(client, user_id="u3", sdk_version="3.1.4", metrics=bad)


class TestQuery:
    def test_it_matches_a_part_of_the_id_or_name_in_any_case(self) -> None:
        room = RoomState("room-1", NOW, Timeouts(stale_after=15, leave_after=60))
        names = {"STRASSE 7": None, "johann@example": None, "u1": "Ada Lovelace"}
        entries = [Entry(user_id, [stream()], user_name=name) for user_id, name in names.items()]
        room.apply(report(user_id="u1", metrics=entries), NOW, 1)

        def found(q: str) -> list[str]:
            return [place.user_id for place in UserQuery(q).select(room)]

        assert found("AnN") == ["johann@example"]
        assert found("straße") == ["STRASSE 7"]
        assert found("x") == ["johann@example"]
        assert found("love") == ["u1"]
        assert found("johannes") == []
        assert found("") == list(names)

    @pytest.mark.parametrize("page", ["", "0", "-1", "x", "²", "1e3", "99999999"])
    def test_nonsense_is_the_first_page(self, page: str) -> None:
        assert user_query({"page": page}) == UserQuery("", 1)

    def test_its_url_asks_for_the_same(self) -> None:
        query = UserQuery("a&page=9 100%", 3)
        assert dict(httpx.URL(query.url("/rooms/1")).params) == {"q": "a&page=9 100%", "page": "3"}
        assert query.url("/rooms/1", page=4).endswith("page=4")


class TestRoomPage:
    async def test_it_says_the_verdict_in_words(self, client: httpx.AsyncClient) -> None:
        await call(client)
        assert "1 of 3 users affected: u3's uplink loses 6 %" in text(await page(client, "/rooms/room-1"))

    async def test_it_has_the_arithmetic_of_each_score(self, client: httpx.AsyncClient) -> None:
        await call(client)
        shown = text(await page(client, "/rooms/room-1"))
        assert "Score 4.37 = lower of worst sent stream and worst received stream" in shown
        assert "uplink: camera 4.37 = 4.44 − 0.03 delay − 0.03 loss" in shown
        assert "downlink: u1's camera 4.37 = 4.44 − 0.03 delay − 0.03 loss" in shown

    async def test_it_lists_who_was_searched_for(self, client: httpx.AsyncClient) -> None:
        await call(client)
        await post(client, user_id="Zoë", metrics=[])
        assert listed(await page(client, "/rooms/room-1"))[0] == "u3"
        assert listed(await page(client, "/rooms/room-1?q=U2")) == ["u2"]
        assert listed(await page(client, "/rooms/room-1?q=%20zo%C3%AB")) == ["Zo%C3%AB"]
        nobody = await page(client, "/rooms/room-1?q=nobody")
        assert listed(nobody) == []
        assert "0 of 4 whose ID or name contains “nobody”" in text(nobody)
        assert 'data-url="rooms/room-1/stream?q=nobody"' in nobody

    async def test_pages_keep_the_search(self, client: httpx.AsyncClient) -> None:
        await post(client, metrics=[Entry(f"a&b {number}", [stream()]) for number in range(201)])
        html = await page(client, "/rooms/room-1?q=A%26B&page=2")
        assert len(listed(html)) == 100
        assert 'href="rooms/room-1?q=A%26B"' in html
        assert 'href="rooms/room-1?q=A%26B&amp;page=3"' in html
        assert len(listed(await page(client, "/rooms/room-1?q=A%26B&page=99"))) == 1

    @pytest.mark.parametrize("query", ["q=%ff", "q=%00", "q=a%0Ab", "q=" + "x" * 3000, "q=1&q=2&page=%ff"])
    async def test_any_search_has_an_answer(self, client: httpx.AsyncClient, query: str) -> None:
        await call(client)
        await page(client, f"/rooms/room-1?{query}")

    async def test_the_grid_has_row_and_column_headers(self, client: httpx.AsyncClient) -> None:
        await call(client)
        grid = (await page(client, "/rooms/room-1")).partition('<table class="pairs">')[2].partition("</table>")[0]
        assert re.findall(r'<th scope="col"><span class="id" title="(\w+)"', grid) == ["u3", "u1", "u2"]
        assert re.findall(r'<th scope="row"><a class="id" title="(\w+)"', grid) == ["u3", "u1", "u2"]
        assert '<td class="pair-fair own"><i>fair</i> 3.30' in grid

    async def test_a_search_is_escaped(self, client: httpx.AsyncClient) -> None:
        await call(client)
        html = await page(client, "/rooms/room-1?q=%22><script>alert(1)</script>")
        assert "<script>alert" not in html
        assert 'value="&#34;&gt;&lt;script&gt;' in html


class TestUserPage:
    async def test_it_says_what_is_sent_what_is_received_and_how_others_receive_it(
        self, client: httpx.AsyncClient
    ) -> None:
        await call(client)
        html = await page(client, "/rooms/room-1/users/u1")
        sends, receives, others = (
            text(part) for part in re.split(r'<section id="(?:sends|receives|others)">', html)[1:]
        )
        assert "Sending good 4.37 1 stream" in sends
        assert "camera chart good this user 4.37 = 4.44 − 0.03 delay − 0.03 loss" in sends
        assert "camera chart good u2 4.37" in receives
        assert "worst of 2 streams" in others
        assert "camera chart good u2 4.37" in others
        assert "camera chart good u3 4.37" in others

    async def test_it_says_what_nobody_reported(self, client: httpx.AsyncClient) -> None:
        await post(client, metrics=[])
        shown = text(await page(client, "/rooms/room-1/users/u1"))
        assert "No data about what this user sends." in shown
        assert "No data about what this user receives." in shown
        assert "No other user has reported receiving this user." in shown

    async def test_it_shows_the_sdk_and_who_is_not_named(self, client: httpx.AsyncClient) -> None:
        await post(client, sdk_version="3.1.4", metrics=[Entry("u1", [stream("mix", "recv")])])
        shown = text(await page(client, "/rooms/room-1/users/u1"))
        assert "SDK 3.1.4" in shown
        assert "mix chart good unknown user 4.37" in shown

    async def test_the_listeners_of_a_speaker_are_bounded(self, client: httpx.AsyncClient) -> None:
        for number in range(103):
            path = BAD if number == 102 else network()
            await post(client, user_id=f"u{number}", metrics=[Entry("u0", [stream(direction="recv", network=path)])])
        html = await page(client, "/rooms/room-1/users/u0")
        assert "Showing the worst 100 of 102." in text(html)
        assert 'href="rooms/room-1/users/u102"' in html
