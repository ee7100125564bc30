"""A failing database: nothing unsaved is acknowledged, pages still work, and recovery needs no restart."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, closing
from typing import Any

import httpx
import msgspec
import pytest

from roompulse.settings import Settings
from tests.api import assert_problem, data, refusing, serving, without_table
from tests.api.faults import FAULTS, Faults
from tests.builders import NOW, REFERENCE, body
from tests.conftest import Clock
from tests.process import soon

pytestmark = pytest.mark.one_process

PAGES = ["/", "/rooms/room-1", "/rooms/room-1/users/u0", "/rooms/not-live", "/calls", f"/rooms/room-1?at={NOW - 10}"]
LIVE = ["/report/rooms", "/report/metrics/room-1", "/report/metrics/room-1/u0", "/report/history/room-1"]
NOTICE = "Database not writable since"


@pytest.fixture
def faults(monkeypatch: pytest.MonkeyPatch) -> Faults:
    """Faults of the database that the application opens. It checks often whether they are over."""
    faults = Faults()
    monkeypatch.setattr("roompulse.engines.Database", faults.database)
    monkeypatch.setattr("roompulse.ingest.ingest.LOOK_EVERY", 0.01)
    monkeypatch.setattr("roompulse.store.availability.CHECK_EVERY", 0.01)
    return faults


@pytest.fixture
async def client(faults: Faults, settings: Settings, clock: Clock) -> AsyncIterator[httpx.AsyncClient]:
    """A client of an application with one report, by u0, whose users never leave."""
    patient = msgspec.structs.replace(settings, stale_after=1000, leave_after=1000)
    async with serving(patient, clock) as client, impatience(faults, clock, patient.commit_timeout):
        assert (await post(client, "u0")).status_code == 200
        yield client


@asynccontextmanager
async def impatience(faults: Faults, clock: Clock, commit_timeout: float) -> AsyncIterator[None]:
    """Let time pass while the database hangs; at the end it does not hang any more."""

    async def pass_time() -> None:
        looks = 0
        while True:
            await asyncio.sleep(0.01)
            looks = looks + 1 if faults.hangs.is_set() else 0
            # Repeatedly: the hanging write may be another one, for which reports will wait.
            if looks % 50 == 1:
                clock.advance(commit_timeout)

    passing = asyncio.create_task(pass_time())
    try:
        yield
    finally:
        passing.cancel()
        faults.end()


async def post(client: httpx.AsyncClient, user_id: str) -> httpx.Response:
    return await client.post("/report/metrics", content=body(user_id=user_id))


def saved(settings: Settings) -> list[str]:
    with closing(sqlite3.connect(settings.data / "roompulse.db")) as connection:
        return sorted(row[0] for row in connection.execute("SELECT reporter_id FROM sample"))


async def acknowledged(client: httpx.AsyncClient, answers: dict[str, httpx.Response]) -> list[str]:
    """The users whose reports were acknowledged; the others were rejected with `Retry-After`."""
    for answer in answers.values():
        if answer.status_code != 200:
            assert_problem(answer, 503)
            assert int(answer.headers["retry-after"]) >= 1
    return sorted(user for user, answer in answers.items() if answer.status_code == 200)


async def post_some(client: httpx.AsyncClient, rounds: int = 4) -> dict[str, httpx.Response]:
    """The answers to several batches of reports, by reporter."""
    answers: dict[str, httpx.Response] = {}
    for number in range(rounds):
        users = [f"u{number}-{place}" for place in range(5)]
        answers |= dict(zip(users, await asyncio.gather(*(post(client, user) for user in users)), strict=True))
    return answers


async def assert_well(client: httpx.AsyncClient) -> None:
    """It accepts reports again, and logs nothing more."""

    async def takes() -> bool:
        return (await post(client, "afterwards")).status_code == 200

    await soon(takes)
    for page in PAGES:
        assert NOTICE not in (await client.get(page)).text


@pytest.mark.parametrize("nth", [1, 2, 3, 4])
@pytest.mark.parametrize("fault", FAULTS)
async def test_a_fault_that_lasts_refuses_reports_until_it_ends(
    client: httpx.AsyncClient, faults: Faults, settings: Settings, fault: str, nth: int
) -> None:
    faults.begin(FAULTS[fault], nth=nth, lasting=True)
    answers = await post_some(client)
    good = await acknowledged(client, answers)
    assert all(answers[f"u3-{place}"].status_code == 503 for place in range(5))
    for path in LIVE:
        assert (await client.get(path)).status_code == 200
    for page in PAGES:
        assert NOTICE in (await client.get(page)).text
    faults.end()
    await assert_well(client)
    kept = set(saved(settings))
    assert kept >= {"u0", *good}
    shown = {user["user_id"] for user in (await data(client, "/report/metrics/room-1"))["users"]}
    assert shown == kept
    if fault != "slow":  # a report that was committed late was rejected in time
        assert kept == {"u0", "afterwards", *good}


@pytest.mark.parametrize("nth", [1, 2, 3, 4])
@pytest.mark.parametrize("fault", [fault for fault in FAULTS if fault != "slow"])
async def test_a_fault_that_comes_once_fails_no_report(
    client: httpx.AsyncClient, faults: Faults, settings: Settings, fault: str, nth: int
) -> None:
    faults.begin(FAULTS[fault], nth=nth, lasting=False)
    answers = await post_some(client)
    assert await acknowledged(client, answers) == sorted(answers)
    assert saved(settings) == sorted(["u0", *answers])


@pytest.mark.parametrize("nth", [1, 2, 3, 4])
async def test_a_commit_that_is_slow_once_is_over_when_it_is(
    client: httpx.AsyncClient, faults: Faults, settings: Settings, nth: int
) -> None:
    faults.begin(FAULTS["slow"], nth=nth, lasting=False)
    answers = await post_some(client)
    refused = [user for user in answers if user not in await acknowledged(client, answers)]
    assert refused
    assert "not saved within 10 s" in answers[refused[0]].text
    faults.end()
    await assert_well(client)
    assert set(saved(settings)) >= {"u0", *await acknowledged(client, answers)}


async def test_a_fault_costs_one_attempt_and_one_probe_however_many_reports_wait(
    client: httpx.AsyncClient, faults: Faults, caplog: pytest.LogCaptureFixture
) -> None:
    faults.begin(FAULTS["full"], nth=1, lasting=True)
    answers = await asyncio.gather(*(post(client, f"u{number}") for number in range(300)))
    assert {answer.status_code for answer in answers} == {503}
    assert caplog.text.count("reports could not be saved: database or disk is full") == 1
    assert caplog.text.count("the database cannot be written") == 1
    assert not any(record.exc_info for record in caplog.records)  # a full disk has no place for tracebacks


async def test_pages_say_since_when_it_is_and_that_what_they_show_gets_old(
    client: httpx.AsyncClient, faults: Faults, clock: Clock
) -> None:
    clock.now = 1_800_000_190
    faults.begin(FAULTS["full"], nth=1, lasting=True)
    await post(client, "u1")
    clock.advance(100)
    for page in PAGES:
        html = (await client.get(page)).text
        assert '<div id="notice" role="alert"><p class="notice">' in html
        assert "2027-01-15 08:03:10 UTC</time>: reports are being rejected and this page is going stale." in html


async def test_it_is_told_to_programs_in_words(client: httpx.AsyncClient, faults: Faults) -> None:
    faults.begin(FAULTS["io"], nth=1, lasting=True)
    for user in ("u1", "u2"):
        answer = await post(client, user)
        assert_problem(answer, 503, "the database cannot be written now")
        assert "I/O" not in answer.text


async def test_a_full_disk_is_known_of_though_nobody_reports(
    client: httpx.AsyncClient, faults: Faults, clock: Clock
) -> None:
    faults.begin(FAULTS["full"], nth=1, lasting=True)
    clock.advance(10)

    async def is_told() -> bool:
        return NOTICE in (await client.get("/")).text

    await soon(is_told)


async def test_a_poisonous_report_is_no_fault_of_the_database(
    client: httpx.AsyncClient, settings: Settings, clock: Clock
) -> None:
    users = [f"u{number}" for number in range(1, 9)]
    async with refusing(settings, "sample", when="NEW.reporter_id IN ('u2', 'u4', 'u8')"):
        answers = dict(zip(users, await asyncio.gather(*(post(client, user) for user in users)), strict=True))
        good = await acknowledged(client, answers)
        assert good == ["u1", "u3", "u5", "u6", "u7"]
        assert_problem(answers["u4"], 503, "the report could not be saved")
        assert NOTICE not in (await client.get("/")).text
    assert saved(settings) == sorted(["u0", *good])


UNREADABLE = {
    "/report/history/room-1": "snapshot",
    "/report/history/room-1/u0": "sample",
    "/report/events/room-1": "event",
    f"/rooms/room-1?at={NOW - 10}": "sample",
    f"/rooms/room-1/users/u0?at={NOW - 10}": "sample",
    f"/rooms/room-1?at={NOW - 10**6}": "snapshot",
    "/calls": "session",
    "/rooms/room-1/history.csv": "snapshot",
    "/rooms/room-1/history.json": "snapshot",
    "/rooms/room-1/users.csv": "sample",
    "/rooms/room-1/users.json": "sample",
    "/rooms/room-1/events.csv": "event",
}


@pytest.fixture(scope="module")
def kept_settings(make_settings: Callable[[], Settings]) -> Settings:
    return make_settings()


@pytest.fixture(scope="module")
async def live(kept_settings: Settings) -> AsyncIterator[httpx.AsyncClient]:
    """A client of one application with a report by u0, for tests that take a table away and give it back."""
    async with serving(msgspec.structs.replace(kept_settings, snapshot_interval=3600), Clock()) as client:
        assert (await post(client, "u0")).status_code == 200
        yield client


@pytest.mark.parametrize("path", UNREADABLE)
async def test_what_is_read_of_a_database_that_cannot_be_read_is_503(
    live: httpx.AsyncClient, kept_settings: Settings, path: str
) -> None:
    async with without_table(kept_settings, UNREADABLE[path]):
        answer = await live.get(path)
    assert answer.status_code == 503
    assert int(answer.headers["retry-after"]) >= 1
    assert "the database cannot be read now" in answer.text


@pytest.mark.parametrize("path", ["/", "/rooms/room-1", "/rooms/room-1/users/u0", "/report/metrics/room-1"])
@pytest.mark.parametrize("table", ["sample", "snapshot", "session", "event"])
async def test_what_is_live_needs_no_database(
    live: httpx.AsyncClient, kept_settings: Settings, path: str, table: str
) -> None:
    async with without_table(kept_settings, table):
        assert (await live.get(path)).status_code == 200


async def test_a_report_that_is_refused_may_come_again_and_is_taken(
    client: httpx.AsyncClient, faults: Faults, settings: Settings
) -> None:
    faults.begin(FAULTS["locked"], nth=1, lasting=True)
    assert (await client.post("/report/metrics", content=REFERENCE)).status_code == 503
    faults.end()

    async def again() -> Any:
        return (await client.post("/report/metrics", content=REFERENCE)).status_code == 200

    await soon(again)
    assert saved(settings) == ["u0", "u1"]
