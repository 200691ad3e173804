"""One function per kind of figure, which returns it; `display.py` shows and saves them.

`draw_...` draw on given axes. No function trains. Importing this module sets the lab's Matplotlib
style.
"""

from collections.abc import Iterable, Sequence

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator

from normlib import data
from normlib.arm import Arm
from report.study import comparisons
from report.study.arms import REPORTED
from report.study.record import Record

sns.set_theme(context="notebook", style="ticks", rc={
    "figure.constrained_layout.use": True, "axes.spines.top": False, "axes.spines.right": False,
    "legend.frameon": False, "svg.hashsalt": "normlib", "figure.dpi": 100,
})  # fmt: skip

# One colour per method everywhere, of the colour-blind palette; ours dark, TensorFlow's light.
GREY, BLUE, SKY = "#555555", "#0173b2", "#56b4e9"
ORANGE, YELLOW, GREEN, PINK = "#d55e00", "#de8f05", "#029e73", "#cc78bc"
BROWN, OLIVE, NAVY, CRIMSON = "#8c564b", "#8a9a2b", "#1b2a5e", "#a3123a"
VIOLET = "#7b4ea3"
# By the shortcut: lighter.
SILVER, LAVENDER, PEACH, MINT = "#808080", "#a497e0", "#f7b58a", "#7cc9a9"
COLORS = {
    ("none", "ours"): GREY,
    ("batch", "ours"): BLUE,
    ("batch", "keras"): SKY,
    ("batch", "published"): BROWN,
    ("none", "free"): SILVER,
    ("batch", "free"): LAVENDER,
    ("layer", "free"): PEACH,
    ("weight", "free"): MINT,
    ("batch", "shared"): NAVY,
    ("layer", "ours"): ORANGE,
    ("layer", "keras"): YELLOW,
    ("group", "ours"): VIOLET,
    ("weight", "ours"): GREEN,
    ("weight", "published"): OLIVE,
    ("rms", "ours"): CRIMSON,
    ("own", "ours"): PINK,
}
AXIS = {
    "train_accuracy": "training accuracy (%)",
    "test_accuracy": "test accuracy (%)",
    "train_loss": "training loss (nats)",
    "test_loss": "test loss (nats)",
}


def style(arm: Arm) -> dict:
    """The arm's colour; dashes: hidden layer, or one norm for all rows; dots: a moved weight."""
    dashed = arm.placement == "hidden" or arm.implementation == "shared"
    line = ":" if arm.ulps else "--" if dashed else "-"
    return {"color": COLORS[arm.norm, arm.implementation], "linestyle": line}


def per_epoch(records: Sequence[Record], *metrics: str) -> Figure:
    """One panel per metric against epochs: every seed faint, their mean thick with its interval."""
    figure, axes = plt.subplots(1, len(metrics), figsize=(5.2 * len(metrics) + 1, 4), squeeze=False)
    for ax, metric in zip(axes[0], metrics, strict=True):
        for arm, runs in by_arm(records).items():
            curves = {run.seed: getattr(run, metric) for run in runs}
            draw_metric(ax, arm, pd.DataFrame(curves), metric)
        epochs = range(1, max(len(record.test_loss) for record in records) + 1)
        ax.set(xlabel="epoch", ylabel=AXIS[metric], xticks=epochs)
    axes[0, -1].legend(loc="best", fontsize="small")
    return figure


def draw_metric(ax, arm: Arm, curves: pd.DataFrame, metric: str) -> None:
    """An arm's metric against epochs, one row per epoch and a column per seed."""
    curves = curves.set_index(curves.index + 1) * (100 if metric.endswith("accuracy") else 1)
    draw_seeds_and_mean(ax, arm, curves)
    if metric == "test_accuracy" and arm in REPORTED:
        place = curves.index[-1] + 0.12
        ax.plot(place, REPORTED[arm], "D", markersize=6, color=style(arm)["color"])


def _width(arm: Arm) -> float:
    """Of a mean's line: Keras's is thin, since ours lies under it."""
    return 1.2 if arm.implementation == "keras" else 2.8


FEW = 10  # seeds, up to which each is a line that can be followed


def draw_seeds_and_mean(ax, arm: Arm, curves: pd.DataFrame) -> None:
    """Every seed, a column of the curves, thin, and their mean thick, against the index.

    More than FEW seeds are faint, and a band is the 95 % interval of their mean.
    """
    many = curves.shape[1] > FEW
    ax.plot(curves, linewidth=0.8, alpha=0.12 if many else 0.45, **style(arm))
    ax.plot(curves.mean(axis=1), linewidth=_width(arm), label=arm.label, **style(arm))
    if many:
        ends = curves.apply(comparisons.interval, axis=1)
        low, high = ([getattr(end, name) for end in ends] for name in ("low", "high"))
        ax.fill_between(curves.index, low, high, color=style(arm)["color"], alpha=0.35, linewidth=0)


