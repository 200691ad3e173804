"""The book of claims, and the ledger on made runs whose verdicts are known."""

import dataclasses

import numpy as np
import pandas as pd
import pytest
from test_archive import record

from normlib import archive, arms, claims, findings, inference, ledger, lottery
from normlib.claims import ARMS, CLAIMS, FIRST, LAST, Claim

ROWS = list(CLAIMS.values())
DECIDED = [claim for claim in ROWS if claim.arms]


@pytest.fixture(autouse=True)
def quick_holm(monkeypatch):
    """statsmodels collects garbage in every call, which takes a thousand times the call's time."""
    monkeypatch.setattr("gc.collect", lambda: 0)


def made(name, seed, accuracy=0.88, **changes):
    """The record of an arm with this seed: four epochs that end in this accuracy."""
    loss = 0.4 + np.random.default_rng([seed, list(ARMS).index(name)]).normal(0, 1e-3)
    values = {
        "train_loss": [loss + 0.1, loss, loss, loss - 0.1],
        "train_accuracy": [0.8, 0.85, 0.86, 0.47 + loss],
        "test_accuracy": [0.5, 0.6, 0.7, accuracy],
        "seconds": 100 * loss,
    }
    return record(seed, arm=ARMS[name], **(values | changes))


def runs(seeds=LAST, **columns):
    """Records by (arm, seed) of arms whose accuracies, one a seed, are given by name."""
    rows = [
        made(name, seed, accuracy)
        for name, values in columns.items()
        for seed, accuracy in zip(seeds, np.broadcast_to(values, len(seeds)), strict=True)
    ]
    return {r.key: r for r in rows}


def noise(seed, mean=0.88, sd=0.003):
    return np.random.default_rng(seed).normal(mean, sd, len(LAST))


def test_every_claim_is_whole():
    for claim in ROWS:
        assert claim.reason and (claim.quote or claim.hypothesis), claim.id
        assert (claim.prediction in inference.VERDICTS) == bool(claim.arms), claim.id
        assert (claim.verdict in inference.VERDICTS) != bool(claim.arms), claim.id
        assert (claim.claim in ("higher", "lower", "different", "equal")) == bool(claim.arms)
        assert claim.claim != "equal" or claim.size > 0, f"{claim.id} has no margin"
        assert not claim.arms or (claim.hypothesis and claim.statistic in findings.STATISTICS)
        assert claim.metric in findings.METRICS


def test_ids_are_unique_and_the_families_of_the_size_that_is_said():
    assert len(claims.BOOK["claims"]) == len(ROWS)
    sizes = pd.Series([c.family for c in ROWS if not c.like]).value_counts()
    assert sizes["confirmatory"] == 12 and sizes["learning rate"] == 4
    assert not {c.family for c in ROWS} - set(sizes.index)


def test_every_arm_that_is_defined_is_used_and_the_headline_has_them_all():
    assert {name for claim in DECIDED for name in claim.arms} == set(ARMS)
    found = claims.experiments()["headline"]
    assert set(found.arms) == set(ARMS.values()) and found.seeds == FIRST
    assert not set(LAST) & set(arms.PILOT_SEEDS)


def test_a_claim_like_another_has_its_runs_and_not_its_sentence():
    assert CLAIMS["C17"].arms == CLAIMS["E6"].arms and CLAIMS["C17"].size == 0.5
    assert (CLAIMS["C17"].claim, CLAIMS["E6"].claim) == ("different", "equal")


def test_the_pilot_asks_for_more_seeds_than_the_last_look_has():
    table = ledger.sizes(archive.read([archive.PUBLISHED]))
    assert (len(FIRST), len(LAST)) == (30, 60) and LAST[:30] == FIRST
    assert table["seeds needed"].max() > len(LAST)


