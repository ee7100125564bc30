"""/report/alerts/rules and /report/alerts/channels: when alerts are raised, and where they are sent."""

from litestar import route
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath
from msgspec import Struct

from roompulse.alerts.model import Rule
from roompulse.alerts.preview import Previews
from roompulse.alerts.service import AlertService
from roompulse.alerts.validation import check_rule, decode
from roompulse.clock import Clock
from roompulse.errors import BadRequest
from roompulse.notify.channels import Channels
from roompulse.notify.courier import Courier
from roompulse.notify.model import Channel, SendError, shown, test_message
from roompulse.web.api.alerts import JsonBodies, answered, body_time, created
from roompulse.web.http.envelope import ACKNOWLEDGED, success
from roompulse.web.http.json_answer import JsonAnswer, hashed_answer
from roompulse.web.http.routes import DELETE, FOR_MANAGERS, GET, POST, PUT, AnyRequest

PREVIEWED = 86_400.0
"""Seconds before now of a preview without `from`."""


class PreviewBody(Struct, forbid_unknown_fields=True, rename={"start": "from", "end": "to"}):
    """A rule, and the range for which to try it."""

    rule: Rule
    """The rule to try."""
    start: float | str | None = None
    """Unix seconds, Unix milliseconds or ISO 8601 with a zone; without it, a day before `to`."""
    end: float | str | None = None
    """Unix seconds, Unix milliseconds or ISO 8601 with a zone; without it, now."""


class TestResult(Struct, frozen=True):
    """The result of a test message."""

    delivered: bool
    """Whether the message could be sent."""
    detail: str
    """The receiver's answer."""


def rule_routes(
    alerts: AlertService, previews: Previews, channels: Channels, bodies: JsonBodies, clock: Clock
) -> list[HTTPRouteHandler]:
    @route("/report/alerts/rules", http_method=GET)
    async def get_rules(request: AnyRequest) -> JsonAnswer:
        return hashed_answer(request, success(alerts.rules))

    @route("/report/alerts/rules", http_method=POST, opt=FOR_MANAGERS)
    async def add_rule(request: AnyRequest) -> JsonAnswer:
        return created(await alerts.add_rule(decode(await bodies.read(request), Rule), channels.ids()))

    @route("/report/alerts/rules/{rule_id:str}", http_method=GET)
    async def get_rule(request: AnyRequest, rule_id: FromPath[str]) -> JsonAnswer:
        return hashed_answer(request, success(alerts.rule(rule_id)))

    @route("/report/alerts/rules/{rule_id:str}", http_method=PUT, opt=FOR_MANAGERS)
    async def change_rule(request: AnyRequest, rule_id: FromPath[str]) -> JsonAnswer:
        rule = decode(await bodies.read(request), Rule)
        return answered(await alerts.change_rule(rule_id, rule, channels.ids()))

    @route("/report/alerts/rules/{rule_id:str}", http_method=DELETE, status_code=200, opt=FOR_MANAGERS)
    async def remove_rule(rule_id: FromPath[str]) -> JsonAnswer:
        await alerts.remove_rule(rule_id)
        return JsonAnswer(ACKNOWLEDGED)

    @route("/report/alerts/rules/preview", http_method=POST, opt=FOR_MANAGERS)
    async def preview(request: AnyRequest) -> JsonAnswer:
        body, now = decode(await bodies.read(request), PreviewBody), clock()
        check_rule(body.rule, "$.rule")
        end = now if body.end is None else min(now, body_time("to", body.end))
        start = end - PREVIEWED if body.start is None else body_time("from", body.start)
        if start > end:
            raise BadRequest("$.from: must not be later than to")
        return answered(await previews.of(body.rule, start, end, now))

    return [get_rules, add_rule, get_rule, change_rule, remove_rule, preview]


def channel_routes(channels: Channels, courier: Courier, bodies: JsonBodies, clock: Clock) -> list[HTTPRouteHandler]:
    @route("/report/alerts/channels", http_method=GET)
    async def get_channels(request: AnyRequest) -> JsonAnswer:
        return hashed_answer(request, success([shown(channel) for channel in channels.all()]))

    @route("/report/alerts/channels", http_method=POST, opt=FOR_MANAGERS)
    async def add_channel(request: AnyRequest) -> JsonAnswer:
        given = decode(await bodies.read(request), Channel)
        channel = await channels.add(given)
        return created(shown(channel, channel.secret if given.secret is None else None))

    @route("/report/alerts/channels/{channel_id:str}", http_method=GET)
    async def get_channel(request: AnyRequest, channel_id: FromPath[str]) -> JsonAnswer:
        return hashed_answer(request, success(shown(channels.get(channel_id))))

    @route("/report/alerts/channels/{channel_id:str}", http_method=PUT, opt=FOR_MANAGERS)
    async def change_channel(request: AnyRequest, channel_id: FromPath[str]) -> JsonAnswer:
        return answered(shown(await channels.change(channel_id, decode(await bodies.read(request), Channel))))

    @route("/report/alerts/channels/{channel_id:str}", http_method=DELETE, status_code=200, opt=FOR_MANAGERS)
    async def remove_channel(channel_id: FromPath[str]) -> JsonAnswer:
        await channels.remove(channel_id)
        return JsonAnswer(ACKNOWLEDGED)

    @route("/report/alerts/channels/{channel_id:str}/test", http_method=POST, opt=FOR_MANAGERS)
    async def test_channel(channel_id: FromPath[str]) -> JsonAnswer:
        try:
            detail = await courier.send(channels.get(channel_id), test_message(clock()))
        except SendError as error:
            return answered(TestResult(delivered=False, detail=error.detail))
        return answered(TestResult(delivered=True, detail=detail))

    return [get_channels, add_channel, get_channel, change_channel, remove_channel, test_channel]
