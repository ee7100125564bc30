"""/report/alerts: alerts, deliveries of their messages, acknowledging, silences."""

import msgspec
from litestar import route
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath
from litestar.types import ASGIApp
from msgspec import Struct

from roompulse.alerts.model import SEVERITIES, STATES, Note, Silence, State
from roompulse.alerts.service import AlertService
from roompulse.alerts.store import AlertQuery
from roompulse.alerts.validation import decode
from roompulse.errors import BadRequest, UnsupportedMediaType
from roompulse.notify.store import Outbox
from roompulse.report.ids import id_fault
from roompulse.store.reader import Reader
from roompulse.web.api.history import list_answer, requested_id, requested_limit, requested_one_of, requested_span
from roompulse.web.http.authentication import caller_of, name_of
from roompulse.web.http.body import read_body
from roompulse.web.http.envelope import ACKNOWLEDGED, success
from roompulse.web.http.json_answer import JsonAnswer, hashed_answer
from roompulse.web.http.routes import DELETE, FOR_MANAGERS, GET, POST, AnyRequest
from roompulse.web.http.times import parse_time

DEFAULT_LIMIT = 100
MAX_BODY = 65_536
"""Bytes of a body other than a report."""


class AcknowledgeBody(Struct, forbid_unknown_fields=True):
    note: Note = ""
    """Shown with the alert."""


class SilenceBody(Struct, forbid_unknown_fields=True):
    """A new silence."""

    until: float | str
    """Unix seconds, Unix milliseconds or ISO 8601 with a zone."""
    reason: Note
    """For people."""
    rule_id: str | None = None
    """Only alerts of this rule."""
    room_id: str | None = None
    """Only alerts about this room and its users."""
    user_id: str | None = None
    """Only alerts about this user."""


class JsonBodies:
    """Reads JSON bodies of requests."""

    def __init__(self, timeout: float) -> None:
        self._timeout = timeout

    async def read(self, request: AnyRequest) -> bytes:
        if request.content_type[0] != "application/json":
            raise UnsupportedMediaType("Content-Type: send application/json")
        return await read_body(request, MAX_BODY, self._timeout, "body")


def created(data: object) -> JsonAnswer:
    return JsonAnswer(success(data), status=201)


def answered(data: object) -> JsonAnswer:
    return JsonAnswer(success(data))


def body_time(name: str, value: float | str) -> float:
    """A time in a body, as in a query; raises BadRequest."""
    return parse_time(f"$.{name}", value if isinstance(value, str) else msgspec.json.encode(value).decode())


def alert_routes(alerts: AlertService, outbox: Outbox, bodies: JsonBodies, reader: Reader) -> list[HTTPRouteHandler]:
    @route("/report/alerts", http_method=GET)
    async def get_alerts(request: AnyRequest) -> ASGIApp:
        return await list_answer(request, reader, await alerts.alerts(alert_query(request), _state(request)))

    @route("/report/alerts/{alert_id:str}/acknowledge", http_method=POST, opt=FOR_MANAGERS)
    async def acknowledge(request: AnyRequest, alert_id: FromPath[str]) -> JsonAnswer:
        body = decode(await bodies.read(request), AcknowledgeBody)
        return answered(await alerts.acknowledge(alert_id, body.note, name_of(caller_of(request))))

    @route("/report/alerts/{alert_id:str}/deliveries", http_method=GET)
    async def get_deliveries(request: AnyRequest, alert_id: FromPath[str]) -> JsonAnswer:
        return hashed_answer(request, success(await outbox.of_alert(alert_id)))

    return [get_alerts, acknowledge, get_deliveries, *_silence_routes(alerts, bodies)]


def _silence_routes(alerts: AlertService, bodies: JsonBodies) -> list[HTTPRouteHandler]:
    @route("/report/alerts/silences", http_method=GET)
    async def get_silences(request: AnyRequest) -> JsonAnswer:
        return hashed_answer(request, success(alerts.silences))

    @route("/report/alerts/silences", http_method=POST, opt=FOR_MANAGERS)
    async def add_silence(request: AnyRequest) -> JsonAnswer:
        body = decode(await bodies.read(request), SilenceBody)
        for name in ("room_id", "user_id"):
            if (value := getattr(body, name)) is not None and (fault := id_fault(value)):
                raise BadRequest(f"$.{name}: {fault}")
        until = body_time("until", body.until)
        by = name_of(caller_of(request))
        silence = Silence("", body.rule_id, body.room_id, body.user_id, until, body.reason, by)
        return created(await alerts.add_silence(silence))

    @route("/report/alerts/silences/{silence_id:str}", http_method=DELETE, status_code=200, opt=FOR_MANAGERS)
    async def remove_silence(silence_id: FromPath[str]) -> JsonAnswer:
        await alerts.remove_silence(silence_id)
        return JsonAnswer(ACKNOWLEDGED)

    return [get_silences, add_silence, remove_silence]


def alert_query(request: AnyRequest) -> AlertQuery:
    """Raises BadRequest that names an invalid parameter."""
    span = requested_span(request)
    severity = requested_one_of(request, "severity", SEVERITIES)
    limit = requested_limit(request, DEFAULT_LIMIT)
    return AlertQuery(severity, requested_id(request, "room_id"), span.start, span.end, limit)


def _state(request: AnyRequest) -> State | None:
    return requested_one_of(request, "state", STATES)
