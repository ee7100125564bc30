"""The test of differences: it finds real ones, and raises no false alarms."""

from collections.abc import Iterator
from random import Random

import pytest

from roompulse.insights.analysis import findings_of, insights_of
from roompulse.insights.cell import Cell, Cells
from roompulse.insights.model import Group
from roompulse.insights.users import hash_of

DAYS, GROUPS = 20, 50


def users(random: Random, cell: Cell, count: int, shares: Iterator[float]) -> None:
    """Add users who are in calls for an hour on average, each of them poor for this share of it."""
    for share in (next(shares) for _ in range(count)):
        looks = min(2000, 1 + int(random.expovariate(1 / 360)))
        poor = round(share * looks)
        user = hash_of(str(random.random()))
        cell.levels = [cell.levels[0] + looks - poor, 0, cell.levels[2] + poor]
        cell.looks[user >> 26] += looks
        cell.poor[user >> 26] += poor
        cell.users.add(user)


def always_or_never(random: Random, chance: float) -> Iterator[float]:
    while True:
        yield float(random.random() < chance)


def now_and_then(random: Random, chance: float) -> Iterator[float]:
    while True:
        yield random.betavariate(0.2, 0.2 * (1 - chance) / chance)


def compared(random: Random, sizes: dict[str, int], shares: dict[str, Iterator[float]]) -> list[Group]:
    cells: Cells = {value: Cell() for value in sizes}
    for value, size in sizes.items():
        users(random, cells[value], size, shares[value])
    return insights_of("browser", cells).groups


@pytest.mark.parametrize("users_of_a_group", [12, 40, 120])
@pytest.mark.parametrize("chance", [0.05, 0.5, 0.8])
@pytest.mark.parametrize("kind", [always_or_never, now_and_then])
def test_at_most_one_of_fifty_equal_groups_is_significant_in_twenty_days(
    users_of_a_group: int,
    chance: float,
    kind: object,
) -> None:
    random = Random(f"{users_of_a_group}/{chance}")  # noqa: S311
    shares = kind(random, chance)  # type: ignore[operator]
    wrong = 0
    for _ in range(DAYS):
        sizes = {f"group-{number}": users_of_a_group for number in range(GROUPS)}
        groups = compared(random, sizes, dict.fromkeys(sizes, shares))
        wrong += sum(group.against.significant for group in groups if group.against)
    assert wrong <= 1


@pytest.mark.parametrize("seed", range(5))
def test_a_worse_group_is_found_among_others(seed: int) -> None:
    random = Random(seed)  # noqa: S311
    sizes = {"3.0.0-beta.2": 212, "2.8.1": 1500, "2.8.0": 600, "1.9.12": 30}
    shares = dict.fromkeys(sizes, now_and_then(random, 0.04)) | {"3.0.0-beta.2": now_and_then(random, 0.3)}
    marked = [(group.value, group.against) for group in compared(random, sizes, shares) if group.against]
    assert [value for value, one in marked if one.significant and one.difference > 0] == ["3.0.0-beta.2"]


@pytest.mark.parametrize(("size", "found"), [(9, []), (14, []), (40, ["bad"])])
def test_few_users_are_never_significant(size: int, found: list[str]) -> None:
    random = Random(1)  # noqa: S311
    sizes = {"bad": size, "fine": 300}
    shares = {"bad": always_or_never(random, 1), "fine": always_or_never(random, 0.02)}
    groups = compared(random, sizes, shares)
    significant = {group.value for group in groups if group.against and group.against.significant}
    assert ("bad" in significant) == bool(found)


def test_one_user_who_is_poor_for_a_day_is_one_user() -> None:
    cells = {"a": Cell(), "b": Cell()}
    random = Random(1)  # noqa: S311
    for cell in cells.values():
        users(random, cell, 50, always_or_never(random, 0))
    lonely = cells["a"]
    lonely.looks[3] += 8640
    lonely.poor[3] += 8640
    lonely.levels[2] += 8640
    a, _ = insights_of("browser", cells).groups
    assert a.against is not None
    assert (a.against.difference > 10, a.against.significant) == (True, False)


def test_a_difference_too_small_to_matter_is_not_said() -> None:
    cells = {"a": Cell(), "b": Cell()}
    random = Random(1)  # noqa: S311
    users(random, cells["a"], 500, iter([0.06] * 500))
    users(random, cells["b"], 500, iter([0.05] * 500))
    insights = insights_of("browser", cells)
    assert [group.against.significant for group in insights.groups if group.against] == [True, True]
    assert findings_of([insights]) == []
