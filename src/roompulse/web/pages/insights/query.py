"""The query of the page /insights."""

from collections.abc import Mapping
from datetime import UTC
from typing import Literal

from msgspec.structs import replace

from roompulse.insights.model import DIMENSIONS, Span, is_dimension
from roompulse.insights.recorder import RECENT
from roompulse.report.ids import text_fault
from roompulse.store.schema import MINUTE
from roompulse.web.http.times import parse_time
from roompulse.web.pages.query import PageQuery

Range = Literal["live", "1h", "24h", "7d", "30d"]
RANGES: Mapping[Range, tuple[str, float]] = {
    "live": (f"Live, {RECENT} min", RECENT * MINUTE),
    "1h": ("1 h", 3_600),
    "24h": ("24 h", 86_400),
    "7d": ("7 d", 604_800),
    "30d": ("30 d", 2_592_000),
}
"""Their words and their lengths in seconds. The first one is the default."""

Comparison = Literal["others", "before"]
COMPARISONS: Mapping[Comparison, str] = {"others": "All others", "before": "The time before"}

LONGEST_VALUE = 64


class InsightsPageQuery(PageQuery, frozen=True):
    """Groups `by` a dimension in a range, and the users of the group of `value`.

    `since` and `until` (Unix seconds) are any range; both are needed.
    """

    by: str = DIMENSIONS[0]
    range: Range = "live"
    against: Comparison = "others"
    since: float | None = None
    until: float | None = None
    value: str = ""

    @property
    def is_live(self) -> bool:
        return self.range == "live" and not self.is_custom

    @property
    def is_custom(self) -> bool:
        return self.since is not None and self.until is not None and self.since < self.until

    def span(self, now: float) -> Span:
        if self.is_custom and self.since is not None and self.until is not None:
            return Span(self.since, self.until)
        return Span(now - RANGES[self.range][1], now)


def insights_page_query(parameters: Mapping[str, str]) -> InsightsPageQuery:
    """The query of a URL; an invalid value counts as not given, but an invalid time raises BadRequest."""
    by, value = parameters.get("by", ""), parameters.get("value", "")
    return InsightsPageQuery(
        by=by if is_dimension(by) else DIMENSIONS[0],
        range=next((known for known in RANGES if known == parameters.get("range")), "live"),
        against=next((known for known in COMPARISONS if known == parameters.get("against")), "others"),
        since=_time(parameters, "since"),
        until=_time(parameters, "until"),
        value="" if len(value) > LONGEST_VALUE or text_fault(value) else value,
    )


def live_query(parameters: Mapping[str, str]) -> InsightsPageQuery:
    """The query of a stream, which shows the present."""
    return replace(insights_page_query(parameters), range="live", since=None, until=None)


def _time(parameters: Mapping[str, str], name: str) -> float | None:
    """The form gives times in UTC, without a zone."""
    text = parameters.get(name, "")
    return parse_time(name, text, UTC) if text else None
