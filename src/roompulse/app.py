"""create_app: everything is built and wired here, and nowhere else."""

import asyncio
import logging
import secrets
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

from litestar import Litestar
from litestar.types import ControllerRouterHandler

from roompulse.clock import Clock, system_clock
from roompulse.hub.local import LocalHub
from roompulse.ingest import Ingest
from roompulse.rooms.limits import Limits
from roompulse.rooms.memory import RoomsInMemory
from roompulse.rooms.trends import Trends
from roompulse.settings import Settings
from roompulse.store.archive import SqlArchive
from roompulse.store.engine import Database
from roompulse.store.past import Past
from roompulse.store.retention import Retention
from roompulse.store.sessions import SessionKeeper, SqlSessions
from roompulse.store.snapshots import Snapshots, refill
from roompulse.store.sql import SqlStore
from roompulse.web.answers import answer_routes
from roompulse.web.assets import Assets
from roompulse.web.earlier import Earlier
from roompulse.web.exports import Exports, export_routes
from roompulse.web.history import history_routes
from roompulse.web.openapi import openapi_route
from roompulse.web.overview import Overview
from roompulse.web.pages import Layout, page_routes
from roompulse.web.paths import EncodedPaths
from roompulse.web.problems import ProblemAnswers
from roompulse.web.report import report_route
from roompulse.web.senders import Senders
from roompulse.web.streams import stream_routes
from roompulse.web.templates import Templates
from roompulse.web.views import Views

logger = logging.getLogger(__name__)

EXPIRE_EVERY = 1.0
"""Seconds between looks for who turned stale or left."""


def create_app(settings: Settings, clock: Clock = system_clock) -> Litestar:
    """The application. `app.state.hub` is to be closed when the server is told to stop, so that streams end.

    Raises:
        StartupError: here for settings, and from the lifespan (in a group) for a database, that cannot be used.

    """
    database = Database(settings)
    store = SqlStore(database)
    rooms = _no_rooms(settings)
    hub = LocalHub(settings.push_interval, settings.max_viewers)
    ingest = Ingest(store, rooms, hub, clock, settings.max_queue)
    trends = Trends(settings.snapshot_interval, settings.max_rooms)
    snapshots = Snapshots(store, rooms, trends, clock, settings.snapshot_interval)
    retention = Retention(store, clock, samples=settings.sample_retention, snapshots=settings.snapshot_retention)
    assets = Assets()
    templates = Templates(assets)
    epoch = secrets.token_hex(4)
    overview = Overview(rooms, trends, ingest.intake, templates, clock)
    views = Views(rooms, templates, epoch)
    sessions = SqlSessions(database)
    keeper = SessionKeeper(sessions, rooms)
    past = Past(SqlArchive(database), store, partial(_no_rooms, settings), settings)
    earlier = Earlier(past, sessions, templates, clock, settings.leave_after)
    layout = Layout(templates, clock, settings)
    routes: list[ControllerRouterHandler] = [
        report_route(ingest, Senders(settings.sender_rate, clock), settings),
        *answer_routes(rooms, ingest, epoch),
        *history_routes(store, past, rooms, clock),
        *stream_routes(hub, overview, views, ingest, clock),
        openapi_route(settings),
        *page_routes(rooms, overview, views, earlier, layout, ingest),
        *export_routes(Exports(store, past, clock, settings)),
        *assets.routers(),
    ]

    @asynccontextmanager
    async def lifespan(app: Litestar) -> AsyncIterator[None]:
        app.state.hub = hub
        async with database.open():
            await ingest.rebuild(settings.leave_after)
            await refill(trends, store, clock(), settings.leave_after)
            jobs = _expire(ingest), snapshots.run(), keeper.run(), retention.run()
            async with _background(*jobs), _taking(ingest, hub):
                yield

    handlers = ProblemAnswers(templates).handlers()
    return EncodedPaths(
        routes, lifespan=[lifespan], exception_handlers=handlers, openapi_config=None, logging_config=None
    )


def _no_rooms(settings: Settings) -> RoomsInMemory:
    limits = Limits(settings.max_rooms, settings.max_room_users, settings.max_user_streams)
    return RoomsInMemory(limits, stale_after=settings.stale_after, leave_after=settings.leave_after)


@asynccontextmanager
async def _background(*jobs: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    tasks = [asyncio.create_task(job) for job in jobs]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


@asynccontextmanager
async def _taking(ingest: Ingest, hub: LocalHub) -> AsyncIterator[None]:
    """Take reports; at the end, streams are told first and what waits is still saved."""
    taking = asyncio.create_task(ingest.run())
    try:
        yield
    finally:
        hub.close()
        ingest.close()
        await taking


async def _expire(ingest: Ingest) -> None:
    while True:
        await asyncio.sleep(EXPIRE_EVERY)
        try:
            ingest.expire()
        except Exception:
            logger.exception("stale users could not be looked for")
