"""What paired runs say of a claim: estimate, interval, p, equivalence, verdict.

Tests with other assumptions are in `claims/robustness.py`, how many seeds it takes in
`claims/power.py`.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache

import numpy as np
from scipy.stats import binomtest, norm, spearmanr, t, ttest_ind
from statsmodels.stats.weightstats import DescrStatsW, ttost_ind

from report.study.comparisons import Interval, interval

ALPHA = 0.05
TINY = np.finfo(float).tiny
VERDICTS = ("SUPPORTED", "REFUTED", "EQUIVALENT", "INCONCLUSIVE", "UNTESTABLE-AS-STATED")


@dataclass(frozen=True)
class Finding(Interval):
    """An estimate with its 95 % interval and three p-values.

    `p` is that of "it is 0"; `tost` that of "it is not between -margin and margin", `outside` that
    of "it is", both NaN without a margin.
    """

    p: float
    tost: float = np.nan
    margin: float = np.nan
    outside: float = np.nan

    @property
    def small(self) -> bool:
        """Whether the interval lies wholly inside the margin."""
        return max(-self.low, self.high) < self.margin


def student(values: Sequence[float], margin: float = np.nan) -> Finding:
    """The mean of paired differences, by Student's t: p two-sided, tost = max of two one-sided p.

    `outside` is the lesser of the two one-sided p beyond the margin. In the unit of the values, as
    is `margin`. Raises ValueError for fewer than two values. Source: Schuirmann 1987 for tost.
    """
    found, test = interval(values), DescrStatsW(values)
    p, tost = test.ttest_mean()[1], test.ttost_mean(-margin, margin)[0]
    with np.errstate(divide="ignore", invalid="ignore"):  # of values that are all the same
        outside = t.sf((abs(found.mean) - margin) / test.std_mean, len(values) - 1)
    numbers = (found.mean, found.low, found.high, found.n, float(p), float(tost))
    return Finding(*numbers, margin, float(outside))


RESAMPLED = 20_000  # times; p is a multiple of 1e-4


def moves_less(a: Sequence[float], b: Sequence[float]) -> Finding:
    """abs(mean(a)) - abs(mean(b)) of paired values, by the bootstrap over pairs.

    The interval is that of percentiles; p is twice the smaller share of resampled values on either
    side of 0. Source: Efron & Tibshirani 1993, chapter 13.
    """
    pairs, n = np.array([a, b]), len(a)
    first, second = np.abs(_shares(n) @ pairs.T).T
    low, high = np.percentile(first - second, [2.5, 97.5])
    p = 2 * min(np.mean(first <= second), np.mean(first >= second))
    estimate = np.subtract(*np.abs(pairs.mean(1)))
    return Finding(float(estimate), low, high, n, float(np.clip(p, 2 / RESAMPLED, 1)))


@cache
def _shares(n: int) -> np.ndarray:
    """The weight of each of n pairs in each resampled mean."""
    return np.random.default_rng(0).multinomial(n, np.full(n, 1 / n), RESAMPLED) / n


def welch(a: Sequence[float], b: Sequence[float], margin: float = np.nan) -> Finding:
    """mean(a) - mean(b) of runs that share nothing, by Welch's t; n is that of the fewer runs."""
    test = ttest_ind(a, b, equal_var=False)
    low, high = test.confidence_interval(0.95)
    tost = ttost_ind(a, b, -margin, margin, usevar="unequal")[0]
    estimate, n = np.mean(a) - np.mean(b), min(len(a), len(b))
    return Finding(estimate, low, high, n, test.pvalue, tost, margin)


def spread(a: Sequence[float], b: Sequence[float]) -> Finding:
    """log(std(a) / std(b)) of paired values, whatever their distribution: 0 for equal spread.

    The mean of the jackknife's pseudo-values, n * whole - (n - 1) * without, by Student's t.
    Source: Miller 1968. Pitman and Morgan's test finds far too much in values that are not normal.
    """
    pairs, n = np.array([a, b]), len(a)
    without = np.array([_log_ratio(np.delete(pairs, i, axis=1)) for i in range(n)])
    return student(n * _log_ratio(pairs) - (n - 1) * without)


def _log_ratio(pairs: np.ndarray) -> float:
    first, second = np.std(pairs, axis=1, ddof=1)
    return float(np.log(first / second))


def share(differences: Sequence[float]) -> Finding:
    """The share of seeds with a difference above 0, less one half; ties are left out.

    Clopper-Pearson interval and sign test, both exact; n is 0, and nothing known, if all are ties.
    """
    differences = np.asarray(differences)
    if not differences.any():
        return Finding(0.0, -0.5, 0.5, 0, 1.0)
    test = binomtest(int((differences > 0).sum()), int((differences != 0).sum()))
    low, high = test.proportion_ci(0.95)
    return Finding(test.statistic - 0.5, low - 0.5, high - 0.5, test.n, test.pvalue)


