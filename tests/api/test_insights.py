"""GET /report/insights, GET /report/trends and the page /insights."""

import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import anyio.lowlevel
import httpx
import pytest

from roompulse.app import create_app
from roompulse.insights.collector import EXAMPLES
from roompulse.report.model import Device, Entry
from roompulse.settings import Settings
from roompulse.web.pages.insights.query import RANGES
from roompulse.web.pages.insights.trends import TREND_RANGES
from tests.api import assert_problem, data
from tests.builders import NOW, body, network, stream
from tests.conftest import Clock, client_of

GROUP = ["value", "users", "user_minutes", "good", "fair", "poor", "score", "top_terms", "against"]
POINT = ["timestamp", "rooms", "users", "good", "fair", "poor", "unknown", "reports"]
BAD = "3.0.0-beta.2"


class Watched:
    """An application whose users are sampled when the test says so."""

    def __init__(self, client: httpx.AsyncClient, clock: Clock, look: Any) -> None:
        self.client = client
        self.clock = clock
        self._look = look

    async def post(self, user: str, loss: float = 0.3, version: str = "1.2.0", **fields: Any) -> None:
        entry = Entry(user, [stream(network=network(packet_loss=loss))], Device(browser="Chrome 142"))
        content = body(user_id=user, metrics=[entry], sdk_version=version, report_time=int(self.clock.now), **fields)
        assert (await self.client.post("/report/metrics", content=content)).status_code == 200

    async def minute(self) -> None:
        for _ in range(6):
            await self._look(self.clock.now)
            self.clock.advance(10)
        await self._look(self.clock.now)


@pytest.fixture
async def watched(settings: Settings, clock: Clock) -> AsyncIterator[Watched]:
    async with watching(settings, clock) as watched:
        yield watched


@pytest.fixture(scope="module")
async def crowded(make_settings: Callable[[], Settings]) -> AsyncIterator[Watched]:
    """With a crowd, for tests that only read."""
    async with watching(make_settings(), Clock()) as watched:
        await crowd(watched)
        yield watched


@asynccontextmanager
async def watching(settings: Settings, clock: Clock) -> AsyncIterator[Watched]:
    recorders: list[Any] = []

    async def run(recorder: Any) -> None:
        recorders.append(recorder)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("roompulse.insights.recorder.RollupRecorder.run", run)
        async with client_of(create_app(settings, clock)) as client:
            while not recorders:  # the jobs begin
                await anyio.lowlevel.checkpoint()
            yield Watched(client, clock, recorders[0].look)


async def crowd(watched: Watched) -> None:
    """Sixty users, twenty of them with a bad version, for a minute."""
    for number in range(60):
        bad = number % 3 == 0
        labels = {"region": "eu" if number % 2 else "us"}
        await watched.post(f"user-{number}", 12 if bad else 0.3, BAD if bad else "1.2.0", labels=labels)
    await watched.minute()


async def test_groups_are_compared_with_all_others(crowded: Watched) -> None:
    found = await data(crowded.client, "/report/insights?by=sdk_version")
    assert list(found) == ["by", "groups", "rest"]
    assert found["by"] == "sdk_version"
    fine, bad = found["groups"]
    assert [list(group) for group in (fine, bad, found["rest"])] == [GROUP] * 3
    assert (fine["value"], fine["users"], fine["user_minutes"]) == ("1.2.0", 40, 40)
    assert (bad["value"], bad["users"], bad["good"], bad["poor"]) == (BAD, 20, 0.0, 100.0)
    assert bad["against"] == {"poor": 0.0, "difference": 100.0, "significant": True}
    assert bad["top_terms"] == [{"term": "loss", "share": 100.0}]
    assert list(bad["score"]) == ["p10", "median"]
    nothing = {"value": None, "users": 0, "user_minutes": 0, "good": None, "fair": None, "poor": None}
    assert found["rest"] == nothing | {"score": None, "top_terms": [], "against": None}


async def test_what_does_not_fit_the_limit_is_in_the_rest(crowded: Watched) -> None:
    found = await data(crowded.client, "/report/insights?by=sdk_version&limit=1")
    assert [group["value"] for group in found["groups"]] == ["1.2.0"]
    assert (found["rest"]["users"], found["rest"]["poor"]) == (20, 100.0)


async def test_labels_are_dimensions(crowded: Watched) -> None:
    found = await data(crowded.client, "/report/insights?by=label:region")
    assert {group["value"]: group["users"] for group in found["groups"]} == {"eu": 30, "us": 30}
    assert not any(group["against"]["significant"] for group in found["groups"])
    assert (await data(crowded.client, "/report/insights?by=label:server"))["groups"] == []


async def test_a_range_is_compared_with_an_earlier_one(watched: Watched) -> None:
    for number in range(40):
        await watched.post(f"user-{number}")
    await watched.minute()
    for number in range(40):
        await watched.post(f"user-{number}", 12)
    await watched.minute()
    later, earlier = NOW + 60, f"against_from={NOW}&against_to={NOW + 60}"
    (group,) = (await data(watched.client, f"/report/insights?from={later}&{earlier}"))["groups"]
    assert group["against"] == {"poor": 0.0, "difference": 100.0, "significant": True}
    (group,) = (await data(watched.client, f"/report/insights?from={NOW}&to={later}"))["groups"]
    assert (group["poor"], group["against"]) == (0.0, None)


