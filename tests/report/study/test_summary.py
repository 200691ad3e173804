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


def test_counts_go_by_verdict_in_one_order():
    assert summary.counts(ledger(FAILED, HELD, ARGUED, OPEN, look=[1, 2, 0, 2])) == (
        "2 claims of the published report and 2 of ours, put to 3 tests and 1 arguments: "
        "1 SUPPORTED, 2 REFUTED, 1 INCONCLUSIVE. "
        "2 claims were INCONCLUSIVE after 30 seeds and got a second look, with 60, which decided "
        "1 of them. "
        "Of the ledger's 3 predictions that are decided, 1 held and 2 failed, "
        "1 of these on a claim left INCONCLUSIVE."
    )


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


def test_a_test_and_its_prediction_count_once_however_many_sentences_share_it():
    counts = summary.counts(ledger(HELD, HELD, like=["", "H2"]))
    for text in ("put to 1 tests", "2 SUPPORTED", "1 held and 0 failed"):
        assert text in counts


def test_claims_are_listed_by_verdict_with_effect_outcome_and_link():
    link, n = "A1_every_sentence_on_trial.ipynb", "n\xa0=\xa0"
    assert summary.decided(ledger(FAILED, HELD, ARGUED)).splitlines() == [
        "**SUPPORTED** (1):",
        "",
        f"- [H2]({link}) LN helps: +0.30 points (+0.10 to +0.50), {n}60. Prediction held.",
        "",
        "**REFUTED** (2):",
        "",
        f"- [C1]({link}) “WN helps”: 0.00 points (−0.10 to +0.10), {n}30. Prediction failed.",
        f"- [C2]({link}) “as expected”: It was not read.",
    ]


def test_claims_that_share_a_test_and_its_verdict_share_an_item():
    same = (HELD, ("C3", "1.3", "“So it is.”", *HELD[3:]), ("C5", *FAILED[1:]))
    listed = summary.decided(ledger(*same, like=["", "H2", "H2"]))
    link = "(A1_every_sentence_on_trial.ipynb)"
    assert "**SUPPORTED** (2)" in listed and listed.count("- [") == 2
    assert f"- [H2]{link} LN helps; [C3]{link} “So it is”: +0.30" in listed


def test_in_short_the_conclusions_come_before_the_counts():
    made = verdicts.ledger(whole())
    parts = (summary.which(made), summary.why(made), summary.counts(made))
    assert summary.in_short(made) == "\n\n".join(parts)


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
    assert summary.state(pd.Series(row)) == expected


def test_a_conclusion_without_a_margin_is_a_side():
    row = {"verdict": "SUPPORTED", "mean": 0.1, "low": 0.05, "high": 0.15, "inside": False}
    assert summary.state(pd.Series(row | {"margin": float("nan"), "unit": "points"})) == "higher"


def test_conclusions_quote_the_ledger():
    base = noise(1)
    columns = {"none": base, "ln_hidden": base + noise(2, 0.006, 1e-3), "ln": base - 0.03}
    made = verdicts.ledger(whole(**columns, wn=base + noise(3, 0, 1e-4)))
    which, why = summary.which(made), summary.why(made)
    assert "LN on the hidden layer: higher (+0.59 points, +0.55 to +0.63, n = 30)" in which
    assert "WN: equal within 0.2 points (" in which
    assert "both after the convolution: lower (−" in why
    assert "each at its own best learning rate: not resolved (" in why
