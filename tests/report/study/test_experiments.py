"""The exploratory sweeps are what they say: equal images, proportional rates, full factorials."""

from collections import Counter

import numpy as np
import pytest

from normlib.arm import VALID, Arm
from report.study import experiments

EXPERIMENTS = {e.name: e for e in experiments.exploratory()}
SIZES = {
    "six_evaluations": 6, "batch_sizes": 5 * 6, "learning_rates_wide": 4 * 10, "placement": 2 + 16,
    "depth": 4 * 3, "init_scale": 4 * 5, "sorted": 6 * 2, "rows": 5, "datasets": 2 * 5,
}  # fmt: skip


def arms_of(name):
    return EXPERIMENTS[name].arms


def test_they_can_be_swept_by_name_with_five_seeds_each():
    assert EXPERIMENTS.items() <= experiments.EXPERIMENTS.items()
    assert {name: len(set(x.arms)) for name, x in EXPERIMENTS.items()} == SIZES
    assert all(x.name == name and len(set(x.seeds)) == 5 for name, x in EXPERIMENTS.items())


def test_six_scorings_are_of_one_training():
    """A record from elsewhere, as the pilot's may be, would be of other weights."""
    apart = EXPERIMENTS["six_evaluations"]
    others = [x for x in experiments.EXPERIMENTS.values() if x != apart]
    assert not set(apart.runs()) & {run for other in others for run in other.runs()}


def test_every_minibatch_size_sees_all_images_once_at_a_proportional_rate():
    for arm in arms_of("batch_sizes"):
        assert arm.examples % arm.batch_size == 0 and arm.epochs == 1
        assert arm.learning_rate == pytest.approx(0.01 * arm.batch_size / 100)
    assert {arm.batch_size for arm in arms_of("batch_sizes")} >= {1, 100, 500}


def test_the_published_setting_is_one_and_the_same_run_in_every_sweep():
    """So that it is trained once, and that figures share a point."""
    common = set(arms_of("batch_sizes")) & set(arms_of("placement")) & set(arms_of("init_scale"))
    assert {arm.mode for arm in common} == {"no normalization", "our BN", "our LN"}
    assert {(arm.batch_size, arm.learning_rate, arm.std) for arm in common} == {(100, 0.01, 0.1)}


def test_what_is_chosen_is_chosen_on_the_validation_split():
    assert {arm.scored_on for arm in arms_of("learning_rates_wide")} == {"validation"}
    others = [arm for name in SIZES if name != "learning_rates_wide" for arm in arms_of(name)]
    assert {arm.scored_on for arm in others} == {"test"}


def test_placement_is_a_full_factorial_with_none_at_each_initialization():
    normalized = [arm for arm in arms_of("placement") if arm.norm != "none"]
    for setting in ("norm", "placement", "init", "relu"):
        assert set(Counter(getattr(arm, setting) for arm in normalized).values()) == {8}
    assert {arm.init for arm in arms_of("placement") if arm.norm == "none"} == set(VALID["init"])


def test_ways_of_scoring_share_one_training():
    assert len({arm.trained for arm in arms_of("six_evaluations")}) == 1
    assert {arm.evaluation for arm in arms_of("six_evaluations")} == set(VALID["evaluation"])
    assert len({arm.trained for arm in arms_of("sorted")}) == 3 * 2


def test_depth_does_not_change_the_scale_of_the_initial_weights():
    assert {arm.init for arm in arms_of("depth")} == {"he"}
    assert {arm.blocks for arm in arms_of("depth")} == {1, 4, 8}


@pytest.mark.parametrize("seed", [-1, 1.5, "0", True, None, 2**32])
def test_a_seed_that_is_none_is_an_error(seed):
    with pytest.raises(ValueError, match="a seed must be a whole number from 0 to"):
        experiments.Experiment("some", (Arm(),), (0, seed))


def test_an_experiment_has_each_arm_and_seed_once_and_takes_numpy():
    found = experiments.Experiment("some", (Arm(), Arm()), np.array([3, 1, 3]))
    assert found.runs() == [(Arm(), 3), (Arm(), 1)]
    assert all(type(seed) is int for seed in found.seeds)