def test_sizes_are_for_one_of_two_looks_in_holms_worst_case():
    columns = {"bn": noise(1), "none": noise(2), "bn_keras": noise(3)}
    table = ledger.sizes(runs(**columns), LAST).set_index("id")
    sd = 100 * (columns["bn"] - columns["none"]).std(ddof=1)
    assert table.loc["H1", "sd"] == pytest.approx(sd)
    level = 0.05 / 2 / 12
    assert table.loc["H1", "seeds needed"] == inference.seeds_for_difference(sd, 0.2, level)
    for n in (30, 60):
        seen = table.loc["H1", f"detectable difference, n = {n}"]
        assert seen == pytest.approx(inference.detectable(sd, n, level))
    needed = inference.seeds_for_equivalence(table.loc["E1", "sd"], 0.2, 0.05 / 2 / 9)
    assert table.loc["E1", "seeds needed"] == needed


def test_a_claim_without_all_its_runs_is_pending_and_shows_no_effect():
    found = ledger.ledger(runs(FIRST[:-1], bn=noise(1)[:29], none=0.5)).set_index("id")
    row = found.loc["H1"]
    assert (row["verdict"], row["outcome"], row["n"]) == ("pending", "pending", "–")
    assert row["effect (95 % interval)"] == "–" == row["adjusted p"]
    assert found.loc["L1", "verdict"] == "pending"
    assert found.loc["C3", ["verdict", "outcome", "n"]].tolist() == ["REFUTED", "–", "–"]
    assert len(found) == len(ROWS)


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


VALUES = {"bn": 0.90, "none": 0.87, "bn_keras": 0.91, "ln": 0.84, "wn": 0.885}


@pytest.mark.parametrize(
    ("statistic", "names", "expected"),
    [
        ("difference", ["bn", "none"], 3),
        ("interaction", ["bn", "none", "bn_keras", "ln"], 3 - 7),
        ("distance", ["none", "bn"], 3),
        ("nearer", ["wn", "ln", "none"], 1.5 - 3),
        ("best", ["bn_keras", "none", "bn"], 1),
        ("best", ["bn", "none", "bn_keras"], -1),
        ("consistency", ["bn", "none"], 0.5),
    ],
)
def test_statistic(statistic, names, expected):
    jitter = dict(zip(VALUES, np.random.default_rng(6).normal(0, 1e-5, (5, 60)), strict=True))
    records = runs(**{name: VALUES[name] + jitter[name] for name in names})
    claim = Claim("X", "", "", arms=tuple(names), statistic=statistic, margin=0.2)
    assert findings.find(claim, records, LAST).mean == pytest.approx(expected, abs=0.01)


