"""Encoded answers that are kept, and long ones that are encoded in portions."""

import pytest

from roompulse.web.http.envelope import success, success_in_portions
from roompulse.web.http.json_answer import AnswerCache


class Encoding:
    """Makes bodies of a size, and counts how often it has to."""

    def __init__(self, kept: AnswerCache, size: int = 10) -> None:
        self.count = 0
        self._kept = kept
        self._size = size

    def get(self, key: str, version: int = 1) -> bytes:
        return self._kept.get(key, version, lambda: self._body(key, version))

    def _body(self, key: str, version: int) -> bytes:
        self.count += 1
        return f"{key} {version}".encode().ljust(self._size)


def test_an_answer_is_encoded_once_for_each_version() -> None:
    encoding = Encoding(AnswerCache())
    for version in (1, 1, 2, 2):
        assert encoding.get("room-1", version).split() == [b"room-1", b"%d" % version]
    assert encoding.get("room-2").split() == [b"room-2", b"1"]
    assert encoding.count == 3


def test_what_nobody_asked_for_the_longest_goes_first() -> None:
    encoding = Encoding(AnswerCache(most=30), size=10)
    for key in ("a", "b", "c", "a", "d"):  # there is room for three
        encoding.get(key)
    assert encoding.count == 4
    for key in ("c", "a", "d"):
        encoding.get(key)
    assert encoding.count == 4
    encoding.get("b")
    assert encoding.count == 5


def test_an_answer_that_is_too_large_is_not_kept() -> None:
    kept = AnswerCache(most=30)
    encoding = Encoding(kept, size=31)
    assert [len(encoding.get("a")), len(encoding.get("a")), encoding.count] == [31, 31, 2]
    small = Encoding(kept, size=10)
    for _ in range(2):
        assert [len(small.get(key)) for key in "bcd"] == [10, 10, 10]
    assert small.count == 3


@pytest.mark.parametrize("size", [1, 2, 3, 4])
@pytest.mark.parametrize("data", [[], [1], [1, 2, 3], ["]}", "{"], [{"a": [None]}, [], "x"]])
def test_a_list_that_is_encoded_in_portions_is_the_same(data: list[object], size: int) -> None:
    portions = list(success_in_portions(data, size))
    assert b"".join(portions) == success(data)
    assert len(portions) == max(1, -(-len(data) // size))
