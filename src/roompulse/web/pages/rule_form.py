"""The form of a rule: its fields as texts, and the rule made of them."""

import re
from collections.abc import Mapping
from typing import Any

from roompulse.alerts.model import DAYS, Rule
from roompulse.alerts.validation import check_rule, convert
from roompulse.errors import BadRequest

CONDITIONS = 3
"""Conditions that a form has fields for; programs may send more."""

_NUMBERS = ("for", "clear_for", "min_users", "repeat")


def rule_of(form: Mapping[str, str]) -> Rule:
    """The rule that a form describes, without an id; raises BadRequest that names the field."""
    rule: dict[str, Any] = {name: form.get(name, "").strip() for name in ("name", "severity", "subject")}
    rule["enabled"] = "enabled" in form
    rule |= {name: _number(name, text) for name in _NUMBERS if (text := form.get(name, "").strip())}
    rule["scope"] = {name: text for name in ("room", "user", "sdk_version") if (text := form.get(name, "").strip())}
    rule["scope"]["labels"] = _labels(form.get("labels", ""))
    rule["when"] = [one for place in range(CONDITIONS) if (one := _condition(form, place))]
    if days := [day for day in DAYS if f"day.{day}" in form]:
        rule["active"] = {"days": days, **{name: form.get(name, "").strip() for name in ("from", "to", "zone")}}
    rule["channels"] = [name.removeprefix("channel.") for name in form if name.startswith("channel.")]
    made = convert(rule, Rule)
    check_rule(made)
    return made


def fields_of(rule: Rule) -> dict[str, str]:
    """The fields of the form of a rule; conditions without a field are left out."""
    scope, active = rule.scope, rule.active
    fields = {"name": rule.name, "severity": rule.severity, "subject": rule.subject}
    fields |= {"for": f"{rule.hold:g}", "clear_for": f"{rule.clear_for:g}"}
    fields |= {"room": scope.room or "", "user": scope.user or "", "sdk_version": scope.sdk_version or ""}
    fields["labels"] = ", ".join(f"{key}={pattern}" for key, pattern in scope.labels.items())
    fields["min_users"] = "" if rule.min_users is None else str(rule.min_users)
    fields["repeat"] = "" if rule.repeat is None else f"{rule.repeat:g}"
    for place, one in enumerate(rule.when[:CONDITIONS]):
        fields |= {f"metric.{place}": one.metric, f"op.{place}": one.op, f"value.{place}": f"{one.value:g}"}
        fields[f"clear.{place}"] = "" if one.clear is None else f"{one.clear:g}"
    if active:
        fields |= {f"day.{day}": "on" for day in active.days}
        fields |= {"from": active.start, "to": active.end, "zone": active.zone}
    fields |= {f"channel.{channel}": "on" for channel in rule.channels}
    return fields | ({"enabled": "on"} if rule.enabled else {})


def _condition(form: Mapping[str, str], place: int) -> dict[str, Any] | None:
    metric = form.get(f"metric.{place}", "").strip()
    if not metric:
        return None
    at = f"when[{place}]"
    condition = {"metric": metric, "op": form.get(f"op.{place}", "").strip()}
    value = {"value": _number(f"{at}.value", form.get(f"value.{place}", "").strip())}
    clear = form.get(f"clear.{place}", "").strip()
    return condition | value | ({"clear": _number(f"{at}.clear", clear)} if clear else {})


def _number(name: str, text: str) -> float:
    if not re.fullmatch(r"-?[0-9]{1,9}([.,][0-9]{1,9})?", text, re.ASCII):
        raise BadRequest(f"$.{name}: must be a number, not {text[:50]!r}")
    number = float(text.replace(",", "."))
    return int(number) if number.is_integer() else number


def _labels(text: str) -> dict[str, str]:
    labels = {}
    for part in filter(None, (part.strip() for part in text.split(","))):
        key, separator, pattern = part.partition("=")
        if not separator:
            raise BadRequest("$.scope.labels: must be as in region=eu-*, app=meet")
        labels[key.strip()] = pattern.strip()
    return labels
