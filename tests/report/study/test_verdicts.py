"""The ledger on made runs whose verdicts are known, and what it comes to in sentences."""

import numpy as np
import pandas as pd
import pytest
from made_runs import made, noise, runs

from report.study import statistics
from report.study.claims import book, conclusions, findings, verdicts
from report.study.claims.book import ARMS, CLAIMS, FIRST, LAST


def test_a_claim_without_all_its_runs_is_pending_and_has_no_p():
    found = verdicts.ledger(runs(FIRST[:-1], bn=noise(1)[:29], none=0.5)).set_index("id")
    row = found.loc["H1"]
    assert (row["verdict"], row["outcome"], row["look"]) == ("pending", "pending", 0)
    assert row["effect (95 % interval)"].startswith("so far: +37.98 points (") and row["n"] == 29
    assert row["adjusted p"] == "–" == found.loc["H2", "effect (95 % interval)"]
    assert found.loc["L1", "verdict"] == "pending"
    assert found.loc["C6c", ["verdict", "outcome", "n"]].tolist() == ["REFUTED", "–", "–"]
    assert len(found) == len(CLAIMS)


def shown(seeds, **columns):
    """H3's row (WN less none) of the ledger on these runs, whose first seeds alone say little."""
    return verdicts.ledger(runs(seeds, **columns)).set_index("id").loc["H3"]


LATE = np.r_[np.tile([0.02, -0.018], 15), np.tile([0.02, 0.018], 15)]  # doubtful, then plain


def test_a_first_look_sees_its_own_seeds_and_no_others():
    alone = shown(FIRST, none=0.88, wn=0.88 + LATE[:30])
    assert (alone["verdict"], alone["n"], alone["look"]) == ("INCONCLUSIVE", 30, 1)
    assert alone["outcome"] == "pending"
    partly = shown(LAST[:45], none=0.88, wn=0.88 + LATE[:45])
    assert partly.equals(alone)
    whole = shown(LAST, none=0.88, wn=0.88 + LATE)
    assert (whole["verdict"], whole["n"], whole["look"]) == ("SUPPORTED", 60, 2)


def test_what_the_first_look_decides_stands():
    plain = np.tile([0.02, 0.018], 15)
    first = shown(FIRST, none=0.88, wn=0.88 + plain)
    assert (first["verdict"], first["n"]) == ("SUPPORTED", 30)
    assert shown(LAST, none=0.88, wn=0.88 + np.r_[plain, -plain]).equals(first)


def test_a_p_that_two_looks_double_above_5_percent_decides_nothing():
    shift = 0.0042 + np.tile([0.007, -0.007], 15)
    row = shown(FIRST, none=0.88, wn=0.88 + shift)
    p = statistics.mean(100 * shift).p
    assert 0.025 < 12 * p < 0.05
    assert row["verdict"] == "INCONCLUSIVE"
    assert float(row["adjusted p"]) == pytest.approx(2 * 12 * p, rel=0.05)


def test_a_claim_that_was_inconclusive_gets_the_second_looks_seeds(monkeypatch):
    records = runs(FIRST, none=0.88, wn=0.88 + LATE[:30])
    assert verdicts.inconclusive(records) == ["H3"]
    monkeypatch.setattr(book, "SECOND_LOOK", verdicts.inconclusive(records))
    found = book.experiments()["second_look"]
    assert set(found.arms) == {ARMS["none"], ARMS["wn"]}
    assert found.seeds == LAST[30:]


@pytest.fixture(scope="module")
def known():
    """Runs of four arms with known effects, and their ledger."""
    base = noise(1)
    effects = {"ln_hidden": (2, 0.006, 1e-3), "wn": (3, 0, 1e-4), "bn": (4, 0.0013, 3e-3)}
    effects["bn_keras"] = (5, 0.0013, 3e-3)
    records = runs(none=base, **{name: base + noise(*effect) for name, effect in effects.items()})
    return records, verdicts.ledger(records).set_index("id")


