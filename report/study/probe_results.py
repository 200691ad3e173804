"""What was measured on the way of training (see `probes.py`), in numbers and tables.

Exploratory: none of them decides a claim.
"""

from collections.abc import Iterable
from dataclasses import replace

import numpy as np
import pandas as pd

from normlib.arm import Arm
from report.study import comparisons
from report.study.arms import NONE
from report.study.comparisons import Interval
from report.study.record import Record

KERNELS = ("conv", "hidden", "output")


def plain(arm: Arm) -> Arm:
    """The arm without its probe and on all images: what its label should say."""
    return replace(arm, probe="", examples=Arm.examples, epochs=Arm.epochs)


def measured(records: Iterable[Record]) -> pd.DataFrame:
    """One row per measurement: the plain arm, seed, step, and what the probe found."""
    return pd.DataFrame([
        {"arm": plain(record.arm), "seed": record.seed} | row
        for record in records
        for row in record.telemetry
    ])  # fmt: skip


def along_gradient(records: Iterable[Record]) -> pd.DataFrame:
    """One row per measurement of `predictiveness`: extremes along the line, and smoothness.

    lowest and highest loss, w itself included; lowest and highest change of the gradient;
    smoothness = max(change m / (m * learning_rate)), the effective beta-smoothness
    """
    found = measured(records)
    losses, changes = found.filter(regex="^loss"), found.filter(regex="^change")
    multiples = changes.columns.str.removeprefix("change ").astype(float).to_numpy()
    distance = multiples * np.array([[arm.learning_rate] for arm in found["arm"]])
    return found[["arm", "seed", "step"]].assign(**{
        "lowest loss": losses.min(axis=1),
        "highest loss": losses.max(axis=1),
        "lowest change": changes.min(axis=1),
        "highest change": changes.max(axis=1),
        "smoothness": (changes / distance).max(axis=1),
    })  # fmt: skip


def last(found: pd.DataFrame, arm: Arm, column: str) -> pd.Series:
    """The arm's last measured value by seed."""
    return found[found["arm"] == arm].groupby("seed")[column].last()


def farthest_from_one(found: pd.DataFrame, arm: Arm) -> dict[str, float]:
    """How far the squared ratio of g and ‖v‖, its mean over units, ever was from 1, by kernel."""
    rows = found[found["arm"] == arm]
    return {kernel: (rows[f"{kernel} ratio"] - 1).abs().max() for kernel in KERNELS}


def lengths_over_none(found: pd.DataFrame, arm: Arm) -> dict[str, Interval]:
    """The logarithm of w's length at the end, less that without a norm, by kernel."""
    return {
        kernel: comparisons.paired(*(np.log(last(found, a, f"{kernel} w")) for a in (arm, NONE)))
        for kernel in KERNELS
    }


def kernel_table(records: Iterable[Record]) -> pd.DataFrame:
    """One row per WN and kernel: the squared ratio of g and ‖v‖, and the length w ends with."""
    found = measured(records)
    arms = [arm for arm in dict.fromkeys(found["arm"]) if arm != NONE]
    return pd.DataFrame([row for arm in arms for row in _kernels(found, arm)])


def _kernels(found: pd.DataFrame, arm: Arm) -> list[dict]:
    rows, farthest = found[found["arm"] == arm], farthest_from_one(found, arm)
    lengths = lengths_over_none(found, arm)

    def units(kernel: str) -> float:
        highest, lowest = (
            rows[f"{kernel} highest ratio"].max(),
            rows[f"{kernel} lowest ratio"].min(),
        )
        return max(highest - 1, 1 - lowest)

    return [
        {
            "norm": arm.mode,
            "kernel": kernel,
            "squared ratio, mean over units: deviation from 1": f"{100 * farthest[kernel]:.1f} %",
            "largest deviation of a single unit": f"{100 * units(kernel):.1f} %",
            "final length over that without WN": times(lengths[kernel]),
        }
        for kernel in KERNELS
    ]


def geometric_mean(found: pd.DataFrame, arm: Arm, column: str) -> pd.Series:
    """The arm's geometric mean over all steps, by seed."""
    rows = found[found["arm"] == arm]
    return np.exp(np.log(rows[column]).groupby(rows["seed"]).mean())


def over_none(values: dict[Arm, pd.Series], predicted: dict[Arm, str]) -> pd.DataFrame:
    """One row per arm with a prediction: its values over those without a norm, seed by seed."""
    ratios = {a: comparisons.paired(np.log(values[a]), np.log(values[NONE])) for a in predicted}
    return pd.DataFrame([
        {
            "mode": arm.label,
            "times no normalization": times(ratio),
            "finding": ratio.verdict,
            "predicted": predicted[arm],
        }
        for arm, ratio in ratios.items()
    ])  # fmt: skip


def times(logs: Interval) -> str:
    """An interval of a difference of logarithms, as a ratio: `0.52 times (95 % interval …)`."""
    mean, low, high = np.exp([logs.mean, logs.low, logs.high])
    return f"{mean:#.3g} times (95 % interval {low:#.3g} to {high:#.3g}, n = {logs.n})"


def threshold(arm: Arm) -> float:
    """The curvature at which gradient descent with the arm's rate and momentum becomes unstable.

    2 * (1 + momentum) / learning_rate

    On a quadratic, without the noise of minibatches. Source: Cohen et al. 2021, equation 1.
    """
    return 2 * (1 + arm.momentum) / arm.learning_rate
