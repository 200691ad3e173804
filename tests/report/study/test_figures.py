"""Figures draw every seed."""

import numpy as np
import pytest
from made_runs import record

from normlib import data
from report.study import arms, experiments, figures

RECORDS = [
    record(seed, arm=arm, test_accuracy=[0.5, 0.8 + seed / 100 + i / 50])
    for i, arm in enumerate((arms.NONE, arms.OUR_LN_HIDDEN))
    for seed in range(3)
]


def lines(ax, color):
    return [line for line in ax.lines if line.get_color() == color]


def test_per_epoch_draws_every_seed_their_mean_and_the_published_run():
    (ax,) = figures.per_epoch(RECORDS, "test_accuracy").axes
    drawn = lines(ax, figures.GREY)
    assert [list(line.get_ydata()) for line in drawn[:3]] == [[50, 80], [50, 81], [50, 82]]
    assert list(drawn[3].get_ydata()) == pytest.approx([50, 81])
    assert drawn[4].get_ydata() == [arms.REPORTED[arms.NONE]]
    assert ax.get_xlabel() == "epoch" and ax.get_ylabel() == "test accuracy (%)"


def test_a_diverged_run_is_not_averaged_in():
    found = figures.by_arm([*RECORDS, record(9, arm=arms.NONE, diverged=3)])
    assert [r.seed for r in found[arms.NONE]] == [0, 1, 2]


def test_every_arm_of_the_pilot_has_its_own_look():
    looks = {tuple(figures.style(arm).values()) for arm in experiments.EXPERIMENTS["pilot"].arms}
    assert len(looks) == 8


def test_final_accuracies_draws_every_seed_its_mean_and_the_published_run():
    (ax,) = figures.final_accuracies(RECORDS).axes
    dots = [sorted(points.get_offsets()[:, 0]) for points in ax.collections]
    assert dots == [pytest.approx([80, 81, 82]), pytest.approx([82, 83, 84])]
    (interval, mean, published) = ax.lines[:3]
    assert list(mean.get_xdata()) == pytest.approx([81])
    assert list(interval.get_xdata()) == pytest.approx([81 - 2.484, 81 + 2.484], abs=1e-3)
    assert published.get_xdata() == [arms.REPORTED[arms.NONE]]


def test_distance_pairs_the_seeds():
    twins = [
        record(s, arm=a, loss_every_10=[1.0 + s * (a == arms.OUR_BN)] * 3)
        for a in (arms.OUR_BN, arms.KERAS_BN)
        for s in (0, 1)
    ]
    pairs = {"ours and TensorFlow's": (arms.OUR_BN, arms.KERAS_BN)}
    (ax,) = figures.distances(twins, {"BN": pairs}, steps=10).axes
    assert [list(line.get_ydata()) for line in ax.lines] == [[0, 0], [1, 1], [0.5, 0.5]]
    assert ax.get_title() == "BN"


def test_shared_statistics_colours_the_mask_channel_by_channel():
    mask = np.zeros((2, 3, 4), bool)
    mask[1, 2, 3] = True  # image 2, position 3, channel 4
    sets = {"one": mask, "all": ~np.zeros_like(mask)}
    one, whole = figures.shared_statistics(sets, ["red", "blue"]).axes
    cells = one.collections[0].get_array()
    assert cells.shape == (2, 4 * (3 + 1) - 1) and cells.mask[:, 3::4].all()
    assert np.argwhere(cells.filled(0)).tolist() == [[1, 3 * 4 + 2]]
    assert cells.count() == whole.collections[0].get_array().sum() == 2 * 3 * 4
    assert one.yaxis_inverted() and one.get_title() == "one"


def test_classes_shows_a_row_of_each():
    images = data.load("quick")
    (ax,) = figures.classes(images, per_class=4).axes
    mosaic = np.asarray(ax.images[0].get_array())
    assert mosaic.shape == (280, 112)
    third = images.train_images[images.train_labels == 2][0, ..., 0]
    np.testing.assert_array_equal(mosaic[56:84, :28], third)
