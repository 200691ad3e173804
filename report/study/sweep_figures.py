"""One function per figure of the exploratory sweeps: final test errors against what was varied.

Everywhere: every seed a small dot, the mean a large one, its 95 % interval (Student's t) a line. A
run that diverged counts as a guess, and how many did stands above the axes.
"""

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullLocator
from scipy.stats import t

from normlib.arm import SHORT, VALID, Arm
from report.study import figures, sweep_errors
from report.study.record import Record

ERROR = "final test error (%)"
STATISTICS = {  # how BN was scored, as axes and legends say it
    "running": "moving statistics", "re-estimated": "re-estimated", "batch": "test batches of 100",
    "batch of 10": "test batches of 10", "batch of 1": "test batches of 1",
    "one class": "test batches of one class",
}  # fmt: skip
DASHES = {"batch": {"linestyle": ":"}, "re-estimated": {"linestyle": "-."}}
INITS = {"normal": "N(0, 0.1²) weights", "he": "He initialization"}
ORDERS = {"full": "trained shuffled", "sorted": "trained on minibatches of one class"}


def against(
    records: Sequence[Record], setting: str, xlabel: str, stars: Mapping[str, float] = {}
) -> Figure:
    """Error against a setting, one line per mode and way of scoring.

    stars: for a mode, the value of the setting that has a star.
    """
    figure, ax = plt.subplots(figsize=(10.4, 3.4))
    groups = _groups(records, "mode", "evaluation")
    for place, (arm, runs) in enumerate(groups):
        beside = 1.04 ** (place - len(groups) / 2)  # each other, not upon
        look = figures.style(arm) | DASHES.get(arm.evaluation, {}) | {"label": _name(arm, groups)}
        means = _seeds_means_intervals(ax, runs[setting] * beside, runs["error"], look)
        if arm.mode in stars:
            x = stars[arm.mode] * beside
            ax.plot(x, means[x], "*", markersize=17, color=look["color"])
    runs = sweep_errors.table(records)
    _say_diverged(ax, runs, setting)
    ax.set(xlabel=xlabel, xscale="log", yscale="log")
    ax.set(ylabel=ERROR.replace("test", runs["scored_on"].iloc[0]))
    values = runs[setting].unique()
    ax.set_xticks(values, [f"{value:g}" for value in values], fontsize="small")
    ax.set_xticks([], minor=True)
    ax.set_ylim(top=min(100, ax.get_ylim()[1]))
    _plain_ticks(ax.yaxis)
    ax.legend(fontsize="small")
    return figure


def _groups(records: Sequence[Record], *settings: str) -> list[tuple[Arm, pd.DataFrame]]:
    """The runs of each combination of these settings, with the first arm that has it."""
    runs = sweep_errors.table(records).assign(arm=[record.arm for record in records])
    return [(group["arm"].iloc[0], group) for _, group in runs.groupby(list(settings), sort=False)]


def _name(arm: Arm, groups: Sequence[tuple[Arm, pd.DataFrame]]) -> str:
    several = len({other.evaluation for other, _ in groups}) > 1
    told = several and arm.norm == "batch"
    return f"{arm.mode}, {STATISTICS[arm.evaluation]}" if told else arm.mode


def _seeds_means_intervals(ax, x: pd.Series, errors: pd.Series, look: dict) -> pd.Series:
    found = _intervals(errors, x)
    ax.plot(x, errors, "o", markersize=2.5, alpha=0.5, color=look["color"])
    ax.errorbar(found.index, found["mean"], found["half"], marker="o", capsize=2, **look)
    return found["mean"]


def _intervals(errors: pd.Series, by: pd.Series) -> pd.DataFrame:
    found = errors.groupby(by).agg(["mean", "sem", "count"])
    return found.assign(half=t.ppf(0.975, found["count"] - 1) * found["sem"])


def _say_diverged(ax, runs: pd.DataFrame, setting: str) -> None:
    found = runs.groupby(["mode", setting], sort=False)
    counts = found["diverged"].agg(["sum", "count"]).query("sum > 0")
    looks = runs.groupby("mode")[["norm", "implementation"]].first()
    for row, (mode, of_mode) in enumerate(counts.groupby("mode", sort=False)):
        look = {"color": figures.COLORS[tuple(looks.loc[mode])], "fontsize": "small"}
        height = 1.03 + 0.05 * row
        for (_, value), (diverged, count) in of_mode.iterrows():
            place = {"transform": ax.get_xaxis_transform(), "ha": "center"}
            ax.text(value, height, f"{diverged}/{count}", **place, **look)
        ax.text(1.01, height, f"{mode}, diverged", transform=ax.transAxes, **look)