def test_between_seeds_uses_each_seed_once():
    values = 0.88 + np.arange(len(LAST)) / 1e4
    claim = Claim("X", "", "", arms=("none",), statistic="between_seeds", published=0.11)
    found = findings.find(claim, runs(none=values), LAST)
    assert (found.mean, found.n) == (pytest.approx(0.3 - 0.11), len(LAST) // 2)


def test_spread_is_of_the_first_arm_over_the_second():
    base = noise(1)
    records = runs(bn=0.5 + 2 * base, none=base + noise(2, 0, 1e-6))
    claim = Claim("X", "", "", arms=("bn", "none"), statistic="spread")
    assert findings.find(claim, records, LAST).mean == pytest.approx(np.log(2), abs=0.01)


def test_each_epoch_takes_the_epoch_that_differs_most():
    records = runs(bn=noise(1), none=noise(2))
    for (arm, seed), r in records.items():
        gap = [0, 0.05, 0, 0] if arm == ARMS["bn"] else [0, 0, 0, 0]
        jitter = np.random.default_rng(seed).normal(0, 1e-3, 4) * (arm == ARMS["bn"])
        curve = [0.8 + g + j for g, j in zip(gap, jitter, strict=True)]
        records[arm, seed] = dataclasses.replace(r, train_accuracy=curve)
    claim = Claim(
        "X", "", "", arms=("bn", "none"), statistic="each_epoch",
        metric="train_accuracy_by_epoch", margin=0.2,
    )  # fmt: skip
    found = findings.find(claim, records, LAST)
    assert found.mean == pytest.approx(5, abs=0.1) and found.tost > 0.9


RUN = made("bn", 0, train_loss=[0.6, 0.3, 0.2, 0.1], train_accuracy=[0.5, 0.87], seconds=12.5)


@pytest.mark.parametrize(
    ("metric", "expected"),
    [
        ("test_accuracy", 88),
        ("train_accuracy", 87),
        ("generalization_gap", -1),
        ("mean_training_loss", 0.3),
        ("first_epoch_loss", 0.6),
        ("seconds", 12.5),
    ],
)
def test_metric(metric, expected):
    assert findings.METRICS[metric][0](RUN) == pytest.approx(expected)


def test_the_lottery_knows_the_published_order():
    published = dict(zip(lottery.MODES, arms.PUBLISHED.values(), strict=True))
    sure = lottery.lottery(runs(**{m: v / 100 for m, v in published.items()}))
    shares = sure.set_index("sentence")["share of draws"]
    assert shares.iloc[0] == 1
    assert shares.filter(like="C19a:").item() == 1 and shares.filter(like="C2a:").item() == 1
    rng = np.random.default_rng(7)
    chance = lottery.lottery(runs(**{m: rng.normal(0.88, 0.003, 60) for m in lottery.MODES}))
    assert chance["share of draws"].iloc[0] < 0.02
    best_of_three = chance.set_index("sentence")["share of draws"].filter(like="C5a:").item()
    assert 0.2 < best_of_three < 0.45
    assert len(chance) > 5


def test_robustness_table_agrees_with_student_on_normal_runs():
    labels = record().predictions
    base = noise(1)
    records = runs(none=base, ln_hidden=base + noise(2, 0.004, 0.003))
    rng = np.random.default_rng(8)
    for key, r in records.items():
        wrong = rng.random(len(labels)) < (0.10 if key[0] == ARMS["none"] else 0.08)
        records[key] = dataclasses.replace(r, predictions=np.where(wrong, 10, labels))
    table = ledger.robustness_table(records, labels).set_index("id")
    row = table.loc["H2"]
    assert row["sign flips"] < 0.001 and row["Wilcoxon"] < 0.001 and row["t"] < 0.001
    low, high = map(float, row["seeds and images"].replace("−", "-").split(" to "))
    assert 0 < low < 2 < high < 4
    assert row["Welch"] > row["t"]  # the pairs share their base


def test_the_best_learning_rate_is_the_validation_splits():
    records = [
        record(seed, arm=arm, test_accuracy=[0.8 + (arm.learning_rate == 0.03) / 10])
        for arm in claims.candidates()
        for seed in arms.PILOT_SEEDS
    ]
    lost = [dataclasses.replace(r, test_accuracy=[], diverged=3) for r in records[:3]]
    late = [
        dataclasses.replace(r, seed=r.seed + more, test_accuracy=[1.0])
        for r in records
        for more in (100, 200)
        if r.arm.learning_rate == 0.1
    ]
    found = claims.best_learning_rates([*lost, *records[3:], *late, made("bn", 0, 0.99)])
    assert found == dict.fromkeys(claims.RATES["arms"], 0.03)
    assert all(arm.scored_on == "validation" for arm in claims.candidates())


def test_claims_at_the_best_rates_are_trained_once_these_are_chosen(monkeypatch):
    assert "best_rates" not in claims.experiments()
    chosen = {"none": 0.003, "bn": 0.03, "ln_hidden": 0.1, "wn": 0.01}
    monkeypatch.setitem(claims.RATES, "chosen", chosen)
    found = {arm.norm: arm.learning_rate for arm in CLAIMS["L4"].settings()}
    assert found == {"layer": 0.1, "batch": 0.03}
    rates = [arm.learning_rate for arm in claims.experiments()["best_rates"].arms]
    assert sorted(rates) == sorted(chosen.values())
    assert len(claims.experiments()["headline"].arms) == len(ARMS)
