"""Quality: one definition, with its arithmetic shown. No other module, page or script holds a threshold.

Scores run from 1.0 to 4.5 like a mean opinion score (MOS). A stream's score is a base minus named costs. Scores and
costs are rounded to 2 decimals each, so that their sum may be 0.01 off; levels follow from the rounded score, so that
4.00 is never shown as fair.
"""

from roompulse.quality.combined import most, rate_room, rate_user, room_quality, verdict_of
from roompulse.quality.scale import (
    BASE,
    BASE_R,
    BEST,
    FAIR_FROM,
    GOOD_FROM,
    IMPAIRED,
    UNRATED,
    WORST,
    Level,
    RoomQuality,
    StreamQuality,
    Term,
    TermName,
    UserQuality,
    Verdict,
    level_of,
    mos,
    nearest_rank,
    worst,
)
from roompulse.quality.stream import (
    FRAME_RATE_WINDOW,
    bits_needed,
    expected_frame_rate,
    is_screen,
    is_sent,
    rate_stream,
)
from roompulse.quality.words import VERDICTS, arithmetic, figure_of, limitation, reason, short_figure_of

__all__ = [
    "BASE",
    "BASE_R",
    "BEST",
    "FAIR_FROM",
    "FRAME_RATE_WINDOW",
    "GOOD_FROM",
    "IMPAIRED",
    "UNRATED",
    "VERDICTS",
    "WORST",
    "Level",
    "RoomQuality",
    "StreamQuality",
    "Term",
    "TermName",
    "UserQuality",
    "Verdict",
    "arithmetic",
    "bits_needed",
    "expected_frame_rate",
    "figure_of",
    "is_screen",
    "is_sent",
    "level_of",
    "limitation",
    "mos",
    "most",
    "nearest_rank",
    "rate_room",
    "rate_stream",
    "rate_user",
    "reason",
    "room_quality",
    "short_figure_of",
    "verdict_of",
    "worst",
]
