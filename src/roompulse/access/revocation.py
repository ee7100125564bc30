"""Those who were let in and are still there: what they look at ends when they are not let in any more."""

from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager

from roompulse.access.model import Caller


class OpenSessions:
    """Bounded by what it is used for: streams, of which there are MAX_VIEWERS at most."""

    def __init__(self, admits: Callable[[Caller], bool]) -> None:
        self._admits = admits
        self._ends: dict[Caller, list[Callable[[], None]]] = {}

    @property
    def authenticator(self) -> Collection[Caller]:
        return self._ends.keys()

    @contextmanager
    def hold(self, caller: Caller, end: Callable[[], None]) -> Iterator[None]:
        """Until the context ends, `end` is called by each `review` that finds the caller not admitted any more."""
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
