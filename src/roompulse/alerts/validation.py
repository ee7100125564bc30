"""Operators' input about alerts: decoded, and checked beyond its types. A BadRequest names the field."""

from typing import Any, TypeVar
from zoneinfo import ZoneInfo

import msgspec

from roompulse.alerts.metrics import METRICS, OPS, Metric
from roompulse.alerts.model import Condition, Rule
from roompulse.errors import BadRequest
from roompulse.report.decode import named_field
from roompulse.report.ids import label_fault, name_fault, text_fault

T = TypeVar("T")

_ZONES_OF_THE_MACHINE = {"localtime", "posixrules", "Factory"}
"""Files of the zone database that mean another zone on each machine, or none."""


def decode(body: bytes, kind: type[T]) -> T:
    """A JSON body as this type; raises BadRequest."""
    try:
        return msgspec.json.decode(body, type=kind)
    except msgspec.ValidationError as error:
        raise BadRequest(named_field(str(error))) from None
    except msgspec.DecodeError as error:
        raise BadRequest(f"$: {error}") from None
    except (UnicodeDecodeError, RecursionError):
        raise BadRequest("$: the body is not JSON") from None


def convert(values: Any, kind: type[T]) -> T:
    """The same for a decoded value, whose numbers may be texts."""
    try:
        return msgspec.convert(values, kind, strict=False)
    except msgspec.ValidationError as error:
        raise BadRequest(named_field(str(error))) from None


def check_rule(rule: Rule, at: str = "$") -> None:
    """Raises BadRequest for an invalid rule; `at` is the path of the rule in the body."""
    _refuse(f"{at}.name", name_fault(rule.name))
    for place, condition in enumerate(rule.when):
        _check_condition(rule, condition, f"{at}.when[{place}]")
    _check_scope(rule, at)
    if rule.active and not _is_zone(rule.active.zone):
        raise BadRequest(f"{at}.active.zone: {rule.active.zone!r} is not the name of a time zone, as in Europe/Berlin")
    if rule.min_users and rule.subject == "server" and not _about_silence(rule):
        raise BadRequest(f"{at}.min_users: of rules about the server, only for silent_for")


def _is_zone(name: str) -> bool:
    if name in _ZONES_OF_THE_MACHINE:
        return False
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):  # unknown; a path; the name of a region alone
        return False
    return True


def _about_silence(rule: Rule) -> bool:
    return any(condition.metric == "silent_for" for condition in rule.when)


def _check_condition(rule: Rule, condition: Condition, at: str) -> None:
    known = METRICS[rule.subject]
    metric = known.get(condition.metric)
    if metric is None:
        raise BadRequest(f"{at}.metric: must be a metric of a {rule.subject}: {', '.join(known)}")
    _check_threshold(metric, condition, condition.value, f"{at}.value")
    if condition.clear is None:
        return
    _check_threshold(metric, condition, condition.clear, f"{at}.clear")
    rises = condition.op in (">", ">=")
    if condition.clear > condition.value if rises else condition.clear < condition.value:
        raise BadRequest(f"{at}.clear: must be {'at most' if rises else 'at least'} the value, {condition.value:g}")
    if OPS[condition.op](metric.low, condition.clear) and OPS[condition.op](metric.high, condition.clear):
        raise BadRequest(f"{at}.clear: {condition.metric} is never beyond {condition.clear:g}")


def _check_threshold(metric: Metric, condition: Condition, value: float, at: str) -> None:
    if not metric.low <= value <= metric.high:
        unit = f" {metric.unit}" if metric.unit else ""
        raise BadRequest(f"{at}: {condition.metric} is between {metric.low:g} and {metric.high:g}{unit}, not {value:g}")
    compare = OPS[condition.op]
    if not (compare(metric.low, value) or compare(metric.high, value)):
        raise BadRequest(f"{at}: {condition.metric} is never {condition.op} {value:g}")


def _check_scope(rule: Rule, at: str) -> None:
    scope = rule.scope
    if rule.subject == "server":
        for name in ("room", "user", "labels"):
            if getattr(scope, name):
                raise BadRequest(f"{at}.scope.{name}: a rule about the server has none")
        if scope.sdk_version and not any(one.metric == "refused_share" for one in rule.when):
            raise BadRequest(f"{at}.scope.sdk_version: of rules about the server, only for refused_share")
    for name in ("room", "user", "sdk_version"):
        if pattern := getattr(scope, name):
            _refuse(f"{at}.scope.{name}", text_fault(pattern))
    for key, pattern in scope.labels.items():
        _refuse(f"{at}.scope.labels", label_fault(key))
        _refuse(f"{at}.scope.labels.{key}", text_fault(pattern))


def _refuse(at: str, fault: str | None) -> None:
    if fault:
        raise BadRequest(f"{at}: {fault}")
