"""The questions on which norm, when and why: that they are whole, and how rates are chosen."""

from itertools import pairwise

import numpy as np
import pytest

from normlib.arm import Arm
from report.study import archive
from report.study.claims import book, questions
from report.study.claims.questions import ARMS, QUESTIONS, RATES, SEEDS
from report.study.comparisons import GUESS
from report.study.experiments import EXPERIMENTS


@pytest.fixture(scope="module")
def records():
    return archive.read([archive.COMMITTED])


ANSWERS = ("higher", "lower", "equal", "not resolved")


def test_every_question_is_whole():
    assert len(book.BOOK["questions"]) == len(QUESTIONS)
    for name, question in QUESTIONS.items():
        assert question.prediction in ANSWERS and question.reason.endswith("."), name
        assert question.question.endswith("?") and question.family in SEEDS, name
        assert name.startswith(question.family), name
        size = {"difference": 2, "interaction": 4}[question.statistic]
        assert len(set(question.arms)) == size, name
        assert question.rates in ("", question.family), name


def test_every_arm_is_asked_of_or_chosen_for():
    asked = {name for question in QUESTIONS.values() for name in question.arms}
    assert asked == set(ARMS)
    for name, table in RATES.items():
        of_family = [q.arms for q in QUESTIONS.values() if q.rates == name]
        assert {arm for arms in of_family for arm in arms} == set(table["arms"])


def test_start_norm_and_place_are_crossed():
    """Eleven norms and places from each of two starts, thirty seeds that no run has had."""
    arms = EXPERIMENTS["F"].arms
    assert len(arms) == 22 and len({(a.norm, a.placement, a.per) for a in arms}) == 11
    assert {(a.init, a.learning_rate, a.epochs, a.schedule) for a in arms} == {
        ("normal", 0.01, 4, "constant"), ("he", 0.01, 4, "constant")
    }  # fmt: skip
    assert EXPERIMENTS["F"].seeds == tuple(range(300, 330))
    others = [e for n, e in EXPERIMENTS.items() if n.split("_")[0] not in SEEDS]
    assert not {s for seeds in SEEDS.values() for s in seeds} & {s for e in others for s in e.seeds}


def test_rates_are_chosen_on_the_validation_split_with_seeds_of_their_own():
    scored = {seed for seeds in SEEDS.values() for seed in seeds}
    assert not scored & {*questions.MORE}.union(*questions.CHOOSING.values())
    for name in RATES:
        candidates = questions.candidates(name)
        assert all(arm.scored_on == "validation" for arm in candidates)
        assert set(questions.finalists(name)) <= set(candidates)
        assert not {*questions.MORE} & {*questions.CHOOSING[name]}


def test_grids_go_on_by_their_factor_and_r20s_begins_at_the_rates_of_r():
    for table in RATES:
        for name in RATES[table]["arms"]:
            rates = questions.grid(name, table)
            factors = {round(b / a, 6) for a, b in pairwise(rates)}
            assert factors == {4 if table == "B" else 2}, name
    for name, rates in RATES["R20"]["grid"].items():
        rate = RATES["R"]["chosen"][name.replace("_20", "_he")]
        assert rates == [rate, 2 * rate, 4 * rate]


def test_an_arm_is_trained_at_its_chosen_rate_once_all_are_chosen(monkeypatch):
    table = RATES["D"]
    monkeypatch.setitem(table, "chosen", {})
    assert questions.of_family("D") == []
    chosen = {name: 0.01 * (i + 1) for i, name in enumerate(table["arms"])}
    monkeypatch.setitem(table, "chosen", chosen)
    found = {arm.norm: arm.learning_rate for arm in questions.of_family("D")}
    assert found == dict(
        zip(("none", "batch", "layer", "group", "weight"), chosen.values(), strict=True)
    )
    assert {arm.scored_on for arm in questions.of_family("D")} == {"test"}


def mean(records, arm: Arm, seeds) -> float:
    runs = [records[arm, seed] for seed in seeds]
    return np.mean([r.test_accuracy[-1] if r.diverged is None else GUESS / 100 for r in runs])


def best(records, name: str, rates, seeds) -> list[float]:
    """The rates, the one with the best mean first."""
    candidates = {rate: questions.candidate(name, rate) for rate in rates}
    return sorted(rates, key=lambda rate: -mean(records, candidates[rate], seeds))


@pytest.mark.parametrize(
    ("table", "name"), [(table, name) for table in RATES for name in RATES[table]["chosen"]]
)
def test_the_chosen_rate_is_the_best_on_the_validation_split(table, name, records):
    grid, seeds = questions.grid(name, table), questions.CHOOSING[table]
    ranked = best(records, name, grid, seeds)
    assert ranked[0] not in (grid[0], grid[-1])  # else the grid goes on
    if finalists := RATES[table].get("finalists", {}).get(name):
        assert finalists == sorted(ranked[:2])
        ranked = best(records, name, finalists, (*seeds, *questions.MORE))
    assert RATES[table]["chosen"][name] == ranked[0]
