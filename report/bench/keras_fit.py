"""Contender: Keras's `fit` with built-in layers."""

import time

import keras
import numpy as np
from keras import layers

from report.bench import protocol
from report.bench.ours import set_threads
from report.bench.protocol import EPSILON, OLD_SHARE, Make, Problem, Train

NORMS = {
    "none": list,
    "BN": lambda: [layers.BatchNormalization(momentum=OLD_SHARE, epsilon=EPSILON)],
    "LN": lambda: [layers.LayerNormalization(axis=[1, 2, 3], epsilon=EPSILON)],
    "LN per channel": lambda: [layers.GroupNormalization(groups=1, epsilon=EPSILON)],
}


class Steps(keras.callbacks.Callback):
    """Time and losses of the steps alone: starting `fit` costs a tenth of a second."""

    def on_train_batch_begin(self, batch, logs=None):
        if batch == 0:
            self.means, self.begin = [], time.perf_counter()

    def on_train_batch_end(self, batch, logs=None):
        self.means.append(logs["loss"])  # Keras gives the mean over the epoch so far
        self.seconds = time.perf_counter() - self.begin

    def losses(self) -> list[float]:
        return np.diff(np.arange(1, len(self.means) + 1) * self.means, prepend=0).tolist()


def build(spec: dict, problem: Problem) -> Make:
    """Blocks are epochs of `fit` over the images in the block's order."""
    set_threads(spec["threads"])

    def make(norm: str) -> Train:
        model, steps = compiled(norm, problem), Steps()

        def train(block: int) -> tuple[float, list[float]]:
            rows = problem.minibatches(block).ravel()
            options = {"batch_size": protocol.BATCH_SIZE, "shuffle": False, "verbose": 0}
            model.fit(problem.images[rows], problem.labels[rows], callbacks=[steps], **options)
            return steps.seconds, steps.losses()

        return train

    return make


def compiled(norm: str, problem: Problem) -> keras.Model:
    """The lab's network with the problem's weights, ready to fit."""
    conv = layers.Conv2D(30, 5, padding="same")
    hidden, output = layers.Dense(100), layers.Dense(10)
    model = keras.Sequential([
        keras.Input((28, 28, 1)), conv, *NORMS[norm](), layers.ReLU(), layers.MaxPooling2D(),
        layers.Flatten(), hidden, layers.ReLU(), output,
    ])  # fmt: skip
    conv.set_weights([problem.conv, problem.conv_bias])
    hidden.set_weights([problem.hidden, problem.hidden_bias])
    output.set_weights([problem.output, problem.output_bias])
    sgd = keras.optimizers.SGD(protocol.LEARNING_RATE, protocol.MOMENTUM)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(sgd, loss, jit_compile=False)  # which takes two to three times as long
    return model


if __name__ == "__main__":
    protocol.serve(build)
