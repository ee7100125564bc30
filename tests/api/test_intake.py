"""The page /ingest."""

import re

import httpx
import msgspec
import pytest

from roompulse.report.model import Entry
from roompulse.settings import Settings
from tests.access import bearer, new_key
from tests.api import serving
from tests.builders import NOW, REFERENCE, body, network, stream
from tests.conftest import Clock
from tests.postgres_server import WORKERS
from tests.process import soon

HEADERS = {"Content-Type": "application/json"}


async def post(client: httpx.AsyncClient, content: bytes, status: int = 200) -> None:
    answer = await client.post("/report/metrics", content=content, headers=HEADERS)
    assert answer.status_code == status, answer.text


async def page(client: httpx.AsyncClient, path: str = "/ingest") -> str:
    """/ingest of each of several workers after they have shared their rejections."""

    async def same() -> str:
        texts = [await shown(client, path) for _ in range(WORKERS)]
        return texts[0] if len(set(texts)) == 1 else ""

    return await soon(same)


async def shown(client: httpx.AsyncClient, path: str) -> str:
    answer = await client.get(path)
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert answer.headers["cache-control"] == "no-store"
    return answer.text


async def test_an_empty_page_says_what_it_will_show(client: httpx.AsyncClient) -> None:
    text = await page(client)
    assert "No reports in the last 15 minutes" in text
    assert 'data-url="ingest/stream"' in text


async def test_the_header_leads_from_every_page_to_all_others(client: httpx.AsyncClient) -> None:
    # There are no operators, so there is no page of them either.
    links = {"./": "Rooms", "calls": "Calls", "insights": "Insights", "alerts": "Alerts", "ingest": "Ingest"}
    for path, current in (
        *(
            ("/", "./"),
            ("/users", "./"),
            ("/calls", "calls"),
            ("/rooms/room-1", "./"),
            ("/rooms/room-1/users/u1", "./"),
        ),
        *(
            ("/alerts", "alerts"),
            ("/alerts/rules", "alerts"),
            ("/insights", "insights"),
            ("/ingest", "ingest"),
            ("/nothing", None),
        ),
    ):
        text = (await client.get(path)).text
        (header,) = re.findall(r'<nav class="to-pages".*?</nav>', text, re.DOTALL)
        found = re.findall(r'<a href="([^"]*)"( aria-current="page")?>(\w+)', header)
        assert {href: words for href, _, words in found} == links
        assert [href for href, mark, _ in found if mark] == ([current] if current else [])


async def test_a_refused_report_is_told_with_its_reason_and_its_sdk(client: httpx.AsyncClient) -> None:
    await post(client, body(sdk_version="ios 0.9"))
    await post(client, body(sdk_version="ios 0.9").replace(b'"send"', b'"up"'), 400)
    text = await page(client)
    assert "$.metrics[].streams[].direction: must be send or recv, not …" in text
    assert "$.metrics[0].streams[0].direction: must be send or recv, not &#39;up&#39;" in text
    assert "1 of 2 rejected" in text
    assert "1 rejection reason" in text
    assert 'id="sdk-ios%200.9"' in text


@pytest.mark.one_process  # SENDER_RATE is of each worker
async def test_no_stranger_is_believed_who_says_which_sdk_it_is(settings: Settings, clock: Clock) -> None:
    _, ingest = await new_key(settings, "ingest")
    async with serving(msgspec.structs.replace(settings, sender_rate=1), clock) as client:
        for status in (401, 401, 401, 401, 401, 429):
            await post(client, body(sdk_version="made up"), status)
        sent = b'{"sdk_version":"known"}'
        answer = await client.post("/report/metrics", content=sent, headers=HEADERS | bearer(ingest))
        assert answer.status_code == 400
        text = await page(client)
    assert "known" in text
    assert "made up" not in text
    assert "more than 1 reports a second" in text


async def test_what_is_refused_before_it_is_read_is_of_an_unknown_sdk(client: httpx.AsyncClient) -> None:
    answer = await client.post("/report/metrics", content=REFERENCE, headers={"Content-Type": "image/png"})
    assert answer.status_code == 415
    text = await page(client)
    assert "Content-Type: send application/json or text/plain" in text
    assert "unknown" in text
    assert "1.2.0" not in text


async def test_a_report_that_is_refused_once_it_is_decoded_is_told_too(client: httpx.AsyncClient) -> None:
    many = [Entry("u1", [stream(f"s{number}") for number in range(65)])]
    await post(client, body(metrics=many), 429)
    assert "one reporter can give no more than 64 streams about one user" in await page(client)


