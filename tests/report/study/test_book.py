"""The book of claims, the learning rates chosen for it, and what is swept for it."""

import dataclasses

import numpy as np
import pandas as pd
import pytest

from report.study import archive, arms, experiments, statistics
from report.study.claims import book, findings, verdicts
from report.study.claims.book import ARMS, CLAIMS, FIRST, LAST
from report.study.comparisons import GUESS
from report.study.experiments import EXPERIMENTS

ROWS = list(CLAIMS.values())
DECIDED = [claim for claim in ROWS if claim.arms]
SPLIT = ("C12e", "C12f")  # off others by amendments, after the runs
SIDES = ("higher", "lower", "different", "equal", "unequal")


@pytest.fixture(scope="module")
def records():
    return archive.read([archive.COMMITTED])


def test_every_claim_is_whole():
    for claim in ROWS:
        assert claim.reason and (claim.quote or claim.hypothesis), claim.id
        foreseen = bool(claim.prediction)
        assert not foreseen or claim.prediction in statistics.VERDICTS, claim.id
        assert foreseen == bool(claim.arms) or claim.amendment or claim.id in SPLIT, claim.id
        assert (claim.verdict in statistics.VERDICTS) != bool(claim.arms), claim.id
        assert (claim.claim in SIDES) == bool(claim.arms), claim.id
        assert claim.claim not in ("equal", "unequal") or claim.size > 0, claim.id
        assert not claim.over or claim.statistic in findings.PER_SEED, claim.id
        assert not claim.arms or (claim.hypothesis and claim.statistic in findings.STATISTICS)
        assert claim.metric in findings.METRICS


def test_ids_are_unique_and_the_families_of_the_size_that_is_said():
    assert len(book.BOOK["claims"]) == len(ROWS)
    sizes = {name: len(book.family(name)) for name in ("confirmatory", "learning rate")}
    assert sizes == {"confirmatory": 12, "learning rate": 4}
    assert {c.family for c in ROWS} == {c.family for c in ROWS if not c.like}
    names = [claim.id for claim in book.hypotheses_and_equivalences()]
    assert names == [*(f"H{i}" for i in range(1, 13)), *(f"E{i}" for i in range(1, 10))]


def test_every_arm_that_is_defined_is_used_and_the_headline_has_them_all():
    assert {name for claim in DECIDED for name in claim.arms} == set(ARMS)
    found = EXPERIMENTS["headline"]
    assert set(found.arms) == set(ARMS.values()) and found.seeds == FIRST
    assert not set(LAST) & set(arms.PILOT_SEEDS)


def test_every_claim_links_to_a_heading_of_a_notebook_that_there_is():
    for claim in ROWS:
        file, _, heading = claim.notebook.partition("#")
        text = (archive.ROOT.parent / "notebooks" / file).read_text()
        assert f"# {heading.replace('-', ' ')}" in text, claim.id


def test_an_amendment_keeps_the_first_verdict_and_says_why(records):
    ledger = verdicts.ledger(records).set_index("id")
    published = pd.read_csv(archive.ROOT / "tables" / "claims.csv", index_col="id")
    assert set(book.AMENDMENTS) <= set(CLAIMS)
    for name, amendment in book.AMENDMENTS.items():
        row = ledger.loc[name]
        assert row["first verdict"] == amendment.first in statistics.VERDICTS
        assert row["amendment"] == f"{amendment.date}: {amendment.reason}"
        assert published.loc[name, "first verdict"] == amendment.first
        assert set(amendment.changes) <= {f.name for f in dataclasses.fields(book.Claim)}
    changed = ledger[
        (ledger["first verdict"] != "") & (ledger["first verdict"] != ledger["verdict"])
    ]
    assert changed.index.tolist() == ["E8", "C12a", "C12b", "C14b", "C14d", "C16c"]


def test_a_claim_like_another_has_its_runs_and_not_its_sentence():
    assert CLAIMS["C1b"].arms == CLAIMS["H1"].arms and CLAIMS["C1b"].size == 0.2
    assert (CLAIMS["C1b"].claim, CLAIMS["H1"].claim) == ("higher", "different")
    for row in book.BOOK["claims"]:
        assert not row.get("like") or not set(row) & set(book.SHARED), row["id"]


def test_the_chosen_learning_rates_have_the_best_mean_on_the_validation_split(records):
    scores = {}
    for arm, name in book.candidates().items():
        runs = [records[arm, seed] for seed in arms.PILOT_SEEDS]
        values = [r.test_accuracy[-1] if r.diverged is None else GUESS / 100 for r in runs]
        scores[name, arm.learning_rate] = np.mean(values)
    best = pd.Series(scores).unstack().idxmax(axis="columns")
    assert best.to_dict() == book.RATES["chosen"]
    assert set(best) <= set(book.RATES["grid"][1:-1])  # the grid goes on at both sides


def test_the_candidates_are_swept_on_the_validation_split():
    found = EXPERIMENTS["learning_rates"]
    assert len(found.arms) == len(book.RATES["arms"]) * len(book.RATES["grid"]) == 28
    assert {arm.scored_on for arm in found.arms} == {"validation"}
    assert found.seeds == arms.PILOT_SEEDS


def test_claims_at_the_best_rates_are_trained_with_the_chosen_ones(monkeypatch):
    chosen = {"none": 0.003, "bn": 0.03, "ln_hidden": 0.1, "wn": 0.02}
    monkeypatch.setitem(book.RATES, "chosen", chosen)
    found = {arm.norm: arm.learning_rate for arm in CLAIMS["L4"].settings()}
    assert found == {"layer": 0.1, "batch": 0.03}
    swept = {experiment.name: experiment for experiment in experiments.of_claims()}
    rates = [arm.learning_rate for arm in swept["best_rates"].arms]
    assert sorted(rates) == sorted(chosen.values()) and swept["best_rates"].seeds == FIRST
    assert len(swept["headline"].arms) == len(ARMS)


def test_the_second_look_is_of_ours_that_the_first_left_inconclusive(records):
    ledger = verdicts.ledger(records)
    ours = ledger[ledger["section"] == "ours"]
    again = ours["look"] == 2
    assert ours["id"][again].tolist() == book.SECOND_LOOK
    assert "INCONCLUSIVE" not in ours["verdict"][~again].tolist()


def test_the_second_look_sweeps_its_claims_arms_with_the_seeds_that_are_new():
    found = EXPERIMENTS["second_look"]
    claims = [CLAIMS[name] for name in book.SECOND_LOOK]
    assert set(found.arms) == {arm for claim in claims for arm in claim.settings()}
    assert FIRST + found.seeds == LAST
