"""How a trained network is scored: with which statistics, on which minibatches of test images."""

import time
from typing import NamedTuple

import keras
import numpy as np
import tensorflow as tf

from normlib import data, model
from normlib.arithmetic import xla

# How many test images stand together, and whether BN takes its statistics from them.
PLANS = {
    "running": (1000, False),
    "re-estimated": (1000, False),
    "batch": (100, True),
    "batch of 10": (10, True),
    "batch of 1": (1, True),
    "one class": (100, True),
}
RE_ESTIMATED_FROM = 2000  # training images; a thousand suffice (Wu & Johnson 2021)


class Score(NamedTuple):
    """Mean loss in nats, the predicted class of every test image, and the seconds that it took."""

    loss: float
    predictions: np.ndarray
    seconds: float


class Scorer:
    """Scores a network on the test images, and leaves its moving statistics as they were."""

    def __init__(self, network: keras.Model, images: data.Dataset):
        self.network, self.images = network, images

    def score(self, evaluation: str) -> Score:
        """Score the test images, in their order but for "one class", in minibatches of one class.

        "running": BN with its moving statistics; "re-estimated": with those of 2000 training
        images at the present weights (Wu & Johnson 2021, PreciseBN); the others: with those of
        the minibatch of test images itself.
        """
        begin, moving = time.perf_counter(), self.network.non_trainable_variables
        kept = [variable.numpy() for variable in moving]
        if evaluation == "re-estimated":
            self._re_estimate(moving)
        loss, predictions = self._score_all(*PLANS[evaluation], self._order(evaluation))
        for variable, value in zip(moving, kept, strict=True):
            variable.assign(value)
        return Score(loss, predictions, time.perf_counter() - begin)

    def _re_estimate(self, moving: list[keras.Variable]) -> None:
        """moving = momentum * 0 + (1 - momentum) * new, and so new."""
        for variable in moving:
            variable.assign(tf.zeros_like(variable.value))
        size = len(self.images.train_labels)
        places = tf.constant(data.batch_order(0, 0, size)[:RE_ESTIMATED_FROM])
        self.network(tf.gather(self.images.train_images, places), training=True)
        for variable in moving:
            variable.assign(variable.value / (1 - model.MOMENTUM))

    def _order(self, evaluation: str) -> np.ndarray:
        labels = self.images.test_labels.numpy()
        if evaluation == "one class":
            return np.argsort(labels, kind="stable")
        return np.arange(len(labels))

    def _score_all(self, size: int, of_batch: bool, order: np.ndarray) -> tuple[float, np.ndarray]:
        groups = np.split(order, range(size, len(order), size))
        scores = [self._score(tf.constant(group, tf.int32), of_batch) for group in groups]
        losses, predicted = (np.concatenate(column) for column in zip(*scores, strict=True))
        predictions = np.empty(len(order), np.uint8)
        predictions[order] = predicted
        return float(losses.mean()), predictions

    @tf.function(reduce_retracing=True)
    def _score(self, places: tf.Tensor, of_batch: bool) -> tuple[tf.Tensor, tf.Tensor]:
        images = tf.gather(self.images.test_images, places)
        labels = tf.gather(self.images.test_labels, places)
        with xla():
            logits = self.network(images, training=of_batch)
        return cross_entropy(labels, logits), predict(logits)


def cross_entropy(labels: tf.Tensor, logits: tf.Tensor) -> tf.Tensor:
    """Loss of each example in nats: labels (N,), logits (N, 10) -> (N,)."""
    return tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits)


def predict(logits: tf.Tensor) -> tf.Tensor:
    """The class of the largest logit: (N, 10) -> (N,)."""
    return tf.argmax(logits, 1, tf.int32)