@pytest.mark.parametrize(
    ("query", "named"),
    [
        ("by=user_id", "by: must be sdk_version, browser"),
        ("by=label:", "by"),
        ("from=soon", "from"),
        ("from=20&to=10", "from: must not be later than to"),
        ("against_from=20&against_to=10", "against_from: must not be later than against_to"),
        ("against_from=20", "against_to: is missing"),
        ("limit=0", "limit"),
    ],
)
async def test_a_wrong_parameter_is_named(crowded: Watched, query: str, named: str) -> None:
    assert_problem(await crowded.client.get(f"/report/insights?{query}"), 400, named)


async def test_trends_tell_of_the_whole_server(watched: Watched) -> None:
    for number in range(10):
        await watched.post(f"user-{number}", 12 if number < 3 else 0.3, room_id=f"room-{number % 2}")
    await watched.minute()
    (point,) = await data(watched.client, "/report/trends")
    assert list(point) == POINT
    assert point["timestamp"] == NOW
    assert (point["rooms"], point["users"]) == (2.0, 10.0)
    assert point["good"] + point["fair"] + point["poor"] + point["unknown"] == pytest.approx(10)
    assert point["poor"] > 0
    assert point["reports"] == pytest.approx(10 / 10 / 6, abs=0.01)


async def test_trends_have_steps_of_whole_minutes(watched: Watched) -> None:
    for _ in range(4):
        await watched.minute()
    points = await data(watched.client, f"/report/trends?from={NOW}&step=90")
    assert [point["timestamp"] - NOW for point in points] == [0, 120]
    assert_problem(await watched.client.get("/report/trends?step=0"), 400, "step")
    assert await data(watched.client, f"/report/trends?from=0&to={NOW - 60}") == []


async def test_the_page_says_what_is_worse_and_leads_to_the_users(watched: Watched) -> None:
    await crowd(watched)
    html = (await watched.client.get("/insights")).text
    assert f"SDK version {BAD}: 100 % of user-minutes poor against 0 % of the others, 20 users, mostly loss" in html
    assert 'href="insights?value=3.0.0-beta.2"' in html
    for user, loss, version in (("eve", 12, BAD), ("ada", 0.3, BAD), ("bob", 12, "1.2.0")):
        await watched.post(user, loss, version)
    html = (await watched.client.get(f"/insights?value={BAD}")).text
    assert re.findall(r'<th scope="row"><a class="id" href="rooms/room-1/users/(\w+)"', html) == ["eve", "ada"]


@pytest.mark.parametrize("chosen", [name for name in RANGES if name != "live"])
async def test_the_page_has_ranges_of_the_past(crowded: Watched, chosen: str) -> None:
    html = (await crowded.client.get(f"/insights?range={chosen}&value={BAD}")).text
    assert "20 users, mostly loss" in html
    bad = {f"user-{number}" for number in range(0, 60, 3)}
    users = re.findall(r'<th scope="row"><a class="id" href="rooms/room-1/users/([\w-]+)\?at=1800000000"', html)
    assert len(users) >= EXAMPLES
    assert set(users) <= bad
    assert 'id="stream"' not in html


async def test_the_page_has_any_range_and_the_time_before(crowded: Watched) -> None:
    html = (await crowded.client.get("/insights?since=2027-01-15T08:00&until=2027-01-15T08:01")).text
    assert "20 users, mostly loss" in html
    html = (await crowded.client.get("/insights?since=2027-01-15T07:00&until=2027-01-15T07:30")).text
    assert "No data in this time range" in html
    html = (await crowded.client.get("/insights?against=before&range=1h")).text
    assert "No group is significantly worse than before" in html


async def test_values_are_escaped(watched: Watched) -> None:
    await watched.post("ada", version="<b>1</b>")
    await watched.minute()
    html = (await watched.client.get("/insights?value=%3Cb%3E1%3C/b%3E")).text
    assert "<b>1</b>" not in html
    assert "&lt;b&gt;1&lt;/b&gt;" in html


async def test_the_page_of_all_rooms_has_trends_with_alerts_and_starts(watched: Watched) -> None:
    closed = (await watched.client.get("/")).text
    assert '<details id="trends" class="trends" data-range="1h">' in closed
    assert "<polygon" not in closed
    for number in range(4):
        await watched.post(f"user-{number}", 12)
    await watched.minute()
    for chosen in TREND_RANGES:
        html = (await watched.client.get(f"/?trends={chosen}")).text
        section = (await watched.client.get(f"/trends?range={chosen}")).text
        assert section in html
        assert "Users by level" in section
        assert '<polygon data-level="poor"' in section
        assert "server started" in section


async def test_trends_of_a_new_server_say_that_there_are_none(client: httpx.AsyncClient) -> None:
    assert "No data in this time range" in (await client.get("/trends")).text
