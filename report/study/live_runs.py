"""A run made here beside the archived run that it repeats."""

import numpy as np

from report.study.record import Record

FIRST_STEPS = 10
# Relative. Other processors round differently, and training amplifies that: our BN and Keras's, one
# function in two orders of operations, are up to 6e-3 apart by then.
SLACK = 1e-2


def first_steps(run: Record, archived: Record) -> float:
    """The largest relative difference of two runs' losses at their first steps, every tenth."""
    count = min(FIRST_STEPS // 10 + 1, len(run.loss_every_10))
    ours, theirs = (np.array(r.loss_every_10[:count]) for r in (run, archived))
    return float(np.max(np.abs(ours - theirs) / theirs))


def same_numbers(run: Record, archived: Record) -> bool:
    """Whether every loss and accuracy of a run equals the archived run's, bit for bit."""
    names = ("loss_every_10", "train_loss", "train_accuracy", "test_loss", "test_accuracy")
    pairs = ((getattr(run, name), getattr(archived, name)) for name in names)
    return all(here == there[: len(here)] for here, there in pairs)


def comparison(run: Record, archived: Record | None) -> str:
    """The sentence on a run made here, beside the archived run whose first epochs it repeats."""
    here = f"Trained here, {run.arm.label} with seed {run.seed} {_what_became(run, run)}."
    if archived is None:
        return (
            f"{here} The archive has no run of this arm with this seed, so there is nothing to "
            "compare it with."
        )
    return f"{here} The archived run {_what_became(archived, run)}. {_agreement(run, archived)}"


def _what_became(record: Record, run: Record) -> str:
    """What became of a record by the last epoch that a run has."""
    epoch = min(len(record.test_accuracy), len(run.test_accuracy)) or len(record.test_accuracy)
    if record.diverged is not None and epoch == len(record.test_accuracy):
        return f"diverged: its loss was not finite at step {record.diverged}"
    return f"scored {_percent(record, epoch)} % on the test images after epoch {epoch}"


def _percent(record: Record, epoch: int) -> str:
    accuracies = record.test_accuracy
    return f"{100 * accuracies[epoch - 1]:.2f}" if 0 < epoch <= len(accuracies) else "diverged"


def _agreement(run: Record, archived: Record) -> str:
    if same_numbers(run, archived):
        return "All losses and accuracies agree bit for bit."
    gap = first_steps(run, archived)
    steps = f"every tenth step up to step {FIRST_STEPS}"
    return f"Their losses differ by at most {gap:.0e} (relative), {steps}."
