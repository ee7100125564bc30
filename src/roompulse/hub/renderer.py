"""When views are rendered: one after the other, in a quarter of the time at most, so that reports need not wait."""

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Protocol, TypeVar

from roompulse.errors import Unavailable

T = TypeVar("T")

REST = 3
"""Seconds of rest for each second of rendering: all views together take at most a quarter of the time."""

ADVANCE = 0.1
"""Seconds of rest that may be owed when the next view is rendered, so that a few small views need not wait."""

LOOK_EVERY = 2.0
"""Seconds between two checks of how late views are."""

MAX_WAITING = 100
"""Requests for pages that wait to be rendered."""

LATE, IN_TIME = 0.75, 0.5
"""Views are slowed down once one is so many seconds late, and no longer once none is later than the second figure."""


class Rendered(Protocol):
    def push(self) -> None:
        """Render and deliver; must not raise."""
        ...


class Renderer:
    """Due views and requested pages: the first of each, alternately.

    Between two of them the event loop runs other tasks.

    `on_slowdown` is called with the seconds between two pushes of a view, rounded, whenever that changes: 0 stands for
    `push_interval`, at which views are updated unless too many of them, or too costly ones, change.
    """

    def __init__(self, push_interval: float, on_slowdown: Callable[[int], None]) -> None:
        self.slowdown = 0
        self._push_interval = push_interval
        self._on_slowdown = on_slowdown
        self._due: dict[Rendered, float] = {}
        self._requests: deque[Callable[[], None]] = deque()
        self._request_is_next = True
        self._rested_at = 0.0
        self._turn: asyncio.TimerHandle | None = None
        self._look: asyncio.TimerHandle | None = None
        self._latest = 0.0

    def add(self, view: Rendered) -> None:
        """Render the view in its turn, once, however often it is added until then."""
        self._due.setdefault(view, _loop().time())
        self._wait()
        if self._look is None:
            self._look = _loop().call_later(LOOK_EVERY, self._look_back)

    async def render(self, render: Callable[[], T]) -> T:
        """The result of `render`, in its turn; raises Unavailable where too many requests wait."""
        if len(self._requests) >= MAX_WAITING:
            raise Unavailable("too many pages wait to be rendered", retry_after=2)
        rendered: asyncio.Future[T] = _loop().create_future()

        def answer() -> None:
            if rendered.cancelled():
                return
            try:
                rendered.set_result(render())
            except Exception as error:
                rendered.set_exception(error)

        self._requests.append(answer)
        self._wait()
        return await rendered

    def discard(self, view: Rendered) -> None:
        self._due.pop(view, None)

    def close(self) -> None:
        """Requests that wait are still rendered."""
        if self._look:
            self._look.cancel()

    def _wait(self) -> None:
        if self._turn is None:
            self._turn = _loop().call_at(self._rested_at - ADVANCE, self._render_next)

    def _render_next(self) -> None:
        self._turn = None
        started = _loop().time()
        if self._requests and (self._request_is_next or not self._due):
            self._requests.popleft()()
        elif self._due:
            view = next(iter(self._due))
            self._latest = max(self._latest, started - self._due.pop(view))
            view.push()
        self._request_is_next = not self._request_is_next
        took = _loop().time() - started
        self._rested_at = max(self._rested_at, started) + (1 + REST) * took
        if self._due or self._requests:
            self._wait()

    def _look_back(self) -> None:
        now = _loop().time()
        late = max(self._latest, now - next(iter(self._due.values()), now))
        self._latest = 0.0
        is_slow = late >= (IN_TIME if self.slowdown else LATE)
        slowdown = max(1, round(self._push_interval + late)) if is_slow else 0
        if slowdown != self.slowdown:
            self.slowdown = slowdown
            self._on_slowdown(slowdown)
        is_needed = self._due or slowdown
        self._look = _loop().call_later(LOOK_EVERY, self._look_back) if is_needed else None


def _loop() -> asyncio.AbstractEventLoop:
    return asyncio.get_running_loop()
