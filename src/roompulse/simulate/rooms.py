"""Simulated rooms: who is in them, who reports when, and what. Deterministic by the seed; no clock, no network."""

from collections.abc import Iterator, Sequence
from heapq import heappop, heappush, merge
from math import ceil
from operator import itemgetter
from random import Random

from msgspec import Struct

from roompulse.client import Entry, Report
from roompulse.simulate.participants import Participant
from roompulse.simulate.streams import received, sent
from roompulse.simulate.troubles import NOTHING, TROUBLES, Episodes

RECEIVED_AT_MOST = 9
"""Users that each one in a room receives: what fits a screen of tiles."""

STAYS, SHORTEST_STAY = 600.0, 45.0
FREE_FOR = 20.0
"""Seconds: how long a user stays on the average and at least, and until somebody else comes instead."""

ROOM_NAMES = (
    "design-review standup-berlin all-hands interview-33 support-4711 board standup-tokyo pairing-ana-bo webinar-q3"
    " retro-payments onboarding townhall sales-emea incident-218 physics-101 book-club kickoff-atlas telemed-0815"
    " standup-lagos planning-q4 parents-evening demo-friday choir-practice office-hours"
)

USER_NAMES = (
    "amelie bashir chiyo dolores emeka farid greta hamid ines jonas kalina lars mei nadia oskar priya quentin rosa"
    " sven tomoko ulrike viktor wanja ximena yusuf zoe aino boris celia dmitri elif fatou gianni hilde ilya jana kofi"
    " lucia marek noor olga pavel ravi selma"
)


class Plan(Struct, frozen=True):
    """`users` is how many a room has at most, `interval` the seconds between two reports of a user.

    Every other room, the first included, has one of `troubles`, in turn.
    """

    rooms: int
    users: int
    interval: float
    seed: int
    troubles: tuple[str, ...]


Timed = tuple[float, Report]
"""Seconds since the beginning, and what is reported then."""


def reports(plan: Plan, begin: float) -> Iterator[Timed]:
    """All reports of all rooms in the order of their time, without end; it begins at `begin` (Unix seconds)."""
    rooms = []
    for number in range(plan.rooms):
        troubles = plan.troubles if number % 2 == 0 else ()
        trouble = troubles[number // 2 % len(troubles)] if troubles else None
        rooms.append(Room(_name(ROOM_NAMES.split(), number), plan, trouble, Random(f"{plan.seed}/{number}")))  # noqa: S311
    return merge(*(room.reports(begin) for room in rooms), key=itemgetter(0))


def _name(names: Sequence[str], number: int) -> str:
    rest, place = divmod(number, len(names))
    return f"{names[place]}-{rest + 1}" if rest else names[place]


class Room:
    def __init__(self, room_id: str, plan: Plan, trouble: str | None, random: Random) -> None:
        self._room_id = room_id
        self._interval = plan.interval
        self._random = random
        self._names = random.sample(USER_NAMES.split(), k=len(USER_NAMES.split()))
        self._joined = 0
        self._members: list[Participant] = []
        self._agenda: list[tuple[float, int, Participant | None]] = []
        self._episodes = Episodes(TROUBLES[trouble], random) if trouble else None
        self._victim: tuple[int, Participant] | None = None
        # Spread over the interval: there is no moment at which all report.
        for _ in range(random.randint(ceil(plan.users / 2), plan.users)):
            self._plan(random.uniform(0, plan.interval))

    def reports(self, begin: float) -> Iterator[Timed]:
        while True:
            now, _, person = heappop(self._agenda)
            if person is None:
                person = self._join(now)
            if now < person.leaves_at:
                yield now, self._report(person, now, int(begin + now))
                self._plan(now + self._interval, person)
            else:
                self._members.remove(person)
                self._plan(now + self._random.expovariate(1 / FREE_FOR))

    def _plan(self, at: float, person: Participant | None = None) -> None:
        """A report of this person, or that somebody joins."""
        heappush(self._agenda, (at, self._random.getrandbits(64), person))

    def _join(self, now: float) -> Participant:
        stay = max(SHORTEST_STAY, self._random.expovariate(1 / STAYS))
        person = Participant(_name(self._names, self._joined), self._random, leaves_at=now + stay)
        self._joined += 1
        self._members.append(person)
        return person

    def _report(self, person: Participant, now: float, at: int) -> Report:
        person.step(self._random, self._interval)
        self._impair(person, now)
        users = len(self._members)
        own = Entry(person.user_id, sent(person, at), person.device)
        others = [Entry(other.user_id, received(other, person, users, at)) for other in self._tiles(person)]
        return Report(person.user_id, self._room_id, person.sdk_version, [own, *others], at)

    def _tiles(self, person: Participant) -> list[Participant]:
        """Whom a user receives: who shares a screen comes first, then who has been there for longest."""
        others = [other for other in self._members if other is not person]
        return sorted(others, key=lambda other: "screen" not in other.pictures)[:RECEIVED_AT_MOST]

    def _impair(self, person: Participant, now: float) -> None:
        person.sending = person.receiving = NOTHING
        episodes = self._episodes
        if episodes and (strength := episodes.strength(now)) and self._is_struck(person, episodes):
            burst = self._random.uniform(*episodes.trouble.burst)
            person.sending = episodes.trouble.sending.at(strength, burst)
            person.receiving = episodes.trouble.receiving.at(strength, burst)

    def _is_struck(self, person: Participant, episodes: Episodes) -> bool:
        """Whether this episode strikes this person: if only one, then one who has a camera, if there is one."""
        if episodes.trouble.who == "everybody":
            return True
        if self._victim is None or self._victim[0] != episodes.count:
            with_camera = [member for member in self._members if "camera" in member.pictures]
            self._victim = episodes.count, self._random.choice(with_camera or self._members)
        return self._victim[1] is person
