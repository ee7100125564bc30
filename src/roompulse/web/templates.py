"""Jinja2: the same partials for the first paint of a page and for its stream."""

from datetime import UTC, datetime
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from roompulse.quality import arithmetic, level_of
from roompulse.web.assets import Assets
from roompulse.web.drawing import GUIDES
from roompulse.web.paths import encode_id, history_path, room_path, user_path


class Templates:
    """Renders `templates/`; every value is escaped."""

    def __init__(self, assets: Assets) -> None:
        self._environment = Environment(
            loader=FileSystemLoader(assets.templates),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._environment.globals |= {
            "asset": assets.url,
            "room_path": room_path,
            "history_path": history_path,
            "user_path": user_path,
            "arithmetic": arithmetic,
            "level_of": level_of,
            "guides": GUIDES,
        }
        self._environment.filters |= {
            "figure": figure,
            "moment": moment,
            "clock": clock,
            "duration": duration,
            "input_time": input_time,
            "element_id": encode_id,
        }

    def render(self, name: str, **context: Any) -> str:
        return self._environment.get_template(name).render(context)


def figure(value: float | None, unit: str = "", digits: int = 0) -> Markup:
    """A figure with its unit, or a dash where it is not known."""
    if value is None:
        return Markup('<span class="none">–</span>')
    text = f"{value:,.{digits}f}".replace(",", "\u202f") if abs(value) >= 10_000 else f"{value:.{digits}f}"
    return Markup('{}<span class="unit">\N{NO-BREAK SPACE}{}</span>').format(text, unit) if unit else Markup(text)  # noqa: S704  (digits)


def moment(timestamp: float) -> Markup:
    """A time in UTC; static/js/clock.js makes an age of it."""
    at = datetime.fromtimestamp(timestamp, UTC)
    return Markup('<time datetime="{}" title="{} UTC" data-at="{}">{} UTC</time>').format(
        at.isoformat(timespec="milliseconds"), at.strftime("%Y-%m-%d %H:%M:%S"), timestamp, at.strftime("%H:%M:%S")
    )


def clock(timestamp: float) -> Markup:
    """A date and time in UTC; static/js/clock.js puts it in the zone that the operator chose."""
    at = datetime.fromtimestamp(timestamp, UTC)
    return Markup('<time datetime="{}" data-at="{}" data-clock>{} UTC</time>').format(
        at.isoformat(timespec="milliseconds"), timestamp, at.strftime("%Y-%m-%d %H:%M:%S")
    )


def duration(seconds: float) -> str:
    """In its two greatest units, as in `1 h 5 min`."""
    whole = round(seconds)
    parts = [(whole // 86_400, "d"), (whole // 3_600 % 24, "h"), (whole // 60 % 60, "min"), (whole % 60, "s")]
    first = next((place for place, (count, _) in enumerate(parts) if count), len(parts) - 1)
    return " ".join(f"{count} {unit}" for count, unit in parts[first : first + 2] if count) or "0 s"


def input_time(timestamp: float) -> str:
    """A time in UTC as the value of an <input type="datetime-local">."""
    return datetime.fromtimestamp(timestamp, UTC).strftime("%Y-%m-%dT%H:%M:%S")
