"""Simulated rooms: their users, and the times and contents of reports. Deterministic by seed; no clock, no network."""

from collections.abc import Iterator, Sequence
from heapq import heappop, heappush, merge
from math import ceil
from operator import itemgetter
from random import Random

from msgspec import Struct

from roompulse.client import Entry, Event, Report
from roompulse.simulate.participants import Participant
from roompulse.simulate.streams import received, sent
from roompulse.simulate.troubles import FAULTS, NOTHING, TROUBLES, Episodes

RECEIVED_AT_MOST = 9
"""Users that a user receives: as many as fit a screen of tiles."""

STAYS, SHORTEST_STAY = 600.0, 45.0
FREE_FOR = 20.0
"""Seconds: how long a user stays on average and at least, and until another user replaces it."""

ROOMS_OF_A_TEAM = 10

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
    """`users` is the most users of a room, `interval` the seconds between two reports of a user.

    Every other room, beginning with the first, has one of `troubles`, in turn. Users of all rooms have `faults`.
    """

    rooms: int
    users: int
    interval: float
    seed: int
    troubles: tuple[str, ...]
    faults: tuple[str, ...] = ()


Timed = tuple[float, Report]
"""Seconds since the beginning, and the report of that time."""


def reports(plan: Plan, begin: float) -> Iterator[Timed]:
    """The endless reports of all rooms in the order of their time, from `begin` (Unix seconds) on."""
    rooms = []
    for number in range(plan.rooms):
        troubles = plan.troubles if number % 2 == 0 else ()
        trouble = troubles[number // 2 % len(troubles)] if troubles else None
        rooms.append(Room(number, plan, trouble, Random(f"{plan.seed}/{number}")))  # noqa: S311
    return merge(*(room.reports(begin) for room in rooms), key=itemgetter(0))


def _name(names: Sequence[str], number: int) -> str:
    rest, place = divmod(number, len(names))
    return f"{names[place]}-{rest + 1}" if rest else names[place]


class Room:
    def __init__(self, number: int, plan: Plan, trouble: str | None, random: Random) -> None:
        self._room_id = _name(ROOM_NAMES.split(), number)
        self._interval = plan.interval
        self._seed = plan.seed
        self._faults = [FAULTS[name] for name in plan.faults]
        self._random = random
        self._names = random.sample(USER_NAMES.split(), k=len(USER_NAMES.split()))
        # A few rooms share their users, as teams do; those of other rooms are other people.
        self._joined = number // ROOMS_OF_A_TEAM * len(self._names)
        self._members: list[Participant] = []
        self._agenda: list[tuple[float, int, Participant | None]] = []
        self._episodes = Episodes(TROUBLES[trouble], random) if trouble else None
        self._victim: tuple[int, Participant] | None = None
        # Spread over the interval, so that users do not report at the same moment.
        for _ in range(random.randint(ceil(plan.users / 2), plan.users)):
            self._plan(random.uniform(0, plan.interval))

    def reports(self, begin: float) -> Iterator[Timed]:
        while True:
            now, _, participant = heappop(self._agenda)
            if participant is None:
                participant = self._join(now)
            if now < participant.leaves_at:
                yield now, self._report(participant, now, int(begin + now))
                self._plan(now + self._interval, participant)
            else:
                self._members.remove(participant)
                if participant.says_goodbye:
                    yield now, self._goodbye(participant, int(begin + now))
                self._plan(now + self._random.expovariate(1 / FREE_FOR))

    def _plan(self, at: float, participant: Participant | None = None) -> None:
        """Schedule a report of this participant or, without one, that a user joins."""
        heappush(self._agenda, (at, self._random.getrandbits(64), participant))

    def _join(self, now: float) -> Participant:
        stay = max(SHORTEST_STAY, self._random.expovariate(1 / STAYS))
        user_id = _name(self._names, self._joined)
        home = f"{self._seed}/{self._room_id}/{user_id}"
        participant = Participant(user_id, self._random, leaves_at=now + stay, home=home, faults=self._faults)
        self._joined += 1
        self._members.append(participant)
        return participant

    def _report(self, participant: Participant, now: float, at: int) -> Report:
        turned = participant.step(self._random, self._interval)
        events = [Event(f"microphone {'off' if participant.muted else 'on'}", at, "mic")] if turned else None
        self._impair(participant, now)
        users = len(self._members)
        own = Entry(participant.user_id, sent(participant, at), participant.device)
        others = [Entry(other.user_id, received(other, participant, users, at)) for other in self._tiles(participant)]
        return self._of(participant, [own, *others], at, events)

    def _goodbye(self, participant: Participant, at: int) -> Report:
        return self._of(participant, [], at, [Event("left", at)])

    def _of(self, user: Participant, entries: Sequence[Entry], at: int, events: Sequence[Event] | None) -> Report:
        labels = {"region": user.region}
        return Report(user.user_id, self._room_id, user.sdk_version, entries, at, labels=labels, events=events)

    def _tiles(self, participant: Participant) -> list[Participant]:
        """The users that a user receives: those who share a screen first, then those who joined first."""
        others = [other for other in self._members if other is not participant]
        return sorted(others, key=lambda other: "screen" not in other.pictures)[:RECEIVED_AT_MOST]

    def _impair(self, participant: Participant, now: float) -> None:
        participant.sending = participant.receiving = NOTHING
        episodes = self._episodes
        if episodes and (strength := episodes.strength(now)) and self._is_struck(participant, episodes):
            burst = self._random.uniform(*episodes.trouble.burst)
            participant.sending = episodes.trouble.sending.at(strength, burst)
            participant.receiving = episodes.trouble.receiving.at(strength, burst)
        for fault in participant.faults:
            participant.receiving = participant.receiving.and_also(fault.receiving)

    def _is_struck(self, participant: Participant, episodes: Episodes) -> bool:
        """Whether this episode affects this participant: if only one, preferably one with a camera."""
        if episodes.trouble.affects == "all":
            return True
        if self._victim is None or self._victim[0] != episodes.count:
            with_camera = [member for member in self._members if "camera" in member.pictures]
            self._victim = episodes.count, self._random.choice(with_camera or self._members)
        return self._victim[1] is participant
