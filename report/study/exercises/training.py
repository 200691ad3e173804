"""Exercise 8: a student's norm in the lab's network, trained once, beside thirty archived runs."""

from collections.abc import Callable

import numpy as np

from report.study import archive, sweep, your_norm
from report.study.arms import OUR_LN_HIDDEN
from report.study.claims.book import FIRST
from report.study.record import Record


def compare(norm: Callable) -> None:
    """Train the lab's network with this norm on its hidden layer, and print how it did.

    norm: as in `your_norm.arm`. It is trained with the first of the thirty seeds that the archive's
    layer norm was trained with. What cannot be trained costs a sentence.
    """
    try:
        arm = your_norm.arm(norm, placement="hidden")
    except ValueError as error:
        unwritten = isinstance(error.__cause__, NotImplementedError)
        print(f"{norm.__name__}: not written yet." if unwritten else error)
        return
    print(said(sweep.live(arm, FIRST[0]), thirty()))


def thirty() -> list[Record]:
    """The archive's runs of layer norm on the hidden layer that decide the claims first."""
    records = sweep.current(archive.read([archive.COMMITTED]))
    return [records[OUR_LN_HIDDEN, seed] for seed in FIRST]


def said(run: Record, others: list[Record]) -> str:
    """The run's test accuracy, and that of the others after as many epochs."""
    if run.diverged is not None:
        return f"The training diverged at step {run.diverged}: its loss or a weight is not finite."
    epochs = len(run.test_accuracy)
    text = f"Your norm: {100 * run.test_accuracy[-1]:.2f} % of the test images after {epochs} "
    text += f"epoch{'s' * (epochs > 1)}, seed {run.seed}."
    if run.arm.profile == "quick":
        return f"{text} In the quick profile there is nothing to compare it with."
    values = {other.seed: 100 * other.test_accuracy[epochs - 1] for other in others}
    all_of_them = np.array([*values.values()])
    return (
        f"{text}\nThe archive's layer norm: {values[run.seed]:.2f} % with that seed, which has the "
        f"same initial weights and minibatches;\n{len(values)} seeds: {all_of_them.min():.2f} to "
        f"{all_of_them.max():.2f} %, {all_of_them.mean():.2f} % on average."
    )
