"""Delivery: when reports are posted, which are retried, and which are lost."""

import asyncio
import logging
import os
import random
import time
from collections.abc import Callable
from email.utils import parsedate_to_datetime
from threading import Lock

import httpx
import msgspec
from msgspec import Struct

from roompulse.client.buffer import MAX_AGE, Buffer, Post, body_of
from roompulse.client.model import Report

CONNECTIONS = 8
"""Simultaneous posts, each of another reporter or room. The server commits those that arrive together as one."""

FIRST_PAUSE, LONGEST_PAUSE = 0.5, 30.0
"""Seconds after a first failure; each further one doubles them, up to the longest."""

LOG_EVERY = 10.0
"""Seconds between two log lines about losses."""

_LONGEST_MESSAGE = 300

_logger = logging.getLogger("roompulse.client")


class Lost(Struct, frozen=True):
    """A report that will not be delivered.

    If the server rejected it, `status` and `message` are those of the answer. Otherwise `status` is None, and `message`
    says that the buffer was full, the report too old or impossible to encode, or the reporter closed.
    """

    report: Report
    message: str
    status: int | None = None


class Outbox:
    """Accepts reports from any thread; its runner calls `round` repeatedly. `clock` returns monotonic seconds."""

    def __init__(
        self,
        http: httpx.AsyncClient,
        *,
        max_waiting: int,
        on_error: Callable[[Lost], None] | None,
        clock: Callable[[], float] = time.monotonic,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self.delivered = 0
        self.lost = 0
        self.problem: str | None = None
        self._http = http
        self._buffer = Buffer(max_waiting)
        self._max_waiting = max_waiting
        self._on_error = on_error
        self._clock = clock
        self._chance = chance
        self._lock = Lock()
        self._in_flight = 0
        self._failures = 0
        self._paused_until = 0.0
        self._log_from = 0.0

    @property
    def waiting(self) -> int:
        """Reports that are neither delivered nor lost yet."""
        return len(self._buffer) + self._in_flight

    def put(self, report: Report) -> None:
        """Queue a report. It is encoded at once, so that later changes to it are not sent."""
        try:
            body = msgspec.json.encode(report)
        except Exception as error:
            self._lose(report, f"cannot be encoded: {error}")
            return
        for waiting in self._buffer.put(report, body, self._clock()):
            full = waiting.report is not report
            self._lose(waiting.report, self._full() if full else "the reporter is closed")

    def hurry(self) -> None:
        """End the pause after failures."""
        self._paused_until = 0.0

    def close(self) -> None:
        for waiting in self._buffer.close():
            self._lose(waiting.report, f"not delivered before the reporter was closed{self._because()}")

    async def round(self) -> float | None:
        """Post what may be posted now. Returns the seconds until the next round; None if no report waits."""
        now = self._clock()
        for waiting in self._buffer.take_overdue(now):
            self._lose(waiting.report, f"not delivered within {MAX_AGE:g} s{self._because()}")
        if now < self._paused_until:
            return self._paused_until - now
        if posts := self._buffer.take(now, CONNECTIONS):
            await self._deliver_all(posts)
            return 0.0
        due = self._buffer.due()
        return None if due is None else max(0.0, due - now)

    async def _deliver_all(self, posts: list[Post]) -> None:
        self._in_flight = sum(map(len, posts))
        try:
            settled = await asyncio.gather(*map(self._deliver, posts))
        finally:
            self._in_flight = 0
        # One report for which the server has no room must not delay the others: all wait only if none was delivered.
        self._failures = 0 if any(settled) else self._failures + 1
        if self._failures:
            self._paused_until = self._clock() + self._back_off(self._failures)

    async def _deliver(self, post: Post) -> bool:
        """Post and handle the answer; returns whether the server accepted the post or finally rejected it."""
        try:
            answer = await self._http.post("/report/metrics", content=body_of(post))
        except asyncio.CancelledError:
            self._put_back(post)
            raise
        except Exception as error:
            self.problem = f"cannot reach {self._http.base_url}: {_words(error)}"
            self._put_back(post)
            return False
        if answer.is_success:
            self.problem = None
            self.delivered += len(post)
            return True
        return self._refused(post, answer)

    def _refused(self, post: Post, answer: httpx.Response) -> bool:
        status, message = answer.status_code, _message(answer)
        self.problem = f"{self._http.base_url} answers {status}: {message}"
        again = status in (408, 429) or status >= 500
        if again or len(post) > 1:
            # An error in one part of a merged report must not lose the other parts.
            for waiting in post:
                waiting.alone = len(post) > 1 or waiting.alone
                waiting.attempts += 1
            if again:
                self._buffer.pause(post[0].lane, self._clock() + self._pause(answer, post[0].attempts))
            self._put_back(post)
        else:
            self._lose(post[0].report, message, status)
        return not again

    def _pause(self, answer: httpx.Response, attempts: int) -> float:
        """Seconds to wait: the server's `Retry-After`, with jitter so that clients do not retry together."""
        wanted = _retry_after(answer.headers.get("Retry-After", ""))
        return self._back_off(attempts) if wanted is None else wanted + self._chance()

    def _back_off(self, failures: int) -> float:
        longest = min(LONGEST_PAUSE, FIRST_PAUSE * 2.0 ** min(failures - 1, 16))
        return longest * (0.5 + 0.5 * self._chance())

    def _put_back(self, post: Post) -> None:
        for waiting in self._buffer.put_back(post):
            self._lose(waiting.report, self._full())

    def _full(self) -> str:
        return f"more than {self._max_waiting} reports wait{self._because()}"

    def _because(self) -> str:
        return f" ({self.problem})" if self.problem else ""

    def _lose(self, report: Report, message: str, status: int | None = None) -> None:
        with self._lock:
            self.lost += 1
        if self._on_error:
            try:
                self._on_error(Lost(report, message, status))
            except Exception:
                _logger.exception("on_error failed")
        elif self._clock() >= self._log_from:
            self._log_from = self._clock() + LOG_EVERY
            _logger.warning("%d reports lost so far, the last one: %s", self.lost, message)


def _words(error: BaseException) -> str:
    """Why there was no answer: the error of the operating system, which the libraries wrap in theirs."""
    cause: BaseException | None = error
    while cause:
        if isinstance(cause, ExceptionGroup):
            cause = cause.exceptions[0]
        if isinstance(cause, OSError) and cause.errno:
            # asyncio replaces the reason by the address; names that are not found have negative numbers.
            return (os.strerror(cause.errno) if cause.errno > 0 else cause.strerror or "").lower()
        cause = cause.__cause__ or cause.__context__
    return str(error) or type(error).__name__


def _message(answer: httpx.Response) -> str:
    """The message of the envelope, or the text of another answer (by a proxy, or by another server)."""
    try:
        message = str(answer.json()["message"])
    except (ValueError, KeyError, TypeError):
        message = answer.text.strip() or answer.reason_phrase
    return message[:_LONGEST_MESSAGE]


def _retry_after(value: str) -> float | None:
    """The seconds of a Retry-After header, given as such or as a date."""
    if value.isdecimal():
        return float(value)
    try:
        return max(0.0, parsedate_to_datetime(value).timestamp() - time.time())
    except ValueError:
        return None
