"""Alerts in the database, after a crash, a restart and a failure of the database."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, nullcontext
from typing import Any
from unittest.mock import Mock, call

import pytest
from msgspec.structs import replace
from sqlalchemy import select

from roompulse.alerts import service as module
from roompulse.alerts import targets
from roompulse.alerts.defaults import DEFAULT_RULES
from roompulse.alerts.incident import Change
from roompulse.alerts.metrics import Readings
from roompulse.alerts.scope import RuleScope
from roompulse.alerts.service import MAX_SILENCES, AlertService
from roompulse.alerts.shared_values import Values
from roompulse.alerts.store import AlertQuery
from roompulse.errors import BadRequest, NotFound, StoreError
from roompulse.events.model import TimelineEvent
from roompulse.settings import Settings
from roompulse.store.engine import Database
from roompulse.store.reader import Reader
from roompulse.store.schema import events
from tests.conftest import Clock
from tests.unit.alerts.world import World, rule, silence


class Running:
    """The service of a world, which shares its clock."""

    def __init__(self, database: Database, settings: Settings, clock: Clock) -> None:
        self.database, self.settings, self.clock = database, settings, clock
        self.world = World()
        self.reader = Reader(16, lambda _error: None)
        self.told: list[tuple[str, str | None]] = []
        self.values: list[Values] = []
        self.shown: list[tuple[str, TimelineEvent]] = []

    async def start(self, exclusive: Callable[[], AbstractAsyncContextManager[None]] | None = None) -> AlertService:
        """As after a crash: nothing is left but the database and the live rooms."""
        self.service = AlertService(
            self.database,
            self.reader,
            self.world.rooms,
            self.readings,
            self.clock,
            self.changed,
            self.tell,
            self.settings,
            exclusive,
        )
        await self.service.load()
        return self.service

    def readings(self) -> Readings:
        return Readings(self.world.heard_at)

    async def tell(self, values: Values) -> None:
        self.values.append(values)

    async def changed(self, changes: Sequence[Change]) -> None:
        self.told += [(one.alert.state, one.alert.user_id) for one in changes]
        self.shown += [one.event for one in changes if one.event]

    async def tick(self, seconds: int, loss: float | None = 20) -> None:
        for _ in range(seconds):
            self.clock.advance(1)
            self.world.now = self.clock()
            if loss is not None:
                self.world.post("ada", loss)
            self.world.rooms.expire(self.world.now)
            await self.service.tick()

    async def states(self, **query: Any) -> list[str]:
        return [alert.state for alert in await self.service.alerts(AlertQuery(**query))]


@pytest.fixture
async def running(settings: Settings, clock: Clock) -> AsyncIterator[Running]:
    database = Database(settings)
    async with database.open():
        running = Running(database, settings, clock)
        await running.start()
        for default in DEFAULT_RULES:
            await running.service.remove_rule(default.id)
        yield running


async def test_the_default_rules_are_there_from_the_first_start(settings: Settings, clock: Clock) -> None:
    database = Database(settings)
    async with database.open():
        running = Running(database, settings, clock)
        for _ in range(2):
            assert {one.id for one in (await running.start()).rules} == {one.id for one in DEFAULT_RULES}


async def test_default_rules_that_were_deleted_or_changed_stay_so(running: Running) -> None:
    assert (await running.start()).rules == []
    made = await running.service.add_rule(rule(), [])
    await running.service.change_rule(made.id, replace(made, name="Other"), [])
    assert [one.name for one in (await running.start()).rules] == ["Other"]


async def test_who_follows_another_worker_compiles_only_what_changed(
    settings: Settings, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    database = Database(settings)
    async with database.open():
        running = Running(database, settings, clock)
        service = await running.start(nullcontext)
        compiling = Mock(side_effect=RuleScope)
        monkeypatch.setattr(targets, "RuleScope", compiling)
        await service.refresh()
        made = await service.add_rule(rule(), [])
        await service.refresh()
        assert compiling.mock_calls == [call(made)]


async def test_an_alert_is_told_once_whatever_crashes(running: Running) -> None:
    await running.service.add_rule(rule(hold=5), [])
    await running.tick(4)
    assert await running.states() == ["pending"]
    await running.start()
    await running.tick(2)  # as long as without the crash
    assert running.told == [("firing", "ada")]
    await running.start()
    await running.tick(5)
    assert running.told == [("firing", "ada")]
    await running.tick(1, loss=0)
    assert running.told == [("firing", "ada"), ("resolved", "ada")]
    await running.start()
    await running.tick(2, loss=0)
    assert await running.states() == ["resolved"]
    assert len(running.told) == 2


async def test_the_timeline_tells_once_that_it_fires_and_once_that_it_is_over(running: Running) -> None:
    await running.service.add_rule(rule(hold=5, repeat=60), [])
    await running.tick(6)
    fired_at = running.clock()
    (alert,) = await running.service.alerts(AlertQuery())
    await running.start()
    await running.tick(130)
    await running.service.acknowledge(alert.id, "on it", "bob")
    await running.tick(1, loss=0)
    await running.start()
    await running.tick(2, loss=0)
    async with running.database.reading() as connection:
        stored = (await connection.execute(select(events).order_by(events.c.id))).all()
    told = [(row.room_id, row.time / 1000, row.kind, row.user_id, row.text) for row in stored]
    assert told == [
        (alert.room_id, fired_at, "alert_firing", "ada", f"{alert.severity} alert: {alert.rule}"),
        (alert.room_id, fired_at + 131, "alert_resolved", "ada", f"resolved: {alert.rule}, after 2 min 16 s"),
    ]
    assert [(room_id, event.time, event.kind, event.user_id, event.text) for room_id, event in running.shown] == told
    assert "20.0 %" in stored[0].detail


async def test_what_came_to_nothing_is_not_kept(running: Running) -> None:
    await running.service.add_rule(rule(hold=5), [])
    await running.tick(3)
    await running.tick(1, loss=0)
    assert await running.states() == []
    assert (await running.service._store.load()).open_alerts == []


async def test_pages_list_what_json_does_before_it_is_saved_too(
    running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    await running.service.add_rule(rule(), [])
    seen, save = [], running.service._store.save
    assert list(running.service.firing()) == []

    async def look(*changes: Any) -> None:
        seen.append((await running.service.alerts(AlertQuery()), list(running.service.firing())))
        await save(*changes)

    monkeypatch.setattr(running.service._store, "save", look)
    await running.tick(1)
    ((listed, shown),) = seen
    assert listed == shown
    assert [alert.user_id for alert in shown] == ["ada"]


async def test_nothing_is_told_before_it_is_saved(running: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    await running.service.add_rule(rule(), [])

    async def fail(*_: object) -> None:
        raise StoreError("disk full")

    with monkeypatch.context() as patch:
        patch.setattr(running.service._store, "save", fail)
        for _ in range(3):
            with pytest.raises(StoreError):
                await running.tick(1)
    assert running.told == []
    await running.tick(1)
    assert running.told == [("firing", "ada")]


async def test_many_changes_are_saved_some_at_a_time_and_each_is_told_once(
    running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_SAVED_AT_ONCE", 3)
    await running.service.add_rule(rule(), [])
    save, sizes = running.service._store.save, list[int]()

    async def noted(changes: Sequence[Change], *more: Any) -> None:
        sizes.append(len(changes))
        if len(sizes) == 2:
            raise StoreError("disk full")
        await save(changes, *more)

    monkeypatch.setattr(running.service._store, "save", noted)
    users = [f"u{number}" for number in range(8)]
    for user_id in users:
        running.world.post(user_id, 20)
    with pytest.raises(StoreError):
        await running.tick(1, loss=None)
    assert len(running.told) == 3
    await running.tick(1, loss=None)
    assert sizes == [3, 3, 3, 2]
    assert running.told == [("firing", user_id) for user_id in users]
    assert len(await running.states()) == 8


async def test_what_is_listed_on_pages_follows_each_change_and_the_end_of_a_silence(running: Running) -> None:
    await running.service.add_rule(rule(), [])
    assert list(running.service.firing()) == []
    await running.tick(1)
    (alert,) = running.service.firing()
    assert await running.service.alerts(AlertQuery()) == [alert]
    assert [list(running.service.firing(room_id)) for room_id in ("room-1", "room-2")] == [[alert], []]
    quiet = await running.service.add_silence(silence(until=running.clock() + 5))
    assert [one.silenced_until for one in running.service.firing()] == [quiet.until]
    await running.tick(6)
    assert [one.silenced_until for one in running.service.firing("room-1")] == [None]
    await running.tick(1, loss=0)
    assert [list(running.service.firing(room_id)) for room_id in (None, "room-1")] == [[], []]


async def test_thousands_of_resolved_alerts_are_read_in_steps(
    running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("roompulse.alerts.store.FETCH_AT_ONCE", 3)
    await running.service.add_rule(rule(), [])
    started = []
    for _ in range(8):
        await running.tick(1)
        started.append(running.clock())
        await running.tick(2, loss=0)
    for limit in (1, 3, 7, 8, 100):
        found = await running.service.alerts(AlertQuery(limit=limit), "resolved")
        assert [alert.started_at for alert in found] == started[::-1][:limit]


async def test_acknowledgements_and_silences_survive_a_restart(running: Running) -> None:
    await running.service.add_rule(rule(), [])
    quiet = await running.service.add_silence(silence(user_id="ada"))
    await running.tick(1)
    (alert,) = await running.service.alerts(AlertQuery())
    assert alert.silenced_until == quiet.until
    await running.service.acknowledge(alert.id, "on it", "bob")
    await running.start()
    (alert,) = await running.service.alerts(AlertQuery())
    assert alert.acknowledged
    assert (alert.acknowledged.by, alert.acknowledged.note) == ("bob", "on it")
    assert running.service.silences == [quiet]
    await running.service.remove_silence(quiet.id)
    assert (await running.start()).silences == []


async def test_alerts_are_found_by_severity_room_and_time(running: Running) -> None:
    await running.service.add_rule(rule(), [])
    await running.tick(1)
    started = running.clock()
    await running.tick(1, loss=0)
    await running.tick(10, loss=0)
    await running.tick(1)
    assert await running.states() == ["firing", "resolved"]
    assert await running.states(limit=1) == ["firing"]
    assert await running.states(severity="critical") == []
    assert await running.states(room_id="room-2") == []
    assert await running.states(room_id="room-1") == ["firing", "resolved"]
    assert await running.states(end=started + 5) == ["resolved"]
    assert await running.states(start=started + 5) == ["firing"]


async def test_rules_and_silences_are_bounded(settings: Settings, clock: Clock) -> None:
    database = Database(settings)
    async with database.open():
        running = Running(database, replace(settings, max_rules=5), clock)
        await running.start()
        at_once = await asyncio.gather(
            *(running.service.add_rule(rule(), []) for _ in range(3)), return_exceptions=True
        )
        assert [isinstance(one, BadRequest) and "MAX_RULES" in one.message for one in at_once] == [False, True, True]
        running.service._silences = {str(n): silence(id=str(n)) for n in range(MAX_SILENCES)}
        with pytest.raises(BadRequest, match="maximum"):
            await running.service.add_silence(silence())


@pytest.mark.parametrize("seconds", [0, -5, 366 * 86_400])
async def test_a_silence_ends_within_a_year(running: Running, seconds: float) -> None:
    with pytest.raises(BadRequest, match=r"^\$\.until"):
        await running.service.add_silence(silence(until=running.clock() + seconds))


async def test_what_is_not_there_is_not_found(running: Running) -> None:
    service = running.service
    for missing in (service.remove_rule("x"), service.remove_silence("x"), service.acknowledge("x", "", "ada")):
        with pytest.raises(NotFound):
            await missing
    with pytest.raises(NotFound):
        await service.change_rule("x", rule(), [])
    with pytest.raises(BadRequest, match=r"^\$\.rule_id"):
        await service.add_silence(silence(rule_id="x"))
    with pytest.raises(BadRequest, match=r"^\$\.channels\[0\]"):
        await service.add_rule(rule(channels=["x"]), [])


async def test_old_alerts_are_deleted(running: Running) -> None:
    await running.service.add_rule(rule(), [])
    await running.tick(1)
    await running.tick(1, loss=0)
    running.clock.advance(running.settings.snapshot_retention + 1)
    await running.service.prune()
    assert await running.states() == []
