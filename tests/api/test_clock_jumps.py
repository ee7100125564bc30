"""The clock of the machine is set while the server runs: no room ends of it, nothing is deleted, and pages say so."""

from typing import Any

import httpx
import msgspec
import pytest

from roompulse.settings import Settings
from tests.api import data, serving
from tests.api.test_pages import words
from tests.builders import NOW, body
from tests.conftest import Clock
from tests.process import soon

# On PostgreSQL the clock is the database's. Reports that a worker has not read before it is set are as old as the jump.
pytestmark = pytest.mark.one_process

JUMPS = [60, -60, 120, 172_800, -172_800, 40 * 86_400]


async def post(client: httpx.AsyncClient, user_id: str, room_id: str = "room-1") -> None:
    assert (await client.post("/report/metrics", content=body(user_id=user_id, room_id=room_id))).status_code == 200


async def ages(client: httpx.AsyncClient, clock: Clock) -> dict[str, tuple[float, bool]]:
    """The age of each user's last report, and whether the user is stale."""
    users = (await data(client, "/report/metrics/room-1"))["users"]
    return {user["user_id"]: (round(clock.now - user["received_at"], 3), user["stale"]) for user in users}


@pytest.mark.parametrize("jump", JUMPS)
async def test_every_age_stays(client: httpx.AsyncClient, clock: Clock, jump: float) -> None:
    await post(client, "old")
    clock.advance(20)
    await post(client, "new")
    clock.advance(5)
    before = await ages(client, clock)
    assert before == {"old": (25, True), "new": (5, False)}
    clock.set_by(jump)
    assert await ages(client, clock) == before
    clock.advance(34)
    assert await ages(client, clock) == {"old": (59, True), "new": (39, True)}
    clock.advance(1)
    assert await ages(client, clock) == {"new": (40, True)}
    clock.advance(20)
    assert await data(client, "/report/rooms") == []


@pytest.mark.parametrize("jump", JUMPS)
async def test_reports_go_on_being_taken_and_shown(client: httpx.AsyncClient, clock: Clock, jump: float) -> None:
    await post(client, "u1")
    clock.set_by(jump)
    await post(client, "u2")
    assert await ages(client, clock) == {"u1": (0, False), "u2": (0, False)}
    assert (await client.get("/readyz")).status_code == 200


@pytest.mark.parametrize("seconds", [-1, 1])
async def test_a_leap_second_changes_nothing_and_is_not_told(
    client: httpx.AsyncClient, clock: Clock, seconds: float
) -> None:
    await post(client, "u1")
    clock.set_by(seconds)
    assert list(await ages(client, clock)) == ["u1"]
    assert "clock was set" not in (await client.get("/")).text


async def test_after_a_suspended_machine_wakes_up_nobody_is_live_who_was_silent(
    client: httpx.AsyncClient, clock: Clock
) -> None:
    await post(client, "u1")
    clock.advance(8 * 3600)
    assert await data(client, "/report/rooms") == []
    assert "clock was set" not in (await client.get("/")).text


@pytest.mark.parametrize(("jump", "words"), [(172_800, "forward by 2 d"), (-60, "back by 1 min")])
async def test_it_is_said_for_an_hour(
    client: httpx.AsyncClient, clock: Clock, jump: float, words: str, caplog: pytest.LogCaptureFixture
) -> None:
    await post(client, "u1")
    clock.set_by(jump)
    for page in ("/", "/rooms/room-1", "/rooms/room-1/users/u1", "/ingest"):
        html = (await client.get(page)).text
        assert f"The server's clock was set {words}: old data is not deleted until" in html.replace("&#39;", "'")
    metrics = (await client.get("/metrics")).text
    assert "roompulse_clock_jumps_total 1.0" in metrics
    assert "roompulse_retention_waiting 1.0" in metrics
    assert caplog.text.count("the clock was set by") == 1


async def test_nothing_is_deleted_for_an_hour_and_then_what_is_too_old(
    settings: Settings, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("roompulse.store.retention.PRUNE_EVERY", 0.01)
    async with serving(msgspec.structs.replace(settings, leave_after=30), clock) as client:

        async def samples() -> list[Any]:
            # By user, as data of the room itself is retained for longer.
            return (await client.get(f"/report/history/room-1/u1?from={NOW - 10}")).json()["data"] or []

        async def gone() -> bool:
            return not await samples()

        await post(client, "u1")
        clock.set_by(172_800)
        await client.get("/")
        for _ in range(59):
            clock.advance(60)
            await client.get("/")
        assert len(await samples()) == 1
        clock.advance(61)
        await soon(gone)
        assert "clock was set" not in (await client.get("/")).text


async def test_what_a_wrong_clock_did_not_delete_is_there_when_it_is_right_again(
    settings: Settings, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("roompulse.store.retention.PRUNE_EVERY", 0.01)
    async with serving(settings, clock) as client:
        await post(client, "u1")
        for jump in (40 * 86_400, -40 * 86_400):
            clock.set_by(jump)
            for _ in range(5):
                clock.advance(10)
                await client.get("/")
        assert len(await data(client, f"/report/history/room-1/u1?from={NOW - 10}")) == 1


async def test_a_session_lasts_as_long_as_it_lasted(
    settings: Settings, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("roompulse.store.sessions.RECORD_EVERY", 0.01)
    async with serving(settings, clock) as client:
        await post(client, "u1")

        async def begun() -> bool:
            return "live</span>" in (await client.get("/rooms/room-1/sessions")).text

        await soon(begun)
        clock.advance(50)
        await post(client, "u1")
        clock.set_by(-172_800)
        clock.advance(40)
        await post(client, "u1")
        clock.advance(60)

        async def ended() -> str:
            html = (await client.get("/rooms/room-1/sessions")).text
            return html if "state-ended" in html else ""

        assert "1 min 30 s" in words(f"<main>{await soon(ended)}")
