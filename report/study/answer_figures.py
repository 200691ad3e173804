"""Figures of the answers: which norm, from which start, at which place, and why."""

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.figure import Figure

from normlib.arm import SHORT, Arm
from report.study import comparisons, sweep_errors
from report.study.answer_tables import row_name
from report.study.claim_figures import BAND
from report.study.claims.answers import MARGIN, STARTS, by_arms
from report.study.comparisons import Interval
from report.study.figures import GREY, by_arm, log_ticks, style
from report.study.record import Record
from report.study.statistics import rank_correlation

FILLS = dict(zip(STARTS, ("none", "full"), strict=True))
HALF = 0.17  # of the way between the two marks of a row
SPAN = 4.6  # points of accuracy that an axis of learning rates shows


def starts(records: Sequence[Record], found: pd.DataFrame) -> Figure:
    """One row per norm and place: its accuracy from either start, and its gain over no norm there.

    Seeds as faint dots, means with 95 % intervals; the band is the margin. found: the answers.
    """
    effects = by_arms(found)
    accuracies = {arm: comparisons.final(records, arm).dropna() for arm in by_arm(records)}
    names = list(dict.fromkeys(map(row_name, sorted(accuracies, key=_has_a_norm))))
    size = (10.4, 0.42 * len(names) + 1.1)
    figure, (left, right) = plt.subplots(1, 2, figsize=size, sharey=True, width_ratios=(3, 2))
    for arm, seeds in accuracies.items():
        place = names.index(row_name(arm)) + (HALF if arm.init == "he" else -HALF)
        left.plot(seeds, [place] * len(seeds), ".", alpha=0.25, **_look(arm))
        _estimate(left, comparisons.interval(seeds.to_numpy()), place, _look(arm))
        if arm.norm == "none":
            left.axvline(seeds.mean(), color=GREY, linewidth=0.8, linestyle=":")
        else:
            row = effects[arm, Arm(init=arm.init)]
            _estimate(right, Interval(*row[["mean", "low", "high", "n"]]), place, _look(arm))
    left.set(xlabel="final test accuracy (%)")
    _rows(left, names)
    _gains(right)
    _name_the_starts(left, loc="lower left", bbox_to_anchor=(0, 1), ncols=2)
    return figure


def durations(*found: pd.DataFrame) -> Figure:
    """One row per norm and place: its gain over no norm after a short training and a long one.

    Means with 95 % intervals; the band is the margin. found: the answers of two families.
    """
    effects = {arms: row for answers in found for arms, row in by_arms(answers).items()}
    gains = {arm: row for (arm, other), row in effects.items() if not _has_a_norm(other)}
    names = list(dict.fromkeys(map(row_name, gains)))
    short, long = sorted({arm.epochs for arm in gains})
    figure, ax = plt.subplots(figsize=(8, 0.42 * len(names) + 1.1))
    for arm, row in gains.items():
        place = names.index(row_name(arm)) + (HALF if arm.epochs == long else -HALF)
        look = _look(arm) | {"fillstyle": "full" if arm.epochs == long else "none"}
        _estimate(ax, Interval(*row[["mean", "low", "high", "n"]]), place, look)
    _rows(ax, names)
    _gains(ax)
    for epochs, fill in ((short, "none"), (long, "full")):
        ax.plot([], [], "o", color=GREY, fillstyle=fill, label=f"after {epochs} epochs")
    ax.legend(fontsize="small", loc="lower left", bbox_to_anchor=(0, 1), ncols=2)
    return figure


def _rows(ax, names: Sequence[str]) -> None:
    ax.set(yticks=range(len(names)), yticklabels=names, ylim=(len(names) - 0.5, -0.5))


def _gains(ax) -> None:
    ax.axvspan(-MARGIN, MARGIN, color=BAND, linewidth=0)
    ax.axvline(0, color=GREY, linewidth=0.8)
    ax.set(xlabel="gain over no normalization (points)")


def _has_a_norm(arm: Arm) -> bool:
    return arm.norm != "none"


def _look(arm: Arm) -> dict:
    return {"color": style(arm)["color"], "fillstyle": FILLS[arm.init]}


