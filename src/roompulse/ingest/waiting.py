"""A report that waits for its commit, and the sender that waits for the answer."""

import asyncio

from msgspec import Struct

from roompulse.errors import Problem
from roompulse.report.model import Received


class Waiting(Struct, eq=False):
    """`whole` is the report that is to be admitted, where `received` is the first of its parts."""

    received: Received
    answered: asyncio.Future[None]
    whole: Received | None = None
    refused: bool = False

    @classmethod
    def of(cls, received: Received, whole: Received | None = None) -> "Waiting":
        """For use in the event loop."""
        return cls(received, asyncio.get_running_loop().create_future(), whole)

    def refuse(self, problem: Problem) -> None:
        if not self.answered.done():
            self.refused = True
            self.answered.set_exception(problem)

    def acknowledge(self) -> None:
        if not self.answered.done():
            self.answered.set_result(None)
