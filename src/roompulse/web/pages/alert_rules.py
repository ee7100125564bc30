"""/alerts/rules: rules with a preview, silences, and channels with a test."""

import logging
from collections.abc import Awaitable, Callable
from typing import Any

from litestar import Response, route
from litestar.handlers import HTTPRouteHandler
from msgspec import Struct

from roompulse.alerts.metrics import METRICS
from roompulse.alerts.model import DAYS, SEVERITIES, Rule, Silence
from roompulse.alerts.preview import Preview, Previews
from roompulse.alerts.service import AlertService
from roompulse.alerts.validation import convert
from roompulse.clock import Clock
from roompulse.errors import BadRequest, Problem
from roompulse.notify.channels import Channels
from roompulse.notify.courier import Courier
from roompulse.notify.model import Channel, SendError, shown, test_message
from roompulse.notify.store import Outbox
from roompulse.web.html.sparklines import ValueChart, value_chart
from roompulse.web.http.authentication import caller_of, name_of
from roompulse.web.http.routes import FOR_MANAGERS, GET, POST, AnyRequest
from roompulse.web.pages.forms import Form, Forms
from roompulse.web.pages.layout import Layout
from roompulse.web.pages.rule_form import CONDITIONS, fields_of, rule_of
from roompulse.web.pages.sign_in import to

logger = logging.getLogger(__name__)

PREVIEWED = 86_400.0
"""Seconds before now that a preview covers."""

_DELIVERIES = 50

SILENCES = {"3600": "1 hour", "14400": "4 hours", "86400": "1 day", "604800": "1 week"}
"""How long a silence lasts, in seconds and in words."""


class Said(Struct, frozen=True):
    """The result of the submitted `form`: a line, a secret, or a preview of its `rule`."""

    text: str = ""
    secret: str | None = None
    preview: Preview | None = None
    form: dict[str, str] | None = None
    chart: ValueChart | None = None
    rule: Rule | None = None


class AlertRulesPage:
    """The actions of the page's forms. Each method raises a Problem with the reason of a failure."""

    def __init__(
        self,
        alerts: AlertService,
        previews: Previews,
        channels: Channels,
        courier: Courier,
        outbox: Outbox,
        clock: Clock,
    ) -> None:
        self._alerts = alerts
        self._previews = previews
        self._channels = channels
        self._courier = courier
        self._outbox = outbox
        self._clock = clock

    async def context(self) -> dict[str, Any]:
        """Raises StoreError."""
        return {
            "rules": [(rule, fields_of(rule)) for rule in self._alerts.rules],
            "silences": self._alerts.silences,
            "channels": [shown(channel) for channel in self._channels.all()],
            "deliveries": await self._outbox.newest(_DELIVERIES),
            "names": {channel.id: channel.name for channel in self._channels.all()},
            "metrics": METRICS,
            "severities": SEVERITIES,
            "days": DAYS,
            "conditions": range(CONDITIONS),
            "lasting": SILENCES,
        }

    async def save_rule(self, form: Form, _by: str) -> Said | None:
        rule_id, rule = form.get("id", ""), rule_of(form)
        if rule_id:
            self._check_is_whole(self._alerts.rule(rule_id))
            await self._alerts.change_rule(rule_id, rule, self._channels.ids())
        else:
            await self._alerts.add_rule(rule, self._channels.ids())
        return None

    @staticmethod
    def _check_is_whole(rule: Rule) -> None:
        """A form without fields for parts of a rule would delete them."""
        if len(rule.when) > CONDITIONS:
            raise BadRequest(f"this rule has more than {CONDITIONS} conditions: change it over HTTP")

    async def preview_rule(self, form: Form, _by: str) -> Said:
        rule, now = rule_of(form), self._clock()
        preview = await self._previews.of(rule, now - PREVIEWED, now, now)
        chart = value_chart(preview.worst, rule.when[0].value) if any(preview.worst) else None
        return Said(preview=preview, form=form, chart=chart, rule=rule)

    async def remove_rule(self, form: Form, _by: str) -> None:
        await self._alerts.remove_rule(form.get("id", ""))

    async def add_silence(self, form: Form, by: str) -> None:
        seconds = form.get("for", "")
        if seconds not in SILENCES:
            raise BadRequest("the silence has no end")
        rule_id, room_id, user_id = (form.get(name, "").strip() or None for name in ("rule_id", "room_id", "user_id"))
        until = self._clock() + float(seconds)
        await self._alerts.add_silence(Silence("", rule_id, room_id, user_id, until, form.get("reason", "")[:500], by))

    async def remove_silence(self, form: Form, _by: str) -> None:
        await self._alerts.remove_silence(form.get("id", ""))

    async def add_channel(self, form: Form, _by: str) -> Said | None:
        fields: dict[str, Any] = {name: form.get(name, "").strip() for name in ("name", "kind")}
        fields["to" if fields["kind"] == "email" else "url"] = form.get("target", "").strip()
        fields["call_ended"] = "call_ended" in form
        channel = await self._channels.add(convert(fields, Channel))
        return Said(f"Secret of {channel.name}", secret=channel.secret) if channel.secret else None

    async def try_channel(self, form: Form, _by: str) -> Said:
        channel = self._channels.get(form.get("id", ""))
        try:
            detail = await self._courier.send(channel, test_message(self._clock()))
        except SendError as error:
            return Said(f"The test message to {channel.name} was not delivered: {error.detail}")
        return Said(f"The test message to {channel.name} was delivered: {detail}")

    async def remove_channel(self, form: Form, _by: str) -> None:
        await self._channels.remove(form.get("id", ""))


def alert_rules_routes(page: AlertRulesPage, forms: Forms, layout: Layout) -> list[HTTPRouteHandler]:
    async def answer(request: AnyRequest, said: Said | None = None, problem: Problem | None = None) -> Response[str]:
        error, status = (problem.message, problem.status) if problem else (None, 200)
        context = await page.context()
        return await layout.answer(
            request, "alert_rules.html", {}, status=status, said=said or Said(), error=error, **context
        )

    @route("/alerts/rules", http_method=GET, opt=FOR_MANAGERS)
    async def get_alert_rules(request: AnyRequest) -> Response[str]:
        return await answer(request)

    def action(path: str, act: Callable[[Form, str], Awaitable[Said | None]]) -> HTTPRouteHandler:
        @route(f"/alerts/{path}", http_method=POST, opt=FOR_MANAGERS)
        async def post_alert_rules(request: AnyRequest) -> Response[Any]:
            form = await forms.read(request)
            by = name_of(caller_of(request))
            try:
                said = await act(form, by)
            except Problem as problem:
                return await answer(request, Said(form=form if path.startswith("rules/") else None), problem)
            logger.info("%r: alerts: %s %r", by, path, form.get("name") or form.get("id"))
            return await answer(request, said) if said else to("/alerts/rules")

        return post_alert_rules

    return [
        get_alert_rules,
        action("rules/save", page.save_rule),
        action("rules/preview", page.preview_rule),
        action("rules/remove", page.remove_rule),
        action("silences/add", page.add_silence),
        action("silences/remove", page.remove_silence),
        action("channels/add", page.add_channel),
        action("channels/test", page.try_channel),
        action("channels/remove", page.remove_channel),
    ]
