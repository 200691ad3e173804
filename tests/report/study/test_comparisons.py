"""Intervals against a table, pairing by seed, verdicts, and the comparison of two runs."""

import numpy as np
import pandas as pd
import pytest
from made_runs import record

from report.study import arms, comparisons
from report.study.comparisons import Interval


def test_interval_is_students():
    found = comparisons.interval([1.0, 2.0, 6.0])
    half = 4.302653 * np.std([1, 2, 6], ddof=1) / 3**0.5  # t table: 0.975 quantile, 2 degrees
    assert (found.mean, found.n) == (3.0, 3)
    assert (found.low, found.high) == pytest.approx((3 - half, 3 + half), rel=1e-6)


def test_interval_of_one_value_is_an_error():
    with pytest.raises(ValueError, match="at least 2 values; received 1"):
        comparisons.interval([1.0])


def test_interval_covers_the_true_mean_19_times_in_20():
    rng = np.random.default_rng(0)
    found = [comparisons.interval(rng.normal(5, 2, 4)) for _ in range(2000)]
    assert 0.93 < np.mean([f.low < 5 < f.high for f in found]) < 0.97


@pytest.mark.parametrize(
    ("low", "high", "verdict"),
    [(0.1, 0.3, "higher"), (-0.3, -0.1, "lower"), (-0.1, 0.3, "not resolved")],
)
def test_verdict(low, high, verdict):
    assert Interval((low + high) / 2, low, high, 3).verdict == verdict


def test_paired_differences_go_by_seed_and_not_by_place():
    one = pd.Series({0: 1.0, 1: 5.0, 2: 3.0})
    other = pd.Series({0: 0.5, 1: 4.0, 2: 1.5})
    assert comparisons.paired(one, other).mean == pytest.approx(1.0)
    with pytest.raises(ValueError, match=r"same seeds; received \[0, 1, 2\] and \[0, 1, 3\]"):
        comparisons.paired(one, other.rename({2: 3}))


def test_final_takes_the_last_epoch_in_percent_by_seed():
    records = [record(2, test_accuracy=[0.1, 0.3]), record(1, test_accuracy=[0.2, 0.4])]
    found = comparisons.final(records, records[0].arm)
    assert found.to_dict() == pytest.approx({1: 40.0, 2: 30.0})
    assert comparisons.final(records, arms.NONE).empty


def test_final_and_mean_loss_of_a_diverged_run_are_not_a_number():
    lost = [record(diverged=7)]
    assert np.isnan(comparisons.final(lost, record().arm)[0])
    assert np.isnan(comparisons.mean_training_loss(lost, record().arm)[0])


def test_final_table_sets_the_published_value_beside_ours():
    records = [record(seed, arm=arms.OUR_WN, test_accuracy=[0.8 + seed / 100]) for seed in range(3)]
    (row,) = comparisons.final_table(records, [arms.OUR_WN]).to_dict("records")
    assert row["published, 1 run (%)"] == "88.46"
    assert (row["ours, mean (%)"], row["n"]) == ("81.00", 3)
    assert row["lowest to highest seed"] == "80.00 to 82.00"


def test_loss_distance_pairs_the_seeds():
    ours = [record(s, arm=arms.OUR_BN, loss_every_10=[1.0, 2.0 + s]) for s in (0, 1)]
    theirs = [record(s, arm=arms.KERAS_BN, loss_every_10=[1.5, 2.0]) for s in (1, 0)]
    found = comparisons.loss_distance([*ours, *theirs], arms.OUR_BN, arms.KERAS_BN)
    assert found.loc[10].to_dict() == {0: 0.0, 1: 1.0} and list(found.index) == [0, 10]
