"""The training loop: an arm's network, GradientTape, SGD with momentum."""

import math
from collections.abc import Callable

import numpy as np
import tensorflow as tf

from normlib import data, free, model
from normlib.arithmetic import xla
from normlib.arm import Arm
from normlib.scoring import Scorer, cross_entropy, predict

STEPS_A_CALL = 10  # training steps per call into the graph: how often progress and loss are seen

Progress = Callable[[int, int, int, float], None]
Probe = Callable[["Trainer", int], dict[str, float]]


def nothing(*_) -> dict:
    """The progress that shows nothing, and the probe that measures nothing."""
    return {}


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
