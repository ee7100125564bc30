"""Calls of a small world: reports at given seconds, and recorders that sample when a test says so."""

from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from typing import Any
from unittest.mock import patch

import httpx

from roompulse.app import create_app
from roompulse.calls.recorder import CallRecorder
from roompulse.core import Core
from roompulse.report.model import Entry
from roompulse.settings import Settings
from roompulse.store.sessions import SessionRecorder
from roompulse.store.snapshots import Snapshots
from roompulse.web.application import Application
from tests.builders import NOW, body
from tests.conftest import Clock, client_of


class QuietCore(Core):
    """A core whose jobs do not run by themselves, except those needed to stop the server."""

    def _jobs(self) -> list[Coroutine[Any, Any, None]]:
        return [self.streams.close_with_server()]


class Calls:
    def __init__(self, app: Application, core: Core, client: httpx.AsyncClient, clock: Clock) -> None:
        self.app = app
        self.core = core
        self.client = client
        self._clock = clock
        self._sessions = SessionRecorder(core.sessions, core.rooms, clock)
        self._users = CallRecorder(core.calls, core.rooms, clock)
        self._snapshots = Snapshots(core.store, core.rooms, core.trends, clock, 10)

    @staticmethod
    @asynccontextmanager
    async def of(settings: Settings, clock: Clock) -> AsyncIterator["Calls"]:
        cores: list[Core] = []

        def core(*given: Any) -> Core:
            cores.append(QuietCore(*given))
            return cores[-1]

        with patch("roompulse.app.Core", core):
            app = create_app(settings, clock)
        async with client_of(app) as client:
            yield Calls(app, cores[0], client, clock)

    async def post(self, second: float, user_id: str, metrics: list[Entry], **fields: Any) -> None:
        """Post a report so many seconds after NOW."""
        self._clock.now = NOW + second
        content = body(user_id=user_id, metrics=metrics, report_time=int(NOW + second), **fields)
        assert (await self.client.post("/report/metrics", content=content)).status_code == 200

    async def wait(self, seconds: float) -> None:
        """Let time pass, and the recorders sample."""
        self._clock.advance(seconds)
        await self.core.follower.present()
        await self.look()

    async def look(self) -> None:
        """Let sessions, users and snapshots be recorded as they are now, and events be saved."""
        await self._sessions.record()
        await self._users.record()
        await self._snapshots.save(self._clock())
        await self.core.timeline.save()
