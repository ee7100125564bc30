"""How many users there are in minutes that are put together."""

import pytest

from roompulse.insights.users import EXACT, UserCount, hash_of


def count_of(*names: str) -> UserCount:
    count = UserCount()
    for name in names:
        count.add(hash_of(name))
    return count


def test_few_users_are_counted_exactly() -> None:
    names = [f"user-{number}" for number in range(EXACT)]
    count = count_of(*names, *names)
    assert count.count == EXACT
    count.merge(count_of(*names[:10], "another"))
    assert abs(count.count - EXACT - 1) < EXACT / 20


@pytest.mark.parametrize("users", [257, 1_000, 4_000, 30_000])
def test_many_users_are_estimated_to_a_few_percent(users: int) -> None:
    count = count_of(*(f"user-{number}" for number in range(users)))
    assert count.count == pytest.approx(users, rel=0.08)


@pytest.mark.parametrize("parts", [2, 40, 3_000])
def test_the_same_users_in_many_minutes_are_the_same_users(parts: int) -> None:
    names = [f"user-{number}" for number in range(3_000)]
    whole, together = count_of(*names), UserCount()
    for part in range(parts):
        some = count_of(*names[part::parts], *names[::parts])
        together.merge(some)
    assert together.count == whole.count


def test_no_id_can_be_read_in_it() -> None:
    assert "ada" not in repr(count_of("ada"))