def rank_correlation(x: Sequence[float], y: Sequence[float]) -> Interval:
    """Spearman's rank correlation of n pairs, with its 95 % interval by Fisher's z.

    atanh(r) has standard error sqrt((1 + r**2 / 2) / (n - 3)). Source: Bonett & Wright 2000.
    """
    r, n = float(spearmanr(x, y).statistic), len(x)
    half = norm.ppf(0.975) * np.sqrt((1 + r**2 / 2) / (n - 3))
    with np.errstate(divide="ignore"):  # of an order that is the same, or the reverse
        low, high = np.tanh(np.arctanh(r) + half * np.array([-1, 1]))
    return Interval(r, float(low), float(high), n)


def weakest(findings: Sequence[Finding]) -> Finding:
    """The one of several findings that does least for "all of them are higher".

    One above 0 whose interval lies inside the margin does less than any other above 0. The largest
    p needs no correction if all are higher; if not, the one shown was chosen among k, so that p is
    k times its own. tost is k times the smallest: one difference inside the margin is enough
    against the claim. Source: Berger 1982, intersection-union test.
    """
    found = min(
        findings, key=lambda f: (f.mean > 0 and not f.small, f.mean / max(f.high - f.low, TINY))
    )
    p = np.max([f.p for f in findings]) if found.mean > 0 else len(findings) * found.p
    tost = len(findings) * min(f.tost for f in findings)
    return replace(found, p=min(1, p), tost=min(1, tost))


def least_equal(findings: Sequence[Finding]) -> Finding:
    """The one of k findings that does least for "all of them are inside the margin".

    Its tost needs no correction; it was chosen, so that `outside` is k times the smallest.
    Source: Berger 1982, intersection-union test.
    """
    found = max(findings, key=lambda f: f.tost)
    outside = len(findings) * min(f.outside for f in findings)
    return replace(found, outside=min(1, outside))


def most_equal(findings: Sequence[Finding]) -> Finding:
    """The one of k findings that does most against "all of them are outside the margin".

    It was chosen among k, so that its tost is k times its own; `outside` needs no correction where
    all of them must be. Source: Bonferroni; Berger 1982.
    """
    found = min(findings, key=lambda f: (f.tost, abs(f.mean)))
    outside = np.max([f.outside for f in findings])
    return replace(found, tost=min(1, len(findings) * found.tost), outside=outside)


def holm(p: Sequence[float], looks: int) -> np.ndarray:
    """The p-values adjusted over so many looks (Bonferroni's) and then over their family (Holm's).

    NaN, a claim that a diverged run leaves open, counts as 1. Source: Holm 1979.
    """
    # Not statsmodels's, which collects garbage in every call: a second among many records.
    p = looks * np.nan_to_num(np.asarray(p, float), nan=1)
    order = np.argsort(p)
    steps = np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1))
    return np.minimum(1, steps)[np.argsort(order)]


def answer(found: Finding, p: float, tost: float) -> str:
    """What a question comes to, by the adjusted `p` and `tost`: how the first is to the second.

    "equal" if tost <= 0.05, else "higher" or "lower" if p <= 0.05, else "not resolved".
    """
    if tost <= ALPHA:
        return "equal"
    return ("higher" if found.mean > 0 else "lower") if p <= ALPHA else "not resolved"


def verdict(claim: str, found: Finding, p: float, tost: float, outside: float = np.nan) -> str:
    """What a claim of "higher", "lower", "different", "equal" or "unequal" comes to.

    `p`, `tost` and `outside` are the found ones, adjusted over the looks and the family. A
    difference that the equivalence test finds inside the margin counts as none, whichever its sign:
    a claim that means any difference, however small, has no margin.

    - SUPPORTED: a difference is claimed, p <= 0.05 on the claimed side, and the 95 % interval not
      inside the margin; or "unequal" is claimed and outside <= 0.05.
    - REFUTED: a difference is claimed and p <= 0.05 on the other side, or tost <= 0.05; or
      "unequal" and tost <= 0.05; or "equal" and outside <= 0.05.
    - EQUIVALENT: "equal" is claimed and tost <= 0.05, that is to say the (adjusted) 90 % interval
      lies inside the margin. No difference found is not equality.
    - INCONCLUSIVE: none of these; these runs do not tell.
    - UNTESTABLE-AS-STATED: never from runs; the claim's own row says why.
    """
    inside = tost <= ALPHA
    if claim in ("equal", "unequal"):
        beyond = outside <= ALPHA
        if not inside and not beyond:
            return "INCONCLUSIVE"
        said = {"equal": ("EQUIVALENT", "REFUTED"), "unequal": ("REFUTED", "SUPPORTED")}
        return said[claim][beyond]
    if inside:
        return "REFUTED"
    on_side = {"higher": found.mean > 0, "lower": found.mean < 0, "different": True}[claim]
    if p > ALPHA or (on_side and found.small):
        return "INCONCLUSIVE"
    return "SUPPORTED" if on_side else "REFUTED"
