"""A map that cannot outgrow its bound: the least recently used entry is dropped."""

from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterator
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class BoundedMap(Generic[K, V]):
    """A map from keys to values that drops the least recently used entry when it exceeds `bound`.

    `bound` is a number of entries or, with `size_of`, the maximum total of the sizes of all values. A value is
    not None, and its size does not change while it is stored. `put` and `get` count as use, `peek` and `in` do not.
    """

    __slots__ = ("_bound", "_entries", "_size", "_size_of")

    def __init__(self, bound: int, size_of: Callable[[V], int] | None = None) -> None:
        self._bound = bound
        self._size_of = size_of
        self._size = 0  # of all values, where `size_of` is given
        self._entries: OrderedDict[K, V] = OrderedDict()

    def __len__(self) -> int:
        return len(self._entries)

    def __contains__(self, key: K) -> bool:
        return key in self._entries

    def __iter__(self) -> Iterator[K]:
        """The keys, least recently used first."""
        return iter(self._entries)

    def get(self, key: K) -> V | None:
        """The value, or None; the entry is now the most recently used one."""
        value = self._entries.get(key)
        if value is not None:
            self._entries.move_to_end(key)
        return value

    def peek(self, key: K) -> V | None:
        """The value, or None; the order of use stays as it is."""
        return self._entries.get(key)

    def put(self, key: K, value: V) -> None:
        """Store the value, which replaces the previous one. A value larger than the bound is not stored."""
        if self._size_of is None:
            self._entries[key] = value
            self._entries.move_to_end(key)
            if len(self._entries) > self._bound:
                self._entries.popitem(last=False)
            return
        self.discard(key)
        size = self._size_of(value)
        if size > self._bound:
            return
        self._entries[key] = value
        self._size += size
        while self._size > self._bound:
            self._size -= self._size_of(self._entries.popitem(last=False)[1])

    def discard(self, key: K) -> None:
        """Drop an entry, if there is one."""
        value = self._entries.pop(key, None)
        if value is not None and self._size_of is not None:
            self._size -= self._size_of(value)

    def clear(self) -> None:
        self._entries.clear()
        self._size = 0
