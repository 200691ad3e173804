"""How many seeds a claim needs, and what size of difference those that it has cannot see."""

from bisect import bisect
from collections.abc import Iterable
from math import ceil

import numpy as np
import pandas as pd
from scipy.stats import chi, norm, t
from statsmodels.stats.power import TTestPower

from report.study.claims import book, findings
from report.study.claims.book import LOOKS, Claim
from report.study.claims.findings import Records, Seeds
from report.study.statistics import ALPHA

POWER = 0.8
MOST_TRIED = 10_000
QUANTILES = 5_000


def detectable(sd: float, n: int, alpha: float = ALPHA) -> float:
    """The smallest mean that a two-sided t test of n differences finds 4 times in 5, as `sd`."""
    effect = TTestPower().solve_power(nobs=n, alpha=alpha, power=POWER)
    return sd * abs(np.asarray(effect).item())  # at some n statsmodels finds the negative twin


def seeds_for_difference(sd: float, effect: float, alpha: float = ALPHA) -> int:
    """How many seeds find a mean difference of `effect` 4 times in 5, by the two-sided t test."""
    return ceil(TTestPower().solve_power(effect_size=effect / sd, alpha=alpha, power=POWER))


def tost_power(sd: float, n: int, margin: float, alpha: float = ALPHA) -> float:
    """How often TOST finds equivalence if the true difference is 0, exactly.

    P(abs(mean) + t.ppf(1 - alpha, n - 1) * s / sqrt(n) < margin), the mean over quantiles of s,
    which is distributed as sd * chi(n - 1) / sqrt(n - 1). Source: Owen 1965.
    """
    room, slope = margin * n**0.5 / sd, t.ppf(1 - alpha, n - 1) / (n - 1) ** 0.5
    spreads = chi(n - 1).ppf((np.arange(QUANTILES) + 0.5) / QUANTILES)
    return float(np.mean(np.maximum(0, 2 * norm.cdf(room - slope * spreads) - 1)))


def seeds_for_equivalence(sd: float, margin: float, alpha: float = ALPHA) -> int:
    """How many seeds let TOST find an equality at this margin 4 times in 5."""
    tries = range(3, MOST_TRIED)
    return tries[bisect(tries, POWER, key=lambda n: tost_power(sd, n, margin, alpha))]


def table(claims: Iterable[Claim], records: Records, seeds: Seeds) -> pd.DataFrame:
    """One row per claim: the sd over these seeds, the seeds needed and the effect that can be seen.

    At the level of one look in Holm's worst case, 0.05 / 2 over the size of the family, and for a
    difference as large as the margin; an equality is taken to be exact.
    """
    findings.require(claims, records, seeds)
    return pd.DataFrame([_row(claim, records, seeds) for claim in claims])


def _row(claim: Claim, records: Records, seeds: Seeds) -> dict:
    values = findings.samples(claim, records, seeds)
    sd, alpha = values.std(), ALPHA / len(LOOKS) / len(book.family(claim.family))
    needed = seeds_for_equivalence if claim.claim == "equal" else seeds_for_difference
    return {
        "id": claim.id,
        "unit": findings.unit(claim),
        "margin": claim.size,
        "mean": values.mean(),
        "sd": sd,
        "seeds needed": needed(sd, claim.size, alpha),
        "seeds needed, unadjusted": needed(sd, claim.size),
    } | {
        f"{what}, n = {len(look)}": value
        for look in LOOKS
        for what, value in (
            ("detectable difference", detectable(sd, len(look), alpha)),
            ("power of equivalence", tost_power(sd, len(look), claim.size, alpha)),
        )
    }
