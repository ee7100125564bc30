"""Events, samples and reports on calls, in which users are hidden by their pseudonyms."""

from collections.abc import Iterable, Sequence

from msgspec.structs import replace

from roompulse.calls.model import CallReport, CallUser
from roompulse.events.model import TimelineEvent
from roompulse.pseudonyms.model import Pseudonyms
from roompulse.pseudonyms.rooms import device
from roompulse.rooms.rated_samples import StreamSample

_NAMED_BY_OTHERS = ("sdk", "alert_firing", "alert_resolved")


def hidden_events(names: Pseudonyms, events: Iterable[TimelineEvent]) -> list[TimelineEvent]:
    """Without notes, and without the free text of SDKs besides the type of an event."""
    shown = [event for event in events if event.kind != "note"]
    for event in shown:
        if event.user_id is not None:
            names.add(event.user_id)
    return [_event(names, event) for event in shown]


def _event(names: Pseudonyms, event: TimelineEvent) -> TimelineEvent:
    return replace(
        event,
        user_id=None if event.user_id is None else names.of(event.user_id),
        stream_id=None if event.stream_id is None else names.stream(event.stream_id),
        # A free name by SDKs and operators.
        text=(names.words if event.kind in _NAMED_BY_OTHERS else names.sentence)(event.text),
        detail=None if event.kind == "sdk" or event.detail is None else names.sentence(event.detail),
    )


def hidden_samples(names: Pseudonyms, samples: Sequence[StreamSample], user_id: str) -> list[StreamSample]:
    """Samples of a user: other reporters than itself are media servers, whose ids stay."""
    return [
        replace(
            one,
            sdk_version=names.words(one.sdk_version),
            device=device(names, one.device),
            user_id=names.of(one.user_id),
            reporter_id=names.of(user_id) if one.reporter_id == user_id else one.reporter_id,
            receiver_id=None if one.receiver_id is None else names.of(one.receiver_id),
            stream_id=names.stream(one.stream_id),
        )
        for one in samples
    ]


def hidden_report(names: Pseudonyms, report: CallReport) -> CallReport:
    for user in sorted(report.users, key=lambda user: (user.joined, user.user_id)):
        names.add(user.user_id, user.user_name)
    events = hidden_events(names, report.events)
    room_name = report.room_name and names.words(report.room_name)
    text = report.text.replace(report.room_name, room_name) if report.room_name and room_name else report.text
    return replace(
        report,
        room_name=room_name,
        users=[_user(names, user) for user in report.users],
        events=events,
        text=names.sentence(text),
    )


def _user(names: Pseudonyms, user: CallUser) -> CallUser:
    return replace(
        user,
        user_id=names.of(user.user_id),
        user_name=None,
        device=device(names, user.device),
        reasons=[names.sentence(reason) for reason in user.reasons],
    )
