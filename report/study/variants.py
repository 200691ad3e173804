"""What only the study trains: the published script's norms, broken ones, a reader's own, an RNN.

Importing this module adds them to the tables of `normlib.model`.
"""

from functools import partial

import keras
import tensorflow as tf

from normlib import backward, gradients, layers, model, ops
from normlib.arithmetic import share_of_mean
from report.study import row_reader, your_norm

# The factors of the terms of dx that come through the mean and through the variance.
BROKEN = {"constant mean": (0, 1), "constant variance": (1, 0), "constant moments": (0, 0)}


class PublishedBatchNormalization(keras.layers.Layer):
    """The published script's BN: over the batch axis only, and no moving statistics.

    y, mean, variance = batch_norm(x, gamma, beta, reduction_axes=(0,))

    Every position of every channel has its own statistics, of the minibatch in scoring too, while
    gamma and beta are per channel. The mathematics is BN's for dense layers, not for
    convolutions (Ioffe & Szegedy 2015, section 3.2).
    """

    def __init__(self, epsilon: float, **kwargs):
        super().__init__(**kwargs)
        self.epsilon = epsilon

    def build(self, input_shape):
        """Make `gamma` and `beta`, one for each channel."""
        self.gamma = self.add_weight(name="gamma", shape=input_shape[-1:], initializer="ones")
        self.beta = self.add_weight(name="beta", shape=input_shape[-1:], initializer="zeros")

    def call(self, x):
        """Normalize with the minibatch's statistics."""
        options = {"reduction_axes": (0,), "epsilon": self.epsilon}
        y, _, _ = gradients.batch_norm(x, self.gamma.value, self.beta.value, **options)
        return y


class BrokenBatchNormalization(layers.BatchNormalization):
    """BN whose backward pass takes the minibatch's mean, variance, or both for constants.

    y = normalize(x, stop_gradient(mean), stop_gradient(variance), gamma, beta)

    The forward pass, and so inference, is BN's. `backward` is "constant mean", "constant
    variance" or "constant moments".
    """

    def __init__(self, backward: str, **kwargs):
        super().__init__(**kwargs)
        self.backward = backward

    def _batch_norm(self, x, mask, gamma, beta):
        options = {"reduction_axes": self._reduction_axes, "epsilon": self.epsilon}

        def forward(x, gamma, beta):
            y, mean, variance = ops.batch_norm(x, gamma, beta, **options)
            share = share_of_mean(x, self._reduction_axes)
            saved = (x, gamma, beta, mean, variance, share, self._lose)
            return (y, mean, variance), lambda *d: backward.batch_norm(*d, *saved, **options)

        return tf.custom_gradient(forward)(x, gamma.value, beta.value)

    def _lose(self, sum_dy, sum_dy_x_hat, dmean, dvariance):
        """The sums that reach dx through mean and variance, 0 for the constant ones."""
        mean, variance = BROKEN[self.backward]
        return mean * sum_dy, variance * sum_dy_x_hat, dmean, dvariance


def _broken(backward: str):
    options = {"momentum": model.MOMENTUM, "epsilon": model.EPSILON}
    return lambda arm, _: BrokenBatchNormalization(backward, **options)


model.NORMS |= {
    "batch, published": lambda arm, _: PublishedBatchNormalization(model.EPSILON),
    "own, ours": lambda arm, _: your_norm.Normalization(arm.source),
    **{f"batch, {backward}": _broken(backward) for backward in BROKEN},
}
# Its weight norm has one g for a whole kernel.
model.KERNELS["weight, published"] = partial(layers.WeightNormalization, per_unit=False)
model.NETWORKS["rnn"] = row_reader.build
