"""What a run measures: its training, epoch by epoch, and its scores."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from normlib import data
from normlib.arm import Arm
from normlib.arm import seed as arm_seed
from normlib.scoring import Score
from normlib.train import Trainer, first_not_finite, nothing


def runs(arms: Sequence[Arm], seed: int, progress=nothing, probe=nothing) -> list[dict]:
    """Train once what `arms` share, which differ in `evaluation` alone; return what each measured.

    Plain numbers, by the names of a `Record`. The seed fixes the initial weights and, separately,
    the batch order of every epoch. `progress(step, steps, epoch, accuracy)` is called every ten
    steps, with the training accuracy of the epoch so far; then `probe(trainer, step)`, whose rows
    are the telemetry. A loss or weight that is not finite ends the run, which says where it
    `diverged`: at that loss, or at the last step of the epoch.
    """
    begin, shared, seed = time.perf_counter(), arms[0], arm_seed(seed)
    trainer = Trainer(shared, seed, data.images(shared), probe)
    log = Log()
    scores: dict[Arm, list[Score]] = {arm: [] for arm in arms}
    for epoch in range(1, shared.epochs + 1):
        log.add(*trainer.train(epoch, progress), trainer.is_finite())
        if log.diverged is not None:
            break
        for arm in arms:
            scores[arm].append(trainer.scorer.score(arm.evaluation))
    of_scoring = sum(score.seconds for found in scores.values() for score in found)
    log.seconds = time.perf_counter() - begin - of_scoring
    return [_measured(trainer, log, scores[arm]) for arm in arms]


@dataclass
class Log:
    """What training says, before any scoring: an entry an epoch, losses an entry a step."""

    train_loss: list[float] = field(default_factory=list)
    train_accuracy: list[float] = field(default_factory=list)
    losses: list[float] = field(default_factory=list)
    diverged: int | None = None
    seconds: float = 0.0

    def add(self, losses: list[float], accuracy: float, finite: bool) -> None:
        """Add an epoch; one that diverged, or left weights that are not `finite`, adds no mean."""
        self.losses += losses
        self.diverged = first_not_finite(self.losses)
        if self.diverged is None and not finite:
            self.diverged = len(self.losses) - 1
        if self.diverged is None:
            self.train_loss.append(float(np.mean(losses)))
            self.train_accuracy.append(accuracy)


def _measured(trainer: Trainer, log: Log, scores: list[Score]) -> dict:
    labels = trainer.images.test_labels.numpy()
    return {
        "train_loss": log.train_loss,
        "train_accuracy": log.train_accuracy,
        "test_loss": [score.loss for score in scores],
        "test_accuracy": [float(np.mean(score.predictions == labels)) for score in scores],
        "loss_every_10": log.losses[::10],
        "predictions": scores[-1].predictions if scores else np.zeros(0, np.uint8),
        "diverged": log.diverged,
        "seconds": log.seconds + sum(score.seconds for score in scores),
        "telemetry": trainer.telemetry,
    }
