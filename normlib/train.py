"""The training loop: an arm's network, GradientTape, SGD with momentum, and what a run measures."""

import math
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import tensorflow as tf

from normlib import data, gradients, model
from normlib.arithmetic import xla
from normlib.arm import Arm
from normlib.arm import seed as arm_seed
from normlib.scoring import Score, Scorer, cross_entropy, predict

STEPS_A_CALL = 10  # training steps per call into the graph: how often progress and loss are seen

Progress = Callable[[int, int, int, float], None]
Probe = Callable[["Trainer", int], dict[str, float]]


class EditedOp(UserWarning):
    """An op's hand-derived gradient is not that of the op any more."""


def nothing(*_) -> dict:
    """The progress that shows nothing, and the probe that measures nothing."""
    return {}


@dataclass(frozen=True)
class Result:
    """What one run measured, in plain numbers.

    Losses in nats per example, accuracies as fractions, one value an epoch; training values are
    means over the epoch while the weights move. `loss_every_10` holds the minibatch loss at steps
    0, 10, 20 …; `predictions` the class of every test image, uint8; `diverged` the first step with
    a loss that was not finite, or an epoch's last step if a weight is not finite then, or None;
    `telemetry` what the probe measured, one row a time.
    """

    train_loss: list[float]
    train_accuracy: list[float]
    test_loss: list[float]
    test_accuracy: list[float]
    loss_every_10: list[float]
    predictions: np.ndarray
    diverged: int | None
    seconds: float
    telemetry: list[dict[str, float]]


def run(arm: Arm, seed: int, progress=nothing, probe=nothing, check_gradients=False) -> Result:
    """Train `arm` with `seed`, score it after every epoch, and return what was measured.

    The seed fixes the initial weights and, separately, the batch order of every epoch.
    `progress(step, steps, epoch, accuracy)` is called every ten steps, with the training accuracy
    of the epoch so far; then `probe(trainer, step)`, whose rows become the result's telemetry. A
    loss or weight that is not finite ends the run, and the result says where it `diverged`.
    `check_gradients` is for ops that were edited: see `Trainer`.
    """
    (result,) = runs((arm,), seed, progress, probe, check_gradients)
    return result


def runs(arms, seed: int, progress=nothing, probe=nothing, check_gradients=False) -> list[Result]:
    """Train once what `arms` share, differing in `evaluation` alone; return a result of each."""
    begin, shared, seed = time.perf_counter(), arms[0], arm_seed(seed)
    trainer = Trainer(shared, seed, data.images(shared), probe, check_gradients)
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
    return [_result(trainer, log, scores[arm]) for arm in arms]


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


def _result(trainer: "Trainer", log: Log, scores: list[Score]) -> Result:
    labels = trainer.images.test_labels.numpy()
    return Result(
        train_loss=log.train_loss, train_accuracy=log.train_accuracy,
        test_loss=[score.loss for score in scores],
        test_accuracy=[float(np.mean(score.predictions == labels)) for score in scores],
        loss_every_10=log.losses[::10],
        predictions=scores[-1].predictions if scores else np.zeros(0, np.uint8),
        diverged=log.diverged, seconds=log.seconds + sum(score.seconds for score in scores),
        telemetry=trainer.telemetry,
    )  # fmt: skip


# The ops that an arm's norm is made of, and whose hand-derived gradient it is trained with.
MADE_OF = {
    "batch": ("batch_norm", "normalize"), "layer": ("layer_norm",), "group": ("layer_norm",),
    "rms": ("rms_norm",), "weight": ("weight_norm",), "own": tuple(gradients.EXAMPLES),
}  # fmt: skip
ROUNDING = 1e-6  # relative: far above what float64 leaves, far below any mistake


def leave_edited_ops_to_the_tape(arm: Arm) -> None:
    """Compare each hand-derived gradient of the arm's norm with the automatic one.

    Where they differ, says so in a warning, and trains with the automatic one in this process.
    """
    for name in MADE_OF.get(arm.norm, ()):
        error = gradients.error(name)
        if not error <= ROUNDING:
            gradients.LEFT_TO_THE_TAPE.add(name)
            said = (
                f"the hand-derived gradient of ops.{name}, backward.{name}, is {100 * error:.2g} % "
                "off from automatic differentiation, as after an edit of one and not of the other; "
                "this run is trained with the automatic gradient."
            )
            warnings.warn(said, EditedOp, stacklevel=2)


