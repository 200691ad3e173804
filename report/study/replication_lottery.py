"""What a replication with one run a mode, as published, would have reported."""

from math import factorial

import numpy as np
import pandas as pd

from report.study.arms import PUBLISHED
from report.study.claims.book import ARMS, BOOK, CLAIMS, FIRST, Claim
from report.study.claims.findings import METRICS

MODES = BOOK["design"]["modes"]  # the published ones, in the order of PUBLISHED
LADDER = np.argsort(list(PUBLISHED.values()))  # the worst first
DRAWS = 100_000


def seeds(records: dict) -> list[int]:
    """Those of the first look's seeds with which no published mode diverged."""
    return [s for s in FIRST if all(records[ARMS[m], s].diverged is None for m in MODES)]


def lottery(records: dict, seed: int = 0) -> pd.DataFrame:
    """How often one run a mode, as published, says what the published report says.

    A row for the order of the six published modes by test accuracy, and one for each comparison of
    them that the report makes, in the words of the first sentence that does: the share of draws, a
    seed for each mode by itself, in which it holds, and the share if all modes were alike.
    """
    draws = _draws(records, np.random.default_rng(seed))
    steps = np.diff(draws.to_numpy()[:, LADDER])  # none may be a tie, as in the comparisons
    in_order = (steps > 0).all(1)
    rows = [("the six modes in the published order", in_order, 1 / factorial(len(MODES)))]
    for same in compared():
        text = f"{', '.join(c.id for c in same)}: “{same[0].quote}”"
        rows.append((text, _holds(same[0], draws), 1 / len(same[0].arms)))
    return pd.DataFrame(
        [{"sentence": text, "share of draws": h.mean(), "chance": at} for text, h, at in rows]
    )


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


def _holds(claim: Claim, draws: pd.DataFrame) -> pd.Series:
    first, others = draws[claim.arms[0]], draws[list(claim.arms[1:])]
    return first > others.max(axis=1) if claim.claim == "higher" else first < others.min(axis=1)


def _draws(records: dict, rng: np.random.Generator) -> pd.DataFrame:
    """The final test accuracy of each published mode with random seeds, one row per draw."""
    score, sound = METRICS["test_accuracy"][0], seeds(records)
    values = {m: [score(records[ARMS[m], s]) for s in sound] for m in MODES}
    return pd.DataFrame({mode: rng.choice(values[mode], DRAWS) for mode in MODES})
