"""What a replication with few runs a mode, as published, would have reported.

A draw takes n runs of each published mode, no run twice, and compares the modes' means. How often a
sentence holds over all possible draws follows without drawing: accuracies are whole numbers of
hundredths of a percent, so the sums that n of the runs can have are counted.
"""

from functools import reduce
from math import comb, factorial

import numpy as np
import pandas as pd

from report.study.arms import REPORTED
from report.study.claims.book import ARMS, BOOK, CLAIMS, FIRST, Claim
from report.study.claims.findings import METRICS

MODES = BOOK["design"]["modes"]  # the published ones, in the order of REPORTED
LADDER = np.argsort(list(REPORTED.values()))  # the worst first

Hits = list[list[int]]  # hundredths of a percent: the final test accuracies of each mode's runs


def seeds(records: dict) -> list[int]:
    """Those of the first look's seeds with which no published mode diverged."""
    return [s for s in FIRST if all(records[ARMS[m], s].diverged is None for m in MODES)]


def hits(records: dict) -> Hits:
    """The accuracies from which the lottery draws, by published mode and seed."""
    score, sound = METRICS["test_accuracy"][0], seeds(records)
    return [[round(100 * score(records[ARMS[m], s])) for s in sound] for m in MODES]


def lottery(records: dict) -> pd.DataFrame:
    """How often one run a mode, as published, says what the published report says, exactly.

    A row for the order of the six published modes by test accuracy, and one for each comparison of
    them that the report makes, in the words of the first sentence that does: the share of all draws
    in which it holds, and the share if all modes were alike.
    """
    texts = [f"{', '.join(c.id for c in same)}: “{same[0].quote}”" for same in compared()]
    chances = [1 / len(same[0].arms) for same in compared()]
    return pd.DataFrame(
        {
            "sentence": ["the six modes in the published order", *texts],
            "share of draws": shares_of_draws(hits(records), 1),
            "chance": [1 / factorial(len(MODES)), *chances],
        }
    )


def shares_of_draws(found: Hits, n: int) -> list[float]:
    """The shares of all draws in which the modes' order holds, and each sentence of `compared`."""
    sums = _sums(found, n)
    ladder = reduce(lambda below, one: one * _below(below), sums[LADDER[1:]], sums[LADDER[0]])
    shares = [ladder.sum()]
    for same in compared():
        first, *others = sums[[MODES.index(name) for name in same[0].arms]]
        if same[0].claim == "lower":  # is being the highest, seen from the other end
            first, others = first[::-1], [other[::-1] for other in others]
        shares.append((first * np.prod([_below(other) for other in others], axis=0)).sum())
    return [float(share) for share in shares]


def compared() -> list[list[Claim]]:
    """The claims that rank published modes by accuracy; those that say the same together."""
    found = {}
    for claim in filter(_ranks, CLAIMS.values()):
        found.setdefault((*claim.arms, claim.claim), []).append(claim)
    return list(found.values())


def _ranks(claim: Claim) -> bool:
    """Whether it is a published sentence on which of the published modes scores higher."""
    single = claim.statistic in ("difference", "best") and claim.metric == "test_accuracy"
    directed = claim.claim in ("higher", "lower")
    return bool(claim.quote) and single and directed and set(claim.arms) <= set(MODES)


def _sums(found: Hits, n: int) -> np.ndarray:
    """For each mode the probability of each sum that n of its runs may have, the lowest first."""
    least, most = min(map(min, found)), max(map(max, found))
    ways = np.zeros((len(found), n + 1, n * (most - least) + 1))
    ways[:, 0, 0] = 1
    for mode, runs in zip(ways, found, strict=True):
        for run in runs:
            mode[1:, run - least :] += mode[:-1, : mode.shape[1] - (run - least)]
    return ways[:, n] / comb(len(found[0]), n)


def _below(chances: np.ndarray) -> np.ndarray:
    """The probability of less than each sum."""
    return np.cumsum(chances) - chances
