"""The answers to the questions on made runs whose effects are known, and read a second time."""

import numpy as np
import pandas as pd
import pytest
import second_reading
from made_runs import record

from report.study import archive, statistics
from report.study.claims import answers, questions
from report.study.claims.findings import MissingRuns
from report.study.claims.questions import QUESTIONS, RATES, SEEDS


@pytest.fixture
def rates(monkeypatch):
    """Some learning rate for every arm, chosen or not."""
    for table in RATES.values():
        monkeypatch.setitem(table, "chosen", dict.fromkeys(table["arms"], 0.04))


def world(family, number):
    """Runs of the family's arms, apart by nothing, the margin or much, some of them diverged."""
    rng = np.random.default_rng([11, number])
    found, seeds = {}, SEEDS[family]
    common = rng.normal(0.9, 0.004, len(seeds))
    for arm in questions.of_family(family):
        shift = rng.choice([0, 0, 0.001, 0.002, 0.004, 0.01]) * rng.choice([-1, 1])
        noise = rng.normal(shift, rng.choice([1e-4, 1e-3, 5e-3]), len(seeds))
        for seed, value in zip(seeds, common + noise, strict=True):
            lost = number == 1 and rng.random() < 0.01
            values = {"test_accuracy": [], "train_loss": [], "train_accuracy": [], "diverged": 3}
            made = record(seed, arm=arm, **(values if lost else {"test_accuracy": [float(value)]}))
            found[made.key] = made
    return found


@pytest.mark.parametrize("number", [0, 1])
@pytest.mark.parametrize("family", SEEDS)
def test_the_answers_are_those_of_a_second_reading(family, number, rates):
    records = world(family, number)
    found = answers.answers(family, records).set_index("id")
    compare(found, family, records)
    assert len(set(found["answer"])) > 2 or family in ("R", "R20", "D")


def compare(found, family, records):
    """Hold every answer against the second reading's."""
    settings = {name: QUESTIONS[name].settings() for name in found.index}
    expected = second_reading.answers(family, settings, records)
    assert list(expected) == list(found.index)
    for name, (answer, estimate, p) in expected.items():
        row = found.loc[name]
        assert row["answer"] == answer, name
        assert row[["mean", "low", "high"]].tolist() == pytest.approx(estimate), name
        assert float(row["adjusted p"]) == pytest.approx(p, rel=0.06), name
        held = row["answer"] == QUESTIONS[name].prediction
        assert row["outcome"] == ("held" if held else "failed")


def test_the_published_answers_are_those_of_a_second_reading():
    records = archive.read([archive.COMMITTED])
    published = pd.read_csv(archive.ROOT / "tables" / "answers.csv", index_col="id")
    families = published.groupby(lambda name: QUESTIONS[name].family)
    assert "F" in families.groups
    for family, found in families:
        compare(found, family, records)


def test_a_missing_run_names_the_sweep(rates):
    records = world("D", 0)
    records.pop(next(iter(records)))
    with pytest.raises(MissingRuns, match=r"lack 1 of the 150 runs of family D.*lab.py sweep D$"):
        answers.answers("D", records)


def test_rates_that_are_not_chosen_name_the_sweep(monkeypatch):
    monkeypatch.setitem(RATES["R"], "chosen", {})
    with pytest.raises(MissingRuns, match=r"R1, .*R7 are not chosen yet.*lab.py sweep R_rates"):
        answers.answers("R", {})


@pytest.mark.parametrize(
    ("low", "high", "answer", "words"),
    [
        (0.3, 0.5, "higher", "higher"),
        (0.1, 0.5, "higher", "higher, possibly negligible"),
        (-0.5, -0.1, "lower", "lower, possibly negligible"),
        (-0.5, -0.3, "lower", "lower"),
        (-0.1, 0.1, "equal", "equal within 0.2 points"),
        (-0.1, 0.5, "not resolved", "not resolved"),
    ],
)
def test_words_say_how_far_the_interval_reaches_into_the_margin(low, high, answer, words):
    found = statistics.Finding((low + high) / 2, low, high, 30, 0.01, 0.5, 0.2)
    assert answers.in_words(answer, found) == words


def test_an_equality_comes_before_a_difference():
    found = statistics.Finding(0.1, 0.05, 0.15, 30, 0.001, 0.01, 0.2)
    assert statistics.answer(found, 0.001, 0.01) == "equal"
    assert statistics.answer(found, 0.001, 0.06) == "higher"
    assert statistics.answer(found, 0.06, 0.06) == "not resolved"
