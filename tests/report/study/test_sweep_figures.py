"""Figures of the sweeps draw what the records say: every seed, the mean, stars, who diverged."""

import numpy as np
import pytest
from test_sweep_errors import runs

from normlib.arm import Arm
from report.study import figures, sweep_figures
from report.study.arms import NONE, OUR_BN

RATES = (0.01, 0.1, 1.0)
ERRORS = {"none": ((20, 22), (14, 16), (60, None)), "batch": ((21, 23), (17, 19), (12, 12))}
SWEPT = [
    record
    for norm, of_rates in ERRORS.items()
    for rate, errors in zip(RATES, of_rates, strict=True)
    for record in runs(Arm(norm, learning_rate=rate, scored_on="validation"), *errors)
]


def drawn(ax, color, marker):
    return [x for x in ax.lines if x.get_color() == color and x.get_marker() == marker]


def swept():
    stars = {NONE.mode: 0.01, OUR_BN.mode: 1.0}
    (ax,) = sweep_figures.against(SWEPT, "learning_rate", "rate", stars).axes
    return ax


def test_against_draws_every_seed_and_the_means():
    seeds, means, *_ = drawn(swept(), figures.GREY, "o")
    assert list(seeds.get_ydata()) == pytest.approx([20, 22, 14, 16, 60, 90])
    assert list(means.get_ydata()) == pytest.approx([21, 15, 75])
    assert list(means.get_xdata()) == pytest.approx(RATES, rel=0.1)


def test_what_is_named_for_each_mode_is_starred():
    stars = {line.get_color(): line for line in swept().lines if line.get_marker() == "*"}
    found = {color: (x.get_xdata()[0], x.get_ydata()[0]) for color, x in stars.items()}
    assert found[figures.GREY] == (pytest.approx(0.01, rel=0.1), pytest.approx(21))
    assert found[figures.BLUE] == (pytest.approx(1, rel=0.1), pytest.approx(12))


def test_diverged_runs_are_counted_where_they_are():
    texts = {text.get_text(): text for text in swept().texts}
    assert set(texts) == {"1/2", "no normalization, diverged"}
    assert texts["1/2"].get_position()[0] == 1.0 and texts["1/2"].get_color() == figures.GREY


def test_the_axis_says_on_what_the_runs_were_scored():
    assert swept().get_ylabel() == "final validation error (%)"
    (ax,) = sweep_figures.against(runs(NONE, 1, 2), "std", "std").axes
    assert ax.get_ylabel() == "final test error (%)"


def test_the_interval_is_students():
    (ax,) = sweep_figures.against(runs(NONE, 10, 12, 17), "std", "std").axes
    (bars,) = [c for c in ax.collections if hasattr(c, "get_segments")]
    (low, high) = bars.get_segments()[0][:, 1]
    half = 4.302653 * np.std([10, 12, 17], ddof=1) / np.sqrt(3)
    assert (low, high) == pytest.approx((13 - half, 13 + half))


def test_ways_of_scoring_have_a_row_each_and_orders_a_panel_each():
    arms = [
        Arm("batch", evaluation=e, shuffle=s)
        for s in ("sorted", "full")
        for e in ("batch", "running")
    ]
    records = [r for i, arm in enumerate(arms) for r in runs(arm, 10 + 10 * i, 12 + 10 * i)]
    left, right = sweep_figures.scorings(records).axes
    assert (left.get_title(), right.get_title()) == tuple(sweep_figures.ORDERS.values())
    rows = ["our BN, test batches of 100", "our BN, moving statistics"]
    assert [text.get_text() for text in left.get_yticklabels()] == rows
    of = [[list(x.get_xdata()) for x in drawn(ax, figures.BLUE, "o")[::2]] for ax in (left, right)]
    assert np.allclose(of, [[[30, 32], [40, 42]], [[10, 12], [20, 22]]])


def test_places_has_none_at_both_and_one_panel_per_initialization():
    settings = [(p, i) for p in ("conv", "hidden") for i in ("normal", "he")]
    normed = [(Arm("batch", placement=p, init=i), 10 + 5 * (p == "hidden")) for p, i in settings]
    none = [(Arm(init="normal"), 30), (Arm(init="he"), 40)]
    records = [r for arm, error in none + normed for r in runs(arm, error, error + 2)]
    panels = sweep_figures.places(records).axes
    for ax, title, error in zip(panels, sweep_figures.INITS.values(), (31, 41), strict=True):
        assert ax.get_title() == title
        assert list(drawn(ax, figures.GREY, "o")[1].get_ydata()) == pytest.approx([error, error])
        assert list(drawn(ax, figures.BLUE, "o")[1].get_ydata()) == pytest.approx([11, 16])


def test_row_readers_draws_losses_and_errors():
    arms = [Arm(norm, network="rnn") for norm in ("none", "rms")]
    losses, errors = sweep_figures.row_readers([r for a in arms for r in runs(a, 10, 12)]).axes
    assert losses.get_yscale() == "log" and len(losses.lines) == 2 * (2 + 1)
    names = [text.get_text() for text in errors.get_yticklabels()]
    assert names == ["no normalization", "our RMS norm"]
    assert errors.get_ylim() == (1.5, -0.5)


def test_one_colour_a_method():
    shown = [
        figures.style(a)["color"] for a in (NONE, OUR_BN, Arm("batch", "shared", network="rnn"))
    ]
    assert len(set(figures.COLORS.values())) == len(figures.COLORS) and len(set(shown)) == 3
