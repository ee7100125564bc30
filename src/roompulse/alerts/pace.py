"""How much a tick does until others have a turn."""

from collections.abc import Iterator


class Pace:
    """Counts what is looked at; a step ends when it is `at_once`, whatever it was looked at for."""

    def __init__(self, at_once: int) -> None:
        self._at_once = at_once
        self._done = 0

    def after(self, looks: int = 1) -> Iterator[None]:
        """Once where the step ends with so many more."""
        self._done += looks
        if self._done >= self._at_once:
            self._done = 0
            yield
