"""A call in five sentences, and its verdicts in words."""

from collections.abc import Sequence
from datetime import UTC, datetime

from roompulse.calls.model import CallUser, WorstMinute
from roompulse.quality import VERDICTS
from roompulse.rooms.model import Snapshot
from roompulse.store.contract import Session

_FEW = 10
"""User-minutes below which tenths count."""


def verdict_in_words(snapshots: Sequence[Snapshot]) -> str:
    """The common verdict of these, and the highest number of affected users."""
    worst = max(snapshots, key=lambda one: (one.quality.fair + one.quality.poor, one.timestamp)).quality
    affected, rated = worst.fair + worst.poor, worst.fair + worst.poor + worst.good
    words = VERDICTS[worst.verdict]
    return f"{words}: up to {affected} of {rated}" if affected else words


def call_in_words(
    call: Session, users: Sequence[CallUser], worst: WorstMinute | None, snapshots: Sequence[Snapshot], end: float
) -> str:
    sentences = (
        _when(call, users, end),
        _shares(users),
        _worst_minute(worst),
        _who(users),
        _widespread(snapshots),
    )
    return " ".join(sentences)


def _when(call: Session, users: Sequence[CallUser], end: float) -> str:
    name = f"{call.room_name} ({call.room_id})" if call.room_name else call.room_id
    length = _minutes((end - call.started_at) / 60)
    who = f"with {_count(len(users), 'user')}" if users else "whose users are not retained"
    if call.ended_at is None:
        return f"The call in {name} has been live since {_at(call.started_at)}, for {length}, {who}."
    return f"The call in {name} lasted from {_at(call.started_at)} to {_at(end)}, {length}, {who}."


def _shares(users: Sequence[CallUser]) -> str:
    sums = {level: sum(getattr(one.minutes, level) for one in users) for level in ("good", "fair", "poor")}
    total = sum(sums.values())
    if not total:
        return "No user was rated."
    shares = {level: f"{100 * minutes / total:.0f} %" for level, minutes in sums.items()}
    whole = f"{total:.0f}" if total >= _FEW else f"{total:.1f}"
    return f"Of {whole} user-minutes {shares['good']} were good, {shares['fair']} fair and {shares['poor']} poor."


def _worst_minute(worst: WorstMinute | None) -> str:
    if worst is None:
        return "The room had no score."
    affected, rated = worst.fair + worst.poor, worst.good + worst.fair + worst.poor
    who = f"{affected} of {_count(rated, 'user')} affected"
    return f"Its worst minute was {_at(worst.timestamp)}, with a score of {worst.score:.2f}: {who}."


def _who(users: Sequence[CallUser]) -> str:
    suffered = [one for one in users if one.minutes.poor or one.minutes.fair]
    if not suffered:
        return "No user had a fair or poor minute."
    first = suffered[0]
    name = first.user_name or first.user_id
    minutes = f"{_minutes(first.minutes.poor)} poor and {_minutes(first.minutes.fair)} fair"
    reason = f", at worst with {first.reasons[0]}" if first.reasons else ""
    return f"{name} suffered most, {minutes}{reason}."


def _widespread(snapshots: Sequence[Snapshot]) -> str:
    if not snapshots:
        return "How the room was over time is not retained."
    bad = [one for one in snapshots if one.quality.verdict in ("isolated", "widespread")]
    most = [one for one in bad if one.quality.verdict == "widespread"]
    if not bad:
        return "At no time was the room affected."
    some, many = 100 * len(bad) / len(snapshots), 100 * len(most) / len(snapshots)
    return f"Users were affected for {some:.0f} % of the time, most of them at once for {many:.0f} %."


def _minutes(minutes: float) -> str:
    return f"{minutes * 60:.0f} s" if minutes < 1 else f"{minutes:.0f} min"


def _count(count: int, noun: str) -> str:
    return f"{count} {noun}{'' if count == 1 else 's'}"


def _at(timestamp: float) -> str:
    return datetime.fromtimestamp(timestamp, UTC).strftime("%Y-%m-%d %H:%M UTC")
