"""create_app: everything is built and wired here, and nowhere else."""

import asyncio
import secrets
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from functools import cache, partial
from typing import Any

from litestar import Litestar
from litestar.types import ControllerRouterHandler

from roompulse.access.administration import Administration
from roompulse.access.database import AccessDatabase
from roompulse.access.login import Login
from roompulse.access.passwords import Passwords
from roompulse.access.registry import AccessRegistry
from roompulse.access.senders import Senders
from roompulse.access.sessions import OperatorSessions
from roompulse.access.store import AccessStore
from roompulse.access.throttle import Throttle
from roompulse.clock import Clock, system_clock
from roompulse.events.detector import Detector
from roompulse.events.timeline import Timeline
from roompulse.hub.local import LocalHub
from roompulse.ingest import Ingest
from roompulse.meters import Meters
from roompulse.periodic import every
from roompulse.rooms.admission import Limits
from roompulse.rooms.memory import RoomsInMemory
from roompulse.rooms.trends import Trends
from roompulse.settings import Settings
from roompulse.store.availability import Availability
from roompulse.store.engine import Database
from roompulse.store.events import SqlEvents
from roompulse.store.replay import Replay
from roompulse.store.retention import Retention
from roompulse.store.samples import SqlSamples
from roompulse.store.sessions import SessionRecorder, SqlSessions
from roompulse.store.snapshots import Snapshots, refill
from roompulse.store.sql_store import SqlStore
from roompulse.web.access_log import AccessLog
from roompulse.web.api.downloads import Downloads, export_routes
from roompulse.web.api.events import event_routes
from roompulse.web.api.health import ready_routes
from roompulse.web.api.history import history_routes
from roompulse.web.api.live_rooms import live_room_routes
from roompulse.web.api.metrics import CurrentValues, Gauges, metrics_routes
from roompulse.web.api.openapi import openapi_routes
from roompulse.web.api.post_report import ReportEndpoint, report_route
from roompulse.web.api.report_auth import ReportAuth
from roompulse.web.api.stream import stream_routes
from roompulse.web.application import Application
from roompulse.web.html.assets import Assets
from roompulse.web.html.error_pages import ErrorPages
from roompulse.web.html.templates import Templates
from roompulse.web.http.allowed_hosts import AllowedHosts
from roompulse.web.http.authentication import Authenticator, guard_by
from roompulse.web.http.client_address import ClientAddresses
from roompulse.web.http.problems import ProblemAnswers
from roompulse.web.http.rate_limit import RateLimit
from roompulse.web.http.session_cookie import SessionCookie
from roompulse.web.pages.access import access_routes
from roompulse.web.pages.database_notice import DatabaseNotice
from roompulse.web.pages.demo import DemoTokens, demo_routes
from roompulse.web.pages.ended import EndedPage
from roompulse.web.pages.forms import Forms
from roompulse.web.pages.ingest_health import IngestHealthPage, ingest_health_routes
from roompulse.web.pages.layout import Layout
from roompulse.web.pages.past import Past
from roompulse.web.pages.room import RoomPage, room_routes
from roompulse.web.pages.rooms import RoomsPage, rooms_routes
from roompulse.web.pages.shared_stream import PageViews, shared_stream_routes
from roompulse.web.pages.sign_in import SignInPage, sign_in_routes, sign_out_routes
from roompulse.web.pages.timeline import Timelines
from roompulse.web.pages.user import UserPage, user_routes
from roompulse.web.sse.stream import EventStreams

LOOK_EVERY = 1.0
"""Seconds between two checks for users who are stale or have left, and for commits that are overdue."""


def create_app(settings: Settings, clock: Clock = system_clock) -> Application:
    """The application.

    Raises StartupError: here for settings, and from the lifespan for a database, that cannot be used.
    """
    core = _Core(settings, clock)
    assets, templates = _assets_and_templates()
    problems = ProblemAnswers(ErrorPages(templates).render, core.meters)
    reports = ReportEndpoint(core.ingest, _report_auth(core), settings)

    @asynccontextmanager
    async def lifespan(_app: Litestar) -> AsyncIterator[None]:
        async with core.running():
            yield

    routed = Litestar(
        [report_route(reports), *_routes(core, templates), *assets.routers()],
        exception_handlers=problems.handlers(),
        lifespan=[lifespan],
        guards=[guard_by(core.authenticator)],
        openapi_config=None,
        logging_config=None,
    )
    return Application(
        routed,
        reports=reports,
        hosts=AllowedHosts(settings, core.peers),
        peers=core.peers,
        problems=problems,
        catch_up=core.ingest.expire,
        access_log=AccessLog(core.peers) if settings.log_requests else None,
        hub=core.hub,
        meters=core.meters,
    )


@cache
def _assets_and_templates() -> tuple[Assets, Templates]:
    """One pair for the process: neither has state, and compiling the templates costs more CPU than all else here."""
    assets = Assets()
    return assets, Templates(assets)


