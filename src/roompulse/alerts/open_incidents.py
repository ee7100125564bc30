"""Open incidents: by key, by room, and by due time."""

import heapq
from collections import defaultdict
from collections.abc import Collection, Iterator
from itertools import count
from math import inf

from roompulse.alerts.incident import Incident, Key
from roompulse.erasure.subject import Subject

OPEN = 2
"""Ratio of open incidents to those that may fire: 200 rules for 20,000 users would fill the memory."""


class OpenIncidents:
    """At most `most` fire, and OPEN times as many are open. A further one can begin with its subject's next change."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._by_key: dict[Key, Incident] = {}
        self._by_room: defaultdict[str, set[Key]] = defaultdict(set)
        self._due: list[tuple[float, int, Incident]] = []
        self._ordinals = count()
        self.firing: dict[Incident, None] = {}
        """Firing incidents."""
        self.further: set[Incident] = set()
        """Incidents over the limit of firing ones."""
        self.turns = 0
        """Grows whenever one fires or ends."""

    def __iter__(self) -> Iterator[Incident]:
        return iter(list(self._by_key.values()))

    @property
    def may_fire(self) -> bool:
        """Whether one more may fire."""
        return len(self.firing) < self._most

    @property
    def is_full(self) -> bool:
        return len(self._by_key) >= OPEN * self._most

    def get(self, key: Key) -> Incident | None:
        return self._by_key.get(key)

    def is_firing(self, key: Key) -> bool:
        return (incident := self.get(key)) is not None and incident.fired_at is not None

    def rooms(self) -> list[str]:
        """Rooms with open incidents."""
        return list(self._by_room)

    def of_room(self, room_id: str) -> Collection[Incident]:
        """The incidents of the room and of its users."""
        return [self._by_key[key] for key in self._by_room[room_id]] if room_id in self._by_room else ()

    def add(self, incident: Incident) -> None:
        self._by_key[incident.key] = incident
        if incident.fired_at is not None:
            self.fires(incident)
        if (room_id := incident.key[1]) is not None:
            self._by_room[room_id].add(incident.key)

    def fires(self, incident: Incident) -> None:
        self.firing[incident] = None
        self.further.discard(incident)
        self.turns += 1

    def remove(self, incident: Incident) -> None:
        del self._by_key[incident.key]
        self.firing.pop(incident, None)
        self.further.discard(incident)
        self.turns += 1
        if (room_id := incident.key[1]) is not None:
            self._by_room[room_id].discard(incident.key)
            if not self._by_room[room_id]:
                del self._by_room[room_id]

    def forget(self, subject: Subject) -> None:
        """Remove those about an erased subject, and its mentions in others."""
        for incident in self:
            _, room_id, user_id = incident.key
            if subject.covers(room_id, user_id):
                self.remove(incident)
            elif subject.room_id in (None, room_id):
                incident.forget(subject)

    def schedule(self, incident: Incident, at: float) -> None:
        """Schedule it for `at`, unless it is due earlier. The code that evaluates a due one schedules it again."""
        if incident.due is None or at < incident.due:
            incident.due = at
            heapq.heappush(self._due, (at, next(self._ordinals), incident))

    def pop_due(self, now: float) -> Iterator[Incident]:
        while self._due and self._due[0][0] <= now:
            at, _, incident = heapq.heappop(self._due)
            if incident.due == at and self._by_key.get(incident.key) is incident:
                incident.due = None
                yield incident

    def next_due(self) -> float:
        """A lower bound of the next due time (Unix seconds); infinite where none is due."""
        return self._due[0][0] if self._due else inf