def _plain_ticks(axis) -> None:
    axis.set_major_locator(LogLocator(subs=(1, 1.2, 1.5, 2, 2.5, 3, 4, 5, 7, 9), numticks=99))
    axis.set_major_formatter("{x:g}")
    axis.set_minor_locator(NullLocator())


def places(records: Sequence[Record]) -> Figure:
    """Error after the convolution and on the hidden layer; one panel per initialization."""
    figure, axes = plt.subplots(1, len(INITS), figsize=(9.6, 4.2), sharey=True)
    for ax, (init, title) in zip(axes, INITS.items(), strict=True):
        chosen = [record for record in records if record.arm.init == init]
        for number, (arm, runs) in enumerate(_groups(chosen, "norm", "relu")):
            _draw_place(ax, arm, runs, 0.03 * number)
        ax.set(xticks=(0, 1), xticklabels=("convolution", "hidden layer"), xlim=(-0.3, 1.4))
        ax.set(xlabel="place of the norm", title=title)
    axes[0].set(ylabel=ERROR)
    axes[-1].legend(fontsize="small", loc="center left", bbox_to_anchor=(1, 0.5))
    return figure


def _draw_place(ax, arm: Arm, runs: pd.DataFrame, shift: float) -> None:
    look = {"color": figures.style(arm)["color"], "linestyle": "-"}
    if arm.norm == "none":  # at no place: drawn across
        runs = pd.concat([runs, runs.assign(placement="hidden")])
        look |= {"label": arm.mode, "linestyle": ":"}
    else:
        norm = SHORT[arm.norm]
        orders = {"after": (f"{norm}, then ReLU", "-"), "before": (f"ReLU, then {norm}", "--")}
        look |= dict(zip(("label", "linestyle"), orders[arm.relu], strict=True))
    x = runs["placement"].map({"conv": 0, "hidden": 1}) + shift
    _seeds_means_intervals(ax, x, runs["error"], look)


def scorings(records: Sequence[Record]) -> Figure:
    """Error of each mode and way of scoring, a row each; one panel per order of minibatches."""
    return _panels(records, "shuffle", ORDERS, sharex=True)


def datasets(records: Sequence[Record]) -> Figure:
    """Error of each mode, a row each; one panel per data set, with an axis of its own."""
    return _panels(records, "dataset", {name: name for name in VALID["dataset"]}, sharex=False)


def _panels(records: Sequence[Record], setting: str, titles: dict, sharex: bool) -> Figure:
    parts = {value: [r for r in records if getattr(r.arm, setting) == value] for value in titles}
    parts = {value: part for value, part in parts.items() if part}
    rows = len(_groups(next(iter(parts.values())), "mode", "evaluation"))
    size = (5 + 2.5 * len(parts), 1 + 0.4 * rows)
    figure, axes = plt.subplots(
        1, len(parts), figsize=size, sharex=sharex, sharey=True, squeeze=False
    )
    for ax, (value, part) in zip(axes[0], parts.items(), strict=True):
        _draw_rows(ax, part)
        ax.set(title=titles[value] if len(parts) > 1 else "")
    return figure


def _draw_rows(ax, records: Sequence[Record]) -> None:
    groups = _groups(records, "mode", "evaluation")
    for row, (arm, runs) in enumerate(groups):
        color = figures.style(arm)["color"]
        errors, place = runs["error"], pd.Series(row, runs.index)
        bar = _intervals(errors, place).loc[row]
        ax.plot(errors, place, "o", color=color, markersize=3, alpha=0.5)
        ax.errorbar(bar["mean"], row, xerr=bar["half"], marker="o", capsize=3, color=color)
    ax.set(xscale="log", xlabel=ERROR, yticks=range(len(groups)))
    ax.set(yticklabels=[_name(arm, groups) for arm, _ in groups])
    ax.set(ylim=(len(groups) - 0.5, -0.5))
    _plain_ticks(ax.xaxis)


def row_readers(records: Sequence[Record]) -> Figure:
    """The recurrent network: minibatch loss against steps, and final errors."""
    figure, (left, right) = plt.subplots(1, 2, figsize=(11, 4), width_ratios=(3, 2))
    figures.draw_losses(left, records, window=10)
    _draw_rows(right, records)
    return figure
