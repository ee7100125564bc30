"""Records and erasures by one worker apply to all others."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Any

import pytest
from sqlalchemy import Connection, text

from roompulse.insights.model import Span
from roompulse.postgres.log import KEPT, PostgresLog
from roompulse.report.model import Entry
from roompulse.settings import Settings
from tests.api import data, url
from tests.api.test_alerts import RULE
from tests.api.test_overview import LOSSY
from tests.api.test_pages import page
from tests.builders import NOW, network, stream
from tests.calls import Calls
from tests.conftest import Clock

pytestmark = pytest.mark.anyio

NOTES = "/report/notes/room-1"
MALLORY = "mallory@example.org"


@pytest.fixture
async def pair(settings: Settings, clock: Clock) -> AsyncIterator[tuple[Calls, Calls]]:
    """Two workers, with jobs that run when a test says so."""
    async with Calls.of(settings, clock) as one, Calls.of(settings, clock) as other:
        yield one, other


async def call(one: Calls, other: Calls, user_id: str = "u1") -> None:
    """Forty seconds of a user who sends badly, reported to one worker and recorded by the other."""
    for second in range(0, 40, 10):
        await one.post(second, user_id, [Entry(user_id, LOSSY)])
        about = Entry(user_id, [stream(direction="recv", network=LOSSY[0].network)])
        await one.post(second, "u2", [Entry("u2", [stream()]), about])
        await other.core.others.present()
        await other.look()


async def live(worker: Calls, kind: str) -> list[str]:
    """The texts of newest events that viewers of a worker see."""
    await worker.core.others.present()
    return [one.event.text for one in worker.core.timeline.tail("room-1") if one.event and one.event.kind == kind]


async def test_calls_that_one_records_are_there_once_for_all(pair: tuple[Calls, Calls]) -> None:
    one, other = pair
    await call(one, other)
    await other.wait(60)
    for path in ("/report/calls", f"/report/calls/room-1/{NOW}", "/report/history/room-1", "/report/events/room-1"):
        assert await data(one.client, path) == await data(other.client, path)
    listed = await data(one.client, "/report/calls")
    assert (listed["count"], listed["calls"][0]["ended_at"]) == (1, NOW + 30)
    users = (await data(one.client, f"/report/calls/room-1/{NOW}"))["users"]
    assert [user["user_id"] for user in users] == ["u1", "u2"]


async def test_a_worker_that_takes_over_goes_on_with_calls_as_they_are(
    pair: tuple[Calls, Calls], settings: Settings, clock: Clock
) -> None:
    one, other = pair
    await call(one, other)
    async with Calls.of(settings, clock) as heir:
        await heir.look()
        await heir.wait(60)
    assert (await data(one.client, "/report/calls"))["count"] == 1
    assert len((await data(one.client, f"/report/calls/room-1/{NOW}"))["users"]) == 2


async def test_minutes_that_one_records_are_there_for_all(pair: tuple[Calls, Calls]) -> None:
    one, other = pair
    await call(one, other)
    for second in range(0, 70, 10):
        await other.core.recorder.look(NOW + second)
    for path in ("/report/trends?step=60", "/report/insights?by=sdk_version"):
        found = await data(one.client, path)
        assert found == await data(other.client, path)
        assert found
    before = await page(one.client, "/insights")
    await one.core.recorder.load(None)
    minute = Span(NOW // 60 * 60, NOW + 60)
    assert one.core.recorder.recent(minute) == other.core.recorder.recent(minute)
    assert await page(one.client, "/insights") == await page(other.client, "/insights") != before


async def test_a_note_is_shown_live_by_all_as_it_is_now(pair: tuple[Calls, Calls]) -> None:
    one, other = pair
    await one.post(0, "u1", [Entry("u1", [stream()])])
    note = (await one.client.post(NOTES, json={"text": "restarted the SFU"})).json()["data"]
    assert await live(other, "note") == ["restarted the SFU"]
    assert await data(other.client, NOTES) == [note]
    changed = await other.client.put(f"{NOTES}/{note['id']}", json={"text": "restarted it twice"})
    assert changed.status_code == 200
    assert await live(one, "note") == ["restarted it twice"]
    assert (await one.client.delete(f"{NOTES}/{note['id']}")).status_code == 200
    assert await live(other, "note") == []
    assert await data(other.client, NOTES) == []


async def test_equal_notes_at_the_same_moment_are_two(pair: tuple[Calls, Calls]) -> None:
    one, other = pair
    await one.post(0, "u1", [Entry("u1", [stream()])])
    for worker in pair:
        assert (await worker.client.post(NOTES, json={"text": "noisy"})).status_code == 201
    assert len(await data(other.client, NOTES)) == 2


async def test_an_alert_that_one_finds_is_on_the_timeline_of_all(pair: tuple[Calls, Calls], clock: Clock) -> None:
    one, other = pair
    rule = {"name": "Poor", "severity": "info", "subject": "room", "when": [{"metric": "score", "op": "<", "value": 4}]}
    assert (await one.client.post("/report/alerts/rules", json=rule)).status_code == 201
    evaluating = asyncio.create_task(other.core.alerts.run())
    await asyncio.sleep(0)
    await one.post(0, "u1", [Entry("u1", LOSSY)])
    clock.advance(1)
    await other.core.others.present()
    await other.core.alerts.tick()
    evaluating.cancel()
    (fired,) = await live(one, "alert_firing")
    assert "Poor" in fired
    (alert,) = await data(one.client, "/report/alerts?state=firing")
    assert alert["rule"] == "Poor"


async def test_the_values_of_an_alert_are_those_of_the_worker_that_evaluates(
    pair: tuple[Calls, Calls], clock: Clock
) -> None:
    one, other = pair
    rule = {"name": "Loss", "severity": "info", "subject": "user", "when": [{"metric": "score", "op": "<", "value": 4}]}
    assert (await one.client.post("/report/alerts/rules", json=rule)).status_code == 201
    evaluating = asyncio.create_task(other.core.alerts.run())
    await asyncio.sleep(0)
    values = []
    for second, loss in enumerate((5, 9, 7)):
        await one.post(second, "u1", [Entry("u1", [stream(network=network(packet_loss=loss))])])
        await other.core.others.present()
        await other.core.alerts.tick()
        asked = [await data(worker.client, "/report/alerts?state=firing") for worker in pair]
        assert asked[0] == asked[1]
        values.append((asked[0][0]["value"], asked[0][0]["worst"]))
    evaluating.cancel()
    (first, _), (worst, _), (last, kept) = values
    assert worst < last < first
    assert kept == worst
    # Also once they are read from the database again.
    await one.client.post("/report/alerts/rules", json=rule | {"name": "Another", "enabled": False})
    assert (await data(one.client, "/report/alerts?state=firing"))[0]["value"] == last


async def test_a_change_of_level_is_told_by_one_and_shown_by_all(pair: tuple[Calls, Calls]) -> None:
    one, other = pair
    other.core.engine.is_the_one = True
    for second in range(0, 20, 5):
        await one.post(second, "u1", [Entry("u1", LOSSY)])
        await other.core.others.present()
    await other.core.timeline.save()
    for kind in ("level_changed", "verdict_changed"):
        assert len(await live(one, kind)) == 1
        found = await data(one.client, f"/report/events/room-1?kind={kind}")
        assert [event["time"] for event in found] == [NOW]
        assert found == await data(other.client, f"/report/events/room-1?kind={kind}")


async def test_a_share_of_one_opens_at_the_other_until_it_is_revoked(pair: tuple[Calls, Calls]) -> None:
    one, other = pair
    await one.post(0, "u1", [Entry("u1", [stream()])])
    shared = await one.client.post("/report/shares", json={"path": "/rooms/room-1", "expires_in": 600})
    path = shared.json()["data"]["url"].removeprefix("http://localhost")
    assert (await other.client.get(path)).status_code == 200
    (listed,) = await data(other.client, "/report/shares")
    assert (await other.client.delete(f"/report/shares/{listed['id']}")).status_code == 200
    assert (await one.client.get(path)).status_code == 404


def rows_with(connection: Connection, wanted: str) -> set[str]:
    """Tables with a row in which a text is, as text or within bytes."""
    found = set()
    tables = text("SELECT table_name FROM information_schema.tables WHERE table_schema = current_schema()")
    for (table,) in connection.execute(tables).all():
        for row in connection.execute(text(f'SELECT * FROM "{table}"')):  # noqa: S608  (names of our tables)
            if any(_has(value, wanted) for value in row):
                found.add(table)
    return found


def _has(value: Any, wanted: str) -> bool:
    return wanted.encode() in value if isinstance(value, bytes) else wanted in str(value)


async def where_is(worker: Calls, wanted: str) -> set[str]:
    return await worker.core.database.write(lambda connection: rows_with(connection, wanted))


async def test_a_user_that_is_erased_at_one_is_not_stored_again_by_others(pair: tuple[Calls, Calls]) -> None:
    one, other = pair
    await call(one, other, MALLORY)
    for second in range(0, 60, 10):
        await other.core.recorder.look(NOW + second)
    assert {"sample", "event", "attendance", "batch"} <= await where_is(one, MALLORY)
    await other.wait(60)
    erased = await one.client.delete(url("report", "users", MALLORY))
    assert erased.json()["data"]["tables"]["sample"] == 8
    await other.core.others.present()
    await other.core.recorder.look(NOW + 100)
    await other.core.timeline.save()
    # The log is pruned after minutes, as a starting worker needs it.
    assert await where_is(one, MALLORY) <= {"batch"}
    assert await data(other.client, "/report/calls?q=mallory") == {"count": 0, "calls": []}


@pytest.fixture
async def passed(pair: tuple[Calls, Calls], monkeypatch: pytest.MonkeyPatch) -> Clock:
    """The time since boot for the log of the first worker, which knows a new rule. There are no reports."""
    passed, one = Clock(), pair[0]
    monkeypatch.setattr("roompulse.postgres.log.since_boot", passed)
    assert (await one.client.post("/report/alerts/rules", json=RULE)).status_code == 201
    await one.core.others.present()
    assert await pruned(one) > 0
    return passed


async def knows_the_rule(worker: Calls) -> bool:
    return RULE["name"] in [rule["name"] for rule in await data(worker.client, "/report/alerts/rules")]


async def test_what_operators_change_is_kept_until_others_have_read_it(
    pair: tuple[Calls, Calls], passed: Clock
) -> None:
    one, other = pair
    assert await knows_the_rule(other)
    passed.advance(KEPT - 1)
    assert await pruned(one) > 0
    passed.advance(1)
    assert await pruned(one) == 0


@pytest.mark.parametrize("cut_off", [False, True])
async def test_a_worker_that_was_stopped_until_changes_were_deleted_reads_them(
    pair: tuple[Calls, Calls], clock: Clock, passed: Clock, *, cut_off: bool
) -> None:
    """Or that ran, without its database."""
    one, other = pair
    if cut_off:
        other.core.health.failed("PostgreSQL is not reachable")
    for _ in range(2):
        for time in (clock, passed):
            time.advance(KEPT / 2)
        if cut_off:
            await other.core.others.present()
    assert await pruned(one) == 0
    if cut_off:
        assert not await knows_the_rule(other)
        other.core.health.wrote()
    assert await knows_the_rule(other)


async def test_a_worker_that_was_stopped_while_a_user_was_erased_shows_nothing_of_it(
    pair: tuple[Calls, Calls], clock: Clock, passed: Clock
) -> None:
    one, other = pair
    await one.post(-1, MALLORY, [Entry(MALLORY, [stream()])])
    await other.core.others.present()
    await other.core.timeline.save_all()
    assert await live(other, "user_joined") == ["joined"]
    assert (await one.client.delete(url("report", "users", MALLORY))).status_code == 200
    await one.core.others.present()
    assert await pruned(one) > 0
    for time in (clock, passed):
        time.advance(KEPT)
    assert await pruned(one) == 0
    assert await live(other, "user_joined") == []
    # Not those that are found now: open pages show them.
    assert await live(other, "room_ended") == ["call ended"]


async def pruned(worker: Calls) -> int:
    """Delete what may be deleted of the log, and count the rows that stay."""
    log = worker.core.engine.log
    assert isinstance(log, PostgresLog)
    await log.prune(NOW)
    rows = await worker.core.database.write(lambda connection: connection.execute(text("SELECT 1 FROM batch")).all())
    return len(rows)


async def test_texts_are_ordered_by_their_bytes_whatever_the_database_does(pair: tuple[Calls, Calls]) -> None:
    def others(connection: Connection) -> Sequence[Any]:
        columns = "SELECT table_name, column_name FROM information_schema.columns WHERE data_type = 'text'"
        return connection.execute(
            text(f"{columns} AND table_schema = current_schema() AND collation_name IS DISTINCT FROM 'C'")
        ).all()

    assert await pair[0].core.database.write(others) == []
