"""Whether a group has more poor user-minutes than others by more than chance.

The minutes of one user are no independent trials, so users are the sampling units. CLUSTERS clusters are formed by a
hash of their id, in every minute the same; the method of random groups (Wolter: "Introduction to Variance
Estimation", 2007, chapter 2) takes the variance of a difference of shares from how these clusters differ. The test
compares all clusters with the share that both sides would have if there were no difference, which makes it a robust
score test: it rejects seldom enough in small samples, where a Wald test does not (Guo, Pan, Connett, Hannan, French:
"Small-sample performance of the robust score test and its modifications in generalized estimating equations",
Statistics in Medicine 24, 2005).
Its statistic is never above the square root of the number of clusters that have users, so few users are never
significant. Where few users of many are poor, a group may have none of them by chance, and its own clusters then seem
not to differ: so the variance is at least that of both sides together, by their design effect (Rao, Scott: "A simple
method for the analysis of clustered binary data", Biometrics 48, 1992). All groups that are compared at once share
ERROR (Bonferroni).
"""

from math import erfc, sqrt

from msgspec import Struct

from roompulse.insights.cell import Cell

ERROR = 0.001
"""Chance that any of the groups which are compared at once is called significant although all are equal."""

FEWEST_USERS = 10
"""Users that a group and its baseline must have."""


class Sample(Struct, frozen=True):
    """Samples, poor samples in each cluster, and the number of users."""

    looks: list[int]
    poor: list[int]
    users: int

    @property
    def share(self) -> float | None:
        """The share that is poor, from 0 to 1; None without a sample."""
        return sum(self.poor) / sum(self.looks) if any(self.looks) else None


def sample_of(cell: Cell) -> Sample:
    return Sample(cell.looks, cell.poor, cell.users.count)


def others_of(total: Sample, part: Sample) -> Sample:
    """All but a part of them. The number of users is a lower bound: some may be in both."""
    return Sample(
        [all_ - mine for all_, mine in zip(total.looks, part.looks, strict=True)],
        [all_ - mine for all_, mine in zip(total.poor, part.poor, strict=True)],
        max(0, total.users - part.users),
    )


def p_value(one: Sample, other: Sample) -> float:
    """Two-sided; both have samples."""
    looks, other_looks = sum(one.looks), sum(other.looks)
    all_looks = looks + other_looks
    common = (sum(one.poor) + sum(other.poor)) / all_looks
    excess = [poor - common * count for count, poor in zip(one.looks, one.poor, strict=True)]
    other_excess = [poor - common * count for count, poor in zip(other.looks, other.poor, strict=True)]
    pairs = list(zip(excess, other_excess, strict=True))
    difference = sum(excess) / looks - sum(other_excess) / other_looks
    variance = max(
        sum((a / looks - b / other_looks) ** 2 for a, b in pairs),
        sum((a + b) ** 2 for a, b in pairs) / (looks * other_looks),
    )
    return erfc(abs(difference) / sqrt(2 * variance)) if variance else 1.0


def is_significant(one: Sample, other: Sample, groups: int) -> bool:
    """Whether their shares differ by more than chance; `groups` is how many are compared at once."""
    return min(one.users, other.users) >= FEWEST_USERS and p_value(one, other) * groups < ERROR
