"""Jinja2: the same partials for the first paint of a page and for its stream."""

import re
from datetime import UTC, datetime
from functools import cache
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from roompulse.printable import printable
from roompulse.quality import FAIR_FROM, GOOD_FROM, VERDICTS, arithmetic, level_of
from roompulse.report.model import Audio, Video
from roompulse.web.html.assets import Assets
from roompulse.web.html.sparklines import GUIDES
from roompulse.web.http.urls import back_to, call_path, encode_id, history_path, notes_path, room_path, user_path

_INDENTATION = re.compile(r"\n[ \n]+")
_NBSP = "\N{NO-BREAK SPACE}"


class Templates:
    """Renders `templates/`; every value is escaped."""

    def __init__(self, assets: Assets) -> None:
        self._environment = Environment(
            loader=FileSystemLoader(assets.templates),
            autoescape=True,
            auto_reload=False,  # checking the file each time takes as long as rendering a small partial
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._environment.globals |= {
            "asset": assets.url,
            "back_to": back_to,
            "room_path": room_path,
            "call_path": call_path,
            "history_path": history_path,
            "notes_path": notes_path,
            "user_path": user_path,
            "arithmetic": arithmetic,
            "level_of": level_of,
            "verdict_names": VERDICTS,
            "guides": GUIDES,
            "score_levels": f"{GOOD_FROM:g} {FAIR_FROM:g}",
        }
        self._environment.filters |= {
            "figure": figure,
            "moment": moment,
            "clock": clock,
            "duration": duration,
            "video_notes": video_notes,
            "audio_notes": audio_notes,
            "input_time": input_time,
            "element_id": encode_id,
            "ahead": ahead,
            "printable": printable,
            "points": points,
        }

    def render(self, name: str, **context: Any) -> str:
        return self._environment.get_template(name).render(context)


@cache
def assets_and_templates() -> tuple[Assets, Templates]:
    """One pair for the process: neither has state, and compiling the templates takes most of a start."""
    assets = Assets()
    return assets, Templates(assets)


def compact(html: str) -> str:
    """HTML without indentation: a ninth of a big table, which is pushed several times a second."""
    return _INDENTATION.sub("\n", html)


def figure(value: float | None, unit: str = "", digits: int = 0) -> Markup:
    """A figure with its unit, or a dash where it is unknown."""
    if value is None:
        return Markup('<span class="none">–</span>')
    text = f"{value:,.{digits}f}".replace(",", "\u202f") if abs(value) >= 10_000 else f"{value:.{digits}f}"
    return Markup('{}<span class="unit">\N{NO-BREAK SPACE}{}</span>').format(text, unit) if unit else Markup(text)  # noqa: S704  (digits)


def moment(timestamp: float) -> Markup:
    """A time in UTC; static/js/clock.js turns it into an age."""
    at = datetime.fromtimestamp(timestamp, UTC)
    # Markup.format takes three times as long: a page has one in each row, and digits need no escaping.
    return Markup(  # noqa: S704
        f'<time datetime="{at.isoformat(timespec="milliseconds")}" title="{at:%Y-%m-%d %H:%M:%S} UTC"'
        f' data-at="{timestamp}">{at:%H:%M:%S} UTC</time>'
    )


def clock(timestamp: float) -> Markup:
    """A date and time in UTC; static/js/clock.js converts it to the zone that the operator chose."""
    at = datetime.fromtimestamp(timestamp, UTC)
    return Markup('<time datetime="{}" data-at="{}" data-clock>{} UTC</time>').format(
        at.isoformat(timespec="milliseconds"), timestamp, at.strftime("%Y-%m-%d %H:%M:%S")
    )


def duration(seconds: float) -> str:
    """In its two largest units, as in `1 h 5 min`."""
    whole = round(seconds)
    parts = [(whole // 86_400, "d"), (whole // 3_600 % 24, "h"), (whole // 60 % 60, "min"), (whole % 60, "s")]
    first = next((place for place, (count, _) in enumerate(parts) if count), len(parts) - 1)
    return " ".join(f"{count} {unit}" for count, unit in parts[first : first + 2] if count) or "under 1 s"


def points(difference: float) -> str:
    """A difference in percentage points, as in `+10.4`."""
    return f"{'−' if difference < 0 else '+' if difference else ''}{abs(difference):.1f}"


def ahead(seconds: float) -> str:
    """How far a clock is ahead, or with a minus behind, as in `−0.4 s` and `+2 d 3 h`."""
    size = abs(seconds)
    text = f"{size:.1f}{_NBSP}s" if size < 60 else duration(size).replace(" ", _NBSP)
    return f"{'−' if seconds < 0 else '+'}{text}"


def video_notes(video: Video) -> list[list[str]]:
    """Details of a video stream besides its metrics: lines of a few words each."""
    screen = "screen" if video.content == "screen" else None
    limited = f"limited by {video.limited_by}" if video.limited_by not in (None, "none") else None
    dropped = None if video.frames_dropped is None else f"{video.frames_dropped}{_NBSP}dropped"
    return _known([video.codec, screen, dropped, limited], [_freezes(video.freeze_count, video.freeze_duration)])


def _freezes(count: int | None, seconds: float | None) -> str | None:
    if count is None:
        return None if seconds is None else f"frozen{_NBSP}{seconds:.1f}{_NBSP}s"
    times = f"{count or 'no'}{_NBSP}freeze{'' if count == 1 else 's'}"
    return f"{times}, {seconds:.1f}{_NBSP}s" if seconds else times


def audio_notes(audio: Audio) -> list[list[str]]:
    """Details of an audio stream besides its metrics: lines of a few words each."""
    level = None if audio.level is None else f"level{_NBSP}{audio.level:.2f}"
    concealed = None if audio.concealed is None else f"{audio.concealed:.1f}{_NBSP}% concealed"
    return _known([audio.codec, "muted" if audio.muted else None, level], [concealed])


def _known(*lines: list[str | None]) -> list[list[str]]:
    known = ([words for words in line if words] for line in lines)
    return [line for line in known if line]


def input_time(timestamp: float) -> str:
    """A time in UTC as the value of an <input type="datetime-local">."""
    return datetime.fromtimestamp(timestamp, UTC).strftime("%Y-%m-%dT%H:%M:%S")