def per_step(records: Sequence[Record]) -> Figure:
    """Minibatch loss every 10 steps: a running mean of the seeds' mean; a few seeds faint."""
    figure, ax = plt.subplots(figsize=(8, 4))
    draw_losses(ax, records, window=3)
    ax.legend(fontsize="small")
    return figure


def draw_losses(ax, records: Sequence[Record], window: int) -> None:
    """On these axes what `per_step` draws."""
    for arm, runs in by_arm(records).items():
        losses = np.array([run.loss_every_10 for run in runs])
        steps = 10 * np.arange(losses.shape[1])
        mean = pd.Series(losses.mean(0)).rolling(window, min_periods=1).mean()
        if len(losses) <= FEW:
            ax.plot(steps, losses.T, linewidth=0.4, alpha=0.25, **style(arm))
        ax.plot(steps, mean, linewidth=_width(arm), label=arm.label, **style(arm))
    ax.set(xlabel="step (minibatches of 100 images)", ylabel="training loss (nats)", yscale="log")
    log_ticks(ax.yaxis)


def log_ticks(axis, multiples: Sequence[float] = (1, 2, 5)) -> None:
    """Label these multiples of the powers of ten, as plain numbers."""
    axis.set_major_locator(LogLocator(subs=multiples))
    axis.set_major_formatter("{x:g}")
    axis.set_minor_formatter("")


def over_archive(run: Record, records: Sequence[Record]) -> Figure:
    """A run's minibatch losses over those of archived runs: of each arm the range of its seeds."""
    figure, ax = plt.subplots(figsize=(8, 4))
    steps = len(run.loss_every_10)
    for arm, runs in by_arm(records).items():
        curves = _smooth(r.loss_every_10[:steps] for r in runs)
        low, high = curves.quantile(0.05, axis=1), curves.quantile(0.95, axis=1)
        label = f"{arm.label}, nine of ten seeds"
        ax.fill_between(curves.index, low, high, alpha=0.3, label=label, color=style(arm)["color"])
    label = f"{run.arm.label}, seed {run.seed}, here"
    ax.plot(_smooth([run.loss_every_10]), color="black", linewidth=1.8, label=label)
    ax.set(xlabel="step (minibatches of 100 images)", ylabel="training loss (nats)", yscale="log")
    ax.legend(fontsize="small")
    plt.close(figure)  # or a notebook would show it twice
    return figure


def _smooth(losses: Iterable[Sequence[float]]) -> pd.DataFrame:
    """Running means of five losses, taken every 10 steps, a column per run."""
    columns = pd.DataFrame(losses).T.rolling(5, min_periods=1).mean()
    return columns.set_index(10 * columns.index)


def final_accuracies(records: Sequence[Record]) -> Figure:
    """One row per arm: seeds as dots, their mean and 95 % interval, published runs as diamonds."""
    arms = list(by_arm(records))
    figure, ax = plt.subplots(figsize=(8, 0.7 * len(arms) + 1))
    for row, arm in enumerate(arms):
        _seeds_over_mean(ax, row, comparisons.final(records, arm), style(arm)["color"])
        if arm in REPORTED:
            ax.plot(REPORTED[arm], row, "D", color="black", markersize=7, fillstyle="none")
    ax.set(yticks=range(len(arms)), yticklabels=[arm.label for arm in arms])
    ax.set(xlabel="final test accuracy (%)", ylabel=None, ylim=(len(arms) - 0.4, -0.6))
    return figure


def _seeds_over_mean(ax, row: int, seeds: pd.Series, color: str) -> None:
    dots = {"native_scale": True, "alpha": 0.55, "size": 4}
    sns.swarmplot(x=seeds, y=row, orient="h", color=color, ax=ax, **dots)
    mean, below = comparisons.interval(seeds.to_numpy()), row + 0.37
    ax.plot([mean.low, mean.high], [below, below], color=color, linewidth=3)
    ax.plot(mean.mean, below, "|", color=color, markersize=9)


def classes(images: data.Dataset) -> Figure:
    """A row of twelve training images for each class."""
    figure, axes = plt.subplots(1, 1, figsize=(7.4, 5.4))
    rows = [images.train_images[images.train_labels == label][:12] for label in range(10)]
    mosaic = np.concatenate([np.concatenate(list(row[..., 0]), 1) for row in rows])
    axes.imshow(mosaic, cmap="gray_r", interpolation="nearest")
    axes.set(xticks=[], yticks=14 + 28 * np.arange(10), yticklabels=data.CLASS_NAMES)
    axes.tick_params(length=0)
    sns.despine(ax=axes, left=True, bottom=True)
    return figure


def by_arm(records: Iterable[Record]) -> dict[Arm, list[Record]]:
    """The records of each arm that did not diverge, in the order they came."""
    found: dict[Arm, list[Record]] = {}
    for record in records:
        if record.diverged is None:
            found.setdefault(record.arm, []).append(record)
    return found
