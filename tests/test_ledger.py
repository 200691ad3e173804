"""The ledger on made runs whose verdicts are known, and what it comes to in sentences."""

import numpy as np
import pandas as pd
import pytest
from made_runs import made, noise, runs

from normlib import claims, conclusions, findings, inference, ledger
from normlib.claims import ARMS, CLAIMS, FIRST, LAST


def test_a_claim_without_all_its_runs_is_pending_and_has_no_p():
    found = ledger.ledger(runs(FIRST[:-1], bn=noise(1)[:29], none=0.5)).set_index("id")
    row = found.loc["H1"]
    assert (row["verdict"], row["outcome"], row["look"]) == ("pending", "pending", 0)
    assert row["effect (95 % interval)"].startswith("so far: +37.98 points (") and row["n"] == 29
    assert row["adjusted p"] == "–" == found.loc["H2", "effect (95 % interval)"]
    assert found.loc["L1", "verdict"] == "pending"
    assert found.loc["C3", ["verdict", "outcome", "n"]].tolist() == ["REFUTED", "–", "–"]
    assert len(found) == len(CLAIMS)


def shown(seeds, **columns):
    """H3's row (WN less none) of the ledger on these runs, whose first seeds alone say little."""
    return ledger.ledger(runs(seeds, **columns)).set_index("id").loc["H3"]


LATE = np.r_[np.tile([0.02, -0.018], 15), np.tile([0.02, 0.018], 15)]  # doubtful, then plain


def test_a_first_look_sees_its_own_seeds_and_no_others():
    alone = shown(FIRST, none=0.88, wn=0.88 + LATE[:30])
    assert (alone["verdict"], alone["n"], alone["look"]) == ("INCONCLUSIVE", 30, 1)
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
    p = inference.mean(100 * shift).p
    assert 0.025 < 12 * p < 0.05
    assert row["verdict"] == "INCONCLUSIVE"
    assert float(row["adjusted p"]) == pytest.approx(2 * 12 * p, rel=0.05)


def test_a_claim_that_was_inconclusive_gets_the_second_looks_seeds(monkeypatch):
    records = runs(FIRST, none=0.88, wn=0.88 + LATE[:30])
    assert ledger.inconclusive(records) == ["H3"]
    assert "second_look" not in claims.experiments()
    monkeypatch.setattr(claims, "SECOND_LOOK", ledger.inconclusive(records))
    found = claims.experiments()["second_look"]
    assert set(found.arms) == {ARMS["none"], ARMS["wn"]}
    assert found.seeds == tuple(range(130, 160))


@pytest.fixture(scope="module")
def known():
    """Runs of four arms with known effects, and their ledger."""
    base = noise(1)
    effects = {"ln_hidden": (2, 0.006, 1e-3), "wn": (3, 0, 1e-4), "bn": (4, 0.0013, 3e-3)}
    effects["bn_keras"] = (5, 0.0013, 3e-3)
    records = runs(none=base, **{name: base + noise(*effect) for name, effect in effects.items()})
    lost = made("ln_hidden", FIRST[3], diverged=5, test_accuracy=[])
    records |= {lost.key: lost}
    return records, ledger.ledger(records).set_index("id")


def test_the_ledger_gives_the_verdicts_of_known_runs(known):
    _, found = known
    assert found.loc["H2", ["verdict", "outcome"]].tolist() == ["SUPPORTED", "held"]
    assert found.loc["H3", ["verdict", "outcome"]].tolist() == ["REFUTED", "held"]
    assert found.loc["C7a", "verdict"] == "SUPPORTED"  # like H2, said as "higher"
    assert found.loc["H2", "effect (95 % interval)"].startswith("+0.6")
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


def test_a_diverged_seed_is_left_out_and_said(known):
    row = known[1].loc["H2"]
    assert row["n"] == len(FIRST) - 1
    assert row["effect (95 % interval)"].endswith("; 1 diverged")


def test_an_estimate_so_far_is_of_the_first_looks_seeds_that_did_not_diverge():
    shift = np.r_[0.01, 0.012, 0.014, 0.016, np.full(56, 0.05)]
    records = runs(LAST, none=0.88, wn=0.88 + shift)
    lost = made("wn", FIRST[5], diverged=5, test_accuracy=[])
    kept = {k: r for k, r in (records | {lost.key: lost}).items() if k[1] not in FIRST[6:]}
    del kept[ARMS["none"], FIRST[4]]
    row = ledger.ledger(kept).set_index("id").loc["H3"]
    assert (row["mean"], row["n"]) == (pytest.approx(1.3), 4)
    assert row["effect (95 % interval)"].endswith("; 1 diverged")


def test_every_claim_has_an_estimate_from_four_seeds_on_and_none_before():
    for count, there in ((4, True), (3, False)):
        accuracies = {name: noise(i)[:count] for i, name in enumerate(ARMS)}
        found = ledger.ledger(runs(FIRST[:count], **accuracies))
        of_runs = found[[bool(c.arms) and not c.rates for c in CLAIMS.values()]]
        assert (of_runs["verdict"] == "pending").all()
        assert of_runs["mean"].notna().all() == there and of_runs["mean"].isna().all() != there


def said(verdict, low, high):
    row = {"verdict": verdict, "mean": (low + high) / 2, "low": low, "high": high, "margin": 0.2}
    return conclusions.state(pd.Series(row))


@pytest.mark.parametrize(
    ("verdict", "low", "high", "expected"),
    [
        ("SUPPORTED", 0.05, 0.15, "higher"),  # shown, if small
        ("SUPPORTED", -0.6, -0.3, "lower"),
        ("REFUTED", -0.6, -0.3, "lower"),
        ("REFUTED", -0.1, 0.15, "the same within the margin"),
        ("EQUIVALENT", -0.15, 0.1, "the same within the margin"),
        ("REFUTED", 0.25, 0.4, "higher"),  # an equality
        ("INCONCLUSIVE", 0.01, 0.15, "not told apart"),
        ("pending", 0.3, 0.6, "pending"),
    ],
)
def test_a_conclusion_says_no_more_than_the_verdict(verdict, low, high, expected):
    assert said(verdict, low, high) == expected


def test_conclusions_quote_what_is_decided_and_say_what_is_pending(known):
    _, found = known
    which, why = (f(found.reset_index()) for f in (conclusions.which, conclusions.why))
    assert "LN on the hidden layer: higher (+0.6" in which and "WN: the same within" in which
    assert "own best learning rate: BN: pending" in which
    assert "both after the convolution: pending" in why and "minibatches of 4" in why
