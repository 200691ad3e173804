"""What a replication with one run a mode, as published, would have reported."""

import numpy as np
import pandas as pd

from normlib.arms import PUBLISHED
from normlib.claims import ARMS, BOOK, CLAIMS, FIRST, Claim
from normlib.findings import METRICS

MODES = BOOK["design"]["modes"]  # the published ones, in the order of PUBLISHED
DRAWS = 100_000


def lottery(records: dict, seed: int = 0) -> pd.DataFrame:
    """How often one run a mode, as published, says what the published report says.

    A row a sentence on which of the six published modes has the higher test accuracy, and one for
    their whole order: the share of draws, a seed for each mode by itself, in which it holds.
    """
    draws = _draws(records, np.random.default_rng(seed))
    in_order = draws.to_numpy().argsort(1) == np.argsort(list(PUBLISHED.values()))
    rows = [("the six modes in the published order", in_order.all(1))]
    rows += [(f"{c.id}: “{c.quote}”", _holds(c, draws)) for c in CLAIMS.values() if _ranks(c)]
    return pd.DataFrame([{"sentence": text, "share of draws": held.mean()} for text, held in rows])


def _ranks(claim: Claim) -> bool:
    """Whether it is a published sentence on which of the published modes scores higher."""
    single = claim.statistic in ("difference", "best") and claim.metric == "test_accuracy"
    directed = claim.claim in ("higher", "lower")
    return bool(claim.quote) and single and directed and set(claim.arms) <= set(MODES)


def _holds(claim: Claim, draws: pd.DataFrame) -> pd.Series:
    first, others = draws[claim.arms[0]], draws[list(claim.arms[1:])]
    return first > others.max(axis=1) if claim.claim == "higher" else first < others.min(axis=1)


def _draws(records: dict, rng: np.random.Generator) -> pd.DataFrame:
    """The final test accuracy of each published mode with seeds drawn at random, a row a draw."""
    score = METRICS["test_accuracy"][0]
    runs = {mode: [records[ARMS[mode], s] for s in FIRST] for mode in MODES}
    values = {m: [score(r) for r in found if r.diverged is None] for m, found in runs.items()}
    return pd.DataFrame({mode: rng.choice(values[mode], DRAWS) for mode in MODES})
