"""One run: the GradientTape loop that trains an arm with a seed, and returns its record."""

import math
import time
from collections.abc import Callable, Iterator

import numpy as np
import tensorflow as tf

from normlib import data, model
from normlib.archive import Record
from normlib.arms import Arm
from normlib.provenance import environment, sources

PROTOCOL = 1  # raise it whenever the numbers of a run may change
STEPS_A_CALL = 10  # training steps per call into the graph: how often progress and loss are seen
TEST_BATCH = 1000
CURVES = ("train_loss", "train_accuracy", "test_loss", "test_accuracy")

Progress = Callable[[int, int, int, float], None]


def run(arm: Arm, seed: int, progress: Progress = lambda *_: None) -> Record:
    """Train `arm` with `seed` and return its record.

    The seed fixes the initial weights and, separately, the batch order of every epoch.
    `progress(step, steps, epoch, accuracy)` is called every ten steps, with the training accuracy
    of the epoch so far. A loss that is not finite ends the run, recorded as `diverged`.
    """
    begin = time.perf_counter()
    images = data.load(arm.profile)
    trainer = Trainer(arm, seed)
    curves: dict[str, list[float]] = {name: [] for name in CURVES}
    losses, diverged, predictions = [], None, np.zeros(0, np.uint8)
    for epoch in range(1, arm.epochs + 1):
        epoch_losses, accuracy = trainer.train(images, epoch, progress)
        losses += epoch_losses
        diverged = first_not_finite(losses)
        if diverged is not None:
            break
        test_loss, predictions = trainer.score(images)
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


class Trainer:
    """A network, its momentum accumulators, and the compiled steps that train and score it."""

    def __init__(self, arm: Arm, seed: int):
        self.arm, self.seed = arm, seed
        self.model = model.build(arm, seed)
        self.variables = [variable.value for variable in self.model.trainable_variables]
        self.accumulators = [tf.Variable(tf.zeros_like(v)) for v in self.variables]

    def train(self, images: data.Dataset, epoch: int, progress: Progress) -> tuple[list, float]:
        """Train one epoch; return the loss of every step and the mean accuracy of all of them."""
        losses, hits = [], 0
        order = data.batch_order(self.seed, epoch, len(images.train_labels))
        steps = len(order) // self.arm.batch_size
        for batches in self._calls(order[: steps * self.arm.batch_size]):
            new_losses, new_hits = self._train_steps(
                tf.constant(images.train_images[batches]), tf.constant(images.train_labels[batches])
            )
            losses += [float(str(loss)) for loss in new_losses.numpy()]  # shortest exact float32
            hits += int(new_hits)
            seen = len(losses) * self.arm.batch_size
            done = (epoch - 1) * steps + len(losses)
            progress(done, self.arm.epochs * steps, epoch, hits / seen)
            if first_not_finite(losses) is not None:
                break
        return losses, hits / seen

    def _calls(self, order: np.ndarray) -> Iterator[np.ndarray]:
        batches = order.reshape(-1, self.arm.batch_size)
        return (batches[i : i + STEPS_A_CALL] for i in range(0, len(batches), STEPS_A_CALL))

    @tf.function(reduce_retracing=True)
    def _train_steps(self, images: tf.Tensor, labels: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Images (S, N, H, W, 1), labels (S, N) of S steps -> losses (S,), correct predictions."""
        steps, hits = tf.shape(labels)[0], 0
        losses = tf.TensorArray(tf.float32, steps)
        for step in tf.range(steps):
            loss, correct = self._train_step(images[step], labels[step])
            losses = losses.write(step, loss)
            hits += correct
        return losses.stack(), hits

    def _train_step(self, images: tf.Tensor, labels: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        with tf.GradientTape() as tape:
            logits = self.model(images, training=True)
            loss = tf.reduce_mean(cross_entropy(labels, logits))
        gradients = tape.gradient(loss, self.variables)
        for variable, accumulator, gradient in zip(
            self.variables, self.accumulators, gradients, strict=True
        ):
            accumulator.assign(self.arm.momentum * accumulator + gradient)
            variable.assign_sub(self.arm.learning_rate * accumulator)
        return loss, tf.reduce_sum(tf.cast(predict(logits) == labels, tf.int32))

    def score(self, images: data.Dataset) -> tuple[float, np.ndarray]:
        """Return the mean loss on the test images and the predicted class of each."""
        parts = [slice(i, i + TEST_BATCH) for i in range(0, len(images.test_labels), TEST_BATCH)]
        scores = [self._score(images.test_images[p], images.test_labels[p]) for p in parts]
        losses, predictions = (np.concatenate(column) for column in zip(*scores, strict=True))
        return float(losses.mean()), predictions.astype(np.uint8)

    @tf.function
    def _score(self, images: tf.Tensor, labels: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        logits = self.model(images, training=False)
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
