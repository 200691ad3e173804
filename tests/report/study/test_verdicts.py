"""The ledger on made runs whose verdicts are known."""

import numpy as np
import pytest
from made_runs import made, noise
from made_world import whole

from report.study import statistics
from report.study.claims import book, findings, verdicts
from report.study.claims.book import ARMS, CLAIMS, FIRST, LAST, LOOKS
from report.study.claims.findings import MissingRuns


def ledger(**columns):
    """The ledger on these accuracies, by claim; all other arms are noise."""
    return verdicts.ledger(whole(**columns)).set_index("id")


BASE = noise(1)
PLAIN = np.tile([0.02, 0.018], 30)
LATE = np.r_[np.tile([0.02, -0.018], 15), PLAIN[:30]]  # doubtful, then plain


def test_a_claim_of_the_second_look_is_seen_again_if_the_first_leaves_it_open():
    found = ledger(none=BASE, bn=BASE + LATE)
    assert found.loc["H1", ["verdict", "n", "look"]].tolist() == ["SUPPORTED", 60, 2]


def test_a_claim_whose_arms_get_no_second_look_stays_open():
    found = ledger(none=BASE, wn=BASE + LATE)
    assert found.loc["H3", ["verdict", "n", "look"]].tolist() == ["INCONCLUSIVE", 30, 1]
    assert found.loc["H3", "outcome"] == "failed"


def test_a_published_sentence_gets_a_second_look_where_its_arms_get_one():
    late = {"wn_published": BASE + LATE, "bn_published": BASE + 1.1 * LATE}
    found = ledger(none=BASE, bn_4=BASE, ln_4=BASE + LATE, **late)
    assert found.loc[["E5", "C12c", "C1a", "C9a"], "look"].tolist() == [2, 2, 2, 1]
    assert found.loc["C9a", "verdict"] == "INCONCLUSIVE"


def test_what_the_first_look_decides_stands():
    undone = np.r_[PLAIN[:30], -PLAIN[:30]]
    found = ledger(none=BASE, bn=BASE + PLAIN).loc["H1"]
    assert found[["verdict", "n", "look"]].tolist() == ["SUPPORTED", 30, 1]
    assert ledger(none=BASE, bn=BASE + undone).loc["H1"].equals(found)


def test_runs_that_no_look_needs_may_be_missing():
    records = whole(none=BASE, bn=BASE + LATE, wn=BASE + LATE[::-1])
    seeded = {arm for name in book.SECOND_LOOK for arm in CLAIMS[name].settings()}
    fewer = {(a, s): r for (a, s), r in records.items() if s in FIRST or a in seeded}
    assert len(fewer) < len(records)
    assert verdicts.ledger(fewer).equals(verdicts.ledger(records))


@pytest.mark.parametrize(
    ("arm", "seed", "message"),
    [
        ("wn", FIRST[3], "lack 1 of the runs that decide H3, H6. .* sweep headline$"),
        ("bn", LAST[45], "lack 1 of the runs that decide H1, .* sweep second_look$"),
    ],
)
def test_a_look_without_all_its_runs_is_an_error(arm, seed, message):
    records = whole(none=BASE, bn=BASE + LATE)
    del records[ARMS[arm], seed]
    with pytest.raises(MissingRuns, match=message):
        verdicts.ledger(records)


def test_a_p_that_two_looks_double_above_5_percent_decides_nothing():
    shift = np.tile(0.0042 + np.tile([0.007, -0.007], 15), 2)
    row = ledger(none=BASE, wn=BASE + shift).loc["H3"]
    p = statistics.student(100 * shift[:30]).p
    assert 0.025 < 12 * p < 0.05
    assert row["verdict"] == "INCONCLUSIVE"
    assert float(row["adjusted p"]) == pytest.approx(2 * 12 * p, rel=0.05)


@pytest.fixture(scope="module")
def known():
    """Runs of five arms with known effects, and their ledger."""
    effects = {"ln_hidden": (2, 0.006, 1e-3), "wn": (3, 0, 1e-4), "bn": (4, 0.0013, 3e-3)}
    effects["bn_keras"] = (5, 0.0013, 3e-3)
    records = whole(none=BASE, **{name: BASE + noise(*effect) for name, effect in effects.items()})
    return records, verdicts.ledger(records).set_index("id")


