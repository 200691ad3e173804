"""Figures of what probes measured: lengths of weights, sharpness, the loss along the gradient."""

from collections.abc import Sequence

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.figure import Figure

from normlib.arm import Arm
from report.study import figures, probe_results
from report.study.arms import NONE
from report.study.record import Record

STEP = "step (minibatches of 100 images)"


def lengths(records: Sequence[Record]) -> Figure:
    """One column per kernel: (g / norm(v))**2 with WN above, and the length of w and of v below."""
    found = probe_results.measured(records)
    figure, axes = plt.subplots(
        2, len(probe_results.KERNELS), figsize=(10.4, 5.6), sharex=True, squeeze=False
    )
    for (above, below), kernel in zip(axes.T, probe_results.KERNELS, strict=True):
        above.axhline(1, color="black", linewidth=0.8)
        for arm, rows in _arms(found):
            _ratio(above, arm, rows, kernel)
            _lengths(below, arm, rows, kernel)
        above.sharey(axes[0, 0])
        above.set(title=f"{kernel} kernel", ylim=(0, None))
        below.set(xlabel=STEP, xlim=(0, found["step"].max()), ylim=(0, 1.1 * below.get_ylim()[1]))
    axes[0, 0].set(ylabel="(g / ‖v‖)²")
    axes[1, 0].set(ylabel="length of the whole kernel")
    axes[1, 1].legend(fontsize="x-small", loc="lower left")
    return figure


def _arms(found: pd.DataFrame) -> list[tuple[Arm, pd.DataFrame]]:
    return list(found.groupby("arm", sort=False))


def _ratio(ax, arm: Arm, rows: pd.DataFrame, kernel: str) -> None:
    if arm.norm != "weight":
        return
    mean = rows.groupby("step").mean(numeric_only=True)
    units = (mean[f"{kernel} {end} ratio"] for end in ("lowest", "highest"))
    ax.fill_between(mean.index, *units, color=figures.style(arm)["color"], alpha=0.2, linewidth=0)
    _draw(ax, arm, rows, f"{kernel} ratio")


def _lengths(ax, arm: Arm, rows: pd.DataFrame, kernel: str) -> None:
    _draw(ax, arm, rows, f"{kernel} w")
    if arm.norm == "weight":
        v = rows.groupby("step")[f"{kernel} v"].mean()
        ax.plot(v, ":", color=figures.style(arm)["color"], linewidth=1.6)


def _draw(ax, arm: Arm, rows: pd.DataFrame, column: str) -> None:
    curves = rows.pivot(index="step", columns="seed", values=column)
    figures.draw_seeds_and_mean(ax, arm, curves)


def sharpness(records: Sequence[Record]) -> Figure:
    """The Hessian's largest eigenvalue against the step, with the stability threshold."""
    figure, ax = plt.subplots(figsize=(8, 3.5))
    for arm, rows in _arms(probe_results.measured(records)):
        _draw(ax, arm, rows, "sharpness")
    ax.axhline(probe_results.threshold(records[0].arm), color="black", linewidth=0.8)
    ax.set(xlabel=STEP, ylabel="largest eigenvalue of the Hessian")
    _logarithmic(ax)
    ax.legend(fontsize="small", loc="upper left", bbox_to_anchor=(1, 1))
    return figure


def _logarithmic(ax) -> None:
    ax.set_yscale("log")
    figures.log_ticks(ax.yaxis)


BANDS = {
    "loss": ("lowest loss", "highest loss", "loss along the line (nats)"),
    "change": ("lowest change", "highest change", "change of the gradient\n(relative)"),
}


def predictiveness(records: Sequence[Record]) -> Figure:
    """One column per norm, in its colour, none in grey: bands of loss and of change, smoothness."""
    found = probe_results.along_gradient(records)
    norms = [(arm, rows) for arm, rows in _arms(found) if arm != NONE]
    figure, axes = plt.subplots(
        3, len(norms), figsize=(10.4, 6.4), sharex=True, sharey="row", squeeze=False
    )
    for column, (arm, rows) in zip(axes.T, norms, strict=True):
        _against_none(column, arm, rows, found[found["arm"] == NONE])
    labels = [*(label for *_, label in BANDS.values()), "effective β-smoothness"]
    for ax, label in zip(axes[:, 0], labels, strict=True):
        ax.set(ylabel=label)
        _logarithmic(ax)
    return figure


def _against_none(column, arm: Arm, rows: pd.DataFrame, none: pd.DataFrame) -> None:
    for each, of_arm in ((NONE, none), (arm, rows)):
        for ax, (low, high, _) in zip(column, BANDS.values(), strict=False):
            mean = of_arm.groupby("step")[[low, high]].mean()
            color = figures.style(each)["color"]
            ax.fill_between(mean.index, mean[low], mean[high], color=color, alpha=0.45, linewidth=0)
        _draw(column[2], each, of_arm, "smoothness")
    column[0].set(title=arm.label)
    column[2].set(xlabel=STEP)
    column[2].legend(fontsize="x-small")
