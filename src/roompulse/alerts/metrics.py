"""The metrics of conditions: their units, ranges and words, and how each is read."""

from collections.abc import Callable, Iterable, Mapping
from operator import ge, gt, le, lt

from msgspec import Struct

from roompulse.alerts.model import Condition, Op, Subject
from roompulse.quality import BEST, WORST, is_screen, worst
from roompulse.report.model import Direction
from roompulse.rooms.contract import LiveStream, LiveUser
from roompulse.rooms.model import RoomSummary

OPS: Mapping[Op, Callable[[float, float], bool]] = {">": gt, ">=": ge, "<": lt, "<=": le}

_MANY = 10**6


class Metric(Struct, frozen=True):
    """`low` and `high` are the lowest and the highest possible value."""

    words: str
    unit: str
    low: float
    high: float
    digits: int = 0
    in_history: bool = True
    """Whether it can be computed from stored reports, so that a rule about it has a preview."""

    def text(self, value: float) -> str:
        return f"{value:.{self.digits}f}{f' {self.unit}' if self.unit else ''}"


def _score(words: str) -> Metric:
    return Metric(words, "", WORST, BEST, digits=2)


def _share(words: str, *, in_history: bool = True) -> Metric:
    return Metric(words, "%", 0, 100, digits=1, in_history=in_history)


def _delay(words: str) -> Metric:
    return Metric(words, "ms", 0, 600_000)


def _count(words: str) -> Metric:
    return Metric(words, "", 0, _MANY)


METRICS: Mapping[Subject, Mapping[str, Metric]] = {
    "room": {
        "score": _score("score"),
        "worst": _score("lowest score of a user"),
        "poor_users": _count("poor users"),
        "poor_share": _share("share of poor users"),
        "impaired_share": _share("share of fair and poor users"),
        "user_count": _count("users"),
        "rtt_p95": _delay("RTT (p95)"),
        "packet_loss_p95": _share("packet loss (p95)"),
        "jitter_p95": _delay("jitter (p95)"),
        "frame_rate_min": Metric("lowest frame rate", "fps", 0, 1000),
    },
    "user": {
        "score": _score("score"),
        "uplink": _score("uplink score"),
        "downlink": _score("downlink score"),
        "rtt": _delay("RTT"),
        "packet_loss": _share("packet loss"),
        "jitter": _delay("jitter"),
        "frame_rate": Metric("frame rate", "fps", 0, 1000),
        "freeze": _share("time frozen"),
        "concealment": _share("sound concealed"),
        "stale_for": Metric("time without a report", "s", 0, 86_400),
    },
    "server": {
        "reports_per_second": Metric("reports per second", "/s", 0, _MANY, digits=1),
        "refused_share": _share("share of rejected reports", in_history=False),
        "rooms": _count("live rooms"),
        "users": _count("live users"),
        "poor_users": _count("poor users"),
        "poor_share": _share("share of poor users"),
        "silent_for": Metric("time without any report", "s", 0, 86_400),
        "commit_ms": Metric("time of a commit", "ms", 0, 86_400_000, in_history=False),
    },
}


class Readings(Struct, frozen=True):
    """The server's figures besides its live rooms.

    `heard_at` is when the newest report came (Unix seconds). `refused` and `commit_ms` are as in ServerFigures.
    """

    heard_at: float | None = None
    reports_per_second: float = 0
    refused: Mapping[str, float] = {}
    commit_ms: float | None = None


class ServerFigures(Struct, frozen=True):
    """The subject of rules about the server.

    `refused` has the share of rejected reports (%) of each SDK version with enough reports. `silent_for` is None
    where no report is expected: there was none yet, or all users left.
    """

    reports_per_second: float = 0
    refused: Mapping[str, float] = {}
    rooms: int = 0
    users: int = 0
    poor_users: int = 0
    silent_for: float | None = None
    commit_ms: float | None = None


Reader = Callable[[str], float | None]
"""The value of a metric of one subject."""


def remembered(read: Reader) -> Reader:
    """Reads each metric once, however many rules use it."""
    values: dict[str, float | None] = {}

    def read_once(metric: str) -> float | None:
        if metric not in values:
            values[metric] = read(metric)
        return values[metric]

    return read_once


def room_reader(summary: RoomSummary) -> Reader:
    aggregate, quality = summary.aggregate, summary.aggregate.quality
    rate = aggregate.video.frame_rate

    def read(metric: str) -> float | None:
        match metric:
            case "score" | "worst":
                value: float | None = getattr(quality, metric)
                return value
            case "poor_users":
                return quality.poor
            case "poor_share":
                return share(quality.poor, aggregate.user_count)
            case "impaired_share":
                return share(quality.fair + quality.poor, aggregate.user_count)
            case "user_count":
                return aggregate.user_count
            case "frame_rate_min":
                return rate.min if rate else None
        figures = getattr(aggregate, metric.removesuffix("_p95"))
        return figures.p95 if figures else None

    return read


def user_reader(user: LiveUser, now: float) -> Reader:
    streams: list[LiveStream] = []

    def rated() -> list[LiveStream]:
        streams[:] = streams or user.rated()
        return streams

    def read(metric: str) -> float | None:
        if metric == "score":
            return user.score()
        if metric == "stale_for":
            return max(0.0, now - user.received_at) if user.stale else 0.0
        return _OF_STREAMS[metric](rated())

    return read


def server_reader(figures: ServerFigures, versions: Callable[[str], bool]) -> Reader:
    """`versions` are the SDK versions that count for `refused_share`."""

    def read(metric: str) -> float | None:
        if metric == "refused_share":
            return max((one for version, one in figures.refused.items() if versions(version)), default=None)
        if metric == "poor_share":
            return share(figures.poor_users, figures.users)
        value: float | None = getattr(figures, metric)
        return value

    return read


def is_worse(condition: Condition, value: float, other: float) -> bool:
    """Whether a value is farther past the threshold than another."""
    return value > other if condition.op in (">", ">=") else value < other


def share(part: int, whole: int) -> float | None:
    """In percent."""
    return 100 * part / whole if whole else None


def _scores(direction: Direction) -> Callable[[Iterable[LiveStream]], float | None]:
    return lambda streams: worst(one.quality.score for one in streams if one.sample.direction == direction)


def _highest(values: Iterable[float | None]) -> float | None:
    return max((value for value in values if value is not None), default=None)


def _lowest_frame_rate(streams: Iterable[LiveStream]) -> float | None:
    rates = (one.sample.video.frame_rate for one in streams if one.sample.video and not is_screen(one.sample))
    return min((rate for rate in rates if rate is not None), default=None)


def _frozen(streams: Iterable[LiveStream]) -> float | None:
    rated = [one.quality for one in streams if one.quality.score is not None]
    terms = (term.value for quality in rated for term in quality.terms if term.term == "freeze")
    return max(terms, default=0.0) if rated else None


def _network(name: str) -> Callable[[Iterable[LiveStream]], float | None]:
    return lambda streams: _highest(getattr(one.sample.network, name, None) for one in streams)


_OF_STREAMS: Mapping[str, Callable[[Iterable[LiveStream]], float | None]] = {
    "uplink": _scores("send"),
    "downlink": _scores("recv"),
    "rtt": _network("rtt"),
    "packet_loss": _network("packet_loss"),
    "jitter": _network("jitter"),
    "frame_rate": _lowest_frame_rate,
    "freeze": _frozen,
    "concealment": lambda streams: _highest(one.sample.audio.concealed for one in streams if one.sample.audio),
}
