"""Quality: one definition, with its arithmetic shown. No other module, page or script holds a threshold.

Scores run from 1.0 to 4.5 like a mean opinion score (MOS). A stream's score is a base minus named costs. Scores and
costs are rounded to 2 decimals each, so that their sum may be 0.01 off; levels follow from the rounded score, so that
4.00 is never shown as fair.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from math import ceil, log
from typing import Literal

from msgspec import Struct

from roompulse.report.model import Content, Network, Stream, Video

Level = Literal["good", "fair", "poor", "unknown"]
TermName = Literal["delay", "loss", "frame_rate", "picture", "freeze"]
Verdict = Literal["unknown", "healthy", "isolated", "widespread"]

WORST, BEST = 1.0, 4.5
BASE_R = 94.768
"""Transmission rating of a flawless call (the simplified E-model behind Twilio's published score)."""

GOOD_FROM, FAIR_FROM = 4.0, 3.1
IMPAIRED: frozenset[Level] = frozenset({"fair", "poor"})
FRAME_RATE_WINDOW = 60.0
"""Seconds that earlier reports of a stream count: the highest of their frame rates is what it can do, and the time
that a freeze is a share of begins with the newest of them."""

_MOST_EXPECTED_FPS, _LEAST_EXPECTED_FPS = 30.0, 15.0
_ENOUGH_OF_EXPECTED = 0.8
"""Share of the expected frame rate from which on more frames are no better."""

_FRAME_RATE_SLOPE, _NO_FRAMES = 1.9, 2.5
"""Points for each factor e of missing frames (the regression of ggarber/rtcscore), and the most: that of no frames."""

_ENOUGH_BITS_PER_PIXEL = 0.04
"""Chosen here: 922 kbit/s of 1280×720 at 25 fps. Below it compression is seen."""

_PICTURE_SLOPE, _WORST_PICTURE = 0.56, 1.5
"""Points for each factor e of missing bits per pixel (the same regression), and the most, chosen here."""

_LOSS_WEIGHT, _VIDEO_LOSS_WEIGHT = 2.5, 5.0
"""R for each percent of loss: Twilio's for Opus, which repairs some; LiveKit weighs loss of video twice."""

_FREEZE_WEIGHT = 5.0
"""Points for all of the time, chosen here: from half of it on a freeze costs as much as no frames at all."""

_LONGEST_INTERVAL = 600.0
"""Seconds between two reports up to which the sender's clock is believed: it may have been set in between."""

_SHORTEST_INTERVAL = 1.0
_REASON_FROM = 0.1
"""Costs below this are in the terms, but are not worth a reason in words."""


class Term(Struct, frozen=True, gc=False):
    """What one impairment costs (score points), and the figure that it was computed from."""

    term: TermName
    cost: float
    value: float
    unit: str


class StreamQuality(Struct, frozen=True, gc=False):
    """`score` is None and `level` "unknown" where nothing is known; `terms` are those that cost something."""

    score: float | None
    level: Level
    terms: list[Term]


class UserQuality(Struct, frozen=True, gc=False):
    """`uplink` is the worst score of what the user sends, `downlink` of what it receives."""

    score: float | None
    level: Level
    uplink: float | None
    downlink: float | None
    reasons: list[str]


class RoomQuality(Struct, frozen=True, gc=False):
    """`good` to `unknown` count users by level."""

    score: float | None
    level: Level
    good: int
    fair: int
    poor: int
    unknown: int
    verdict: Verdict


def mos(r: float) -> float:
    """Mean opinion score of a transmission rating R (ITU-T G.107, annex B), 1 for R of 0 and below."""
    if r <= 0:
        return 1.0
    return 1 + 0.035 * r + 7e-6 * r * (r - 60) * (100 - r)


BASE = mos(BASE_R)


def level_of(score: float | None) -> Level:
    if score is None:
        return "unknown"
    return "good" if score >= GOOD_FROM else "fair" if score >= FAIR_FROM else "poor"


def worst(scores: Iterable[float | None]) -> float | None:
    return min((score for score in scores if score is not None), default=None)


def nearest_rank(ordered: Sequence[float], percent: float) -> float:
    """Percentile by nearest rank of a non-empty ascending sequence."""
    return ordered[max(1, ceil(percent / 100 * len(ordered))) - 1]


def expected_frame_rate(stream_id: str, highest: float, content: Content | None = None) -> float:
    """Frames per second that a stream should have, given the `highest` it reported within FRAME_RATE_WINDOW."""
    expected = min(highest, _MOST_EXPECTED_FPS)
    is_screen = content == "screen" if content else stream_id.startswith("screen")
    return expected if is_screen else max(expected, _LEAST_EXPECTED_FPS)


def interval(since_reported: int, since_received: float, last: float | None) -> float | None:
    """Seconds that a report of a stream is about, given how far the one before is away, or None for the first one.

    By the clock of the sender, which tells reports apart that were kept while it was offline and came in a burst; by
    the time of receipt where that clock makes no sense. One that comes once more at once, as its answer was lost, is
    about the same time as before: the `last` interval.
    """
    if since_received >= FRAME_RATE_WINDOW:
        return None
    if 0 < since_reported <= _LONGEST_INTERVAL:
        return since_reported
    if since_reported == 0 and since_received < _SHORTEST_INTERVAL:
        return last
    return max(since_received, _SHORTEST_INTERVAL)


def rate_stream(stream: Stream, highest_frame_rate: float, seconds: float | None = None) -> StreamQuality:
    """Rate one sample; `highest_frame_rate` (fps) is the highest of its stream within FRAME_RATE_WINDOW.

    `seconds` is the interval that it is about; None if that is not known.
    """
    if not _has_figures(stream.network) and not _has_figures(stream.video):
        return StreamQuality(None, "unknown", [])
    terms = _network_terms(stream.network, with_video=stream.video is not None) if stream.network else []
    if video := stream.video:
        terms += _video_terms(video, expected_frame_rate(stream.stream_id, highest_frame_rate, video.content))
        if seconds and video.freeze_duration is not None:
            terms.append(_freeze_term(video.freeze_duration / seconds))
    score = round(min(BEST, max(WORST, BASE - sum(term.cost for term in terms))), 2)
    shown = [Term(term.term, round(term.cost, 2), term.value, term.unit) for term in terms if term.cost > 0]
    return StreamQuality(score, level_of(score), shown)


def _has_figures(part: Network | Video | None) -> bool:
    if isinstance(part, Network):
        return not (part.rtt is None and part.packet_loss is None and part.jitter is None)
    if isinstance(part, Video):
        sizes = part.frame_rate, part.width, part.height, part.bitrate
        counts = part.frames_dropped, part.freeze_count, part.freeze_duration
        return any(figure is not None for figure in (*sizes, *counts))
    return False


def _network_terms(network: Network, *, with_video: bool) -> list[Term]:
    terms = []
    r = BASE_R
    if network.rtt is not None or network.jitter is not None:
        delay = (network.rtt or 0) + 2 * (network.jitter or 0) + 10
        r -= delay / 40 if delay < 160 else (delay - 120) / 10
        terms.append(Term("delay", BASE - mos(r), delay, "ms"))
    if network.packet_loss is not None:
        weight = _VIDEO_LOSS_WEIGHT if with_video else _LOSS_WEIGHT
        after_loss = mos(r - weight * network.packet_loss)
        terms.append(Term("loss", mos(r) - after_loss, network.packet_loss, "%"))
    return terms


def _video_terms(video: Video, expected: float) -> list[Term]:
    terms = []
    fps = video.frame_rate
    if fps is not None:
        terms.append(Term("frame_rate", _frame_rate_cost(fps, expected), fps, "fps"))
    if fps and video.width and video.height and video.bitrate:
        bits_per_pixel = 1000 * video.bitrate / (video.width * video.height * fps)
        terms.append(Term("picture", _picture_cost(bits_per_pixel), round(bits_per_pixel, 4), "bit/pixel"))
    return terms


def _frame_rate_cost(fps: float, expected: float) -> float:
    enough = _ENOUGH_OF_EXPECTED * expected
    if fps >= enough:
        return 0.0
    return min(_NO_FRAMES, _FRAME_RATE_SLOPE * log(enough / fps)) if fps > 0 else _NO_FRAMES


def _picture_cost(bits_per_pixel: float) -> float:
    if bits_per_pixel >= _ENOUGH_BITS_PER_PIXEL:
        return 0.0
    # The smallest bitrates come out as 0 bits per pixel.
    if bits_per_pixel == 0:
        return _WORST_PICTURE
    return min(_WORST_PICTURE, _PICTURE_SLOPE * log(_ENOUGH_BITS_PER_PIXEL / bits_per_pixel))


def _freeze_term(share: float) -> Term:
    """The share of time in which the picture stood still."""
    share = min(share, 1.0)
    return Term("freeze", min(_NO_FRAMES, _FREEZE_WEIGHT * share), round(100 * share, 2), "%")


def arithmetic(quality: StreamQuality) -> str:
    """A score with its costs, as in `4.37 = 4.44 − 0.03 delay − 0.03 loss`."""
    if quality.score is None:
        return "no figures to rate"
    costs = "".join(f" − {term.cost:.2f} {term.term.replace('_', ' ')}" for term in quality.terms)
    return f"{quality.score:.2f} = {BASE:.2f}{costs}"


def rate_user(
    sending: Iterable[tuple[str, StreamQuality]], receiving: Iterable[tuple[str, StreamQuality]]
) -> UserQuality:
    """Rate a user by its `send` streams and by the `recv` streams that it reported.

    Each stream comes with the words for it in a reason: "camera", or "u2's camera".
    """
    sending, receiving = list(sending), list(receiving)
    uplink = worst(quality.score for _, quality in sending)
    downlink = worst(quality.score for _, quality in receiving)
    score = worst((uplink, downlink))
    costs = [(term, f"sending {name}") for name, quality in sending for term in quality.terms]
    costs += [(term, f"receiving {name}") for name, quality in receiving for term in quality.terms]
    costs.sort(key=lambda cost: -cost[0].cost)
    reasons = [_reason(term, doing) for term, doing in costs if term.cost >= _REASON_FROM]
    return UserQuality(score, level_of(score), uplink, downlink, reasons)


_DIGITS: dict[TermName, int] = {"delay": 0, "loss": 1, "frame_rate": 0, "picture": 3, "freeze": 0}
_WORDS: dict[TermName, str] = {"delay": "{} delay", "loss": "{} packet loss", "freeze": "picture frozen {} of the time"}


def figure_of(term: Term) -> str:
    """The figure of a term with its unit, as in `6.0 %`."""
    return f"{term.value:.{_DIGITS[term.term]}f} {term.unit}"


def short_figure_of(term: Term) -> str:
    """The same for a sentence, as in `6 %`."""
    return figure_of(term).replace(".0 ", " ")


def _reason(term: Term, doing: str) -> str:
    impairment = _WORDS.get(term.term, "{}").format(figure_of(term))
    return f"{impairment} {doing} (−{term.cost:.1f})"


def rate_room(scores: Iterable[float | None]) -> RoomQuality:
    """Rate a room by the 10th percentile of its users' scores; a user without a score has no say in it."""
    scores = list(scores)
    return room_quality(sorted(score for score in scores if score is not None), Counter(map(level_of, scores)))


def room_quality(ordered: Sequence[float], counts: Mapping[Level, int]) -> RoomQuality:
    """Rate a room by the scores that are known, ascending, and by how many of its users are of each level."""
    score = nearest_rank(ordered, 10) if ordered else None
    fair, poor = counts.get("fair", 0), counts.get("poor", 0)
    return RoomQuality(
        score,
        level_of(score),
        good=counts.get("good", 0),
        fair=fair,
        poor=poor,
        unknown=counts.get("unknown", 0),
        verdict=_verdict(len(ordered), fair + poor),
    )


def _verdict(scored: int, impaired: int) -> Verdict:
    if scored == 0:
        return "unknown"
    if impaired == 0:
        return "healthy"
    return "widespread" if scored >= 3 and most(impaired, scored) else "isolated"


def most(count: int, of: int) -> bool:
    """Whether a fault that `count` of these have is one that they share."""
    return count * 2 >= of