class _Core:
    """What takes reports, keeps them and shows them, whatever asks for it."""

    def __init__(self, settings: Settings, clock: Clock) -> None:
        self.settings = settings
        self.clock = clock
        self.database = Database(settings)
        self.store = SqlStore(self.database)
        self.rooms = _no_rooms(settings)
        self.meters = Meters()
        self.hub = LocalHub(settings.push_interval, settings.max_viewers, self.meters)
        self.health = Availability(self.database.probe, clock, partial(self.hub.refresh, everywhere=True))
        detector = Detector(self.rooms, settings.event_hold, settings.stale_after)
        self.timeline = Timeline(detector, SqlEvents(self.database), self.hub.publish, clock)
        self.ingest = Ingest(
            self.store,
            self.health,
            self.rooms,
            self.hub,
            self.timeline,
            self.meters,
            clock,
            max_queue=settings.max_queue,
            commit_timeout=settings.commit_timeout,
        )
        self.trends = Trends(settings.snapshot_interval, settings.max_rooms)
        self.sessions = SqlSessions(self.database)
        self.past = Replay(SqlSamples(self.database), self.store, partial(_no_rooms, settings), settings)
        self.access = AccessDatabase(settings)
        self.access_store = AccessStore(self.access)
        self.registry = AccessRegistry(settings, self.access_store, clock)
        self.sign_ins = OperatorSessions(self.registry, self.access_store, clock, settings)
        self.peers = ClientAddresses(settings)
        self.cookie = SessionCookie(self.peers, settings.session_lifetime)
        self.authenticator = Authenticator(self.registry, self.cookie, self.peers, settings)
        self.streams = EventStreams(self.hub, self.peers, self.registry, self.meters, settings, clock)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Raises StartupError for a database that cannot be used."""
        async with self.database.open(), self.access.open():
            await self.registry.reload()
            await self.ingest.rebuild(self.settings.leave_after)
            await self.timeline.resume(await self.sessions.unfinished())
            await refill(self.trends, self.store, self.clock(), self.settings.leave_after)
            async with _background(*self._jobs()), _taking(self.ingest, self.hub):
                yield
            await self.timeline.close()

    def _jobs(self) -> list[Coroutine[Any, Any, None]]:
        settings, store, clock = self.settings, self.store, self.clock
        retention = Retention(store, clock, samples=settings.sample_retention, snapshots=settings.snapshot_retention)
        return [
            _look_after(self.ingest),
            self.health.run(),
            Snapshots(store, self.rooms, self.trends, clock, settings.snapshot_interval).run(),
            SessionRecorder(self.sessions, self.rooms).run(),
            self.timeline.run(),
            retention.run(),
            self.registry.run(),
            self.sign_ins.run(),
            self.meters.watch_loop(),
            self.streams.close_with_server(),
        ]


def _routes(core: _Core, templates: Templates) -> list[ControllerRouterHandler]:
    settings, clock, rooms, ingest = core.settings, core.clock, core.rooms, core.ingest
    epoch = secrets.token_hex(4)
    past = Past(core.past, clock)
    rooms_page = RoomsPage(rooms, core.trends, ingest.intake, templates, clock)
    timelines = Timelines(core.timeline, templates)
    room_page = RoomPage(rooms, past, core.sessions, timelines, templates, clock)
    user_page = UserPage(rooms, past, timelines, templates, clock, settings.leave_after)
    intake = IngestHealthPage(ingest.intake, templates)
    notice, forms = DatabaseNotice(core.health, templates), Forms(core.cookie, settings.body_timeout)
    layout = Layout(templates, notice, forms, core.streams, clock, settings)
    return [
        *live_room_routes(rooms, epoch),
        *history_routes(core.store, core.past, rooms, clock),
        *event_routes(core.timeline, core.store, rooms),
        *stream_routes(core.streams, rooms, core.timeline, epoch),
        *openapi_routes(settings),
        *rooms_routes(rooms_page, EndedPage(core.sessions, layout), layout),
        *room_routes(room_page, past, layout),
        *user_routes(user_page, past, layout),
        *(demo_routes(room_page, layout, DemoTokens(core.registry, clock)) if settings.demo else ()),
        *ingest_health_routes(intake, layout),
        *shared_stream_routes(PageViews(rooms_page, room_page, user_page, intake), layout),
        *ready_routes(core.health, lambda: core.hub.closed, clock),
        *metrics_routes(core.meters.registry, _present(core)),
        *export_routes(Downloads(core.store, core.past, core.timeline, clock, settings)),
        *_operator_routes(core, templates, forms, layout),
    ]


def _operator_routes(core: _Core, templates: Templates, forms: Forms, layout: Layout) -> list[ControllerRouterHandler]:
    registry, store, sign_ins, passwords = core.registry, core.access_store, core.sign_ins, Passwords()
    login = Login(registry, store, sign_ins, Throttle(core.clock), passwords)
    administration = Administration(registry, store, sign_ins, passwords, core.clock)
    return [
        *sign_in_routes(login, core.authenticator, SignInPage(templates, registry), forms, core.cookie, core.peers),
        *sign_out_routes(sign_ins, forms, core.cookie),
        *access_routes(administration, registry, forms, layout),
    ]


def _report_auth(core: _Core) -> ReportAuth:
    settings, clock = core.settings, core.clock
    return ReportAuth(Senders(core.registry, clock), RateLimit(settings.sender_rate, clock), ClientAddresses(settings))


def _present(core: _Core) -> CurrentValues:
    """What /metrics looks up when it is asked for."""
    gauges: Gauges = {
        "queue_reports": ("Reports that wait for their commit", lambda: core.ingest.waiting),
        "viewers": ("Open streams", lambda: core.hub.viewers),
        "store_failing": ("Whether writes to the database fail", lambda: core.health.failing_since is not None),
    }
    return CurrentValues(gauges, core.rooms.sizes, core.database.path)


def _no_rooms(settings: Settings) -> RoomsInMemory:
    starts = settings.sender_rooms if settings.sender_rate else None
    limits = Limits(settings.max_rooms, settings.max_room_users, settings.max_user_streams, starts)
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


async def _look_after(ingest: Ingest) -> None:
    async def look() -> None:
        ingest.give_up()
        ingest.expire()

    await every(LOOK_EVERY, look, "stale users and overdue commits could not be checked")
