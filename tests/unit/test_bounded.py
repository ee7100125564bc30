"""BoundedMap: what it keeps, what it drops, and what counts as use."""

from hypothesis import given
from hypothesis import strategies as st

from roompulse.bounded import BoundedMap


def filled(bound: int, *keys: str) -> BoundedMap[str, int]:
    bounded: BoundedMap[str, int] = BoundedMap(bound)
    for number, key in enumerate(keys):
        bounded.put(key, number)
    return bounded


def test_it_returns_what_was_put() -> None:
    bounded = filled(2, "a", "b")
    assert (bounded.get("a"), bounded.get("b"), bounded.get("c")) == (0, 1, None)
    assert "a" in bounded
    assert "c" not in bounded


def test_the_least_recently_used_entry_is_forgotten_first() -> None:
    bounded = filled(2, "a", "b")
    bounded.get("a")
    bounded.put("c", 2)
    assert list(bounded) == ["a", "c"]


def test_a_replaced_value_counts_as_used_and_forgets_nothing() -> None:
    bounded = filled(2, "a", "b")
    bounded.put("a", 5)
    assert list(bounded) == ["b", "a"]
    assert bounded.get("a") == 5


def test_peek_is_no_use() -> None:
    bounded = filled(2, "a", "b")
    assert bounded.peek("a") == 0
    bounded.put("c", 2)
    assert list(bounded) == ["b", "c"]


def test_discard_and_clear_forget() -> None:
    bounded = filled(3, "a", "b", "c")
    bounded.discard("b")
    bounded.discard("none")
    assert list(bounded) == ["a", "c"]
    bounded.clear()
    assert len(bounded) == 0


def test_a_bound_on_sizes_forgets_as_many_as_must_go() -> None:
    bounded: BoundedMap[str, bytes] = BoundedMap(10, len)
    for key in "abc":
        bounded.put(key, b"xxx")
    bounded.put("d", b"xxxxx")
    assert list(bounded) == ["c", "d"]


def test_a_value_above_the_bound_is_not_stored_and_nothing_else_is_forgotten_for_it() -> None:
    bounded: BoundedMap[str, bytes] = BoundedMap(10, len)
    bounded.put("a", b"xxx")
    bounded.put("b", b"xxx")
    bounded.put("a", b"x" * 11)
    assert list(bounded) == ["b"]


def test_sizes_are_forgotten_with_their_entries() -> None:
    bounded: BoundedMap[str, bytes] = BoundedMap(10, len)
    for forget in (bounded.clear, lambda: bounded.discard("a")):
        bounded.put("a", b"x" * 10)
        forget()
        bounded.put("b", b"x" * 10)
        assert list(bounded) == ["b"]
        bounded.clear()


OPERATIONS = st.lists(st.tuples(st.sampled_from("pgd"), st.integers(0, 7), st.binary(max_size=8)), max_size=60)


@given(OPERATIONS)
def test_it_never_exceeds_its_bound_and_always_has_the_newest(operations: list[tuple[str, int, bytes]]) -> None:
    bounded: BoundedMap[int, bytes] = BoundedMap(12, len)
    for name, key, value in operations:
        if name == "p":
            bounded.put(key, value)
            assert bounded.peek(key) == value
        elif name == "g":
            bounded.get(key)
        else:
            bounded.discard(key)
            assert key not in bounded
        assert sum(len(bounded.peek(kept) or b"") for kept in bounded) <= 12