class Trainer:
    """A network, its momentum accumulators, and the compiled steps that train it.

    With `check_gradients` an op that was edited is never trained with the gradient of another: see
    `leave_edited_ops_to_the_tape`. An arm whose gradient is wrong on purpose stays as it is.
    """

    def __init__(self, arm, seed: int, images: data.Dataset, probe=nothing, check_gradients=False):
        if check_gradients and arm.backward == "right":
            leave_edited_ops_to_the_tape(arm)
        self.arm, self.seed, self.probe = arm, seed, probe
        self.images = data.Dataset(*map(tf.constant, images))  # gathered from, step by step
        self.labels = images.train_labels
        self.model = model.build(arm, seed)
        self.scorer = Scorer(self.model, self.images)
        self.telemetry: list[dict[str, float]] = []
        self.variables = [variable.value for variable in self.model.trainable_variables]
        self.accumulators = [tf.Variable(tf.zeros_like(v)) for v in self.variables]

    def train(self, epoch: int, progress: Progress = nothing) -> tuple[list[float], float]:
        """Train one epoch; return the loss of every step and the mean accuracy of all of them."""
        losses, hits = [], 0
        steps = len(self.labels) // self.arm.batch_size
        batches = self._order(epoch)[: steps * self.arm.batch_size].reshape(steps, -1)
        rates = learning_rates(self.arm, self.arm.epochs * steps).reshape(-1, steps)[epoch - 1]
        for first in range(0, steps, STEPS_A_CALL):
            some = slice(first, first + STEPS_A_CALL)
            new_losses, new_hits = self.steps(tf.constant(batches[some]), tf.constant(rates[some]))
            losses += [float(str(loss)) for loss in new_losses.numpy()]  # shortest exact float32
            hits += int(new_hits)
            seen = len(losses) * self.arm.batch_size
            done = (epoch - 1) * steps + len(losses)
            progress(done, self.arm.epochs * steps, epoch, hits / seen)
            if found := self.probe(self, done):
                self.telemetry.append({"step": done, **found})
            if first_not_finite(losses) is not None:
                break
        return losses, hits / seen

    def is_finite(self) -> bool:
        """Whether all weights and statistics are: pooling and ReLU hide a NaN from the loss."""
        return all(np.isfinite(variable.numpy()).all() for variable in self.model.variables)

    def _order(self, epoch: int) -> np.ndarray:
        size = len(self.labels)
        if self.arm.shuffle == "buffer":
            return data.buffer_order(self.seed, epoch, size)
        if self.arm.shuffle == "sorted":
            return data.sorted_order(self.seed, epoch, self.labels, self.arm.batch_size)
        return data.batch_order(self.seed, epoch, size)

    @tf.function(reduce_retracing=True)
    def steps(self, batches: tf.Tensor, rates: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Train a step on each minibatch, (S, N) of places, at its learning rate, (S,).

        Returns the losses (S,) and how many predictions were correct.
        """
        steps, hits = tf.shape(batches)[0], 0
        losses = tf.TensorArray(tf.float32, steps)
        for step in tf.range(steps):
            batch = tf.ensure_shape(batches[step], [self.arm.batch_size])
            images = tf.gather(self.images.train_images, batch)
            labels = tf.gather(self.images.train_labels, batch)
            loss, correct = self._step(images, labels, rates[step])
            losses = losses.write(step, loss)
            hits += correct
        return losses.stack(), hits

    def _step(self, images, labels, rate) -> tuple[tf.Tensor, tf.Tensor]:
        with xla(), tf.GradientTape() as tape:
            logits = self.model(images, training=True)
            loss = tf.reduce_mean(cross_entropy(labels, logits))
            slopes = tape.gradient(loss, self.variables, unconnected_gradients="zero")
        for variable, accumulator, gradient in zip(
            self.variables, self.accumulators, slopes, strict=True
        ):
            # accumulator = momentum * accumulator + gradient;  variable -= rate * accumulator
            tf.raw_ops.ResourceApplyMomentum(
                var=variable.handle, accum=accumulator.handle, lr=rate, grad=gradient,
                momentum=self.arm.momentum,
            )  # fmt: skip
        return loss, tf.reduce_sum(tf.cast(predict(logits) == labels, tf.int32))


def learning_rates(arm: Arm, steps: int) -> np.ndarray:
    """The learning rate of each of a run's steps, float32.

    rate = learning_rate; by the cosine schedule, * (1 + cos(pi * step / steps)) / 2

    Source: Loshchilov & Hutter 2017, equation 5, without restarts.
    """
    falls = (1 + np.cos(np.pi * np.arange(steps) / steps)) / 2
    factors = falls if arm.schedule == "cosine" else np.ones(steps)
    return np.float32(arm.learning_rate * factors)


def first_not_finite(losses: list[float]) -> int | None:
    """The first step whose loss is NaN or infinite, or None."""
    return next((step for step, loss in enumerate(losses) if not math.isfinite(loss)), None)
