"""create_app: everything is built and wired here, and nowhere else."""

from collections.abc import AsyncIterator, Coroutine, Sequence
from contextlib import asynccontextmanager
from functools import partial
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
from roompulse.alerts.metrics import Readings
from roompulse.alerts.model import Alert
from roompulse.alerts.preview import Previews
from roompulse.alerts.service import AlertService
from roompulse.clock import WallClock
from roompulse.follower import Follower
from roompulse.hub.local import LocalHub
from roompulse.ingest import Ingest, look_after, taking
from roompulse.intake.intake import Intake
from roompulse.meters import Meters
from roompulse.notify.channels import Channels
from roompulse.notify.courier import Courier
from roompulse.notify.senders import all_senders
from roompulse.notify.store import Outbox
from roompulse.periodic import background
from roompulse.rooms.admission import Limits
from roompulse.rooms.memory import RoomsInMemory
from roompulse.rooms.trends import Trends
from roompulse.settings import Settings
from roompulse.store.availability import Availability
from roompulse.store.engine import Database
from roompulse.store.reader import Reader
from roompulse.store.replay import Replay
from roompulse.store.retention import Retention
from roompulse.store.samples import SqlSamples
from roompulse.store.sessions import SessionRecorder, SqlSessions
from roompulse.store.snapshots import Snapshots, refill
from roompulse.store.sql_store import SqlStore
from roompulse.store.sqlite import startup_errors
from roompulse.web.access_log import AccessLog
from roompulse.web.api.alert_settings import channel_routes, rule_routes
from roompulse.web.api.alerts import JsonBodies, alert_routes
from roompulse.web.api.downloads import Downloads, export_routes
from roompulse.web.api.health import ready_routes
from roompulse.web.api.history import history_routes
from roompulse.web.api.live_rooms import live_room_routes
from roompulse.web.api.metrics import CurrentValues, Gauges, metrics_routes
from roompulse.web.api.openapi import openapi_routes
from roompulse.web.api.post_report import ReportEndpoint, report_route
from roompulse.web.api.report_auth import ReportAuth
from roompulse.web.api.stream import stream_routes
from roompulse.web.application import Application
from roompulse.web.html.error_pages import ErrorPages
from roompulse.web.html.templates import Templates, assets_and_templates
from roompulse.web.http.allowed_hosts import AllowedHosts
from roompulse.web.http.authentication import Authenticator, guard_by
from roompulse.web.http.client_address import ClientAddresses
from roompulse.web.http.problems import ProblemAnswers
from roompulse.web.http.rate_limit import RateLimit
from roompulse.web.http.session_cookie import SessionCookie
from roompulse.web.pages.access import access_routes
from roompulse.web.pages.alert_rules import AlertRulesPage, alert_rules_routes
from roompulse.web.pages.alerts import AlertBanners, AlertsPage, alerts_page_routes
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
from roompulse.web.pages.user import UserPage, user_routes
from roompulse.web.sse.events import slowdown_frames
from roompulse.web.sse.stream import EventStreams


def create_app(settings: Settings, clock: WallClock | None = None) -> Application:
    """The application.

    Raises StartupError: here for settings, and from the lifespan for a database, that cannot be used.
    """
    core = _Core(settings, clock or WallClock())
    assets, templates = assets_and_templates()
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
        present=core.follower.present,
        access_log=AccessLog(core.peers) if settings.log_requests else None,
        hub=core.hub,
        meters=core.meters,
    )