async def test_what_it_quotes_is_escaped_and_cut(client: httpx.AsyncClient) -> None:
    evil = "<script>alert(1)</script>\u202e" + "x" * 5_000
    await post(client, body().replace(b'"send"', f'"{evil}"'.encode()), 400)
    await post(client, body(sdk_version="<b>\u202e\nbold"), 400)
    await post(client, body(sdk_version="<i>italic"))
    text = await page(client)
    assert "<script>alert" not in text
    assert "&lt;script&gt;alert(1)" in text
    assert "&lt;b&gt;\\u202e\\nbold" in text
    assert "&lt;i&gt;italic" in text
    assert "\u202e" not in text
    assert "x" * 300 not in text


async def test_clocks_and_late_and_repeated_reports_are_told(client: httpx.AsyncClient) -> None:
    await post(client, body(report_time=int(NOW) - 7200))
    await post(client, body(report_time=int(NOW) - 7200))
    text = await page(client)
    assert '<td class="number" data-label="Outside ±10 min">2</td>' in text
    assert '<td class="number" data-label="Duplicates">1</td>' in text
    assert "−2\N{NO-BREAK SPACE}h" in text


async def test_units_in_doubt_are_told_and_milliseconds_are_fine(client: httpx.AsyncClient) -> None:
    fractions = [stream(f"s{number}", network=network(packet_loss=number / 1000)) for number in range(1, 31)]
    await post(client, body(sdk_version="odd", metrics=[Entry("u1", fractions)]))
    await post(client, body(sdk_version="ms", report_time=int(NOW) * 1000))
    text = await page(client)
    assert "mostly below 0.1: is it sent as a fraction? It must be in percent." in text
    assert "1 suspicious unit" in text
    assert text.count("report_time in ms: accepted") == 1


async def test_versions_with_something_to_look_at_come_first(client: httpx.AsyncClient) -> None:
    for number in range(3):
        await post(client, body(sdk_version="fine", user_id=f"u{number}"))
    await post(client, body(sdk_version="wrong", report_time=-1), 400)
    text = await page(client)
    assert text.index("wrong") < text.index("fine")


async def test_it_is_of_the_last_quarter_of_an_hour(client: httpx.AsyncClient, clock: Clock) -> None:
    await post(client, body(), 200)
    await post(client, b"{", 400)
    clock.advance(16 * 60)
    assert "No reports in the last" in await page(client)


async def test_it_has_pages(client: httpx.AsyncClient) -> None:
    for number in range(25):
        await post(client, body(sdk_version=f"v{number:02}"))
    first, second = await page(client), await page(client, "/ingest?page=2")
    assert "Page 1 of 2" in first
    assert ("v00" in first, "v24" in first) == (True, False)
    assert ("v00" in second, "v24" in second) == (False, True)
    assert 'data-url="ingest/stream?page=2"' in second


@pytest.mark.parametrize("query", ["?page=0", "?page=x", "?page=99999999999", "?page=999", "?nonsense=1"])
async def test_a_query_that_makes_no_sense_gives_a_page(client: httpx.AsyncClient, query: str) -> None:
    await post(client, body())
    assert "1.2.0" in await page(client, f"/ingest{query}")


async def test_versions_whose_reports_are_late_are_told_with_the_age_of_their_figures(
    client: httpx.AsyncClient, clock: Clock
) -> None:
    for number in range(10):
        clock.advance(5)
        await post(client, body(sdk_version="late", report_time=int(clock.now) - 45))
        await post(client, body(sdk_version="prompt", user_id="u2", report_time=int(clock.now) - (9 if number else 0)))
    text = await page(client)
    assert "10 of 10 reports came 10 s or more after their report_time: figures are up to 45 s old" in text
    assert text.count("late report") == 1


async def test_few_late_reports_are_no_issue_of_a_version(client: httpx.AsyncClient) -> None:
    for number in range(20):
        await post(client, body(user_id=f"u{number}", report_time=int(NOW) - (0 if number else 45)))
    assert "late report" not in await page(client)


@pytest.mark.parametrize(("age", "said"), [(0, ""), (9, ""), (10, "10 s"), (45, "45 s"), (600, "10 min"), (601, "")])
async def test_the_page_of_a_user_tells_how_old_late_figures_are(
    client: httpx.AsyncClient, age: int, said: str
) -> None:
    await post(client, body(user_id="u1", report_time=int(NOW) - age))
    html = (await client.get("/rooms/room-1/users/u1")).text
    assert (f"Figures are {said} old: reports arrive late" in html) == bool(said)
    assert ("Figures are" in html) == bool(said)


async def test_they_are_late_no_more_when_the_backlog_is_sent(client: httpx.AsyncClient, clock: Clock) -> None:
    for age in (45, 30, 15):
        await post(client, body(user_id="u1", report_time=int(NOW) - age))
        assert f"Figures are {age} s old" in (await client.get("/rooms/room-1/users/u1")).text
    await post(client, body(user_id="u1", report_time=int(NOW)))
    assert "Figures are" not in (await client.get("/rooms/room-1/users/u1")).text
