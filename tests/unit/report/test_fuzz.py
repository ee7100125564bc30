"""Replays the findings of `make fuzz` and a few more reports; the cost of a body is counted."""

import sys
import tracemalloc
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings

from roompulse.errors import BadRequest
from roompulse.report.decode import decode_report
from tests import unit
from tests.builders import REFERENCE
from tests.fuzz import CORPUS, World, bodies, outcome

assert unit  # its profile makes the examples the same in every run
WORLD = World()
KEPT = sorted(CORPUS.iterdir())


@pytest.mark.parametrize("path", KEPT, ids=lambda path: path.name)
def test_what_was_found_once_is_taken_or_refused_with_the_name_of_its_place(path: Path) -> None:
    assert outcome(path.read_bytes(), WORLD)


def test_the_corpus_has_both_kinds_and_is_of_many() -> None:
    kinds = {path.name.partition("-")[0] for path in KEPT}
    assert kinds == {"refused", "taken"}
    assert len({outcome(path.read_bytes(), WORLD) for path in KEPT}) > 250


@given(bodies())
@settings(max_examples=300)
@example(REFERENCE)
@example(b"")
@example(b"[" * 100_000)
@example(b'{"a":' * 100_000)
@example(b"\xef\xbb\xbf" + REFERENCE)
@example(REFERENCE.decode().encode("utf-16"))
@example(REFERENCE + b"\x00")
@example(REFERENCE * 2)
def test_any_body_is_taken_or_refused_with_the_name_of_its_place(body: bytes) -> None:
    assert outcome(body, WORLD)


STREAM = REFERENCE.partition(b'"streams":[')[2].removesuffix(b"]}]}")
ENTRY = REFERENCE.partition(b'"metrics":[')[2].removesuffix(b"]}")
GROWING: dict[str, Callable[[int], bytes]] = {
    "streams": lambda size: REFERENCE.replace(STREAM, b",".join([STREAM] * size)),
    "entries": lambda size: REFERENCE.replace(ENTRY, b",".join([ENTRY] * size)),
    "streams, the last of them wrong": lambda size: REFERENCE.replace(
        STREAM, b",".join([*([STREAM] * size), STREAM.replace(b"send", b"up")])
    ),
    "streams with points where integers are meant": lambda size: REFERENCE.replace(
        STREAM, b",".join([STREAM.replace(b"1280", b"1280.0")] * size)
    ),
    "unknown fields": lambda size: b'{"x":1,' * 1 + b'"x":[1.5],' * size + REFERENCE[1:],
    "the same field": lambda size: b'{"user_id":"u9",' + b'"user_id":"u9",' * size + REFERENCE[1:],
    "digits": lambda size: REFERENCE.replace(b"1200", b"1" * 500 * size),
    "digits behind the point": lambda size: REFERENCE.replace(b"1200", b"1." + b"1" * 500 * size),
    "escapes": lambda size: REFERENCE.replace(b"1.2.0", rb"\u202e" * 100 * size),
    "blanks": lambda size: REFERENCE.replace(b",", b"," + b" " * 50 * size),
    "nesting": lambda size: b'{"x":' + b"[" * 50 * size,
}


def cost(body: bytes) -> tuple[int, int]:
    """Calls of functions, and the peak of allocated bytes."""
    calls = 0

    def count(_frame: Any, event: str, _argument: Any) -> None:
        nonlocal calls
        calls += event in {"call", "c_call"}

    tracemalloc.start()
    sys.setprofile(count)
    try:
        with suppress(BadRequest):
            decode_report(body)
    finally:
        sys.setprofile(None)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    return calls, peak


@pytest.mark.parametrize("grown", GROWING.values(), ids=GROWING)
def test_what_a_body_costs_grows_no_faster_than_its_size(grown: Callable[[int], bytes]) -> None:
    small, large = grown(200), grown(800)
    assert 2 * len(small) < len(large)
    (calls, peak), (more_calls, higher_peak) = cost(small), cost(large)
    assert more_calls <= 5 * calls
    assert higher_peak <= 5 * peak + 100_000
