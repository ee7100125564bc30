"""The timeline of a room's or a user's page: the newest events, and the users who left lately."""

from collections.abc import Callable, Mapping, Sequence

from roompulse.errors import StoreError
from roompulse.events.model import EventQuery, Kind, TimelineEvent
from roompulse.events.timeline import Timeline
from roompulse.pseudonyms.answers import hidden_events
from roompulse.pseudonyms.model import Pseudonyms
from roompulse.rooms.contract import LiveRoom
from roompulse.web.html.templates import Templates, compact
from roompulse.web.pages.past import history_unavailable
from roompulse.web.pages.query import UserQuery

SHOWN = 100
"""The newest events that match are shown; earlier ones are on pages of the past."""

LEFT_SHOWN, LEFT_FOR = 10, 900.0
"""The newest users who left within so many seconds are named."""

_NO_USER = "."
"""No user can have this id."""

KIND_NAMES: Mapping[Kind, str] = {
    "room_started": "Call started",
    "room_ended": "Call ended",
    "user_joined": "Joined",
    "user_left": "Left",
    "user_stale": "No reports",
    "user_returned": "Reports again",
    "level_changed": "Level changed",
    "verdict_changed": "Verdict changed",
    "resolution_changed": "Resolution changed",
    "codec_changed": "Codec changed",
    "limited": "Limited by CPU or bandwidth",
    "connection_changed": "Connection changed",
    "same_id_twice": "Two SDKs as one user",
    "alert_firing": "Alert firing",
    "alert_resolved": "Alert resolved",
    "note": "Note",
    "sdk": "Reported by SDK",
}

Render = Callable[[LiveRoom | None, float], str]
"""The timeline as HTML, given the room and the time that the page shows."""


class Timelines:
    def __init__(self, timeline: Timeline, templates: Templates) -> None:
        self._timeline = timeline
        self._templates = templates

    async def of(
        self, room_id: str, query: UserQuery, user_id: str | None = None, names: Pseudonyms | None = None
    ) -> Render:
        """The timeline for the page of a room, or of a user; it is updated live where the page shows the present.

        It is rendered with the room as the page shows it: with `names`, users are hidden.
        """
        asked = query.user if names is None or not query.user else names.known(query.user) or _NO_USER
        wanted = EventQuery(room_id, end=query.at, user_id=user_id or asked or None, kind=query.kind, limit=SHOWN)
        left = EventQuery(room_id, end=query.at, user_id=user_id, kind="user_left", limit=LEFT_SHOWN)
        try:
            shown, departures = await self._tail(wanted), await self._tail(left)
        except StoreError as error:
            unavailable = history_unavailable(self._templates, error).html
            return lambda _room, _now: unavailable

        of_user = names.of(user_id) if names and user_id else user_id

        def events(tail: _Tail) -> Sequence[TimelineEvent]:
            return hidden_events(names, tail.events()) if names else tail.events()

        def render(room: LiveRoom | None, now: float) -> str:
            gone = {event.user_id: event for event in events(departures) if now - event.time < LEFT_FOR}
            html = self._templates.render(
                "partials/timeline.html",
                room_id=room_id,
                of_user=of_user,
                query=query,
                events=events(shown)[::-1],
                left=[event for user, event in gone.items() if user and not (room and room.user(user))][::-1],
                SHOWN=SHOWN,
            )
            return compact(html)

        return render

    async def _tail(self, query: EventQuery) -> "_Tail":
        events, number = await self._timeline.find(query)
        return _Tail(self._timeline, query, events, number)


class _Tail:
    """The newest events of a query: stored ones, and those recorded since."""

    def __init__(self, timeline: Timeline, query: EventQuery, events: Sequence[TimelineEvent], number: int) -> None:
        self._timeline = timeline
        self._query = query
        self._events = list(events)
        self._number = number

    def events(self) -> Sequence[TimelineEvent]:
        """Oldest first."""
        new = self._timeline.tail(self._query.room_id, self._number)
        if new:
            self._number = new[-1].number
            # One may be in both, if it was saved at that moment.
            events = dict.fromkeys(self._events)
            for one in new:
                if one.instead_of:
                    events.pop(one.instead_of, None)
                if one.event and self._query.matches(self._query.room_id, one.event):
                    events[one.event] = None
            self._events = sorted(events, key=lambda event: event.time)[-self._query.limit :]
        return self._events
