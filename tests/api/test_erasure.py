"""Erasing a user or a room leaves nothing of it in any table, nor in the bytes of the files."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from msgspec import json
from sqlalchemy import insert, select

from roompulse.cli import main
from roompulse.erasure import erasure as module
from roompulse.erasure.subject import ERASED
from roompulse.report.model import Device, Entry, Event
from roompulse.settings import Settings
from roompulse.store.files import is_postgres
from roompulse.store.schema import alerts, rollup_users
from tests.access import bearer, new_key
from tests.api import assert_problem, data, url
from tests.api.test_overview import LOSSY
from tests.api.test_pages import page, words
from tests.builders import NOW, stream
from tests.calls import Calls
from tests.conftest import Clock
from tests.postgres_server import tables

USER, NAME, ROOM = "mallory@example.org", "Mallory McErase", "room of Mallory"

PASSES = {"batch", "refusal"}
"""Tables of PostgreSQL that are of the last minutes."""


@pytest.fixture
async def calls(settings: Settings, clock: Clock) -> AsyncIterator[Calls]:
    """The user in two rooms, where others receive it badly, with everything that the server keeps of it."""
    async with Calls.of(settings, clock) as calls:
        calls.core.engine.is_the_one = True
        for second in range(0, 40, 10):
            for room_id in (ROOM, "room-2"):
                own = Entry(USER, LOSSY, device=Device(browser="Chrome"), user_name=NAME)
                left = [Event("sdk", detail=f"{USER} pressed mute")]
                await calls.post(second, USER, [own], room_id=room_id, room_name=f"Room with {NAME}", events=left)
                about = Entry(USER, [stream(direction="recv", network=LOSSY[0].network)], user_name=NAME)
                await calls.post(second, "u2", [Entry("u2", [stream()]), about], room_id=room_id)
            of_server = Entry("u2", [stream("screen", "recv", sender_id=USER)])
            await calls.post(second, "sfu", [of_server], room_id="room-2", role="server")
            await calls.core.alerts.tick()
            await calls.look()
        silence = {"user_id": USER, "until": NOW + 3600, "reason": f"{USER} is known"}
        assert (await calls.client.post("/report/alerts/silences", json=silence)).status_code == 201
        shared = {"path": url("rooms", ROOM, "users", USER), "expires_in": 3600}
        assert (await calls.client.post("/report/shares", json=shared)).status_code == 201
        await calls.wait(60)
        row = {"span": 60, "start": NOW, "room_id": ROOM, "user_id": USER, "poor": 1, "traits": b"{}"}
        await calls.core.database.write(lambda connection: connection.execute(insert(rollup_users), [row]))
        yield calls


def tables_with(settings: Settings, *texts: str) -> set[str]:
    """Tables with a row in which one of the texts is, as text or within bytes."""
    every = tables(settings.database_url or "") if is_postgres(settings) else _tables_of(settings.data / "roompulse.db")
    found = {
        name for name, rows in every.items() for row in rows for value in row for text in texts if _has(value, text)
    }
    return found - PASSES


def _tables_of(path: Path) -> dict[str, list[Any]]:
    with closing(sqlite3.connect(path)) as connection:
        names = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
        return {name: connection.execute(f'SELECT * FROM "{name}"').fetchall() for (name,) in names}  # noqa: S608


def _has(value: Any, text: str) -> bool:
    return text.encode() in value if isinstance(value, bytes) else text in str(value)


def files_with(folder: Path, *texts: str) -> set[str]:
    """The files of SQLite with one of the texts."""
    files = [path for path in folder.iterdir() if path.is_file()] if folder.exists() else []
    return {path.name for path in files for text in texts if text.casefold().encode() in path.read_bytes().lower()}


async def test_before_it_is_everywhere(calls: Calls, settings: Settings) -> None:
    found = tables_with(settings, USER)
    assert {"sample", "event", "attendance", "silence"} <= found


async def test_a_user_is_nowhere_afterwards(calls: Calls, settings: Settings) -> None:
    erased = (await calls.client.delete(url("report", "users", USER))).json()["data"]
    assert erased["rows"] == sum(erased["tables"].values())
    assert erased["tables"]["sample"] == 16
    assert (erased["tables"]["attendance"], erased["tables"]["share"]) == (2, 1)
    assert await data(calls.client, "/report/shares") == []
    assert tables_with(settings, USER) == set()
    assert files_with(settings.data, USER) == set()


async def test_what_is_about_others_stays(calls: Calls) -> None:
    before = await data(calls.client, "/report/history/room-2")
    await calls.client.delete(url("report", "users", USER))
    assert await data(calls.client, "/report/history/room-2") == before
    (user,) = (await data(calls.client, f"/report/calls/room-2/{NOW}"))["users"]
    assert user["user_id"] == "u2"
    assert f"receiving {ERASED}'s camera" in user["reasons"][0]


async def test_a_user_of_one_room_stays_in_others(calls: Calls, settings: Settings) -> None:
    await calls.client.delete(url("report", "history", ROOM, USER))
    in_room = await data(calls.client, url("report", "calls", ROOM, f"{NOW}"))
    elsewhere = await data(calls.client, url("report", "calls", "room-2", f"{NOW}"))
    assert [user["user_id"] for user in in_room["users"]] == ["u2"]
    assert USER in [user["user_id"] for user in elsewhere["users"]]


async def test_a_room_is_nowhere_afterwards(calls: Calls, settings: Settings) -> None:
    erased = (await calls.client.delete(url("report", "history", ROOM))).json()["data"]
    assert erased["tables"]["session"] == 1
    assert erased["tables"]["snapshot"] > 0
    assert tables_with(settings, ROOM) == set()
    assert files_with(settings.data, ROOM) == set()
    assert (await data(calls.client, "/report/calls"))["count"] == 1


async def test_alerts_are_erased_some_at_a_time(
    calls: Calls, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    await calls.core.database.write(lambda connection: connection.execute(insert(alerts), MANY_ALERTS))
    monkeypatch.setattr(module, "_MOST_IDS", 4)
    erase, sizes = module._erase_alerts, list[int]()

    def noted(connection: Any, *, table: Any, most: int, **more: Any) -> tuple[int, Any]:
        if table is alerts:
            sizes.append(most)
        return erase(connection, table=table, most=most, **more)

    monkeypatch.setattr(module, "_erase_alerts", noted)
    erased = (await calls.client.delete(url("report", "users", USER))).json()["data"]
    assert erased["tables"]["alert"] >= len(MANY_ALERTS) / 2
    assert len(sizes) > len(MANY_ALERTS) / 4
    assert max(sizes) <= 4
    assert tables_with(settings, USER) == set()
    async with calls.core.database.reading() as connection:
        left = (
            (await connection.execute(select(alerts.c.id).where(alerts.c.id.like("old-%")).order_by(alerts.c.id)))
            .scalars()
            .all()
        )
    assert left == [row["id"] for row in MANY_ALERTS if row["state"] == "kept"]


MANY_ALERTS: Sequence[dict[str, Any]] = [
    {
        "id": f"old-{number:02}",
        "state": "kept" if number % 2 else "erased",
        "severity": "info",
        "started_at": NOW * 1000,
        "resolved_at": NOW * 1000,
        "alert": json.encode(
            {"room_id": "room-3", "user_id": "u9" if number % 2 else USER, "text": f"{USER}'s uplink"}
        ),
    }
    for number in range(30)
]


async def test_what_is_in_memory_is_not_stored_again(settings: Settings, clock: Clock) -> None:
    async with Calls.of(settings, clock) as calls:
        rule = {
            "name": "Poor",
            "severity": "info",
            "subject": "user",
            "when": [{"metric": "score", "op": "<", "value": 4}],
        }
        assert (await calls.client.post("/report/alerts/rules", json=rule)).status_code == 201
        await calls.post(0, USER, [Entry(USER, LOSSY)])
        for second in range(0, 60, 10):
            await calls.core.recorder.look(NOW + second)
        await calls.core.alerts.tick()
        (alert,) = await data(calls.client, "/report/alerts?state=firing")
        note = {"note": f"called {USER}"}
        await calls.client.post(f"/report/alerts/{alert['id']}/acknowledge", json=note)
        silence = {"user_id": USER, "until": NOW + 3600, "reason": "known"}
        assert (await calls.client.post("/report/alerts/silences", json=silence)).status_code == 201
        clock.advance(60)  # the user has left, of which the alert does not know yet
        await calls.client.delete(url("report", "users", USER))
        assert await data(calls.client, "/report/alerts") == []
        assert await data(calls.client, "/report/alerts/silences") == []
        await calls.core.alerts.tick()
        await calls.core.recorder.look(NOW + 60)
    assert not {"alert", "silence", "delivery", "rollup_user"} & tables_with(settings, USER)


async def test_others_keep_their_alerts_and_silences_without_the_user(settings: Settings, clock: Clock) -> None:
    async with Calls.of(settings, clock) as calls:
        rule = {
            "name": "Poor room",
            "severity": "info",
            "subject": "room",
            "when": [{"metric": "score", "op": "<", "value": 4}],
        }
        assert (await calls.client.post("/report/alerts/rules", json=rule)).status_code == 201
        await calls.post(0, USER, [Entry(USER, LOSSY)])
        await calls.core.alerts.tick()
        silence = {"user_id": "u2", "until": NOW + 3600, "reason": f"as is {USER}"}
        await calls.client.post("/report/alerts/silences", json=silence)
        assert [USER in alert["text"] for alert in await data(calls.client, "/report/alerts?state=firing")] == [True]
        await calls.client.delete(url("report", "users", USER))
        (alert,) = await data(calls.client, "/report/alerts?state=firing")
        assert (USER in alert["text"], ERASED in alert["text"]) == (False, True)
        (left,) = await data(calls.client, "/report/alerts/silences")
        assert left["reason"] == f"as is {ERASED}"


async def test_what_is_not_there_is_no_row(calls: Calls) -> None:
    answer = await calls.client.delete("/report/users/nobody")
    assert (answer.status_code, answer.json()["data"]["rows"]) == (200, 0)


async def test_erasing_needs_a_key_for_manage(settings: Settings, clock: Clock) -> None:
    _, read = await new_key(settings, "read")
    _, manage = await new_key(settings, "manage")
    async with Calls.of(settings, clock) as calls:
        for path in ("/report/users/u1", "/report/history/room-1", "/report/history/room-1/u1"):
            assert_problem(await calls.client.delete(path), 401)
            assert_problem(await calls.client.delete(path, headers=bearer(read)), 403)
            assert (await calls.client.delete(path, headers=bearer(manage))).status_code == 200


async def test_the_page_erases(calls: Calls, settings: Settings) -> None:
    html = await page(calls.client, f"/erase?user_id={USER}")
    assert f'value="{USER}"' in html
    token = html.partition('name="token" value="')[2].partition('"')[0]
    form = {"token": token, "user_id": USER, "room_id": ""}
    unsure = await calls.client.post("/erase", data=form)
    assert (unsure.status_code, "Confirm" in words(unsure.text)) == (400, True)
    done = await calls.client.post("/erase", data=form | {"sure": "yes"})
    assert "Erased:" in words(done.text)
    assert tables_with(settings, USER) == set()
    nothing = await calls.client.post("/erase", data={"token": token, "sure": "yes"})
    assert "Name a room, a user, or both" in words(nothing.text)


async def test_pages_lead_there(calls: Calls) -> None:
    assert 'href="erase?room_id=room-2"' in await page(calls.client, "/rooms/room-2")


@pytest.mark.parametrize("user_id", ["1", "good", "critical", "firing", "cpu", "camera", "send", "sdk_version"])
async def test_a_user_whose_id_is_a_word_of_ours_takes_nothing_else_along(
    settings: Settings, clock: Clock, user_id: str
) -> None:
    async with Calls.of(settings, clock) as calls:
        rule = {
            "name": "Poor room",
            "severity": "critical",
            "subject": "room",
            "when": [{"metric": "score", "op": "<", "value": 4}],
        }
        assert (await calls.client.post("/report/alerts/rules", json=rule)).status_code == 201
        for second in range(0, 40, 10):
            await calls.post(second, "u2", [Entry("u2", LOSSY)], labels={"region": "eu-west-1"})
            await calls.look()
            await calls.core.alerts.tick()
        await calls.post(40, user_id, [Entry(user_id, [stream()])], room_id="elsewhere")
        asked = ["/report/alerts", "/report/events/room-1", "/report/history/room-1/u2", f"/report/calls/room-1/{NOW}"]
        before = [await data(calls.client, path) for path in asked]
        assert before[0][0]["state"] == "firing"
        erased = await calls.client.delete(url("report", "users", user_id))
        assert erased.status_code == 200
        assert [await data(calls.client, path) for path in asked] == before
    async with Calls.of(settings, clock) as calls:
        assert [one["severity"] for one in await data(calls.client, "/report/alerts")] == ["critical"]


async def test_it_is_not_in_what_others_are_called_or_send_either(settings: Settings, clock: Clock) -> None:
    async with Calls.of(settings, clock) as calls:
        for second in range(0, 80, 10):
            screen = stream(f"screen_{USER}", "recv", network=LOSSY[0].network)
            entry = Entry("u2", [stream(), screen], user_name=f"Friend of {USER}")
            happened = [Event("muted", stream_id=f"mic-{USER}", detail=f"by {NAME}")]
            labels = {"owner": USER}
            more = {
                "labels": labels,
                "events": happened,
                "room_name": f"Meeting with {USER}",
                "sdk_version": f"1 {USER}",
            }
            await calls.post(second, "u2", [entry], **more)
            by_name = [Event("muted", detail=f"by {NAME}")]
            await calls.post(second, "u3", [Entry("u3", [stream()])], events=by_name, labels={"owner": NAME})
            if not second:
                await calls.post(second, USER, [Entry(USER, [stream()], user_name=NAME)])
            await calls.look()
            await calls.core.recorder.look(NOW + second)
        await calls.wait(120)
        note = {"text": f"{NAME} ({USER}) called"}
        assert (await calls.client.post("/report/notes/room-1", json=note)).status_code in (200, 201)
        await calls.client.delete(url("report", "users", USER))
        assert tables_with(settings, USER, NAME) == set()
        assert files_with(settings.data, USER) == set()
        for path in ("/report/insights?by=label:owner", "/report/insights?by=sdk_version"):
            assert USER not in str(await data(calls.client, path))


@pytest.mark.one_process
async def test_the_command_erases_while_the_server_is_stopped(settings: Settings, clock: Clock) -> None:
    async with Calls.of(settings, clock) as calls:
        await calls.post(0, USER, [Entry(USER, [stream()])])
        await calls.look()
    assert files_with(settings.data, USER)
    arguments = ["erase", "--user", USER, "--data", str(settings.data)]
    answer = await asyncio.to_thread(CliRunner().invoke, main, arguments)
    assert answer.exit_code == 0, answer.output
    assert answer.output.startswith("erased: ")
    assert files_with(settings.data, USER) == set()


def test_the_command_says_what_it_needs() -> None:
    answer = CliRunner().invoke(main, ["erase"])
    assert (answer.exit_code, "name a room, a user, or both" in answer.output) == (2, True)
    assert CliRunner().invoke(main, ["erase", "--user", " x"]).exit_code == 2
