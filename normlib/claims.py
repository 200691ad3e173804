"""The claims in report/claims.toml, the runs that decide them, and the choice of learning rates.

`findings.py` computes what the runs say, `ledger.py` the verdicts.
"""

import tomllib
from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from normlib import stats
from normlib.archive import ROOT, Record
from normlib.arms import PILOT_SEEDS, Arm, Experiment

BOOK = tomllib.loads((ROOT / "claims.toml").read_text())
ARMS = {name: Arm(**settings) for name, settings in BOOK["arms"].items()}
RATES = BOOK["learning_rates"]
_FIRST = BOOK["design"]["first_seed"]
# The seeds of each look, those of the one before included; none of them is in the pilot.
LOOKS = [tuple(range(_FIRST, _FIRST + n)) for n in BOOK["design"]["looks"]]
FIRST, LAST = LOOKS
SECOND_LOOK = BOOK["design"]["second_look"]


@dataclass(frozen=True)
class Claim:
    """A row of claims.toml: a published sentence, or a hypothesis of ours, and what decides it.

    `claim` is "higher", "lower", "different", "equal" or "unequal", said of `statistic` of
    `metric` over `arms`, less what the claim is `over`; `margin` is a name in the table of margins,
    a number in the metric's unit, or absent. A row decided by argument has a `verdict` and no arms,
    one `like` another has the other's test.
    """

    id: str
    reason: str
    family: str
    section: str = "ours"
    quote: str = ""
    hypothesis: str = ""
    arms: tuple[str, ...] = ()
    rates: str = ""
    statistic: str = "difference"
    metric: str = "test_accuracy"
    over: float = 0.0
    claim: str = ""
    margin: str | float = np.nan
    prediction: str = ""
    verdict: str = ""
    notebook: str = "08_claims.ipynb#How-a-claim-is-decided"
    like: str = ""

    @property
    def size(self) -> float:
        """The margin in the metric's unit; NaN if there is none."""
        return float(BOOK["margins"].get(self.margin, self.margin))

    def settings(self) -> tuple[Arm, ...]:
        """The arms compared; raises KeyError while a best learning rate is not yet chosen."""
        if self.rates != "best":
            return tuple(ARMS[name] for name in self.arms)
        chosen = RATES["chosen"]
        return tuple(replace(ARMS[name], learning_rate=chosen[name]) for name in self.arms)


SHARED = ("arms", "rates", "statistic", "metric", "over", "margin", "family")


def _claims() -> dict[str, Claim]:
    rows = {row["id"]: row for row in BOOK["claims"]}
    found = {}
    for name, row in rows.items():
        like = rows.get(row.get("like"), {})
        found[name] = Claim(**{key: like[key] for key in SHARED if key in like} | row)
    return found


CLAIMS = _claims()


def experiments() -> dict[str, Experiment]:
    """What to sweep: the arms of every claim, and the choice and use of best learning rates.

    "second_look" and "best_rates" are there once the book names their claims and rates.
    """
    fixed = [claim for claim in CLAIMS.values() if not claim.rates]
    best = [claim for claim in CLAIMS.values() if claim.rates and RATES["chosen"]]
    more = _arms(CLAIMS[name] for name in SECOND_LOOK)
    rates = tuple(candidates())
    found = (
        Experiment("headline", _arms(fixed), FIRST, "the claims: notebook 08"),
        Experiment("best_rates", _arms(best), FIRST, "claims at each norm's best learning rate"),
        Experiment("second_look", more, LAST[len(FIRST) :], "claims that 30 seeds left open"),
        Experiment("learning_rates", rates, PILOT_SEEDS, "the choice of the best learning rates"),
    )
    return {experiment.name: experiment for experiment in found if experiment.arms}


def _arms(rows: Iterable[Claim]) -> tuple[Arm, ...]:
    return tuple(dict.fromkeys(arm for claim in rows for arm in claim.settings()))


def candidates() -> dict[Arm, str]:
    """The arms among which learning rates are chosen, scored on the validation split, by name."""
    return {
        replace(ARMS[name], learning_rate=rate, scored_on="validation"): name
        for name in RATES["arms"]
        for rate in RATES["grid"]
    }


def _score(record: Record) -> float:
    return stats.GUESS if record.diverged is not None else 100 * record.test_accuracy[-1]


def best_learning_rates(records: Iterable[Record]) -> dict[str, float]:
    """The learning rate of each arm with the highest mean validation accuracy; 10 % if diverged.

    Raises ValueError if candidates lack runs, or if a best rate is at an end of the grid.
    """
    of = candidates()
    rows = [
        (of[r.arm], r.arm.learning_rate, _score(r))
        for r in records
        if r.arm in of and r.seed in PILOT_SEEDS
    ]
    if len(rows) < len(of) * len(PILOT_SEEDS):
        whole = len(of) * len(PILOT_SEEDS)
        raise ValueError(
            f"{len(rows)} of {whole} runs are there; python3 lab.py sweep learning_rates trains "
            "the others."
        )
    means = pd.DataFrame(rows, columns=["arm", "rate", "score"]).groupby(["arm", "rate"]).mean()
    best = {name: float(means.loc[name]["score"].idxmax()) for name in means.index.unique("arm")}
    if set(best.values()) & {min(RATES["grid"]), max(RATES["grid"])}:
        raise ValueError(
            f"the grid ends at a best rate: {best}; extend learning_rates.grid "
            "of report/claims.toml."
        )
    return best
