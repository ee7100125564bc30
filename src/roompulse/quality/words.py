"""Scores and their terms in words: every figure of a term is formatted here."""

from collections.abc import Mapping

from roompulse.quality.scale import BASE, StreamQuality, Term, TermName, Verdict
from roompulse.report.model import Video

_LIMITS = {"cpu": "CPU limits", "bandwidth": "bandwidth limits", "other": "the encoder limits"}
_DIGITS: dict[TermName, int] = {"delay": 0, "loss": 1, "frame_rate": 0, "picture": 3, "freeze": 0, "concealment": 1}
_WORDS: dict[TermName, str] = {
    "delay": "{} delay",
    "loss": "{} packet loss",
    "freeze": "picture frozen {} of the time",
    "concealment": "{} of the sound concealed",
}


VERDICTS: Mapping[Verdict, str] = {
    "unknown": "Not yet rated",
    "healthy": "Healthy",
    "isolated": "Some users affected",
    "widespread": "Most users affected",
}


def arithmetic(quality: StreamQuality) -> str:
    """A score with its costs, as in `4.37 = 4.44 − 0.03 delay − 0.03 loss`."""
    if quality.score is None:
        return "no figures to rate"
    costs = "".join(f" − {term.cost:.2f} {term.term.replace('_', ' ')}" for term in quality.terms)
    return f"{quality.score:.2f} = {BASE:.2f}{costs}"


def figure_of(term: Term) -> str:
    """The figure of a term with its unit, as in `6.0 %`."""
    return f"{term.value:.{_DIGITS[term.term]}f} {term.unit}"


def short_figure_of(term: Term) -> str:
    """The same for a sentence, as in `6 %`."""
    return figure_of(term).replace(".0 ", " ")


def reason(term: Term, doing: str) -> str:
    impairment = _WORDS.get(term.term, "{}").format(figure_of(term))
    return f"{impairment} {doing} (−{term.cost:.1f})"


def limitation(video: Video | None, doing: str) -> str | None:
    """What keeps an encoder from sending more, as in `CPU limits the picture to 320×180 sending camera`."""
    if not video or not (limits := _LIMITS.get(video.limited_by or "none")):
        return None
    size = f" to {video.width}×{video.height}" if video.width and video.height else ""
    return f"{limits} the picture{size} {doing}"
