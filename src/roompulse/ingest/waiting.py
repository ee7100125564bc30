"""A report that waits for its commit, and the sender that waits for the answer."""

import asyncio

from msgspec import Struct

from roompulse.errors import Problem
from roompulse.report.model import Received, Report


class Waiting(Struct, eq=False):
    """A report, or a part of the report `part_of`; `is_complete` says whether the report is saved with it."""

    received: Received
    answered: asyncio.Future[None]
    part_of: Report | None = None
    is_complete: bool = True
    refused: bool = False

    @classmethod
    def of(cls, received: Received, part_of: Report | None = None, *, is_complete: bool = True) -> "Waiting":
        """For use in the event loop."""
        return cls(received, asyncio.get_running_loop().create_future(), part_of, is_complete)

    def refuse(self, problem: Problem) -> None:
        if not self.answered.done():
            self.refused = True
            self.answered.set_exception(problem)

    def acknowledge(self) -> None:
        if not self.answered.done():
            self.answered.set_result(None)
