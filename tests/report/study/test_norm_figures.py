"""Figures of the norms as functions draw what they are given."""

import numpy as np
import pandas as pd
from made_runs import record

from report.study import arms, figures, norm_figures


def test_distance_pairs_the_seeds():
    twins = [
        record(s, arm=a, loss_every_10=[1.0 + s * (a == arms.OUR_BN)] * 3)
        for a in (arms.OUR_BN, arms.KERAS_BN)
        for s in (0, 1)
    ]
    pairs = {"ours and TensorFlow's": (arms.OUR_BN, arms.KERAS_BN)}
    (ax,) = norm_figures.distances(twins, {"BN": pairs}, steps=10).axes
    assert [list(line.get_ydata()) for line in ax.lines] == [[0, 0], [1, 1], [0.5, 0.5]]
    assert ax.get_title() == "BN"


def test_shared_statistics_colours_the_mask_channel_by_channel():
    mask = np.zeros((2, 3, 4), bool)
    mask[1, 2, 3] = True  # image 2, position 3, channel 4
    sets = {"one": mask, "all": ~np.zeros_like(mask)}
    one, whole = norm_figures.shared_statistics(sets, ["red", "blue"]).axes
    cells = one.collections[0].get_array()
    assert cells.shape == (2, 4 * (3 + 1) - 1) and cells.mask[:, 3::4].all()
    assert np.argwhere(cells.filled(0)).tolist() == [[1, 3 * 4 + 2]]
    assert cells.count() == whole.collections[0].get_array().sum() == 2 * 3 * 4
    assert one.yaxis_inverted() and one.get_title() == "one"


def test_errors_are_lines_of_what_is_above_zero():
    errors = pd.DataFrame({"ours": [0.0, 1e-6, 1e-4], "Keras": [1e-5, 1e-3, 0.1]}, [1, 10, 100])
    single, half = norm_figures.by_offset({"float32": errors, "bfloat16": errors[["Keras"]]}).axes
    ours, keras = single.lines
    assert ours.get_color() == figures.BLUE and list(ours.get_xdata()) == [10, 100]
    assert list(keras.get_ydata()) == [1e-5, 1e-3, 0.1]
    assert half.get_title() == "bfloat16" and len(half.lines) == 1
