"""Figures of what `lab.py bench` measured: steps against peers, their parts, how they grow."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from report.study import archive, figures

NORMS = {"none": "none", "WN": "weight", "BN": "batch", "LN": "layer", "LN per channel": "layer"}
PEER = "#cccccc"
PARTS = {  # shades of grey
    "convolution": 0.75, "dense layers": 0.6, "pooling": 0.45, "momentum": 0.3, "rest": 0.15,
}  # fmt: skip


def color(arm: str) -> str:
    """Of an arm as the tables name it: "BN" is the plain one, "BN, free" the shortcut."""
    norm, *shortcut = arm.split(", ")
    return figures.COLORS[NORMS[norm], "free" if shortcut else "ours"]


def read(name: str = "") -> pd.DataFrame:
    """The committed table of the benchmark: "", "sweep", "targets", "parts", "scaling" …"""
    file = "-".join(filter(None, ["benchmark", name]))
    return pd.read_csv(archive.ROOT / "tables" / f"{file}.csv")


def against_peers(table: pd.DataFrame) -> Figure:
    """One panel a norm: median milliseconds a step by contender, with lowest and highest block."""
    norms = list(dict.fromkeys(table["norm"]))
    figure, axes = plt.subplots(-(-len(norms) // 3), 3, figsize=(10.4, 4.2), sharex=True)
    for ax, norm in zip(axes.flat, norms, strict=False):
        _bars(ax, norm, table[table["norm"] == norm].dropna(subset=["lowest"]))
    for empty in axes.flat[len(norms) :]:
        empty.remove()
    axes.flat[0].set(xlim=(0, None))
    figure.supxlabel("milliseconds per step (minibatches of 100 images)", fontsize="medium")
    return figure


def _bars(ax, norm: str, rows: pd.DataFrame) -> None:
    rows = rows[rows["times ours"].fillna(0) < 20]  # another scale; the text says it
    median = rows.filter(like="median").iloc[:, 0]
    colors = [
        color(name.replace("ours", norm)) if name.startswith("ours") else PEER
        for name in rows["contender"]
    ]
    spread = [median - rows["lowest"], rows["highest"] - median]
    ax.barh(rows["contender"], median, color=colors, xerr=spread, ecolor="black", height=0.7)
    ax.set_title(norm, loc="left", fontweight="bold")
    ax.tick_params(labelbottom=True)
    ax.invert_yaxis()


def parts(table: pd.DataFrame) -> Figure:
    """One bar an arm: the milliseconds of each part of a step, the norm in the arm's colour."""
    wide = table.pivot_table(index="arm", columns="part", values="ms", sort=False).fillna(0)
    shades = {part: shade for part, shade in PARTS.items() if part in wide}
    figure, ax = plt.subplots(figsize=(10.4, 0.36 * len(wide) + 1.2))
    left = np.zeros(len(wide))
    for part, shade in shades.items():
        ax.barh(wide.index, wide[part], left=left, color=str(1 - shade), label=part)
        left += wide[part].to_numpy()
    ax.barh(wide.index, wide["norm"], left=left, color=[color(arm) for arm in wide.index])
    ax.plot([], "s", color="white", markeredgecolor=figures.GREY, label="norm, in its colour")
    ax.set(xlabel="milliseconds per step, one thread")
    ax.invert_yaxis()
    figure.legend(fontsize="small", ncols=3, loc="outside lower center")
    return figure


def scaling(table: pd.DataFrame) -> Figure:
    """Time per image against the batch size, and time per epoch against the number of images."""
    figure, axes = plt.subplots(1, 2, figsize=(10.4, 4))
    panels = [("batch size", "µs per image"), ("images", "seconds per epoch")]
    for ax, (varied, cost) in zip(axes, panels, strict=True):
        for norm, rows in table[table["varied"] == varied].groupby("norm", sort=False):
            ax.loglog(rows[varied], rows[cost], "o-", color=color(norm), label=norm, markersize=4)
        ax.set(xlabel=varied, ylabel=cost)
    axes[0].legend(fontsize="small")
    return figure
