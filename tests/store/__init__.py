"""The store, against real databases."""

from typing import TypeVar

from roompulse.store.contract import Steps

T = TypeVar("T")


def done(steps: Steps[T]) -> T:
    """The result of the steps of a read."""
    while True:
        try:
            next(steps)
        except StopIteration as stop:
            result: T = stop.value
            return result
