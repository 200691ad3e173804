"""The book of claims, what is swept for it, and each statistic on made runs."""

import dataclasses

import numpy as np
import pandas as pd
import pytest
from made_runs import made, noise, record, runs

from report.study import archive, arms, statistics
from report.study.claims import book, findings, verdicts
from report.study.claims.book import ARMS, CLAIMS, FIRST, LAST, Claim

ROWS = list(CLAIMS.values())
DECIDED = [claim for claim in ROWS if claim.arms]
CHOSEN, SECOND_LOOK = book.RATES["chosen"], book.SECOND_LOOK
SIDES = ("higher", "lower", "different", "equal", "unequal")


@pytest.fixture(autouse=True)
def before_any_run(monkeypatch):
    """The book as it was: no learning rates chosen, no second look."""
    monkeypatch.setitem(book.RATES, "chosen", {})
    monkeypatch.setattr(book, "SECOND_LOOK", [])


def test_every_claim_is_whole():
    for claim in ROWS:
        assert claim.reason and (claim.quote or claim.hypothesis), claim.id
        assert (claim.prediction in statistics.VERDICTS) == bool(claim.arms), claim.id
        assert (claim.verdict in statistics.VERDICTS) != bool(claim.arms), claim.id
        assert (claim.claim in SIDES) == bool(claim.arms), claim.id
        assert claim.claim not in ("equal", "unequal") or claim.size > 0, claim.id
        assert not claim.over or claim.statistic in findings.PER_SEED, claim.id
        assert not claim.arms or (claim.hypothesis and claim.statistic in findings.STATISTICS)
        assert claim.metric in findings.METRICS


def test_ids_are_unique_and_the_families_of_the_size_that_is_said():
    assert len(book.BOOK["claims"]) == len(ROWS)
    sizes = pd.Series([c.family for c in ROWS if not c.like]).value_counts()
    assert sizes["confirmatory"] == 12 and sizes["learning rate"] == 4
    assert not {c.family for c in ROWS} - set(sizes.index)


def test_every_arm_that_is_defined_is_used_and_the_headline_has_them_all():
    assert {name for claim in DECIDED for name in claim.arms} == set(ARMS)
    found = book.experiments()["headline"]
    assert set(found.arms) == set(ARMS.values()) and found.seeds == FIRST
    assert not set(LAST) & set(arms.PILOT_SEEDS)


def test_every_claim_links_to_a_heading_of_a_notebook_that_there_is():
    for claim in ROWS:
        file, _, heading = claim.notebook.partition("#")
        text = (archive.ROOT.parent / "notebooks" / file).read_text()
        assert f"# {heading.replace('-', ' ')}" in text, claim.id


def test_a_claim_like_another_has_its_runs_and_not_its_sentence():
    assert CLAIMS["C1b"].arms == CLAIMS["H1"].arms and CLAIMS["C1b"].size == 0.2
    assert (CLAIMS["C1b"].claim, CLAIMS["H1"].claim) == ("higher", "different")
    for row in book.BOOK["claims"]:
        assert not row.get("like") or not set(row) & set(book.SHARED), row["id"]


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
        ("closest", ["none", "bn", "wn"], 1.5),
        ("closest", ["none", "wn", "ln"], 1.5),
    ],
)
def test_statistic(statistic, names, expected):
    jitter = dict(zip(VALUES, np.random.default_rng(6).normal(0, 1e-5, (5, 60)), strict=True))
    records = runs(**{name: VALUES[name] + jitter[name] for name in names})
    claim = Claim("X", "", "", arms=tuple(names), statistic=statistic, margin=0.2)
    assert findings.find(claim, records, LAST).mean == pytest.approx(expected, abs=0.01)


