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


def test_classes_shows_a_row_of_each():
    images = data.load("quick")
    (ax,) = figures.classes(images).axes
    mosaic = np.asarray(ax.images[0].get_array())
    assert mosaic.shape == (280, 336)
    third = images.train_images[images.train_labels == 2][0, ..., 0]
    np.testing.assert_array_equal(mosaic[56:84, :28], third)
