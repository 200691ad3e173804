"""One run: the GradientTape loop that trains an arm with a seed, and returns its record."""

import math
import time
from collections.abc import Callable

import numpy as np
import tensorflow as tf

from normlib import data, model
from normlib.archive import Record
from normlib.arms import Arm
from normlib.provenance import environment, sources

PROTOCOL = 2  # raise it whenever the numbers of a run may change
STEPS_A_CALL = 10  # training steps per call into the graph: how often progress and loss are seen
SCORED_AT_ONCE = 1000
CURVES = ("train_loss", "train_accuracy", "test_loss", "test_accuracy")

Progress = Callable[[int, int, int, float], None]


def run(arm: Arm, seed: int, progress: Progress = lambda *_: None) -> Record:
    """Train `arm` with `seed` and return its record.

    The seed fixes the initial weights and, separately, the batch order of every epoch.
    `progress(step, steps, epoch, accuracy)` is called every ten steps, with the training accuracy
    of the epoch so far. A loss that is not finite ends the run, recorded as `diverged`.
    """
    begin = time.perf_counter()
    images = select(data.load(arm.profile), arm)
    trainer = Trainer(arm, seed, images)
    curves: dict[str, list[float]] = {name: [] for name in CURVES}
    losses, diverged, predictions = [], None, np.zeros(0, np.uint8)
    for epoch in range(1, arm.epochs + 1):
        epoch_losses, accuracy = trainer.train(epoch, progress)
        losses += epoch_losses
        diverged = first_not_finite(losses)
        if diverged is not None:
            break
        test_loss, predictions = trainer.score()
        test_accuracy = np.mean(predictions == images.test_labels)
        values = (np.mean(epoch_losses), accuracy, test_loss, test_accuracy)
        for name, value in zip(CURVES, values, strict=True):
            curves[name].append(float(value))
    threads = tf.config.threading.get_intra_op_parallelism_threads()
    return Record(
        arm=arm, seed=seed, protocol=PROTOCOL, **curves, loss_every_10=losses[::10],
        predictions=predictions, diverged=diverged, seconds=time.perf_counter() - begin,
        sources=sources(), environment=environment(tf.__version__, threads),
    )  # fmt: skip


def select(images: data.Dataset, arm: Arm) -> data.Dataset:
    """The images that the arm is trained and scored on."""
    if arm.scored_on == "validation":
        images = data.validation_split(images)
    if not arm.examples:
        return images
    chosen = data.batch_order(0, 0, len(images.train_labels))[: arm.examples]
    train_images, train_labels = images.train_images[chosen], images.train_labels[chosen]
    return images._replace(train_images=train_images, train_labels=train_labels)


class Trainer:
    """A network, its momentum accumulators, and the compiled steps that train and score it."""

    def __init__(self, arm: Arm, seed: int, images: data.Dataset):
        self.arm, self.seed = arm, seed
        self.images = data.Dataset(*map(tf.constant, images))  # gathered from, step by step
        self.labels = images.train_labels
        self.model = model.build(arm, seed)
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
            if first_not_finite(losses) is not None:
                break
        return losses, hits / seen

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

    def score(self) -> tuple[float, np.ndarray]:
        """Return the mean loss on the test images and the predicted class of each."""
        of_batch = self.arm.evaluation == "batch"
        size = Arm.batch_size if of_batch else SCORED_AT_ONCE
        firsts = range(0, len(self.images.test_labels), size)
        scores = [self._score(tf.range(i, min(i + size, firsts.stop)), of_batch) for i in firsts]
        losses, predictions = (np.concatenate(column) for column in zip(*scores, strict=True))
        return float(losses.mean()), predictions.astype(np.uint8)

    @tf.function(reduce_retracing=True)
    def _score(self, places: tf.Tensor, of_batch: bool) -> tuple[tf.Tensor, tf.Tensor]:
        images = tf.gather(self.images.test_images, places)
        labels = tf.gather(self.images.test_labels, places)
        logits = self.model(images, training=of_batch)  # writes moving statistics; unread then
        return cross_entropy(labels, logits), predict(logits)


def cross_entropy(labels: tf.Tensor, logits: tf.Tensor) -> tf.Tensor:
    """Loss of each example in nats: labels (N,), logits (N, 10) -> (N,)."""
    return tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits)


def predict(logits: tf.Tensor) -> tf.Tensor:
    """The class of the largest logit: (N, 10) -> (N,)."""
    return tf.argmax(logits, 1, tf.int32)


def first_not_finite(losses: list[float]) -> int | None:
    """The first step whose loss is NaN or infinite, or None."""
    return next((step for step, loss in enumerate(losses) if not math.isfinite(loss)), None)
