"""Reports that wait to be sent: how many, in which order, and which of them are merged."""

from collections import OrderedDict
from collections.abc import Iterable
from threading import Lock

import msgspec
from msgspec import Raw, Struct
from msgspec.structs import replace

from roompulse.client.model import Report

MAX_AGE = 600.0
"""Seconds after which a report is lost: history would place an older one at its receipt, which would be wrong."""

MAX_MERGED = 65_536
"""Bytes of a merged report."""

Lane = tuple[str, str]
"""Room and reporter. Reports of one reporter about one room are sent in their order."""


class Waiting(Struct):
    """A waiting report; `since` is when it was added, by the clock of the outbox."""

    ordinal: int
    lane: Lane
    report: Report
    body: bytes
    since: float
    attempts: int = 0
    alone: bool = False


Post = list[Waiting]
"""Reports that are sent as one."""


def body_of(post: Post) -> bytes:
    if len(post) == 1:
        return post[0].body
    bodies = [msgspec.json.decode(waiting.body, type=dict[str, Raw]) for waiting in post]
    merged = [entry for body in bodies for entry in msgspec.json.decode(body["metrics"], type=list[Raw])]
    return msgspec.json.encode({**bodies[0], "metrics": merged})


def _goes_with(post: Post, waiting: Waiting) -> bool:
    """Whether `waiting` may be merged with `post` (of the same lane).

    Only if that changes nothing: all but their entries must be equal, the time included, which decides the place of
    their figures in history; and each event happened once.
    """
    one, other = (replace(report, metrics=()) for report in (post[0].report, waiting.report))
    same = one == other and not one.events
    size = sum(len(part.body) for part in post) + len(waiting.body)
    return same and size <= MAX_MERGED and not post[0].alone and not waiting.alone


class Buffer:
    """At most `bound` reports: the oldest are sent first, and dropped first. `put` may be called from any thread."""

    def __init__(self, bound: int) -> None:
        self._bound = bound
        self._lock = Lock()
        self._waiting: OrderedDict[int, Waiting] = OrderedDict()  # by ordinal
        self._paused: dict[Lane, float] = {}
        self._ordinal = 0
        self._closed = False

    def __len__(self) -> int:
        return len(self._waiting)

    def put(self, report: Report, body: bytes, now: float) -> list[Waiting]:
        """Add a report. Returns the reports that were dropped: this one alone once the buffer is closed."""
        with self._lock:
            self._ordinal += 1
            lane = (str(report.room_id), str(report.user_id))
            waiting = Waiting(self._ordinal, lane, report, body, now)
            if self._closed:
                return [waiting]
            self._waiting[self._ordinal] = waiting
            return self._overflow()

    def put_back(self, post: Post) -> list[Waiting]:
        """Put reports that were taken back at the front. Returns the reports that were dropped."""
        with self._lock:
            for waiting in reversed(post):
                self._waiting[waiting.ordinal] = waiting
                self._waiting.move_to_end(waiting.ordinal, last=False)
            return self._overflow()

    def _overflow(self) -> list[Waiting]:
        return [self._waiting.popitem(last=False)[1] for _ in range(len(self._waiting) - self._bound)]

    def pause(self, lane: Lane, until: float) -> None:
        """Send nothing of a lane until then."""
        self._paused[lane] = until

    def take(self, now: float, count: int) -> list[Post]:
        """Remove and return up to `count` posts, each of another lane."""
        with self._lock:
            self._paused = {lane: until for lane, until in self._paused.items() if until > now}
            posts = _posts(self._waiting.values(), set(self._paused), count)
            for post in posts:
                for waiting in post:
                    del self._waiting[waiting.ordinal]
            return posts

    def take_overdue(self, now: float) -> list[Waiting]:
        """Remove and return the reports that have waited for MAX_AGE."""
        overdue = []
        with self._lock:
            while self._waiting and (oldest := next(iter(self._waiting.values()))).since + MAX_AGE <= now:
                overdue.append(self._waiting.pop(oldest.ordinal))
        return overdue

    def due(self) -> float | None:
        """When to try again if no post can be sent now: a pause ends, or a report reaches MAX_AGE."""
        with self._lock:
            oldest = next(iter(self._waiting.values()), None)
            return min(oldest.since + MAX_AGE, *self._paused.values()) if oldest else None

    def close(self) -> list[Waiting]:
        """Accept no more reports, and return all that wait."""
        with self._lock:
            self._closed = True
            left = list(self._waiting.values())
            self._waiting.clear()
            return left


def _posts(waiting: Iterable[Waiting], skipped: set[Lane], count: int) -> list[Post]:
    posts: dict[Lane, Post] = {}
    for one in waiting:
        if one.lane in skipped:
            continue
        if one.lane not in posts:
            if len(posts) == count:
                break
            posts[one.lane] = [one]
        elif _goes_with(posts[one.lane], one):
            posts[one.lane].append(one)
        else:
            skipped.add(one.lane)
    return list(posts.values())
