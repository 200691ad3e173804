"""The training loop: an arm's network, GradientTape, SGD with momentum, and what a run measures."""

import math
import time
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from normlib import data, free, model
from normlib.arithmetic import xla
from normlib.arm import Arm
from normlib.arm import seed as arm_seed
from normlib.scoring import Scorer, cross_entropy, predict

STEPS_A_CALL = 10  # training steps per call into the graph: how often progress and loss are seen

Progress = Callable[[int, int, int, float], None]
Probe = Callable[["Trainer", int], dict[str, float]]


def nothing(*_) -> dict:
    """The progress that shows nothing, and the probe that measures nothing."""
    return {}


class Result(NamedTuple):
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


def run(arm: Arm, seed: int, progress: Progress = nothing, probe: "Probe" = nothing) -> Result:
    """Train `arm` with `seed`, score it after every epoch, and return what was measured.

    The seed fixes the initial weights and, separately, the batch order of every epoch.
    `progress(step, steps, epoch, accuracy)` is called every ten steps, with the training accuracy
    of the epoch so far; then `probe(trainer, step)`, whose rows become the result's telemetry. A
    loss or weight that is not finite ends the run, and the result says where it `diverged`.
    """
    (result,) = runs((arm,), seed, progress, probe)
    return result


def runs(arms: Sequence[Arm], seed: int, progress=nothing, probe=nothing) -> list[Result]:
    """Train arms that differ in `evaluation` alone, as one network; return a result of each."""
    begin, shared = time.perf_counter(), arms[0]
    trainer = Trainer(shared, arm_seed(seed), data.images(shared), probe)
    losses, train_loss, train_accuracy, diverged = [], [], [], None
    labels, scores = trainer.images.test_labels.numpy(), {arm: [] for arm in arms}
    for epoch in range(1, shared.epochs + 1):
        of_epoch, accuracy = trainer.train(epoch, progress)
        losses += of_epoch
        diverged = trainer.diverged(losses)
        if diverged is not None:
            break
        train_loss.append(float(np.mean(of_epoch)))
        train_accuracy.append(accuracy)
        for arm in arms:
            scores[arm].append(trainer.scorer.score(arm.evaluation))
    seconds = time.perf_counter() - begin - sum(s.seconds for some in scores.values() for s in some)
    return [
        Result(
            train_loss, train_accuracy,
            test_loss=[score.loss for score in scores[arm]],
            test_accuracy=[float(np.mean(score.predictions == labels)) for score in scores[arm]],
            loss_every_10=losses[::10],
            predictions=scores[arm][-1].predictions if scores[arm] else np.zeros(0, np.uint8),
            diverged=diverged,
            seconds=seconds + sum(score.seconds for score in scores[arm]),
            telemetry=trainer.telemetry,
        )
        for arm in arms
    ]  # fmt: skip


class Trainer:
    """A network, its momentum accumulators, and the compiled steps that train it.

    `probe(trainer, step)` is called every ten steps, and its rows become the `telemetry`.
    """

    def __init__(self, arm: Arm, seed: int, images: data.Dataset, probe: Probe = nothing):
        self.arm, self.seed, self.probe = arm, seed, probe
        self.images = data.Dataset(*map(tf.constant, images))  # gathered from, step by step
        self.labels = images.train_labels
        self.model = model.build(arm, seed)
        block = self.model.layers[0]
        self.sums = block.patch_sums(images.train_images) if isinstance(block, free.Block) else None
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

    def diverged(self, losses: list[float]) -> int | None:
        """The first step whose loss is not finite, or the last one if a weight or statistic is not.

        Pooling and ReLU hide a NaN from the loss.
        """
        first = first_not_finite(losses)
        if first is None and not all(np.isfinite(v.numpy()).all() for v in self.model.variables):
            return len(losses) - 1
        return first

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
            with free.known(self.sums, batch):
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
