"""Cells: they add up, are bounded, and come back as they were packed."""

from roompulse.insights.cell import REST, Cell, Cells, Look, add_to, cut, merged, pack, unpack
from roompulse.insights.users import hash_of


def cell(*users: str, score: float = 4.37, looks: int = 1) -> Cell:
    made = Cell()
    for user in users * looks:
        made.add(hash_of(user), (score, "loss"))
    return made


def test_a_cell_counts_levels_scores_and_the_costliest_terms() -> None:
    one = cell("ada")
    looks: list[Look] = [(3.5, "loss"), (2.0, "delay"), (2.0, None)]
    for look in looks:
        one.add(hash_of("bob"), look)
    assert one.levels == [1, 1, 2]
    assert sum(one.terms) == 2  # terms of a good score do not count
    assert (sum(one.looks), sum(one.poor), one.count, one.users.count) == (4, 2, 4, 2)
    assert abs(one.score_at(10) - 2.0) < 0.05
    assert abs(one.score_at(75) - 3.5) < 0.05
    assert abs(one.score_at(100) - 4.37) < 0.05


def test_percentiles_stay_within_the_scale() -> None:
    assert cell("ada", score=4.5).score_at(50) == 4.5
    assert 1.0 <= cell("ada", score=1.0).score_at(50) <= 1.05


def test_parts_put_together_are_the_whole() -> None:
    parts = [{"a": cell("ada"), "b": cell("bob", score=2.0)}, {"a": cell("ada", "eve", score=3.2, looks=3)}]
    whole = cell("ada")
    for user in ("ada", "eve") * 3:
        whole.add(hash_of(user), (3.2, "loss"))
    assert merged(map(unpack, map(pack, parts))) == {"a": whole, "b": cell("bob", score=2.0)}


def test_cells_come_back_as_they_were_packed() -> None:
    cells = {"a": cell(*(f"user-{number}" for number in range(500))), REST: cell("ada", score=2.0)}
    assert unpack(pack(cells)) == cells


def test_beyond_the_most_values_the_smallest_are_put_into_the_rest() -> None:
    cells: Cells = {f"v{size}": cell(*(f"user-{size}-{number}" for number in range(size))) for size in range(1, 6)}
    cells[REST] = cell("ada")
    kept = cut(cells, 3)
    assert list(kept) == ["v5", "v4", "v3", REST]
    assert kept[REST].users.count == 1 + 2 + 1
    add_to(kept, {"v1": cell("eve")})
    assert kept["v1"].users.count == 1


def test_a_cut_leaves_what_it_was_given_as_it_was() -> None:
    cells = {"a": cell("ada", looks=2), "b": cell("bob"), REST: cell("eve")}
    cut(cells, 1)
    assert cells[REST] == cell("eve")
