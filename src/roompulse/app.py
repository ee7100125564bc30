"""create_app: routes are built and wired here, on top of `core.py`."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

from litestar import Litestar
from litestar.types import ControllerRouterHandler

from roompulse.access.administration import Administration
from roompulse.access.login import Login
from roompulse.access.passwords import Passwords
from roompulse.access.senders import Senders
from roompulse.access.throttle import Throttle
from roompulse.clock import WallClock
from roompulse.core import Core
from roompulse.engines import clock_of
from roompulse.erasure.erasure import Erasure
from roompulse.events.model import EventQuery
from roompulse.events.notes import Notes
from roompulse.other_workers import Reread
from roompulse.overview.overview import Overviews
from roompulse.overview.rooms_index import RoomsIndex
from roompulse.pseudonyms.pages import PagePseudonyms
from roompulse.settings import Settings
from roompulse.web.access_log import AccessLog
from roompulse.web.api.alert_settings import channel_routes, rule_routes
from roompulse.web.api.alerts import JsonBodies, alert_routes
from roompulse.web.api.calls import call_routes
from roompulse.web.api.downloads import Downloads, export_routes
from roompulse.web.api.encoded_rooms import EncodedRooms
from roompulse.web.api.events import event_routes
from roompulse.web.api.health import ready_routes
from roompulse.web.api.history import history_routes
from roompulse.web.api.insights import insight_routes
from roompulse.web.api.live_rooms import live_room_routes
from roompulse.web.api.manage.erasure import erasure_routes
from roompulse.web.api.manage.notes import note_routes
from roompulse.web.api.manage.shares import share_routes
from roompulse.web.api.metrics import CurrentValues, Gauges, metrics_routes
from roompulse.web.api.openapi.document import openapi_routes
from roompulse.web.api.overview import overview_routes
from roompulse.web.api.post_report import ReportEndpoint, report_route
from roompulse.web.api.report_auth import ReportAuth
from roompulse.web.api.stream import stream_routes
from roompulse.web.application import Application
from roompulse.web.html.error_pages import ErrorPages
from roompulse.web.html.templates import Templates, assets_and_templates
from roompulse.web.http.allowed_hosts import AllowedHosts
from roompulse.web.http.authentication import guard_by
from roompulse.web.http.client_address import ClientAddresses
from roompulse.web.http.problems import ProblemAnswers
from roompulse.web.http.rate_limit import RateLimit
from roompulse.web.http.reader_limit import ReaderLimit
from roompulse.web.http.routes import Routes, with_options
from roompulse.web.http.shared import SharedPages
from roompulse.web.pages.access import access_routes
from roompulse.web.pages.alert_rules import AlertRulesPage, alert_rules_routes
from roompulse.web.pages.alerts import AlertBanners, AlertsPage, alerts_page_routes
from roompulse.web.pages.calls.listing import CallsPage, calls_page_routes
from roompulse.web.pages.calls.report import call_report_routes
from roompulse.web.pages.database_notice import DatabaseNotice
from roompulse.web.pages.demo import DemoTokens, demo_routes
from roompulse.web.pages.forms import Forms
from roompulse.web.pages.ingest_health import IngestHealthPage, ingest_health_routes
from roompulse.web.pages.insights.page import InsightsPage, insights_routes
from roompulse.web.pages.insights.trends import TrendsSection, trend_routes
from roompulse.web.pages.layout import Layout
from roompulse.web.pages.manage.erase import erase_routes
from roompulse.web.pages.manage.notes import note_page_routes
from roompulse.web.pages.manage.shares import share_page_routes
from roompulse.web.pages.past import Past
from roompulse.web.pages.room import RoomPage, room_routes
from roompulse.web.pages.rooms import RoomsPage, rooms_routes
from roompulse.web.pages.shared_stream import PageViews, shared_stream_routes
from roompulse.web.pages.sign_in import SignInPage, sign_in_routes, sign_out_routes
from roompulse.web.pages.timeline import Timelines
from roompulse.web.pages.user import UserPage, user_routes
from roompulse.web.pages.users import UsersPage, users_routes


def create_app(settings: Settings, clock: WallClock | None = None) -> Application:
    """The application.

    Raises StartupError: here for settings, and from the lifespan for a database, that cannot be used.
    """
    core = Core(settings, clock or clock_of(settings))
    assets, templates = assets_and_templates()
    problems = ProblemAnswers(ErrorPages(templates).render, core.meters)
    reports = ReportEndpoint(core.ingest, _report_auth(core), settings)

    @asynccontextmanager
    async def lifespan(_app: Litestar) -> AsyncIterator[None]:
        async with core.running():
            yield

    routed = Litestar(
        [report_route(reports), Routes("/", route_handlers=with_options(_routes(core, templates))), *assets.routers()],
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
        readers=ReaderLimit(settings.reader_rate, core.peers, core.meters),
        problems=problems,
        shared=SharedPages(core.registry, settings.embed_origins),
        present=core.others.present,
        access_log=AccessLog(core.peers) if settings.log_requests else None,
        hub=core.hub,
        meters=core.meters,
    )


def _routes(core: Core, templates: Templates) -> list[ControllerRouterHandler]:
    settings, clock, rooms, ingest = core.settings, core.clock, core.rooms, core.ingest
    past, encoded = Past(core.past, core.reader, clock), EncodedRooms()
    hidden = PagePseudonyms(core.database, core.reader)
    timelines = Timelines(core.timeline, templates)
    banners, alerts_page = AlertBanners(core.alerts, templates), AlertsPage(core.alerts, templates)
    index, users_page = RoomsIndex(rooms, banners.by_room), UsersPage(rooms, templates)
    calls_page = CallsPage(core.calls, core.reader, templates)
    rooms_page = RoomsPage(rooms, index, users_page, core.trends, ingest.intake, banners.of_all, templates, clock)
    room_page = RoomPage(rooms, past, core.sessions, timelines, banners, templates, clock)
    user_page = UserPage(rooms, past, timelines, templates, clock, settings.leave_after)
    intake = IngestHealthPage(ingest.intake, templates)
    trends = TrendsSection(core.rollups, core.alerts, core.reader, templates, clock)
    insights = InsightsPage(core.recorder, core.rollups, core.reader, rooms, templates, clock)
    notice = DatabaseNotice(core.health, core.retention, templates)
    forms = Forms(core.cookie, settings.body_timeout, core.engine.form_key)
    layout = Layout(templates, notice, banners.in_header, forms, core.streams, core.reader, clock, settings)
    return [
        *live_room_routes(rooms, encoded),
        *history_routes(core.store, core.past, hidden, core.reader, rooms, clock),
        *event_routes(core.timeline, core.store, core.reader, rooms),
        *insight_routes(core.rollups, core.reader, clock),
        *stream_routes(core.streams, rooms, encoded, core.timeline),
        *overview_routes(Overviews(index, ingest.intake, clock), core.streams),
        *openapi_routes(settings),
        *rooms_routes(rooms_page, calls_page, trends, layout),
        *trend_routes(trends),
        *call_routes(core.calls, core.call_reports, hidden, core.reader, rooms),
        *calls_page_routes(calls_page, layout),
        *call_report_routes(core.call_reports, hidden, core.reader, layout, clock),
        *room_routes(room_page, past, hidden, layout),
        *user_routes(user_page, past, hidden, layout),
        *(demo_routes(room_page, layout, DemoTokens(core.registry, clock)) if settings.demo else ()),
        *users_routes(users_page, layout),
        *ingest_health_routes(intake, layout),
        *insights_routes(insights, layout),
        *shared_stream_routes(
            PageViews(rooms_page, room_page, user_page, users_page, intake, alerts_page, insights), hidden, layout
        ),
        *ready_routes(core.health, lambda: core.hub.closed, core.others.behind, clock),
        *metrics_routes(core.meters.registry, _present(core)),
        *_alert_routes(core, forms, layout),
        *alerts_page_routes(alerts_page, core.alerts, forms, layout, clock),
        *export_routes(Downloads(core.store, core.past, core.timeline, core.reader, clock, settings)),
        *_operator_routes(core, templates, forms, layout),
        *_manage_routes(core, forms, layout),
    ]


def _manage_routes(core: Core, forms: Forms, layout: Layout) -> list[ControllerRouterHandler]:
    everywhere, bodies = core.others.everywhere, JsonBodies(core.settings.body_timeout)
    erasure = Erasure(core.database, core.forget, partial(everywhere, Reread()))

    async def is_known(room_id: str) -> bool:
        if core.rooms.get(room_id) is not None or await core.sessions.of_room(room_id, 1):
            return True
        found, _ = await core.timeline.find(EventQuery(room_id, limit=1))
        return bool(found)

    notes = Notes(core.events, everywhere, is_known, core.clock)
    return [
        *note_routes(notes, bodies),
        *note_page_routes(notes, forms, layout),
        *share_routes(core.shares, bodies, core.peers),
        *share_page_routes(core.shares, core.peers, forms, layout),
        *erasure_routes(erasure),
        *erase_routes(erasure, forms, layout),
    ]


def _operator_routes(core: Core, templates: Templates, forms: Forms, layout: Layout) -> list[ControllerRouterHandler]:
    registry, store, sign_ins, passwords = core.registry, core.access_store, core.sign_ins, Passwords()
    login = Login(registry, store, sign_ins, Throttle(core.engine.attempts, core.clock), passwords)
    administration = Administration(registry, store, sign_ins, passwords, core.clock)
    return [
        *sign_in_routes(login, core.authenticator, SignInPage(templates, registry), forms, core.cookie, core.peers),
        *sign_out_routes(sign_ins, forms, core.cookie),
        *access_routes(administration, registry, forms, layout),
    ]


def _alert_routes(core: Core, forms: Forms, layout: Layout) -> list[ControllerRouterHandler]:
    bodies, clock, alerts, channels = JsonBodies(core.settings.body_timeout), core.clock, core.alerts, core.channels
    page = AlertRulesPage(alerts, core.previews, channels, core.courier, core.outbox, clock)
    return [
        *alert_routes(alerts, core.outbox, bodies, core.reader),
        *rule_routes(alerts, core.previews, channels, bodies, clock),
        *channel_routes(channels, core.courier, bodies, clock),
        *alert_rules_routes(page, forms, layout),
    ]


def _report_auth(core: Core) -> ReportAuth:
    settings, clock = core.settings, core.clock
    rate_limit = RateLimit(settings.sender_rate, settings.sender_streams, clock)
    return ReportAuth(Senders(core.registry, clock), rate_limit, ClientAddresses(settings))


def _present(core: Core) -> CurrentValues:
    """The gauges that /metrics reads at the scrape."""
    gauges: Gauges = {
        "queue_reports": ("Reports that wait for their commit", lambda: core.ingest.waiting),
        "viewers": ("Open streams", lambda: core.hub.viewers),
        "views": ("Different views that have viewers", lambda: core.hub.views),
        "store_failing": ("Whether writes to the database fail", lambda: core.health.failing_since is not None),
        "retention_waiting": ("Whether deletion waits for the clock", lambda: core.retention.doubt is not None),
    }
    return CurrentValues(gauges, core.rooms.sizes, core.alerts, core.database.path)
