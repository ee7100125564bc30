"""Rules that cannot be are refused, and the message names the field."""

from typing import Any

import msgspec
import pytest

from roompulse.alerts.defaults import DEFAULT_RULES
from roompulse.alerts.metrics import METRICS
from roompulse.alerts.model import Rule
from roompulse.alerts.validation import check_rule, decode
from roompulse.errors import BadRequest

CONDITION: dict[str, Any] = {"metric": "score", "op": "<", "value": 3}
RULE: dict[str, Any] = {"name": "n", "severity": "info", "subject": "user", "when": [CONDITION]}


def fault(body: object) -> str:
    with pytest.raises(BadRequest) as raised:
        check_rule(decode(msgspec.json.encode(body), Rule))
    return raised.value.message


def test_rules_are_as_they_are_documented() -> None:
    body = RULE | {
        "for": 30,
        "clear_for": 5,
        "min_users": 2,
        "repeat": 600,
        "scope": {"room": "standup-*", "labels": {"region": "eu"}},
        "active": {"days": ["mon"], "from": "09:00", "to": "18:00", "zone": "Europe/Berlin"},
        "channels": ["c1"],
    }
    rule = decode(msgspec.json.encode(body), Rule)
    check_rule(rule)
    assert (rule.hold, rule.active and rule.active.end) == (30, "18:00")
    again = msgspec.json.decode(msgspec.json.encode(rule))
    assert {name: again[name] for name in ("for", "active", "channels")} == {
        name: body[name] for name in ("for", "active", "channels")
    }


def test_the_default_rules_can_be() -> None:
    for rule in DEFAULT_RULES:
        check_rule(rule)


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"name": ""}, "$.name"),
        ({"name": "a\nb"}, "$.name"),
        ({"name": " "}, "$.name"),
        ({"severity": "bad"}, "$.severity"),
        ({"subject": "call"}, "$.subject"),
        ({"when": []}, "$.when"),
        ({"when": [CONDITION] * 11}, "$.when"),
        ({"for": -1}, "$.for"),
        ({"for": 86_401}, "$.for"),
        ({"clear_for": -1}, "$.clear_for"),
        ({"repeat": 1}, "$.repeat"),
        ({"min_users": 0}, "$.min_users"),
        ({"scope": {"room": "x" * 10_000}}, "$.scope.room"),
        ({"scope": {"user": "x" * 10_000}}, "$.scope.user"),
        ({"scope": {"room": "a\x00"}}, "$.scope.room"),
        ({"scope": {"labels": {"Region": "eu"}}}, "$.scope.labels"),
        ({"scope": {"labels": {"region": "x" * 257}}}, "$.scope.labels"),
        ({"active": {"days": [], "from": "09:00", "to": "18:00", "zone": "UTC"}}, "$.active.days"),
        ({"active": {"days": ["mon"], "from": "24:00", "to": "18:00", "zone": "UTC"}}, "$.active.from"),
        ({"active": {"days": ["mon"], "from": "0٨:00", "to": "18:00", "zone": "UTC"}}, "$.active.from"),
        ({"active": {"days": ["mon"], "from": "09:00", "to": "18:00", "zone": "Mars/Base"}}, "$.active.zone"),
        ({"active": {"days": ["mon"], "from": "09:00", "to": "18:00", "zone": "../etc/passwd"}}, "$.active.zone"),
        ({"active": {"days": ["mon"], "from": "09:00", "to": "18:00", "zone": "Europe"}}, "$.active.zone"),
        ({"active": {"days": ["mon"], "from": "09:00", "to": "18:00", "zone": "localtime"}}, "$.active.zone"),
        ({"channels": "c1"}, "$.channels"),
        ({"colour": "red"}, "$"),
    ],
)
def test_a_rule_that_cannot_be_is_refused(change: dict[str, Any], field: str) -> None:
    assert fault(RULE | change).startswith(f"{field}")


@pytest.mark.parametrize(
    ("condition", "field"),
    [
        ({"metric": "rtt_p95"}, "metric"),  # of rooms
        ({"metric": "loudness"}, "metric"),
        ({"op": "=="}, "op"),
        ({"value": 0.5}, "value"),
        ({"value": 5}, "value"),
        ({"value": 1}, "value"),  # never below 1
        ({"op": ">", "value": 4.5}, "value"),
        ({"value": "3"}, "value"),
        ({"clear": 2.5}, "clear"),
        ({"clear": 6}, "clear"),
        ({"op": ">", "clear": 3.5}, "clear"),
        ({"op": ">=", "clear": 1}, "clear"),  # always at least 1
        ({"metric": "packet_loss", "value": 101}, "value"),
        ({"metric": "stale_for", "value": -1}, "value"),
    ],
)
def test_a_condition_that_cannot_be_is_refused(condition: dict[str, Any], field: str) -> None:
    assert fault(RULE | {"when": [CONDITION, CONDITION | condition]}).startswith(f"$.when[1].{field}: ")


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"scope": {"room": "*"}}, "scope.room"),
        ({"scope": {"user": "*"}}, "scope.user"),
        ({"scope": {"labels": {"a": "*"}}}, "scope.labels"),
        ({"scope": {"sdk_version": "1.*"}}, "scope.sdk_version"),
        ({"min_users": 3}, "min_users"),
    ],
)
def test_a_rule_about_the_server_has_no_scope(change: dict[str, Any], field: str) -> None:
    server = RULE | {"subject": "server", "when": [{"metric": "rooms", "op": ">", "value": 5}]}
    assert fault(server | change).startswith(f"$.{field}: ")


@pytest.mark.parametrize("body", [b"", b"{", b"\xff", b"[" * 100_000, b'"x"', b"null"])
def test_what_is_no_json_object_is_refused(body: bytes) -> None:
    with pytest.raises(BadRequest, match=r"^\$"):
        decode(body, Rule)


@pytest.mark.parametrize("subject", METRICS)
def test_every_metric_can_be_in_a_rule(subject: str) -> None:
    for name, metric in METRICS[subject].items():  # type: ignore[index]
        when = [{"metric": name, "op": ">", "value": metric.low}]
        check_rule(decode(msgspec.json.encode(RULE | {"subject": subject, "when": when}), Rule))
