"""Figures of the claims: they draw rows of the ledger, and the lottery."""

import textwrap

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from report.study.arms import REPORTED
from report.study.claims.book import ARMS, CLAIMS, Claim
from report.study.comparisons import minus
from report.study.figures import BLUE, GREY, style
from report.study.replication_lottery import MODES

BAND = "#dedede"
WORDS = {"bn": "BN", "ln": "LN", "wn": "WN", "keras": "Keras", "he": "He"}
FORMS = {"difference": "{} - {}", "interaction": "({} - {}) - ({} - {})"}
SINGLE = {name: REPORTED[arm] for name, arm in ARMS.items() if arm in REPORTED}
SINGLE |= dict(zip(MODES, REPORTED.values(), strict=True))


def forest(ledger: pd.DataFrame) -> Figure:
    """One row per claim, one panel per unit: effect, 95 % interval, and the margin as a band.

    At the right its verdict; diamonds are the differences of the published single runs.
    """
    panels = [rows for _, rows in ledger.groupby("unit", sort=False)]
    heights = [len(rows) for rows in panels]
    size = (10.4, 0.32 * sum(heights) + 0.8 * len(panels))
    figure, axes = plt.subplots(len(panels), 1, figsize=size, squeeze=False, height_ratios=heights)
    for ax, rows in zip(axes[:, 0], panels, strict=True):
        _panel(ax, rows)
    return figure


def _panel(ax, rows: pd.DataFrame) -> None:
    places = range(len(rows))
    ax.barh(places, 2 * rows["margin"], 1, left=-rows["margin"], color=BAND, linewidth=0)
    ax.axvline(0, color=GREY, linewidth=0.8)
    for place, (_, row) in zip(places, rows.iterrows(), strict=True):
        _estimate(ax, place, row)
        ax.text(
            1.02, place, row["verdict"], transform=ax.get_yaxis_transform(), va="center", size=10
        )
    ax.set(yticks=places, yticklabels=map(_label, rows["id"], rows["n"]))
    ax.xaxis.set_major_locator(MaxNLocator(5))
    ax.set(xlabel=f"difference ({rows['unit'].iloc[0]})", ylim=(len(rows) - 0.5, -0.5))


def _estimate(ax, place: int, row: pd.Series) -> None:
    claim = CLAIMS[row["id"]]
    color = style(ARMS[claim.arms[0]])["color"]
    ax.plot([row["low"], row["high"]], [place, place], color=color, linewidth=2)
    ax.plot(row["mean"], place, "o", color=color, markersize=6)
    if _is_published(claim):
        a, b = (SINGLE[name] for name in claim.arms)
        ax.plot(a - b, place, "D", color="black", fillstyle="none", markersize=6)


def _is_published(claim: Claim) -> bool:
    plain = claim.statistic == "difference" and claim.metric == "test_accuracy"
    return plain and not claim.rates and set(claim.arms) <= set(SINGLE)


def _label(name: str, n: int | str) -> str:
    claim = CLAIMS[name]
    arms = minus(FORMS[claim.statistic].format(*map(_in_words, claim.arms)))
    rates = " at best rates" if claim.rates else ""
    return f"{name}: {arms}{rates}, n = {n}"


def _in_words(arm: str) -> str:
    return " ".join(WORDS.get(word, word) for word in arm.split("_"))


def shares(draws: pd.DataFrame) -> Figure:
    """Bars of how often each sentence of the replication lottery holds, a tick where chance is."""
    figure, ax = plt.subplots(figsize=(9, 0.54 * len(draws) + 0.9))
    places = range(len(draws))
    percent = 100 * draws[["share of draws", "chance"]]
    ax.barh(places, percent["share of draws"], 0.6, color=BLUE, alpha=0.6, linewidth=0)
    for place, share, right in zip(
        places, percent["share of draws"], percent.max(axis=1), strict=True
    ):
        ax.text(right + 1.5, place, f"{share:.2g}", va="center", fontsize="small")
    ax.vlines(percent["chance"], [p - 0.42 for p in places], [p + 0.42 for p in places],
              color="black", linewidth=2)  # fmt: skip
    ax.set(yticks=places, yticklabels=[textwrap.fill(s, 62) for s in draws["sentence"]])
    ax.set(xlabel="draws in which the sentence holds (%)", xlim=(0, 100))
    ax.invert_yaxis()
    return figure


def accuracy_by_error(ledger: pd.DataFrame, errors: dict[str, float]) -> Figure:
    """Each claim's difference in test accuracy against its first arm's error of the gradient.

    The band is the largest of the claims' margins.
    """
    figure, ax = plt.subplots(figsize=(7.5, 3.2))
    margin = ledger["margin"].max()
    ax.axhspan(-margin, margin, color=BAND, linewidth=0)
    ax.axhline(0, color=GREY, linewidth=0.8)
    for _, row in ledger.iterrows():
        x = 100 * errors[row["id"]]
        ax.plot([x, x], [row["low"], row["high"]], color=BLUE, linewidth=2)
        ax.plot(x, row["mean"], "o", color=BLUE, markersize=7)
        name = ARMS[CLAIMS[row["id"]].arms[0]].backward.replace(" ", "\n")
        ax.text(x, 1.02, name, transform=ax.get_xaxis_transform(), ha="center", va="bottom")
    ax.margins(0.2)
    ax.set(xlabel="error of the kernel's gradient (% of its length)", xlim=(0, None))
    ax.set(ylabel="difference in test accuracy (points)")
    return figure
