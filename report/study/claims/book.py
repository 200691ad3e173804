"""The claims in report/claims.toml, the runs that decide them, and the choice of learning rates.

`findings.py` computes what the runs say, `verdicts.py` what that makes of each claim.
"""

import tomllib
from dataclasses import dataclass, field, replace

import numpy as np

from normlib.arm import Arm
from report.study.archive import ROOT

BOOK = tomllib.loads((ROOT / "claims.toml").read_text("utf-8"))
ARMS = {name: Arm(**settings) for name, settings in BOOK["arms"].items()}
RATES = BOOK["learning_rates"]
_FIRST = BOOK["design"]["first_seed"]
# The seeds of each look, those of the one before included; none of them is in the pilot.
LOOKS = [tuple(range(_FIRST, _FIRST + n)) for n in BOOK["design"]["looks"]]
FIRST, LAST = LOOKS
SECOND_LOOK = BOOK["design"]["second_look"]


@dataclass(frozen=True)
class Amendment:
    """A correction of a claim's row after its first verdict, `changes` of its fields, and why."""

    claim: str
    date: str
    first: str
    reason: str
    changes: dict = field(default_factory=dict, hash=False)


AMENDMENTS = {row["claim"]: Amendment(**row) for row in BOOK["amendments"]}


@dataclass(frozen=True)
class Claim:
    """A row of claims.toml: a published sentence, or a hypothesis of ours, and what decides it.

    `claim` is "higher", "lower", "different", "equal" or "unequal", said of `statistic` of
    `metric` over `arms`, less what the claim is `over`; `margin` is a name in the table of margins,
    a number in the metric's unit, or absent. A row decided by argument has a `verdict` and no arms,
    one `like` another has the other's test. A row with an `amendment` is as that changed it.
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
    notebook: str = "A1_every_sentence_on_trial.ipynb#How-a-claim-is-decided"
    like: str = ""
    amendment: Amendment | None = None

    @property
    def size(self) -> float:
        """The margin in the metric's unit; NaN if there is none."""
        return float(BOOK["margins"].get(self.margin, self.margin))

    def settings(self) -> tuple[Arm, ...]:
        """The arms compared, at their best learning rates if `rates` says so."""
        if self.rates != "best":
            return tuple(ARMS[name] for name in self.arms)
        chosen = RATES["chosen"]
        return tuple(replace(ARMS[name], learning_rate=chosen[name]) for name in self.arms)


SHARED = ("arms", "rates", "statistic", "metric", "over", "margin", "family")


def _claims() -> dict[str, Claim]:
    changes = {name: amendment.changes for name, amendment in AMENDMENTS.items()}
    rows = {row["id"]: row | changes.get(row["id"], {}) for row in BOOK["claims"]}
    found = {}
    for name, row in rows.items():
        like = rows.get(row.get("like"), {})
        shared = {key: like[key] for key in SHARED if key in like}
        found[name] = Claim(**shared | row, amendment=AMENDMENTS.get(name))
    return found


CLAIMS = _claims()


def family(name: str) -> list[Claim]:
    """The family's claims with a test of their own, over which Holm's adjustment goes."""
    return [claim for claim in CLAIMS.values() if claim.family == name and not claim.like]


def hypotheses_and_equivalences() -> list[Claim]:
    """Our claims at the published learning rate: H and E."""
    return [*family("confirmatory"), *family("equivalence")]


def candidates() -> dict[Arm, str]:
    """The arms among which learning rates are chosen, scored on the validation split, by name."""
    return {
        replace(ARMS[name], learning_rate=rate, scored_on="validation"): name
        for name in RATES["arms"]
        for rate in RATES["grid"]
    }
