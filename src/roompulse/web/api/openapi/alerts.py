"""The operations of /report/alerts in the OpenAPI document."""

from roompulse.alerts.model import SEVERITIES, STATES, Alert, Rule, Silence
from roompulse.alerts.preview import Preview
from roompulse.notify.model import Channel, Delivery, ShownChannel
from roompulse.web.api.alert_settings import PreviewBody, TestResult
from roompulse.web.api.alerts import AcknowledgeBody, SilenceBody
from roompulse.web.api.openapi.parts import Json, array, change, get, parameter, schema_of

ALERT_TYPES = [
    *(Alert, Rule, Silence, Preview, Channel, ShownChannel, Delivery),
    *(AcknowledgeBody, SilenceBody, PreviewBody, TestResult),
]
"""The types whose schemas these operations refer to."""

_NOTHING: Json = {"type": "null"}


def _id(name: str) -> Json:
    return {"name": name, "in": "path", "required": True, "schema": {"type": "string", "minLength": 1}}


def alert_paths(history_parameters: list[Json]) -> Json:
    """`history_parameters` are those of a room's history, some of which alerts have too."""
    span = [one for one in history_parameters if one["name"] in ("from", "to", "limit")]
    filters = [
        parameter("state", "Only in this state", {"enum": list(STATES)}),
        parameter("severity", "Only of this severity", {"enum": list(SEVERITIES)}),
        parameter("room_id", "Only about this room and its users", {"$ref": "#/components/schemas/Id"}),
    ]
    alert, rule, silence, channel = (schema_of(kind) for kind in (Alert, Rule, Silence, ShownChannel))
    alert_id, rule_id, silence_id, channel_id = map(_id, ("alert_id", "rule_id", "silence_id", "channel_id"))
    base = "/report/alerts"
    return {
        base: get("Alerts: firing ones first", [*filters, *span], array(alert), 400, 503),
        f"{base}/{{alert_id}}/acknowledge": {
            "post": change("Acknowledge an alert that fires", [alert_id], alert, body=AcknowledgeBody)
        },
        f"{base}/{{alert_id}}/deliveries": get(
            "Messages about an alert, with their results", [alert_id], array(schema_of(Delivery)), 503
        ),
        f"{base}/rules": {
            **get("Alert rules", [], array(rule)),
            "post": change("Add a rule", [], rule, body=Rule, status=201),
        },
        f"{base}/rules/{{rule_id}}": {
            **get("A rule of alerts", [rule_id], rule, 404),
            "put": change("Replace a rule", [rule_id], rule, body=Rule),
            "delete": change("Delete a rule", [rule_id], _NOTHING),
        },
        f"{base}/rules/preview": {
            "post": change("What a rule would have done in the past", [], schema_of(Preview), body=PreviewBody)
        },
        f"{base}/silences": {
            **get("Silences", [], array(silence)),
            "post": change("Add a silence", [], silence, body=SilenceBody, status=201),
        },
        f"{base}/silences/{{silence_id}}": {"delete": change("End a silence", [silence_id], _NOTHING)},
        f"{base}/channels": {
            **get("Channels: without their secrets", [], array(channel)),
            "post": change("Add a channel; a new secret is shown once", [], channel, body=Channel, status=201),
        },
        f"{base}/channels/{{channel_id}}": {
            **get("A channel", [channel_id], channel, 404),
            "put": change("Change a channel; omitted secrets are kept", [channel_id], channel, body=Channel),
            "delete": change("Delete a channel", [channel_id], _NOTHING),
        },
        f"{base}/channels/{{channel_id}}/test": {
            "post": change("Send a test message", [channel_id], schema_of(TestResult))
        },
    }
