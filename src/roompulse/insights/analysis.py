"""Figures of groups, compared with each other or with an earlier time, and findings of worse groups."""

from collections.abc import Iterable, Mapping, Sequence

from msgspec import Struct

from roompulse.insights.cell import MOST_VALUES, RATED, REST, TERMS, Cell, Cells, cut, merged
from roompulse.insights.model import Against, Group, Insights, Scores, TopTerm, words_of
from roompulse.insights.significance import Sample, is_significant, others_of, sample_of

WORTH_SAYING = 2.0
"""Percentage points by which a group must be worse to be found: with many users, any difference is significant."""

_MOST_TERMS = 3


class Finding(Struct, frozen=True):
    """A group that is significantly worse, in the words of `text`."""

    by: str
    group: Group
    text: str


def insights_of(by: str, cells: Cells, earlier: Mapping[str, Cell] | None = None, limit: int = MOST_VALUES) -> Insights:
    """The groups of a dimension, compared with all others or, if it is given, with an `earlier` time."""
    total = _total(cells)
    named = [value for value in cells if value != REST]
    against: dict[str, Against | None] = {}
    for value in named:
        one = sample_of(cells[value])
        other = others_of(total, one) if earlier is None else sample_of(earlier.get(value) or Cell())
        against[value] = _against(one, other, len(named))
    shown = cut(cells, limit)
    rest = shown.pop(REST, Cell())
    groups = [_group(value, cell, against[value]) for value, cell in shown.items()]
    return Insights(by, groups, _group(None, rest, None))


def _total(cells: Mapping[str, Cell]) -> Sample:
    total = Cell()
    for cell in cells.values():
        total.merge(cell)
    return sample_of(total)


def _against(one: Sample, other: Sample, groups: int) -> Against | None:
    if one.share is None or other.share is None:
        return None
    return Against(
        poor=_percent(other.share),
        difference=round(100 * (one.share - other.share), 1),
        significant=is_significant(one, other, groups),
    )


def _group(value: str | None, cell: Cell, against: Against | None) -> Group:
    looks = cell.count
    good, fair, poor = (_percent(count / looks) if looks else None for count in cell.levels)
    return Group(
        value=value,
        users=cell.users.count,
        user_minutes=looks,
        good=good,
        fair=fair,
        poor=poor,
        score=Scores(cell.score_at(10), cell.score_at(50)) if looks else None,
        top_terms=_top_terms(cell),
        against=against,
    )


def _top_terms(cell: Cell) -> list[TopTerm]:
    impaired = cell.count - cell.levels[RATED.index("good")]
    costly = sorted((one for one in zip(TERMS, cell.terms, strict=True) if one[1]), key=lambda one: -one[1])
    return [TopTerm(term, _percent(count / impaired)) for term, count in costly[:_MOST_TERMS]]


def _percent(share: float) -> float:
    return round(100 * share, 1)


def findings_of(tables: Iterable[Insights], against: str = "of the others") -> list[Finding]:
    """All groups that are significantly worse, those with the most additional poor user-minutes first.

    `against` names the baseline. Directions are not among them: all users have both.
    """
    found = [
        Finding(table.by, group, sentence(table.by, group, against))
        for table in tables
        if table.by != "direction"
        for group in table.groups
        if group.against and group.against.significant and group.against.difference >= WORTH_SAYING
    ]
    return sorted(found, key=_poor_minutes, reverse=True)


def _poor_minutes(finding: Finding) -> float:
    return finding.group.user_minutes * finding.group.against.difference if finding.group.against else 0.0


def sentence(by: str, group: Group, against: str) -> str:
    """As in `SDK version 3.0.0-beta.2: 14 % of user-minutes poor against 4 % of the others, 212 users, mostly loss`."""
    words = f"{words_of(by)} {group.value}: {_whole(group.poor)} of user-minutes poor"
    if group.against:
        words += f" against {_whole(group.against.poor)} {against}"
    words += f", {group.users} user{'' if group.users == 1 else 's'}"
    if group.top_terms:
        words += f", mostly {group.top_terms[0].term.replace('_', ' ')}"
    return words


def _whole(percent: float | None) -> str:
    """A share in the fewest digits that distinguish it from none and from all."""
    percent = percent or 0.0
    digits = 0 if percent in (0, 100) or 1 <= percent <= 99 else 1
    return f"{percent:.{digits}f} %"


def tables_of(minutes: Sequence[Mapping[str, Cells]]) -> dict[str, Cells]:
    """The cells of all dimensions of several minutes, merged."""
    return {by: merged(one[by] for one in minutes if by in one) for by in {by: 0 for one in minutes for by in one}}