def test_the_ledger_gives_the_verdicts_of_known_runs(known):
    _, found = known
    assert found.loc["H2", ["verdict", "outcome"]].tolist() == ["SUPPORTED", "held"]
    assert found.loc["H3", ["verdict", "outcome"]].tolist() == ["REFUTED", "held"]
    assert found.loc["C7a", "verdict"] == "SUPPORTED"  # like H2, said as "higher"
    assert found.loc["H2", "effect (95 % interval)"].startswith("+0.59")
    assert found.loc["H5", ["verdict", "outcome"]].tolist() == ["REFUTED", "failed"]  # about 0


def test_the_p_of_an_equality_is_its_equivalence_tests(known):
    row = known[1].loc["E2"]  # the same up to a made noise of 0.001 nats
    assert row["verdict"] == "EQUIVALENT" and float(row["adjusted p"]) < 1e-6


def test_p_is_adjusted_over_the_whole_family_the_pending_included(known):
    records, found = known
    tested = ["H1", "H2", "H3", "H4", "H5", "H6", "H7"]
    assert found.loc["H1", "look"] == 2
    p = [findings.find(CLAIMS[name], records, LAST).p for name in tested]
    left = 12 - sum(p[0] > other for other in p)  # the twelve hypotheses less the smaller p
    assert 1 < left < 12
    assert float(found.loc["H1", "adjusted p"]) == pytest.approx(2 * left * p[0], rel=0.05)


def test_a_diverged_run_scores_as_a_guess_and_leaves_its_loss_open():
    records = runs(FIRST, none=0.88, wn=0.9 + noise(1, 0, 1e-3)[:30])
    sound = verdicts.ledger(records).set_index("id")
    assert sound.loc["H3", "verdict"] == "SUPPORTED" and sound.loc["H6", "verdict"] == "REFUTED"
    lost = made("wn", FIRST[3], diverged=5, test_accuracy=[], train_loss=[])
    found = verdicts.ledger(records | {lost.key: lost}).set_index("id")
    assert (found.loc["H3", "n"], found.loc["H6", "n"]) == (30, 29)
    assert found.loc["H3", "mean"] == pytest.approx((29 * 2 + 10 - 88) / 30, abs=0.05)
    assert found.loc["H6", ["verdict", "outcome"]].tolist() == ["INCONCLUSIVE", "failed"]
    assert found.loc["H6", "adjusted p"] == "–"  # of the runs that are left
    assert "H6" not in verdicts.inconclusive(records | {lost.key: lost})  # more seeds cannot help
    for name in ("H3", "H6"):
        assert found.loc[name, "effect (95 % interval)"].endswith("; 1 diverged")


def test_too_few_runs_that_did_not_diverge_are_inconclusive():
    lost = {s: made("wn", s, diverged=5, test_accuracy=[], train_loss=[]) for s in FIRST[3:]}
    records = runs(FIRST, none=0.88, wn=0.9) | {r.key: r for r in lost.values()}
    row = verdicts.ledger(records).set_index("id").loc["H6"]
    assert row[["verdict", "n"]].tolist() == ["INCONCLUSIVE", "–"]


def test_a_second_look_keeps_the_first_ones_p_of_what_is_decided():
    """H1 alone is looked at again: its family is judged with the others' first p, come what may."""
    shift = 0.0045 + np.tile([0.009, -0.009], 30)
    others = {"ln_hidden": 0.90 + noise(3, 0, 1e-3)[:30], "wn": 0.91 + noise(4, 0, 1e-3)[:30]}
    undone = {name: np.r_[values, 0.88 + 0.1 * noise(5)[:30]] for name, values in others.items()}
    records = runs(LAST, **undone, none=0.88, bn=0.88 + shift)
    found = verdicts.ledger(records).set_index("id")
    assert (found.loc["H2", "look"], found.loc["H1", "look"]) == (1, 2)
    before = {name: findings.find(CLAIMS[name], records, FIRST).p for name in ("H2", "H3", "H7")}
    p = findings.find(CLAIMS["H1"], records, LAST).p
    losses = [
        findings.find(CLAIMS[n], records, s).p
        for n, s in (("H4", LAST), ("H5", FIRST), ("H6", FIRST))
    ]
    left = 12 - sum(other < p for other in [*before.values(), *losses])
    assert left < 10 and float(found.loc["H1", "adjusted p"]) == pytest.approx(
        2 * left * p, rel=0.05
    )


