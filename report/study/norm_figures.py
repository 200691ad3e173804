"""Figures of the norms as functions: what they average over, how they err, how programs part."""

from collections.abc import Sequence

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure

from normlib.arm import Arm
from report.study import comparisons
from report.study.figures import BLUE, GREY, PINK, SKY, style
from report.study.record import Record


def shared_statistics(sets: dict[str, np.ndarray], colors: Sequence[str]) -> Figure:
    """One panel per norm: which elements share the statistics of one.

    sets: by norm, a mask of shape (images, positions, channels); colors: in their order.
    """
    figure, axes = plt.subplots(1, len(sets), figsize=(10.4, 1.9), sharey=True)
    for ax, (norm, mask), color in zip(axes, sets.items(), colors, strict=True):
        count, positions, channels = mask.shape
        apart = np.full((count, channels, positions + 1), np.nan)  # a gap behind each channel
        apart[..., :-1] = mask.transpose(0, 2, 1)
        cells = apart.reshape(count, -1)[:, :-1]
        look = {"cmap": ListedColormap(["#dddddd", color]), "edgecolors": "white", "linewidth": 1}
        ax.pcolormesh(np.ma.masked_invalid(cells), vmin=0, vmax=1, **look)
        middles = positions / 2 + (positions + 1) * np.arange(channels)
        ax.set(title=norm, xlabel="channel", xticks=middles, xticklabels=range(1, channels + 1))
        ax.set(yticks=np.arange(count) + 0.5, yticklabels=range(1, count + 1))
        ax.tick_params(length=0)
        sns.despine(ax=ax, left=True, bottom=True)
    axes[0].set(ylabel="image")
    axes[0].invert_yaxis()
    figure.get_layout_engine().set(w_pad=0.12)
    return figure


def by_offset(panels: dict[str, pd.DataFrame]) -> Figure:
    """A log-log panel for each type: error over input offset, a line for each implementation."""
    colors = {"ours": BLUE, "Keras": SKY, "Keras, synchronized": PINK}
    figure, axes = plt.subplots(1, len(panels), figsize=(10.4, 4), sharey=True)
    for ax, (title, errors) in zip(axes, panels.items(), strict=True):
        for name, line in errors.items():
            ax.loglog(line[line > 0], "o-", color=colors.get(name, GREY), label=name, markersize=4)
        ax.set(title=title, xlabel="input offset (standard deviations)")
    axes[0].set(ylabel="largest error of the output")
    axes[0].legend(fontsize="small")
    return figure


def distances(
    records: Sequence[Record], panels: dict[str, dict[str, tuple[Arm, Arm]]], steps: int
) -> Figure:
    """How far the losses of two arms with the same seed lie apart, in the first steps.

    panels: the pairs by their label, by the title of their panel. Thin: seeds; thick: their mean.
    """
    figure, axes = plt.subplots(1, len(panels), figsize=(10.4, 3.6), sharey=True, squeeze=False)
    for ax, (title, pairs) in zip(axes.flat, panels.items(), strict=True):
        for label, (arm, other) in pairs.items():
            gaps = comparisons.loss_distance(records, arm, other).loc[:steps]
            ax.plot(gaps, linewidth=0.6, alpha=0.5, **style(arm))
            ax.plot(gaps.mean(axis=1), linewidth=2, label=label, **style(arm))
        ax.set(title=title, xlabel="step")
        ax.set_yscale("symlog", linthresh=1e-7)
        ax.legend(fontsize="small")
    axes.flat[0].set(ylabel="distance of losses (nats)")
    return figure
