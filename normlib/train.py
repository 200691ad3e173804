"""One run: the GradientTape loop that trains an arm with a seed, and returns its record."""

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
import tensorflow as tf

from normlib import data, model, probes, recurrent
from normlib.archive import Record
from normlib.arms import Arm
from normlib.provenance import environment, sources
from normlib.scoring import Score, Scorer, cross_entropy, predict

PROTOCOL = 2  # raise it whenever the numbers of a run may change
STEPS_A_CALL = 10  # training steps per call into the graph: how often progress and loss are seen
NETWORKS = {"cnn": model.build, "rnn": recurrent.build}

Progress = Callable[[int, int, int, float], None]


def run(arm: Arm, seed: int, progress: Progress = lambda *_: None) -> Record:
    """Train `arm` with `seed` and return its record.

    The seed fixes the initial weights and, separately, the batch order of every epoch.
    `progress(step, steps, epoch, accuracy)` is called every ten steps, with the training accuracy
    of the epoch so far. A loss that is not finite ends the run, recorded as `diverged`.
    """
    (record,) = runs((arm,), seed, progress)
    return record


def runs(arms: Sequence[Arm], seed: int, progress: Progress = lambda *_: None) -> list[Record]:
    """Train once what `arms` share, differing in `evaluation` alone; return a record of each."""
    begin, shared = time.perf_counter(), arms[0]
    trainer, log = Trainer(shared, seed, data.images(shared)), Log()
    scores: dict[Arm, list[Score]] = {arm: [] for arm in arms}
    for epoch in range(1, shared.epochs + 1):
        log.add(*trainer.train(epoch, progress))
        if log.diverged is not None:
            break
        for arm in arms:
            scores[arm].append(trainer.scorer.score(arm.evaluation))
    of_scoring = sum(score.seconds for found in scores.values() for score in found)
    log.seconds = time.perf_counter() - begin - of_scoring
    return [_record(trainer, arm, log, scores[arm]) for arm in arms]


@dataclass
class Log:
    """What training says, before any scoring: an entry an epoch, losses an entry a step."""

    train_loss: list[float] = field(default_factory=list)
    train_accuracy: list[float] = field(default_factory=list)
    losses: list[float] = field(default_factory=list)
    diverged: int | None = None
    seconds: float = 0.0

    def add(self, losses: list[float], accuracy: float) -> None:
        """Add an epoch; one that diverged has its losses only."""
        self.losses += losses
        self.diverged = first_not_finite(self.losses)
        if self.diverged is None:
            self.train_loss.append(float(np.mean(losses)))
            self.train_accuracy.append(accuracy)


def _record(trainer: "Trainer", arm: Arm, log: Log, scores: list[Score]) -> Record:
    labels = trainer.images.test_labels.numpy()
    threads = tf.config.threading.get_intra_op_parallelism_threads()
    return Record(
        arm=arm, seed=trainer.seed, protocol=PROTOCOL,
        train_loss=log.train_loss, train_accuracy=log.train_accuracy,
        test_loss=[score.loss for score in scores],
        test_accuracy=[float(np.mean(score.predictions == labels)) for score in scores],
        loss_every_10=log.losses[::10],
        predictions=scores[-1].predictions if scores else np.zeros(0, np.uint8),
        diverged=log.diverged, seconds=log.seconds + sum(score.seconds for score in scores),
        sources=sources(arm), environment=environment(tf.__version__, threads),
        telemetry=trainer.telemetry,
    )  # fmt: skip


class Trainer:
    """A network, its momentum accumulators, and the compiled steps that train it."""

    def __init__(self, arm: Arm, seed: int, images: data.Dataset):
        self.arm, self.seed = arm, seed
        self.images = data.Dataset(*map(tf.constant, images))  # gathered from, step by step
        self.labels = images.train_labels
        self.model = NETWORKS[arm.network](arm, seed)
        self.scorer = Scorer(self.model, self.images)
        self.telemetry: list[dict[str, float]] = []
        self.variables = [variable.value for variable in self.model.trainable_variables]
        self.accumulators = [tf.Variable(tf.zeros_like(v)) for v in self.variables]

    def train(self, epoch: int, progress: Progress) -> tuple[list, float]:
        """Train one epoch; return the loss of every step and the mean accuracy of all of them."""
        losses, hits = [], 0
        steps = len(self.labels) // self.arm.batch_size
        batches = self._order(epoch)[: steps * self.arm.batch_size].reshape(steps, -1)
        for first in range(0, steps, STEPS_A_CALL):
            new_losses, new_hits = self.steps(tf.constant(batches[first : first + STEPS_A_CALL]))
            losses += [float(str(loss)) for loss in new_losses.numpy()]  # shortest exact float32
            hits += int(new_hits)
            seen = len(losses) * self.arm.batch_size
            done = (epoch - 1) * steps + len(losses)
            progress(done, self.arm.epochs * steps, epoch, hits / seen)
            self._measure(done)
            if first_not_finite(losses) is not None:
                break
        return losses, hits / seen

    def _measure(self, step: int) -> None:
        """Let the arm's probe look at the network, if it has one and wants to at this step."""
        found = probes.PROBES[self.arm.probe](self, step) if self.arm.probe else {}
        if found:
            self.telemetry.append({"step": step, **found})

    def _order(self, epoch: int) -> np.ndarray:
        size = len(self.labels)
        if self.arm.shuffle == "buffer":
            return data.buffer_order(self.seed, epoch, size)
        if self.arm.shuffle == "sorted":
            return data.sorted_order(self.seed, epoch, self.labels, self.arm.batch_size)
        return data.batch_order(self.seed, epoch, size)

    @tf.function(reduce_retracing=True)
    def steps(self, batches: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Train a step on each minibatch, (S, N) of places -> losses (S,), correct predictions."""
        steps, hits = tf.shape(batches)[0], 0
        losses = tf.TensorArray(tf.float32, steps)
        for step in tf.range(steps):
            batch = tf.ensure_shape(batches[step], [self.arm.batch_size])
            images = tf.gather(self.images.train_images, batch)
            loss, correct = self._step(images, tf.gather(self.images.train_labels, batch))
            losses = losses.write(step, loss)
            hits += correct
        return losses.stack(), hits

    def _step(self, images: tf.Tensor, labels: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        with tf.GradientTape() as tape:
            logits = self.model(images, training=True)
            loss = tf.reduce_mean(cross_entropy(labels, logits))
        gradients = tape.gradient(loss, self.variables)
        for variable, accumulator, gradient in zip(
            self.variables, self.accumulators, gradients, strict=True
        ):
            # accumulator = momentum * accumulator + gradient;  variable -= rate * accumulator
            tf.raw_ops.ResourceApplyMomentum(
                var=variable.handle, accum=accumulator.handle, lr=self.arm.learning_rate,
                grad=gradient, momentum=self.arm.momentum,
            )  # fmt: skip
        return loss, tf.reduce_sum(tf.cast(predict(logits) == labels, tf.int32))


def first_not_finite(losses: list[float]) -> int | None:
    """The first step whose loss is NaN or infinite, or None."""
    return next((step for step, loss in enumerate(losses) if not math.isfinite(loss)), None)
