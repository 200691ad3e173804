"""The ledger in words: on made rows, pending and decided."""

import pandas as pd
from made_runs import runs

from report.study.claims import conclusions, summary, verdicts

COLUMNS = ("id", "section", "claim", "verdict", "effect (95 % interval)", "n", "outcome", "unit")
ALL = {"decided by": "A1_every_sentence_on_trial.ipynb", "reason": "It was not read.", "like": "",
       "what is tested": "", "look": 1}  # fmt: skip


def book(*rows, **columns):
    return pd.DataFrame(rows, columns=COLUMNS).assign(**ALL | columns)


PENDING = ("H1", "ours", "BN helps.", "pending", "–", "–", "pending", "%")
HELD = ("H2", "ours", "LN helps.", "SUPPORTED", "+0.30 points (+0.10 to +0.50)", 60, "held", "%")
FAILED = ("C1", "1.3", "“WN helps”", "REFUTED", "0.00 points (−0.10 to +0.10)", 30, "failed", "%")
OPEN = ("H3", "ours", "WN hurts.", "INCONCLUSIVE", "–", 30, "pending", "%")
ARGUED = ("C2", "1.6", "“as expected”", "REFUTED", "–", "–", "–", "–")


def test_while_everything_is_pending():
    assert summary.counts(book(PENDING)) == (
        "0 claims of the published report and 1 of ours, put to 1 tests and 0 arguments: "
        "1 pending, for want of runs. "
        "None of the ledger's predictions is decided yet."
    )
    assert summary.decided(book(PENDING)) == ""


def test_counts_go_by_verdict_in_one_order():
    assert summary.counts(book(PENDING, FAILED, HELD, ARGUED)) == (
        "2 claims of the published report and 2 of ours, put to 3 tests and 1 arguments: "
        "1 SUPPORTED, 2 REFUTED, 1 pending, for want of runs. "
        "Of the ledger's 2 predictions that are decided, 1 held and 1 failed, "
        "0 of these on a claim left INCONCLUSIVE."
    )
    assert "pending" not in summary.counts(book(HELD))


def test_a_test_and_its_prediction_count_once_however_many_sentences_share_it():
    counts = summary.counts(book(HELD, HELD, like=["", "H2"]))
    for text in ("put to 1 tests", "2 SUPPORTED", "1 held and 0 failed"):
        assert text in counts


def test_counts_say_what_a_second_look_may_change():
    said = "2 of the INCONCLUSIVE get a second look, with 60 seeds."
    assert said in summary.counts(book(HELD, OPEN, OPEN))
    settled = (*OPEN[:-2], "failed", "%")
    assert "look" not in summary.counts(book(settled, PENDING))


def test_counts_say_what_a_second_look_decided():
    settled = (*OPEN[:-2], "failed", "%")
    said = "2 claims were INCONCLUSIVE after 30 seeds and got a second look, with 60, "
    counts = summary.counts(book(HELD, settled, FAILED, look=[2, 2, 1]))
    assert said + "which decided 1 of them. " in counts
    assert counts.endswith("1 held and 2 failed, 1 of these on a claim left INCONCLUSIVE.")


def test_decided_claims_are_listed_by_verdict_with_effect_outcome_and_link():
    link, n = "A1_every_sentence_on_trial.ipynb", "n\xa0=\xa0"
    assert summary.decided(book(PENDING, FAILED, HELD, ARGUED)).splitlines() == [
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
    listed = summary.decided(book(*same, like=["", "H2", "H2"]))
    assert "**SUPPORTED** (2)" in listed and listed.count("- [") == 2
    assert (
        "- [H2](A1_every_sentence_on_trial.ipynb) LN helps; [C3](A1_every_sentence_on_trial.ipynb) “So it is”: +0.30"
        in listed
    )


def test_what_a_second_look_may_change_is_said_to_be_so():
    assert summary.decided(book(OPEN)).endswith("A second look is to come.")


def test_in_short_the_conclusions_come_before_the_counts():
    made = verdicts.ledger(runs())
    found = summary.in_short(made)
    assert found.startswith(conclusions.which(made))
    assert found.endswith(summary.counts(made))