def test_a_published_sentence_waits_for_a_second_look_only_where_its_arms_get_one():
    columns = {"none": 0.88, "wn_published": 0.88 + LATE, "bn_published": 0.88 + LATE}
    records = runs(FIRST, **{name: np.broadcast_to(v, 60)[:30] for name, v in columns.items()})
    found = verdicts.ledger(records).set_index("id")
    assert verdicts.inconclusive(records) == ["E5"]  # the published WN and none
    for name, outcome in {"C12c": "pending", "C1a": "failed"}.items():
        assert found.loc[name, ["verdict", "outcome"]].tolist() == ["INCONCLUSIVE", outcome]
    after = verdicts.ledger(runs(LAST, **columns)).set_index("id")
    assert after.loc[["E5", "C12c", "C1a"], "look"].tolist() == [2, 2, 1]


def test_an_estimate_so_far_counts_a_guess_for_a_diverged_run():
    shift = np.r_[0.01, 0.012, 0.014, 0.016, np.full(56, 0.05)]
    records = runs(LAST, none=0.88, wn=0.88 + shift)
    lost = made("wn", FIRST[5], diverged=5, test_accuracy=[])
    kept = {k: r for k, r in (records | {lost.key: lost}).items() if k[1] not in FIRST[6:]}
    del kept[ARMS["none"], FIRST[4]]
    row = verdicts.ledger(kept).set_index("id").loc["H3"]
    assert (row["mean"], row["n"]) == (pytest.approx((1 + 1.2 + 1.4 + 1.6 + 10 - 88) / 5), 5)
    assert row["effect (95 % interval)"].endswith("; 1 diverged")


def test_every_claim_has_an_estimate_from_four_seeds_on_and_none_before():
    for count, there in ((4, True), (3, False)):
        accuracies = {name: noise(i)[:count] for i, name in enumerate(ARMS)}
        found = verdicts.ledger(runs(FIRST[:count], **accuracies))
        of_runs = found[[bool(c.arms) and not c.rates for c in CLAIMS.values()]]
        assert (of_runs["verdict"] == "pending").all()
        assert of_runs["mean"].notna().all() == there and of_runs["mean"].isna().all() != there


def said(verdict, low, high, inside):
    row = {"verdict": verdict, "mean": (low + high) / 2, "low": low, "high": high, "inside": inside}
    return conclusions.state(pd.Series(row))


@pytest.mark.parametrize(
    ("verdict", "low", "high", "inside", "expected"),
    [
        ("SUPPORTED", -0.6, -0.3, False, "lower"),
        ("REFUTED", -0.6, -0.3, False, "lower"),
        ("REFUTED", 0.05, 0.15, False, "higher"),  # than "lower"; not shown to be inside
        ("REFUTED", -0.1, 0.15, True, "the same within the margin"),
        ("EQUIVALENT", -0.15, 0.1, True, "the same within the margin"),
        ("REFUTED", 0.25, 0.4, False, "higher"),  # an equality
        ("INCONCLUSIVE", 0.01, 0.15, False, "not told apart"),
        ("pending", 0.3, 0.6, False, "pending"),
    ],
)
def test_a_conclusion_says_no_more_than_the_verdict(verdict, low, high, inside, expected):
    assert said(verdict, low, high, inside) == expected


def test_conclusions_quote_what_is_decided_and_say_what_is_pending(known):
    _, found = known
    which, why = (f(found.reset_index()) for f in (conclusions.which, conclusions.why))
    assert "LN on the hidden layer: higher (+0.59" in which and "WN: the same within" in which
    assert "own best learning rate: BN: pending" in which
    assert "both after the convolution: pending" in why
    assert "BN's lead over no normalization: pending" in why
