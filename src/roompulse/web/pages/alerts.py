"""/alerts: what fires, who looks after it, and what is over; and the banner of alerts on other pages."""

from collections.abc import Sequence
from typing import Any

from litestar import Response, route
from litestar.handlers import HTTPRouteHandler
from msgspec import Struct

from roompulse.alerts.model import LONGEST_NOTE, Alert, Silence
from roompulse.alerts.service import AlertService
from roompulse.alerts.store import AlertQuery
from roompulse.clock import Clock
from roompulse.errors import BadRequest
from roompulse.web.html.templates import Templates
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

_RESOLVED = 200
"""Alerts that are over: the newest ones are listed, and searched."""


class AlertsQuery(PageQuery, frozen=True):
    """Which resolved alerts to list: those whose rule, room, user or text contains `q`, ignoring case."""

    q: str = ""

    def matches(self, alert: Alert) -> bool:
        texts = (alert.rule, alert.room_id, alert.user_id, alert.text)
        return any(self.q.casefold() in text.casefold() for text in texts if text)


class Now(Struct, frozen=True):
    """Alerts that fire, worst and newest first: those that nobody looks after yet, and the others."""

    new: Sequence[Alert]
    acknowledged: Sequence[Alert]


class AlertBanners:
    """Sections of pages that tell of alerts which fire; empty while there is none."""

    def __init__(self, alerts: AlertService, templates: Templates) -> None:
        self._alerts = alerts
        self._templates = templates

    def of_all(self) -> str:
        """How many there are, with a link to their page."""
        return self._templates.render("partials/alerts_now.html", alerts=self._alerts.firing())

    def of_room(self, room_id: str) -> str:
        return self._templates.render("partials/room_alerts.html", alerts=self._alerts.firing(room_id))


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
        return {"alerts": self._templates.render("partials/alerts.html", now=now, pending=pending)}

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
        return layout.answer(request, "alerts.html", page.view().sections(), stream="alerts/stream", **context)

    @route("/alerts/stream", http_method=GET, opt=STREAM)
    async def stream_alerts_page() -> EventStream:
        return layout.stream(page.view())

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

    return [get_alerts_page, stream_alerts_page, post_acknowledge, post_silence]


def _by_id(alerts: Sequence[Alert], form: Form) -> Alert:
    for alert in alerts:
        if alert.id == form.get("id"):
            return alert
    raise BadRequest("this alert does not fire any more")
