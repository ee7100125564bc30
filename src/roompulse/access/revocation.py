"""Open streams end when the callers that opened them are no longer admitted."""

from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager

from roompulse.access.model import Caller


class OpenSessions:
    """Open streams by caller. Bounded by the number of streams, at most MAX_VIEWERS."""

    def __init__(self, admits: Callable[[Caller], bool]) -> None:
        self._admits = admits
        self._ends: dict[Caller, list[Callable[[], None]]] = {}

    @property
    def callers(self) -> Collection[Caller]:
        return self._ends.keys()

    @contextmanager
    def hold(self, caller: Caller, end: Callable[[], None]) -> Iterator[None]:
        """Until the context ends, each `review` that finds the caller no longer admitted calls `end`."""
        self._ends.setdefault(caller, []).append(end)
        try:
            yield
        finally:
            self._ends[caller].remove(end)
            if not self._ends[caller]:
                del self._ends[caller]

    def review(self) -> None:
        for caller, ends in self._ends.items():
            if not self._admits(caller):
                for end in ends:
                    end()
