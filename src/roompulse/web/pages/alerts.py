"""/alerts: firing, acknowledged and resolved alerts; and the banner of alerts on other pages."""

from collections.abc import Mapping, Sequence
from typing import Any

from litestar import Response, route
from litestar.handlers import HTTPRouteHandler
from msgspec import Struct

from roompulse.alerts.model import LONGEST_NOTE, Alert, Silence
from roompulse.alerts.service import AlertService
from roompulse.alerts.store import AlertQuery
from roompulse.clock import Clock
from roompulse.errors import BadRequest
from roompulse.overview.rooms_index import RoomAlerts
from roompulse.web.html.fragment_cache import FragmentCache
from roompulse.web.html.templates import Templates, compact
from roompulse.web.http.authentication import caller_of, name_of
from roompulse.web.http.routes import FOR_MANAGERS, GET, POST, STREAM, AnyRequest
from roompulse.web.pages.forms import Form, Forms
from roompulse.web.pages.layout import Layout
from roompulse.web.pages.query import PageQuery, search_of
from roompulse.web.pages.sign_in import to, wanted
from roompulse.web.pages.view import PageView, Sections
from roompulse.web.sse.stream import EventStream

SILENCED_FOR = 3600.0
"""Seconds for which the button of an alert silences it."""

_FRAGMENTS = 2

_TOLD = 5
"""The newest alerts of which a browser notifies."""

_FIRING, _OF_ROOM = 200, 20
"""The most severe alerts that a page lists, of all and of a room."""

_RESOLVED = 200
"""Resolved alerts that are listed and searched: the newest."""


FIRING = PageView(("firing",), None, dict)
"""The view of a background page that notifies of alerts: only the sections that every page has."""


class AlertsQuery(PageQuery, frozen=True):
    """Which resolved alerts to list: those whose rule, room, user or text contains `q`, ignoring case."""

    q: str = ""

    def matches(self, alert: Alert) -> bool:
        texts = (alert.rule, alert.room_id, alert.user_id, alert.text)
        return any(self.q.casefold() in text.casefold() for text in texts if text)


class Now(Struct, frozen=True):
    """Firing alerts, worst and newest first: those not acknowledged, and the others."""

    new: Sequence[Alert]
    acknowledged: Sequence[Alert]


class AlertBanners:
    """Firing alerts on other pages; empty while there is none. Rendered once per change."""

    def __init__(self, alerts: AlertService, templates: Templates) -> None:
        self._alerts = alerts
        self._templates = templates
        self._fragments = FragmentCache(_FRAGMENTS)
        self._by_room: Mapping[str, RoomAlerts] = {}
        self._counted = -1

    def of_all(self) -> str:
        """The number of firing alerts, with a link to their page."""
        return self._fragment("alerts_now")

    def in_header(self) -> str:
        """The number of firing alerts, and the newest unacknowledged ones, for notifications by the browser."""
        return self._fragment("alerts_firing")

    def _fragment(self, name: str) -> str:
        def render() -> str:
            alerts = self._alerts.firing()
            new = [one for one in alerts if not one.acknowledged and not one.silenced_until]
            newest = sorted(new, key=lambda one: one.fired_at or 0, reverse=True)[:_TOLD]
            return compact(self._templates.render(f"partials/{name}.html", alerts=alerts, newest=newest))

        return self._fragments.fragment(name, self._alerts.version, render)

    def by_room(self) -> Mapping[str, RoomAlerts]:
        """The rooms with firing alerts; the same object as before where nothing has changed."""
        if self._counted != self._alerts.version:
            self._counted = self._alerts.version
            found: dict[str, RoomAlerts] = {}
            for alert in self._alerts.firing():  # the most severe first
                if alert.room_id is not None:
                    known = found.get(alert.room_id, RoomAlerts(alert.severity, 0))
                    found[alert.room_id] = RoomAlerts(known.severity, known.count + 1)
            if found != self._by_room:
                self._by_room = found
        return self._by_room

    def of_room(self, room_id: str) -> str:
        return self._templates.render("partials/room_alerts.html", alerts=self._alerts.firing(room_id), SHOWN=_OF_ROOM)


class AlertsPage:
    def __init__(self, alerts: AlertService, templates: Templates) -> None:
        self._alerts = alerts
        self._templates = templates

    def view(self) -> PageView:
        return PageView(("alerts",), None, self._sections)

    def _sections(self) -> Sections:
        firing = self._alerts.firing()
        now = Now([one for one in firing if not one.acknowledged], [one for one in firing if one.acknowledged])
        pending = sum(count for (_, state), count in self._alerts.counts().items() if state != "firing")
        return {"alerts": self._templates.render("partials/alerts.html", now=now, pending=pending, SHOWN=_FIRING)}

    async def resolved(self, query: AlertsQuery) -> list[Alert]:
        """Newest first. Raises StoreError."""
        found = await self._alerts.alerts(AlertQuery(limit=_RESOLVED), "resolved")
        return [alert for alert in found if query.matches(alert)]


def alerts_page_routes(
    page: AlertsPage, alerts: AlertService, forms: Forms, layout: Layout, clock: Clock
) -> list[HTTPRouteHandler]:
    @route("/alerts", http_method=GET)
    async def get_alerts_page(request: AnyRequest) -> Response[str]:
        query = AlertsQuery(search_of(request.query_params))
        context: dict[str, Any] = {"query": query, "resolved": await page.resolved(query)}
        sections = await layout.render(page.view())
        return await layout.answer(request, "alerts.html", sections, stream="alerts/stream", **context)

    @route("/alerts/stream", http_method=GET, opt=STREAM)
    async def stream_alerts_page(request: AnyRequest) -> EventStream:
        return layout.stream(request, page.view())

    @route("/alerts/firing/stream", http_method=GET, opt=STREAM)
    async def stream_firing(request: AnyRequest) -> EventStream:
        return layout.stream(request, FIRING)

    @route("/alerts/acknowledge", http_method=POST, opt=FOR_MANAGERS)
    async def post_acknowledge(request: AnyRequest) -> Response[Any]:
        form = await forms.read(request)
        note = form.get("note", "")[:LONGEST_NOTE]
        await alerts.acknowledge(form.get("id", ""), note, name_of(caller_of(request)))
        return to(wanted(request))

    @route("/alerts/silence", http_method=POST, opt=FOR_MANAGERS)
    async def post_silence(request: AnyRequest) -> Response[Any]:
        alert = _by_id(alerts.firing(), await forms.read(request))
        until, by = clock() + SILENCED_FOR, name_of(caller_of(request))
        silence = Silence("", alert.rule_id, alert.room_id, alert.user_id, until, "for an hour", by)
        await alerts.add_silence(silence)
        return to(wanted(request))

    return [get_alerts_page, stream_alerts_page, stream_firing, post_acknowledge, post_silence]


def _by_id(alerts: Sequence[Alert], form: Form) -> Alert:
    for alert in alerts:
        if alert.id == form.get("id"):
            return alert
    raise BadRequest("this alert is no longer firing")
