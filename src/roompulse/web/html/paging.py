"""Lists that are shown a page at a time."""

from collections.abc import Sequence
from math import ceil
from typing import Any

from msgspec import Struct


class Rows(Struct, frozen=True):
    """One page of a list: its rows, its number, how many pages there are, and how many rows in all."""

    rows: Sequence[Any]
    page: int
    pages: int
    total: int


def paged(rows: Sequence[Any], page: int, per_page: int) -> Rows:
    """The page of this number, or the last one where there are fewer."""
    pages = page_count(len(rows), per_page)
    page = min(page, pages)
    return Rows(rows[(page - 1) * per_page : page * per_page], page, pages, len(rows))


def page_count(total: int, per_page: int) -> int:
    """How many pages so many rows have; an empty list has one."""
    return max(1, ceil(total / per_page))
