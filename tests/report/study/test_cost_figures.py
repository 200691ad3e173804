"""The figures of costs draw what the benchmark's tables say."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from report.study import cost_figures, figures


@pytest.fixture(autouse=True)
def closed():
    yield
    plt.close("all")


def widths(ax):
    return [bar.get_width() for bar in ax.patches]


def test_every_measured_contender_has_a_bar_in_its_norms_panel():
    table = pd.DataFrame(
        [("ours", "none", 4.0, 3.0, 6.0, 1.0), ("Keras fit", "none", 5.5, 5.0, 7.0, 1.4),
         ("PyTorch", "none", np.nan, np.nan, np.nan, np.nan),
         ("the published way", "none", 400.0, 390.0, 410.0, 100.0), ("ours", "BN", 9, 8, 10, 1.0),
         ("ours, free", "BN", 5, 4, 6, 0.6)],
        columns=["contender", "norm", "median ms per step", "lowest", "highest", "times ours"],
    )  # fmt: skip
    none, batch = cost_figures.against_peers(table).axes
    assert widths(none) == [4.0, 5.5] and widths(batch) == [9, 5]
    assert [bar.get_facecolor() for bar in none.patches] == [
        plt.matplotlib.colors.to_rgba(color)
        for color in (figures.COLORS["none", "ours"], cost_figures.PEER)
    ]
    free = batch.patches[1].get_facecolor()
    assert free == plt.matplotlib.colors.to_rgba(figures.COLORS["batch", "free"])
    (whiskers,) = none.collections
    assert [tuple(s[:, 0]) for s in whiskers.get_segments()] == [(3.0, 6.0), (5.0, 7.0)]


def test_parts_are_stacked_to_the_whole_step():
    parts = {"convolution": 3.0, "dense layers": 4.0, "pooling": 2.0, "norm": 5.0, "rest": 1.0}
    table = pd.DataFrame([("BN", part, ms) for part, ms in parts.items()])
    (ax,) = cost_figures.parts(table.set_axis(["arm", "part", "ms"], axis=1)).axes
    assert sorted(widths(ax)) == sorted(parts.values())
    assert max(bar.get_x() + bar.get_width() for bar in ax.patches) == sum(parts.values())


def test_scaling_has_a_line_a_norm_in_both_panels():
    rows = [(varied, norm, n, n, 2.0 * n, 3.0 * n) for varied in ("batch size", "images")
            for norm in ("none", "LN") for n in (1, 10)]  # fmt: skip
    columns = ["varied", "norm", "batch size", "images", "µs per image", "seconds per epoch"]
    left, right = cost_figures.scaling(pd.DataFrame(rows, columns=columns)).axes
    assert [list(line.get_ydata()) for line in left.lines] == [[2, 20]] * 2
    assert [list(line.get_ydata()) for line in right.lines] == [[3, 30]] * 2


def test_the_committed_tables_can_be_read():
    for name in ("", "sweep", "targets", "footprint", "scaling", "parts", "environment"):
        assert len(cost_figures.read(name)) > 3
