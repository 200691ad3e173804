"""The ledger in words: on made rows, and on made runs with known verdicts."""

import pandas as pd
import pytest
from made_runs import noise
from made_world import whole

from report.study.claims import summary, verdicts

COLUMNS = ("id", "section", "claim", "verdict", "effect (95 % interval)", "n", "outcome", "unit")
ALL = {"decided by": "A1_every_sentence_on_trial.ipynb", "reason": "It was not read.", "like": "",
       "what is tested": "", "look": 1}  # fmt: skip


def ledger(*rows, **columns):
    return pd.DataFrame(rows, columns=COLUMNS).assign(**ALL | columns)


HELD = ("H2", "ours", "LN helps.", "SUPPORTED", "+0.30 points (+0.10 to +0.50)", 60, "held", "%")
FAILED = ("C1", "1.3", "“WN helps”", "REFUTED", "0.00 points (−0.10 to +0.10)", 30, "failed", "%")
OPEN = ("H3", "ours", "WN hurts.", "INCONCLUSIVE", "–", 30, "failed", "%")
ARGUED = ("C2", "1.6", "“as expected”", "REFUTED", "–", "–", "–", "–")


def test_verdicts_and_predictions_are_counted_in_tables():
    made = ledger(FAILED, HELD, ARGUED, OPEN)
    assert summary.verdict_table(made).to_numpy().tolist() == [
        ["SUPPORTED", 0, 1], ["REFUTED", 2, 0], ["INCONCLUSIVE", 0, 1],
    ]  # fmt: skip
    assert summary.prediction_table(made).to_numpy().tolist() == [["failed", 1, 1], ["held", 1, 0]]
    shared = ledger(HELD, HELD, OPEN, like=["", "H2", ""])
    assert summary.prediction_table(shared).to_numpy().tolist() == [
        ["failed", 0, 1],
        ["held", 1, 0],
    ]


@pytest.mark.parametrize(
    ("verdict", "low", "high", "inside", "expected"),
    [
        ("SUPPORTED", -0.6, -0.3, False, "lower"),
        ("REFUTED", -0.6, -0.3, False, "lower"),
        ("REFUTED", 0.05, 0.35, False, "higher, possibly negligible"),  # than "lower"
        ("SUPPORTED", -0.35, -0.15, False, "lower, possibly negligible"),
        ("REFUTED", -0.1, 0.15, True, "equal within 0.2 points"),
        ("EQUIVALENT", -0.15, 0.1, True, "equal within 0.2 points"),
        ("REFUTED", 0.04, 0.15, True, "higher, but within 0.2 points"),
        ("REFUTED", -0.15, -0.04, True, "lower, but within 0.2 points"),
        ("REFUTED", 0.25, 0.4, False, "higher"),  # an equality
        ("INCONCLUSIVE", 0.01, 0.15, False, "not resolved"),
    ],
)
def test_a_conclusion_says_no_more_than_the_verdict(verdict, low, high, inside, expected):
    row = {"verdict": verdict, "mean": (low + high) / 2, "low": low, "high": high}
    row |= {"inside": inside, "margin": 0.2, "unit": "points"}
    assert summary.in_words(pd.Series(row)) == expected


def test_a_conclusion_without_a_margin_is_a_side():
    row = {"verdict": "SUPPORTED", "mean": 0.1, "low": 0.05, "high": 0.15, "inside": False}
    assert summary.in_words(pd.Series(row | {"margin": float("nan"), "unit": "points"})) == "higher"


def test_findings_quote_the_ledger():
    base = noise(1)
    columns = {"none": base, "ln_hidden": base + noise(2, 0.006, 1e-3), "ln": base - 0.03}
    made = verdicts.ledger(whole(**columns, wn=base + noise(3, 0, 1e-4)))
    found = summary.findings(made, "H2", "H3", "L4").set_index("id")
    assert found["finding"].tolist() == ["higher", "equal within 0.2 points", "not resolved"]
    row = made.set_index("id").loc["H2"]
    assert found.loc["H2", "effect (95 % interval)"] == row["effect (95 % interval)"]
    assert found.loc["H2", ["hypothesis", "n"]].tolist() == [row["claim"], 30]
