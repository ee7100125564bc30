"""The score of a user from its streams' scores, and of a room from its users' scores."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from roompulse.quality.scale import (
    Level,
    RoomQuality,
    StreamQuality,
    UserQuality,
    Verdict,
    level_of,
    nearest_rank,
    worst,
)
from roompulse.quality.words import reason

_REASON_FROM = 0.1
"""Costs below this are in the terms, but are not worth a reason in words."""


def rate_user(
    sending: Iterable[tuple[str, StreamQuality]],
    receiving: Iterable[tuple[str, StreamQuality]],
    limits: Iterable[str] = (),
    missing: str = "",
) -> UserQuality:
    """Rate a user by its `send` streams and by the `recv` streams that it reported.

    Each stream comes with the words for it in a reason: "camera", or "u2's camera". `limits` are reasons that cost
    nothing; `missing` is a stream that is sent to a user that receives nothing, and empty for any other user.
    """
    sending, receiving = list(sending), list(receiving)
    uplink = worst(quality.score for _, quality in sending)
    downlink = worst(quality.score for _, quality in receiving)
    score = None if missing else worst((uplink, downlink))
    costs = [(term, f"sending {name}") for name, quality in sending for term in quality.terms]
    costs += [(term, f"receiving {name}") for name, quality in receiving for term in quality.terms]
    costs.sort(key=lambda cost: -cost[0].cost)
    reasons = [f"receives nothing, though {missing} is sent"] if missing else []
    reasons += [reason(term, doing) for term, doing in costs if term.cost >= _REASON_FROM]
    return UserQuality(score, level_of(score), uplink, downlink, [*reasons, *limits])


def rate_room(scores: Iterable[float | None]) -> RoomQuality:
    """Rate a room by the 10th percentile of its users' scores; users without a score are not counted."""
    scores = list(scores)
    return room_quality(sorted(score for score in scores if score is not None), Counter(map(level_of, scores)))


def room_quality(ordered: Sequence[float], counts: Mapping[Level, int]) -> RoomQuality:
    """Rate a room by the known scores, ascending, and by the number of users at each level."""
    score = nearest_rank(ordered, 10) if ordered else None
    fair, poor = counts.get("fair", 0), counts.get("poor", 0)
    return RoomQuality(
        score,
        level_of(score),
        worst=ordered[0] if ordered else None,
        good=counts.get("good", 0),
        fair=fair,
        poor=poor,
        unknown=counts.get("unknown", 0),
        verdict=verdict_of(len(ordered), fair + poor),
    )


def verdict_of(scored: int, impaired: int) -> Verdict:
    """The verdict on a room, from the number of users with a score and how many of them are fair or poor."""
    if scored == 0:
        return "unknown"
    if impaired == 0:
        return "healthy"
    return "widespread" if scored >= 3 and most(impaired, scored) else "isolated"


def most(count: int, of: int) -> bool:
    """Whether a fault of `count` of these users counts as shared."""
    return count * 2 >= of