def test_the_rows_are_the_claims_in_their_order(known):
    assert known[1].index.tolist() == list(CLAIMS)


def test_a_claim_decided_by_argument_has_its_verdict_and_no_numbers(known):
    row = known[1].loc["C6c"]
    assert row[["verdict", "outcome", "n", "adjusted p"]].tolist() == ["REFUTED", "–", "–", "–"]
    assert (row["look"], row["unit"]) == (0, "–") and np.isnan(row["mean"])


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


def p_of_its_look(name, records, found):
    return findings.find(CLAIMS[name], records, LOOKS[found.loc[name, "look"] - 1]).p


def test_p_is_adjusted_over_the_whole_family_each_claim_with_that_of_its_look():
    """Those that the first look decides keep their p of then, come what may."""
    shift = 0.0045 + np.tile([0.009, -0.009], 30)
    others = {"ln_hidden": 0.90 + noise(3, 0, 1e-3), "wn": 0.91 + noise(4, 0, 1e-3)}
    undone = {
        name: np.r_[values[:30], 0.88 + 0.1 * noise(5)[:30]] for name, values in others.items()
    }
    records = whole(**undone, none=BASE, bn=BASE + shift)
    found = verdicts.ledger(records).set_index("id")
    assert (found.loc["H2", "look"], found.loc["H1", "look"]) == (1, 2)
    family = [claim.id for claim in book.family("confirmatory")]
    p = {name: p_of_its_look(name, records, found) for name in family}
    left = len(family) - sum(other < p["H1"] for other in p.values())
    assert 1 < left < 10
    assert float(found.loc["H1", "adjusted p"]) == pytest.approx(2 * left * p["H1"], rel=0.05)


def diverged(name):
    return made(name, FIRST[3], diverged=5, test_accuracy=[], train_loss=[])


def test_a_diverged_run_scores_as_a_guess_and_leaves_its_loss_open():
    records = whole(none=BASE, wn=BASE + noise(2, 0.02, 1e-3))
    sound = verdicts.ledger(records).set_index("id")
    assert sound.loc["H3", "verdict"] == "SUPPORTED" and sound.loc["H6", "verdict"] == "REFUTED"
    lost = diverged("wn")
    found = verdicts.ledger(records | {lost.key: lost}).set_index("id")
    assert (found.loc["H3", "n"], found.loc["H6", "n"]) == (30, 29)
    assert found.loc["H3", "mean"] == pytest.approx((29 * 2 + 10 - 88) / 30, abs=0.05)
    assert found.loc["H6", ["verdict", "outcome"]].tolist() == ["INCONCLUSIVE", "failed"]
    assert found.loc["H6", "adjusted p"] == "–"  # of the runs that are left
    for name in ("H3", "H6"):
        assert found.loc[name, "effect (95 % interval)"].endswith("; 1 diverged")


def test_a_claim_that_a_diverged_run_leaves_open_gets_no_second_look_and_counts_in_its_family():
    shift, lost = np.tile(0.0042 + np.tile([0.007, -0.007], 15), 2), diverged("bn")
    records = whole(none=BASE, wn=BASE + shift) | {lost.key: lost}
    found = verdicts.ledger(records).set_index("id")
    assert found.loc["H4", ["verdict", "look"]].tolist() == ["INCONCLUSIVE", 1]
    p = statistics.student(100 * shift[:30]).p
    assert float(found.loc["H3", "adjusted p"]) == pytest.approx(2 * 12 * p, rel=0.05)


def test_too_few_runs_that_did_not_diverge_are_inconclusive():
    lost = {s: made("wn", s, diverged=5, test_accuracy=[], train_loss=[]) for s in FIRST[3:]}
    records = whole() | {r.key: r for r in lost.values()}
    row = verdicts.ledger(records).set_index("id").loc["H6"]
    assert row[["verdict", "n"]].tolist() == ["INCONCLUSIVE", "–"]


def test_every_statistic_makes_an_estimate_of_the_fewest_runs():
    fewest, records = FIRST[: verdicts.FEWEST], whole()
    for claim in CLAIMS.values():
        if claim.arms:
            found = findings.find(claim, records, fewest)
            assert found.low <= found.mean <= found.high, claim.id
