"""Rejections of one worker are on /ingest of all workers, and count for alerts."""

import re
from collections.abc import AsyncIterator

import pytest
from msgspec.structs import replace

from roompulse.errors import StoreError
from roompulse.intake.by_version import VersionHealth
from roompulse.intake.unshared import MOST_AT_ONCE
from roompulse.settings import Settings
from tests.builders import NOW, body
from tests.calls import Calls
from tests.conftest import Clock
from tests.postgres.test_workers import workers
from tests.process import soon

pytestmark = pytest.mark.anyio

NO_ROOM = b'{"user_id":"u1","sdk_version":"9.9","report_time":1,"metrics":[]}'


@pytest.fixture
async def pair(settings: Settings, clock: Clock) -> AsyncIterator[tuple[Calls, Calls]]:
    """Two workers, which exchange rejections when a test says so."""
    async with Calls.of(settings, clock) as one, Calls.of(settings, clock) as other:
        yield one, other


async def refuse(worker: Calls, content: bytes = NO_ROOM) -> None:
    assert (await worker.client.post("/report/metrics", content=content)).status_code == 400


async def share(*workers: Calls) -> None:
    for worker in (*workers, *workers):
        await worker.core.noticed.share()


def health(worker: Calls, version: str = "9.9") -> VersionHealth | None:
    return next((one for one in worker.core.ingest.intake.health() if one.version == version), None)


async def test_the_page_of_each_worker_shows_what_any_of_them_rejects(settings: Settings, clock: Clock) -> None:
    async with workers(settings, clock) as clients:
        for client in (clients[0], clients[0], clients[1]):
            await client.post("/report/metrics", content=NO_ROOM)

        async def pages() -> list[str]:
            found = [(await client.get("/ingest")).text for client in clients]
            return found if all(re.search(r"<dd[^>]*>\s*3\s*</dd>", page) for page in found) else []

        one, other = await soon(pages)
        assert "room_id" in one
        assert "9.9" in other


async def test_counts_reasons_and_times_are_the_same(pair: tuple[Calls, Calls], clock: Clock) -> None:
    for number, worker in enumerate((*pair, *pair, *pair)):
        await refuse(worker)
        if number % 2:
            await refuse(worker, b'{"sdk_version":"9.9"}')
        clock.advance(20)
        await share(*pair)
    found = [health(worker) for worker in pair]
    assert found[0]
    assert [one.count for one in found[0].refusals] == [6, 3]
    assert found[0] == found[1]
    shares = [worker.core.ingest.intake.refused_shares(clock()) for worker in pair]
    assert shares[0] == shares[1]


async def test_versions_that_send_milliseconds_are_known_to_all(pair: tuple[Calls, Calls]) -> None:
    one, other = pair
    content = body(report_time=int(NOW * 1000), sdk_version="9.9")
    assert (await one.client.post("/report/metrics", content=content)).status_code == 200
    await share(one, other)
    await other.core.others.present()
    found = health(other)
    assert found
    assert found.milliseconds


async def test_a_worker_that_starts_later_shows_the_last_minutes(
    pair: tuple[Calls, Calls], settings: Settings, clock: Clock
) -> None:
    one, _ = pair
    await refuse(one)
    await share(one)
    clock.advance(600)
    await refuse(one)
    await share(one)
    async with Calls.of(settings, clock) as later:
        assert health(later) == health(one)
        found = health(later)
        assert found
        assert found.refused == 2
        clock.advance(400)
        await share(one, later)
        assert health(later) == health(one)
    clock.advance(900)
    async with Calls.of(settings, clock) as later:
        assert health(later) is None


async def test_what_could_not_be_told_is_told_later_and_once(
    pair: tuple[Calls, Calls], monkeypatch: pytest.MonkeyPatch
) -> None:
    one, other = pair
    await refuse(one)
    write = one.core.database.write

    async def committed_but_not_answered(work: object) -> None:
        await write(work)  # type: ignore[arg-type]
        raise StoreError("the connection was lost")

    async def fails(_work: object) -> None:
        raise StoreError("there is none")

    for broken in (fails, committed_but_not_answered):
        monkeypatch.setattr(one.core.database, "write", broken)
        with pytest.raises(StoreError):
            await one.core.noticed.share()
        await refuse(one)
    monkeypatch.undo()
    await share(one, other)
    found = health(other)
    assert found
    assert found.refused == 3
    assert found == health(one)


async def test_made_up_versions_are_bounded(settings: Settings, clock: Clock) -> None:
    unlimited = replace(settings, sender_rate=0)
    async with Calls.of(unlimited, clock) as one, Calls.of(unlimited, clock) as other:
        for number in range(MOST_AT_ONCE + 10):
            await refuse(one, b'{"sdk_version":"%d"}' % number)
        await share(one, other)
        assert sum(found.refused for found in other.core.ingest.intake.health()) == MOST_AT_ONCE


async def test_old_rows_are_deleted(pair: tuple[Calls, Calls], clock: Clock) -> None:
    one, _ = pair
    await refuse(one)
    await share(one)
    clock.advance(901)
    await refuse(one)
    await share(one)
    await one.core.engine._refusals._prune()  # type: ignore[attr-defined]
    count = await one.core.database.write(lambda found: found.exec_driver_sql("SELECT count(*) FROM refusal").scalar())
    assert count == 1
