"""The fast path of the lab's network: what every arm shares, and BN folded into the convolution.

On a CPU the network costs its products of matrices and the memory that it moves between them.
Convolution: TensorFlow adds the bias in the same pass if it is `tf.nn.bias_add`. Pooling stands
before ReLU, which commutes with a maximum, so ReLU sees a quarter of the elements; its gradient
needs the place of each maximum only, not the activations. Equal to the plain layers, ties too.
"""

import math

import keras
import numpy as np
import tensorflow as tf

from normlib import ops
from normlib.fusion import fused

# Pooling ---------------------------------------------------------------------------------------


@tf.custom_gradient
def max_pool(x):
    """Return the maximum of each 2 x 2 window: (N, H, W, C) to (N, H // 2, W // 2, C).

    y = max(x[2i, 2j], x[2i, 2j + 1], x[2i + 1, 2j], x[2i + 1, 2j + 1])
    dx = dy at the first of the window that equals y, else 0

    As `tf.nn.max_pool2d(x, 2, 2, "VALID")`: an odd last row or column is dropped.
    """
    height, width = x.shape[1], x.shape[2]
    y, place = pool(x[:, : height // 2 * 2, : width // 2 * 2])

    def backward(dy):
        margins = [[0, 0], [0, height % 2], [0, width % 2], [0, 0]]
        dx = unpool(dy, place)
        return tf.pad(dx, margins) if height % 2 or width % 2 else dx

    return y, backward


@fused
def pool(x):
    """Return the maximum of each window and its place in it: 0, 1, 2 or 3, row by row."""
    corners = [x[:, i::2, j::2] for i in (0, 1) for j in (0, 1)]
    y = tf.maximum(tf.maximum(*corners[:2]), tf.maximum(*corners[2:]))
    place = tf.fill(tf.shape(y), tf.constant(3, tf.int8))
    for k in (2, 1, 0):
        place = tf.where(corners[k] == y, tf.constant(k, tf.int8), place)
    return y, place


@fused
def unpool(dy, place):
    """Return a window for each element of `dy`: `dy` in that place, 0 elsewhere."""
    _, height, width, channels = dy.shape
    window = tf.reshape(tf.range(4), [1, 1, 2, 1, 2, 1])
    here = tf.cast(window, place.dtype) == place[:, :, None, :, None]
    dx = tf.where(here, dy[:, :, None, :, None], 0)
    return tf.reshape(dx, [-1, 2 * height, 2 * width, channels])


class MaxPooling2D(keras.layers.Layer):
    """`max_pool` as a layer."""

    def call(self, x):
        """Pool."""
        return max_pool(x)


class Conv2D(keras.layers.Conv2D):
    """Keras's convolution of stride 1, channels last, its bias added in the same pass."""

    def call(self, x):
        """Convolve."""
        return convolution(x, self.kernel, self.bias)


def convolution(x, kernel, bias):
    """Return `tf.nn.conv2d` of stride 1, SAME, plus the bias: (N, H, W, A) to (N, H, W, C)."""
    return tf.nn.bias_add(tf.nn.conv2d(x, kernel, 1, "SAME"), bias)


# BN folded into the convolution ----------------------------------------------------------------


def patch_moments(x, size: int) -> tuple[tf.Tensor, tf.Tensor]:
    """Return mean and covariance of the size x size patches of a SAME convolution.

    mean = average(patches);  covariance = average(outer(patches - mean, patches - mean))

    x: (N, H, W, 1), constant: no gradient; mean (size**2,), covariance (size**2, size**2), both
    float64, since a high-pass filter leaves a thousandth of the covariance. Taken from patches of
    whole blocks of output pixels, which hold each input pixel fewer times.
    """
    if x.shape[-1] != 1:
        raise ValueError(f"patch_moments takes images of one channel; received shape {x.shape}.")
    rows, columns = math.gcd(2, x.shape[1]), math.gcd(4, x.shape[2])
    taps = _taps(size, rows, columns)
    blocks = tf.cast(_blocks(x[..., 0], size, rows, columns), tf.float64)
    blocks = tf.reshape(blocks, [blocks.shape[0], -1])
    second = tf.matmul(blocks, blocks, transpose_b=True) / tf.cast(tf.shape(blocks)[1], tf.float64)
    pairs = tf.gather(tf.gather(second, taps), taps, axis=2, batch_dims=1)
    mean = tf.reduce_mean(tf.gather(tf.reduce_mean(blocks, 1), taps), 0)
    return mean, tf.reduce_mean(pairs, 0) - mean[:, None] * mean


def _taps(size: int, rows: int, columns: int) -> np.ndarray:
    """The places in a block of the patch under each of its output pixels: (pixels, size**2)."""
    places = np.arange((rows + size - 1) * (columns + size - 1)).reshape(rows + size - 1, -1)
    return np.array([
        places[i : i + size, j : j + size].ravel() for i in range(rows) for j in range(columns)
    ])  # fmt: skip


@fused
def _blocks(x, size: int, rows: int, columns: int):
    """The input pixels under each block of rows x columns output pixels: place in it first."""
    _, height, width = x.shape
    before, after = (size - 1) // 2, size // 2
    x = tf.pad(x, [[0, 0], [before, after], [before, after]])
    return tf.stack([
        x[:, i : i + height : rows, j : j + width : columns]
        for i in range(rows + size - 1) for j in range(columns + size - 1)
    ])  # fmt: skip


def folded_moments(x, kernel, bias) -> tuple[tf.Tensor, tf.Tensor]:
    """Return mean and variance of every channel of `convolution(x, kernel, bias)`, without it.

    mean = mean_of_patches @ w + bias;  variance = sum(w * (covariance_of_patches @ w))

    x: (N, H, W, 1); kernel (K, K, 1, C); w is the kernel as (K * K, C). Exact in exact
    arithmetic, because a convolution is linear in the patch.
    """
    mean, covariance = patch_moments(x, kernel.shape[0])
    w = tf.cast(tf.reshape(kernel, [-1, kernel.shape[-1]]), tf.float64)
    means = tf.linalg.matvec(w, mean, transpose_a=True) + tf.cast(bias, tf.float64)
    return means, tf.reduce_sum(w * (covariance @ w), 0)


class ConvolutionBatchNorm(Conv2D):
    """A convolution and the BN after it as one convolution, in training too.

    scale = gamma / sqrt(variance + epsilon)
    y = convolution(x, kernel * scale, (bias - mean) * scale + beta)

    Equal to `Conv2D` and `layers.BatchNormalization`, and as cheap as the convolution alone; it
    passes by `ops.batch_norm`, so it is a lesson in speed and no evidence on BN. The gradients are
    automatic: all that differs from a convolution is small. What BN's subtracts before it sums,
    this one subtracts from the sum: in float32 it loses digits where the mean of dy is not small.
    Source: Jacob et al. 2018, section 3.2, who fold at inference.
    """

    def __init__(self, *arguments, momentum: float, epsilon: float, **kwargs):
        super().__init__(*arguments, **kwargs)
        self.momentum, self.epsilon = momentum, epsilon

    def build(self, input_shape):
        """Make the variables of both layers."""
        super().build(input_shape)
        self.gamma, self.beta, self.moving_mean, self.moving_variance = (
            self.add_weight(
                name=name, shape=(self.filters,), initializer=start, trainable=name in "gamma beta"
            )
            for name, start in {
                "gamma": "ones", "beta": "zeros", "moving_mean": "zeros", "moving_variance": "ones",
            }.items()
        )  # fmt: skip

    def call(self, x, training=None):
        """Fold the minibatch's statistics if `training`, else the moving ones."""
        mean, variance = self.moving_mean.value, self.moving_variance.value
        if training:
            mean, variance = folded_moments(x, self.kernel.value, self.bias.value)
            self._update(self.moving_mean, mean)
            self._update(self.moving_variance, variance)
        scale = self.gamma.value * tf.cast(tf.math.rsqrt(variance + self.epsilon), x.dtype)
        bias = (self.bias.value - tf.cast(mean, x.dtype)) * scale + self.beta.value
        return convolution(x, self.kernel.value * scale, bias)

    def _update(self, moving, new):
        old = tf.cast(moving.value, new.dtype)
        moving.assign(tf.cast(ops.moving_average(old, new, momentum=self.momentum), moving.dtype))