class _Core:
    """What takes reports, keeps them and shows them, whatever asks for it."""

    def __init__(self, settings: Settings, clock: WallClock) -> None:
        self.settings = settings
        self.clock = clock
        self.database = Database(settings)
        self.store = SqlStore(self.database)
        self.rooms = _no_rooms(settings)
        self.meters = Meters()
        clock.on_jump(lambda _jump, _now: self.meters.clock_jumps.inc())
        self.hub = LocalHub(
            settings.push_interval, settings.max_viewers, settings.max_views, self.meters, slowdown_frames
        )
        refresh = partial(self.hub.refresh, everywhere=True)
        self.health = Availability(self.database, self.meters, clock, refresh)
        self.reader = Reader(settings.max_reads, self.health.read_failed)
        self.retention = Retention(self.store, self.store, clock, refresh, settings)
        intake = Intake(self.meters, clock)
        self.follower = Follower(self.store, self.health, self.rooms, self.hub, intake, clock)
        self.ingest = Ingest(
            self.store,
            self.health,
            self.rooms,
            self.follower,
            self.meters,
            clock,
            max_queue=settings.max_queue,
            commit_timeout=settings.commit_timeout,
        )
        self.trends = Trends(settings.snapshot_interval, settings.max_rooms)
        self.sessions = SqlSessions(self.database)
        self.alerts = AlertService(self.database, self.rooms, self._readings, clock, self._alerted, settings)
        self.outbox = Outbox(self.database)
        self.channels = Channels(self.outbox, clock)
        self.courier = Courier(self.outbox, self.channels, all_senders(settings, clock), clock, self.meters.delivery)
        self.past = Replay(SqlSamples(self.database), self.store, partial(_no_rooms, settings), settings)
        self.previews = Previews(self.store, partial(_no_rooms, settings), settings)
        self.access = AccessDatabase(settings)
        self.access_store = AccessStore(self.access)
        self.registry = AccessRegistry(settings, self.access_store, clock)
        self.sign_ins = OperatorSessions(self.registry, self.access_store, clock, settings)
        self.peers = ClientAddresses(settings)
        self.cookie = SessionCookie(self.peers, settings.session_lifetime)
        self.authenticator = Authenticator(self.registry, self.cookie, self.peers, settings)
        self.streams = EventStreams(self.hub, self.peers, self.registry, self.meters, settings, clock)

    def _alerted(self, _alerts: Sequence[Alert]) -> None:
        self.courier.wake()
        self.hub.refresh(everywhere=True)

    def _readings(self) -> Readings:
        self.follower.expire()
        intake, now = self.ingest.intake, self.clock()
        return Readings(intake.newest, intake.rate(now), intake.refused_shares(now), self.ingest.commit_ms)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Raises StartupError for a database that cannot be used."""
        async with self.database.open(), self.access.open():
            with startup_errors(self.access.path):
                await self.registry.reload()
            with startup_errors(self.database.path):
                await self.follower.rebuild(self.settings.leave_after)
                await self.channels.load()
                await self.alerts.load()
                await refill(self.trends, self.store, self.clock(), self.settings.leave_after)
            self.database.read_failed = self.health.read_failed
            with self.reader.running():
                async with background(*self._jobs()), taking(self.ingest, self.hub):
                    yield

    def _jobs(self) -> list[Coroutine[Any, Any, None]]:
        store, clock, interval = self.store, self.clock, self.settings.snapshot_interval
        return [
            look_after(self.ingest, self.follower),
            self.health.run(),
            Snapshots(store, self.rooms, self.trends, clock, interval).run(),
            SessionRecorder(self.sessions, self.rooms, clock).run(),
            self.retention.run(),
            self.registry.run(),
            self.sign_ins.run(),
            self.alerts.run(),
            self.alerts.run_pruning(),
            self.courier.run(),
            self.meters.watch_loop(),
            self.streams.close_with_server(),
        ]


def _routes(core: _Core, templates: Templates) -> list[ControllerRouterHandler]:
    settings, clock, rooms, ingest = core.settings, core.clock, core.rooms, core.ingest
    past = Past(core.past, core.reader, clock)
    banners, alerts_page = AlertBanners(core.alerts, templates), AlertsPage(core.alerts, templates)
    rooms_page = RoomsPage(rooms, core.trends, ingest.intake, banners.of_all, templates, clock)
    room_page = RoomPage(rooms, past, core.sessions, banners, templates, clock)
    user_page = UserPage(rooms, past, templates, clock, settings.leave_after)
    intake = IngestHealthPage(ingest.intake, templates)
    notice, forms = DatabaseNotice(core.health, core.retention, templates), Forms(core.cookie, settings.body_timeout)
    layout = Layout(templates, notice, forms, core.streams, clock, settings)
    return [
        *live_room_routes(rooms),
        *history_routes(core.store, core.past, core.reader, rooms, clock),
        *stream_routes(core.streams, rooms),
        *openapi_routes(settings),
        *rooms_routes(rooms_page, EndedPage(core.sessions, layout), layout),
        *room_routes(room_page, past, layout),
        *user_routes(user_page, past, layout),
        *(demo_routes(room_page, layout, DemoTokens(core.registry, clock)) if settings.demo else ()),
        *ingest_health_routes(intake, layout),
        *shared_stream_routes(PageViews(rooms_page, room_page, user_page, intake, alerts_page), layout),
        *ready_routes(core.health, lambda: core.hub.closed, clock),
        *metrics_routes(core.meters.registry, _present(core)),
        *_alert_routes(core, forms, layout),
        *alerts_page_routes(alerts_page, core.alerts, forms, layout, clock),
        *export_routes(Downloads(core.store, core.past, core.reader, clock, settings)),
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


def _alert_routes(core: _Core, forms: Forms, layout: Layout) -> list[ControllerRouterHandler]:
    bodies, clock, alerts, channels = JsonBodies(core.settings.body_timeout), core.clock, core.alerts, core.channels
    page = AlertRulesPage(alerts, core.previews, channels, core.courier, core.outbox, clock)
    return [
        *alert_routes(alerts, core.outbox, bodies),
        *rule_routes(alerts, core.previews, channels, bodies, clock),
        *channel_routes(channels, core.courier, bodies, clock),
        *alert_rules_routes(page, forms, layout),
    ]


def _report_auth(core: _Core) -> ReportAuth:
    settings, clock = core.settings, core.clock
    return ReportAuth(Senders(core.registry, clock), RateLimit(settings.sender_rate, clock), ClientAddresses(settings))


def _present(core: _Core) -> CurrentValues:
    """What /metrics looks up when it is asked for."""
    gauges: Gauges = {
        "queue_reports": ("Reports that wait for their commit", lambda: core.ingest.waiting),
        "viewers": ("Open streams", lambda: core.hub.viewers),
        "views": ("Different views that have viewers", lambda: core.hub.views),
        "store_failing": ("Whether writes to the database fail", lambda: core.health.failing_since is not None),
        "retention_waiting": ("Whether deletion waits for the clock", lambda: core.retention.doubt is not None),
    }
    return CurrentValues(gauges, core.rooms.sizes, core.alerts, core.database.path)


def _no_rooms(settings: Settings) -> RoomsInMemory:
    starts = settings.sender_rooms if settings.sender_rate else None
    limits = Limits(
        rooms=settings.max_rooms,
        room_users=settings.max_room_users,
        user_streams=settings.max_user_streams,
        reported_users=settings.max_reported_users,
        sender_rooms=starts,
    )
    return RoomsInMemory(limits, stale_after=settings.stale_after, leave_after=settings.leave_after)
