"""Exploratory effects: a diverged run counts as a guess, and gaps are taken seed by seed."""

import pytest
from made_runs import record

from normlib.arm import Arm
from report.study import arms, sweep_errors
from report.study.comparisons import Interval

SLOW, FAST = Arm("batch", learning_rate=0.1), Arm("batch", learning_rate=1.0)


def runs(arm, *errors):
    """A record a seed; an error of None is a run that diverged."""
    return [
        record(seed, arm=arm, diverged=7, test_accuracy=[], train_loss=[])
        if error is None
        else record(seed, arm=arm, test_accuracy=[0.5, 1 - error / 100])
        for seed, error in enumerate(errors)
    ]


RECORDS = runs(arms.NONE, 20, 22, 27) + runs(SLOW, 10, 11, 12) + runs(FAST, 40, None, 49)


def test_the_table_has_the_last_error_and_counts_who_diverged():
    found = sweep_errors.table(RECORDS)
    assert list(found["error"]) == pytest.approx([20, 22, 27, 10, 11, 12, 40, 90, 49])
    assert list(found["diverged"]) == [False] * 7 + [True, False]
    assert list(found["learning_rate"].unique()) == [0.01, 0.1, 1.0]
    assert list(found["mode"].unique()) == ["no normalization", "our BN"]


def test_errors_of_a_diverged_run_are_a_guess():
    assert list(sweep_errors.errors(RECORDS, FAST)) == pytest.approx([40, 90, 49])


def test_gaps_are_arm_less_reference():
    found = sweep_errors.gap(RECORDS, SLOW, arms.NONE)
    assert (found.mean, found.n) == (pytest.approx((-10 - 11 - 15) / 3), 3)
    both = sweep_errors.gap_of_gaps(RECORDS, FAST, SLOW, arms.NONE, SLOW)
    assert both.mean == pytest.approx((30 + 79 + 37 - 10 - 11 - 15) / 3)


@pytest.mark.parametrize(
    ("predicted", "low", "high", "word"),
    [
        ("higher", 0.5, 1.5, "held"),
        ("higher", -1.5, -0.5, "failed"),
        ("higher", -1, 1, "not resolved"),
        ("lower", -1.5, -0.5, "held"),
        ("lower", 0.5, 1.5, "failed"),
        ("lower", -1.5, 0.5, "not resolved"),
        ("higher by more than 3", 3.1, 9, "held"),
        ("higher by more than 3", 1, 2.9, "failed"),
        ("higher by more than 3", 2, 4, "not resolved"),
        ("not resolved", -1, 1, "held"),
        ("not resolved", 0.1, 1, "failed"),
        ("not resolved", -1, -0.1, "failed"),
        ("within 2", -1.9, 1.9, "held"),
        ("within 2", -2.1, 1, "not resolved"),
        ("within 2", -1, 2.1, "not resolved"),
        ("within 2", 2.1, 4, "failed"),
        ("within 2", -4, -2.1, "failed"),
    ],
)
def test_what_became_of_a_prediction(predicted, low, high, word):
    assert sweep_errors.outcome(predicted, Interval((low + high) / 2, low, high, 5)) == word


def test_outcomes_are_of_intervals_and_of_facts():
    found = Interval(0.31, 0.2, 0.42, 5)
    table = sweep_errors.outcomes(
        ("BN less none", found, "lower"), ("the best", "0.1", "0.1", True)
    )
    assert table.to_numpy().tolist() == [
        ["BN less none", "+0.31 (+0.20 to +0.42)", "lower", "failed"],
        ["the best", "0.1", "0.1", "held"],
    ]


def test_means_are_by_setting_and_mode():
    found = sweep_errors.means(RECORDS, "learning_rate")
    assert found.loc[1.0, "our BN"] == pytest.approx((40 + 90 + 49) / 3)
    assert found.loc[0.01, "no normalization"] == pytest.approx(23)


def test_a_rate_is_survived_if_every_seed_is_below_the_limit():
    assert sweep_errors.survived(RECORDS, "learning_rate")["our BN"] == 0.1
    assert sweep_errors.survived(RECORDS[:-2], "learning_rate")["our BN"] == 1.0
