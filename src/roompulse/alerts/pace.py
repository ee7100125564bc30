"""How much a tick does before other tasks run."""

from collections.abc import Iterator


class Pace:
    """Counts evaluations of any kind; a step ends when there are `at_once`."""

    def __init__(self, at_once: int) -> None:
        self._at_once = at_once
        self._done = 0

    def after(self, looks: int = 1) -> Iterator[None]:
        """Yields once where the step ends with so many more."""
        self._done += looks
        if self._done >= self._at_once:
            self._done = 0
            yield
