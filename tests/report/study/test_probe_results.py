"""What probes measured, as tables."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from made_runs import record

from report.study import arms, comparisons, probe_results

PROBED = replace(arms.OUR_BN, probe="predictiveness", examples=100, epochs=2, learning_rate=0.1)
PLAIN = replace(arms.OUR_BN, learning_rate=0.1)
ROWS = [
    {"step": 20, "loss": 2.0, "loss 0.5": 1.5, "loss 4": 1.75, "change 0.5": 0.2, "change 4": 0.8},
    {"step": 40, "loss": 1.0, "loss 0.5": 1.1, "loss 4": 3.0, "change 0.5": 0.1, "change 4": 1.2},
]
RECORDS = [record(seed, arm=PROBED, telemetry=ROWS[: 2 - seed]) for seed in (0, 1)]


def test_measurements_are_rows_of_the_arm_without_its_probe():
    found = probe_results.measured(RECORDS)
    assert list(found["arm"]) == 3 * [PLAIN] and list(found["seed"]) == [0, 0, 1]
    assert list(probe_results.last(found, PLAIN, "loss")) == [1, 2]


def test_extremes_and_smoothness_along_the_gradient():
    found = probe_results.along_gradient(RECORDS[:1])
    assert list(found["lowest loss"]) == [1.5, 1] and list(found["highest loss"]) == [2, 3]
    assert list(found["lowest change"]) == [0.2, 0.1] and list(found["highest change"]) == [
        0.8,
        1.2,
    ]
    assert list(found["smoothness"]) == pytest.approx([4, 3])  # 0.2 / 0.05 and 1.2 / 0.4
    means = probe_results.geometric_mean(found, PLAIN, "smoothness")
    assert means.to_dict() == pytest.approx({0: 12**0.5})


def test_values_over_none_are_paired_ratios_beside_what_was_predicted():
    none, half = pd.Series([1.0, 4.0, 2.0]), pd.Series([0.5, 2.1, 0.97])
    table = probe_results.over_none(
        {arms.NONE: none, arms.OUR_BN: half, arms.OUR_LN: half[::-1] * none},
        {arms.OUR_BN: "lower", arms.OUR_LN: "higher"},
    )
    assert table["mode"].tolist() == ["our BN", "our LN"]
    assert table["times no normalization"][0].startswith("0.503 times (95 % interval 0.4")
    assert table["finding"].tolist() == ["lower", "not resolved"]
    assert table["predicted"].tolist() == ["lower", "higher"]


def test_lengths_and_ratios_of_kernels_by_arm():
    rows = []
    for arm, lengths, ratios in ((arms.NONE, (2, 4), (0, 0)), (arms.OUR_WN, (4, 16), (1.1, 0.7))):
        for seed in (0, 1):
            steps = zip((0, 100), ratios, (1, lengths[seed]), strict=True)
            rows += [(arm, seed, step, ratio, w) for step, ratio, w in steps]
    found = pd.DataFrame(rows, columns=["arm", "seed", "step", "ratio", "w"])
    found = found.assign(
        **{f"{k} {c}": found[c] for k in probe_results.KERNELS for c in ("ratio", "w")}
    )
    away = probe_results.farthest_from_one(found, arms.OUR_WN)
    assert away == pytest.approx(dict.fromkeys(probe_results.KERNELS, 0.3))
    longer = probe_results.lengths_over_none(found, arms.OUR_WN)["hidden"]
    assert (longer.mean, longer.n) == (pytest.approx(np.log(8) / 2), 2)  # twice and four times


def test_a_difference_of_logarithms_is_said_as_a_ratio():
    logs = comparisons.Interval(np.log(0.5), np.log(0.25), np.log(2), 5)
    assert probe_results.times(logs) == "0.500 times (95 % interval 0.250 to 2.00, n = 5)"


def test_the_stability_threshold_is_where_a_parabola_starts_to_grow():
    """Cohen et al. 2021: of the recursion that momentum makes, the largest root has size 1."""
    arm = replace(arms.NONE, learning_rate=0.2, momentum=0.7)
    for share, stable in ((0.999, True), (1.001, False)):
        pull = arm.learning_rate * share * probe_results.threshold(arm)
        roots = np.roots([1, -(1 + arm.momentum - pull), arm.momentum])
        assert (np.abs(roots).max() < 1) == stable