def test_between_seeds_uses_each_seed_once():
    values = 0.88 + np.arange(len(LAST)) / 1e4
    claim = Claim("X", "", "", arms=("none",), statistic="between_seeds", over=0.11)
    found = findings.find(claim, runs(none=values), LAST)
    assert (found.mean, found.n) == (pytest.approx(0.3 - 0.11), len(LAST) // 2)


def test_spread_is_of_the_first_arm_over_the_second():
    base = noise(1)
    records = runs(bn=0.5 + 2 * base, none=base + noise(2, 0, 1e-6))
    claim = Claim("X", "", "", arms=("bn", "none"), statistic="spread")
    assert findings.find(claim, records, LAST).mean == pytest.approx(np.log(2), abs=0.01)


def swapped(columns):
    return dict(zip(columns, reversed(columns.values()), strict=True))


@pytest.mark.parametrize("of", ["training", "test"])
def test_each_epoch_takes_the_epoch_that_differs_most(of):
    records = runs(bn=noise(1), none=noise(2))
    for (arm, seed), r in records.items():
        gap = [0, 0.05, 0, 0] if arm == ARMS["bn"] else [0, 0, 0, 0]
        jitter = np.random.default_rng(seed).normal(0, 1e-3, 4) * (arm == ARMS["bn"])
        curve = [0.8 + g + j for g, j in zip(gap, jitter, strict=True)]
        other = [0.8 + j for j in jitter]
        columns = {"train_accuracy": curve, "test_accuracy": other}
        records[arm, seed] = dataclasses.replace(
            r, **columns if of == "training" else swapped(columns)
        )
    claim = Claim(
        "X", "", "", arms=("bn", "none"), statistic="each_epoch",
        metric="accuracy_by_epoch", margin=0.2,
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


def test_the_best_learning_rate_is_the_validation_splits():
    records = [
        record(seed, arm=arm, test_accuracy=[0.8 + (arm.learning_rate == 0.03) / 10])
        for arm in book.candidates()
        for seed in arms.PILOT_SEEDS
    ]
    lost = [dataclasses.replace(r, test_accuracy=[], diverged=3) for r in records[:3]]
    late = [
        dataclasses.replace(r, seed=r.seed + more, test_accuracy=[1.0])
        for r in records
        for more in (100, 200)
        if r.arm.learning_rate == 0.1
    ]
    found = book.best_learning_rates([*lost, *records[3:], *late, made("bn", 0, 0.99)])
    assert found == dict.fromkeys(book.RATES["arms"], 0.03)
    assert all(arm.scored_on == "validation" for arm in book.candidates())
    with pytest.raises(ValueError, match="83 of 84"):
        book.best_learning_rates(records[1:])
    at_the_end = [dataclasses.replace(r, test_accuracy=[r.arm.learning_rate / 2]) for r in records]
    with pytest.raises(ValueError, match="the grid ends at a best rate"):
        book.best_learning_rates(at_the_end)


def test_the_chosen_learning_rates_are_those_of_the_archive():
    records = archive.read([archive.PUBLISHED]).values()
    assert book.best_learning_rates(records) == CHOSEN


def test_the_second_look_is_of_what_the_archive_left_inconclusive(monkeypatch):
    monkeypatch.setitem(book.RATES, "chosen", CHOSEN)
    assert verdicts.inconclusive(archive.read([archive.PUBLISHED])) == SECOND_LOOK


def test_claims_at_the_best_rates_are_trained_once_these_are_chosen(monkeypatch):
    assert "best_rates" not in book.experiments()
    chosen = {"none": 0.003, "bn": 0.03, "ln_hidden": 0.1, "wn": 0.01}
    monkeypatch.setitem(book.RATES, "chosen", chosen)
    found = {arm.norm: arm.learning_rate for arm in CLAIMS["L4"].settings()}
    assert found == {"layer": 0.1, "batch": 0.03}
    rates = [arm.learning_rate for arm in book.experiments()["best_rates"].arms]
    assert sorted(rates) == sorted(chosen.values())
    assert len(book.experiments()["headline"].arms) == len(ARMS)


def test_seconds_are_compared_on_one_processor():
    records = archive.read([archive.PUBLISHED])
    timed = [claim for claim in DECIDED if claim.metric == "seconds"]
    assert timed
    for claim in timed:
        for seed in findings.complete(claim, records, LAST):
            assert len({records[arm, seed].environment["cpu"] for arm in claim.settings()}) == 1