def _estimate(ax, found: Interval, place: float, look: Mapping[str, str]) -> None:
    ax.plot([found.low, found.high], [place, place], color=look["color"], linewidth=2)
    ax.plot(found.mean, place, "o", markersize=6, **look)


def _name_the_starts(ax, **place) -> None:
    for init, start in STARTS.items():
        ax.plot([], [], "o", color=GREY, fillstyle=FILLS[init], label=f"from {start}")
    ax.legend(fontsize="small", **place)


def before_the_first_step(
    accuracies: pd.Series, first: pd.DataFrame, axes: dict[str, str]
) -> Figure:
    """Every arm's final accuracy over what it is like before its first step, a panel per measure.

    accuracies: mean by arm; first: `first_step.table` of these arms; axes: a label for each of its
    columns that is drawn. Titles give Spearman's rank correlation with its 95 % interval.
    """
    figure, panels = plt.subplots(1, len(axes), figsize=(10.4, 3.9), sharey=True)
    for ax, (measure, label) in zip(panels, axes.items(), strict=True):
        for arm, accuracy in accuracies.items():
            ax.plot(first.loc[arm, measure], accuracy, "o", markersize=7, **_look(arm))
        found = rank_correlation(first.loc[accuracies.index, measure], accuracies)
        title = f"rank correlation {comparisons.estimate(found)}"
        ax.set(xscale="log", xlabel=label, title=title)
        log_ticks(ax.xaxis, (1, 3, 6))
    panels[0].set(ylabel="final test accuracy (%)")
    _name_the_starts_and_norms(panels[-1], accuracies.index)
    return figure


def _name_the_starts_and_norms(ax, arms: Sequence[Arm]) -> None:
    for norm, arm in {SHORT.get(arm.norm, arm.mode): arm for arm in arms}.items():
        ax.plot([], [], "o", label=norm, **_look(arm) | {"fillstyle": "full"})
    _name_the_starts(ax, loc="center left", bbox_to_anchor=(1, 0.5))


def rates(records: Sequence[Record], chosen: Mapping[Arm, float]) -> Figure:
    """Validation accuracy over the learning rate: dots for seeds, lines of means, stars if chosen.

    A panel for norms of convolutions and weights, and one for those on the hidden layer, if any; no
    norm is in both. A mean below the axis stands there as a number. chosen: by arm, at any rate.
    """
    scores = sweep_errors.table(records).assign(accuracy=lambda runs: 100 - runs["error"])
    places = sorted(scores["placement"].unique())
    size = {"figsize": (10.4, 3.4), "squeeze": False}
    figure, panels = plt.subplots(1, len(places), sharex=True, sharey=True, **size)
    top = scores["accuracy"].max() + 0.2
    for ax, place in zip(panels[0], places, strict=True):
        ax.set(xscale="log", xlabel="learning rate", ylim=(top - SPAN, top))
        here = {
            arm: rate
            for arm, rate in chosen.items()
            if place == arm.placement or not _has_a_norm(arm)
        }
        for row, (arm, rate) in enumerate(here.items()):
            _draw_rates(ax, scores[scores["mode"] == arm.mode], style(arm), rate, row)
        ticks = scores["learning_rate"].unique()
        ax.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
        ax.set_xticks([], minor=True)
        ax.legend(fontsize="small", loc="lower left")
    panels[0, 0].set(ylabel="final validation accuracy (%)")
    return figure


def _draw_rates(ax, scores: pd.DataFrame, look: dict, chosen: float, row: int) -> None:
    color, low = look["color"], ax.get_ylim()[0]
    means = scores.groupby("learning_rate")["accuracy"].mean()
    ax.plot(scores["learning_rate"], scores["accuracy"], ".", alpha=0.3, color=color)
    ax.plot(means, marker="o", label=scores["mode"].iloc[0].removeprefix("our "), **look)
    ax.plot(chosen, means[chosen], "*", markersize=21 - 2 * row, color=color)
    for rate, mean in means[means < low].items():
        text = {"ha": "right", "color": color, "size": "small"}
        ax.text(rate, low + 0.05 + 0.25 * row, f"{mean:.1f} ", **text)
