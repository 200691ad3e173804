"""Batch normalization folded into the layer before it: at inference, and in training.

A convolution is linear in the patches of its input, so mean and variance of its output follow from
the mean and covariance of the patches, and BN of the output is a convolution with other weights.
"""

import math

import keras
import numpy as np
import tensorflow as tf

from normlib import ops
from normlib.arithmetic import one_pass
from normlib.weight_norm import check_outputs_last


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


def _blocks(x, size: int, rows: int, columns: int):
    """The input pixels under each block of rows x columns output pixels: place in it first."""
    _, height, width = x.shape
    before, after = (size - 1) // 2, size // 2

    def cut():
        padded = tf.pad(x, [[0, 0], [before, after], [before, after]])
        return tf.stack([
            padded[:, i : i + height : rows, j : j + width : columns]
            for i in range(rows + size - 1) for j in range(columns + size - 1)
        ])  # fmt: skip

    return one_pass(cut)


def folded_moments(x, kernel, bias) -> tuple[tf.Tensor, tf.Tensor]:
    """Return mean and variance of every channel of a SAME convolution's output, without it.

    mean = mean_of_patches @ w + bias;  variance = sum(w * (covariance_of_patches @ w))

    x: (N, H, W, 1); kernel (K, K, 1, C); w is the kernel as (K * K, C). Exact in exact
    arithmetic, because a convolution is linear in the patch.
    """
    mean, covariance = patch_moments(x, kernel.shape[0])
    w = tf.cast(tf.reshape(kernel, [-1, kernel.shape[-1]]), tf.float64)
    means = tf.linalg.matvec(w, mean, transpose_a=True) + tf.cast(bias, tf.float64)
    return means, tf.reduce_sum(w * (covariance @ w), 0)


class ConvolutionBatchNorm(keras.layers.Conv2D):
    """A convolution and the BN after it as one convolution, in training too.

    scale = gamma / sqrt(variance + epsilon)
    y = convolution(x, kernel * scale, (bias - mean) * scale + beta)

    Equal to a SAME convolution and `layers.BatchNormalization`, and nearly as cheap as the
    convolution alone; it passes by `ops.batch_norm`, so it is no evidence on BN. The gradients are
    automatic: all that differs from a convolution is small. BN's backward pass subtracts before it
    sums; this one subtracts after summing, so float32 loses digits when mean(dy) is large.
    Of Conv2D's arguments it takes filters, kernel_size, padding="same", initializers and a bias, no
    strides, dilation or activation; it cannot be saved.
    Source: Jacob et al. 2018, section 3.2, who fold at inference.
    """

    def __init__(self, *arguments, momentum: float, epsilon: float, **kwargs):
        super().__init__(*arguments, **kwargs)
        self.momentum, self.epsilon = momentum, epsilon

    def build(self, input_shape):
        """Make the variables of both layers."""
        super().build(input_shape)
        options = {"shape": (self.filters,)}
        fixed = options | {"trainable": False}
        self.gamma = self.add_weight(name="gamma", initializer="ones", **options)
        self.beta = self.add_weight(name="beta", initializer="zeros", **options)
        self.moving_mean = self.add_weight(name="moving_mean", initializer="zeros", **fixed)
        self.moving_variance = self.add_weight(name="moving_variance", initializer="ones", **fixed)

    def call(self, x, training=None):
        """Fold the minibatch's statistics if `training`, else the moving ones."""
        mean, variance = self.moving_mean.value, self.moving_variance.value
        if training:
            mean, variance = folded_moments(x, self.kernel.value, self.bias.value)
            self._update(self.moving_mean, mean)
            self._update(self.moving_variance, variance)
        scale = self.gamma.value * tf.cast(tf.math.rsqrt(variance + self.epsilon), x.dtype)
        bias = (self.bias.value - tf.cast(mean, x.dtype)) * scale + self.beta.value
        return tf.nn.bias_add(tf.nn.conv2d(x, self.kernel.value * scale, 1, "SAME"), bias)

    def _update(self, moving, new):
        old = tf.cast(moving.value, new.dtype)
        moving.assign(tf.cast(ops.moving_average(old, new, momentum=self.momentum), moving.dtype))


def fold(layer, batch_norm) -> keras.layers.Layer:
    """Return one layer that does at inference what `layer` and then `batch_norm` do.

    r = 1 / sqrt(moving_variance + epsilon)
    kernel = gamma * r * kernel;  bias = beta + (bias - moving_mean) * gamma * r

    layer: built Dense or convolution, channels last, no activation; batch_norm: built, of that
    many channels, ours or Keras's. Raises ValueError for what cannot be folded.
    Source: Ioffe & Szegedy 2015, section 3.1 (inference is a fixed linear transform).
    """
    check_outputs_last(layer, "fold")
    channels, shape = layer.kernel.shape[-1], layer.get_build_config()["input_shape"]
    if layer.activation is not keras.activations.linear:
        raise ValueError(
            f"fold needs a layer without activation; received {layer.activation.__name__}. Put the "
            "activation after the batch normalization."
        )
    if not isinstance(batch_norm, keras.layers.BatchNormalization):
        raise ValueError(f"fold needs a BatchNormalization; received {type(batch_norm).__name__}.")
    rank, found = len(layer.compute_output_shape(shape)), batch_norm.moving_mean.shape[0]
    if found != channels or batch_norm.axis not in (-1, rank - 1):
        raise ValueError(
            f"fold needs a batch normalization of the layer's {channels} channels on the last of "
            f"its output's {rank} axes; received {found} on axis {batch_norm.axis}."
        )
    folded = type(layer).from_config(layer.get_config() | {"use_bias": True})
    folded.build(shape)
    scale, shift = _affine(batch_norm)
    kernel, *bias = (np.asarray(w, np.float64) for w in layer.get_weights())
    folded.set_weights([kernel * scale, (bias[0] if bias else 0) * scale + shift])
    return folded


def _affine(batch_norm) -> tuple[np.ndarray, np.ndarray]:
    names = ("gamma", "beta", "moving_mean", "moving_variance")
    variables = (getattr(batch_norm, name) for name in names)
    gamma, beta, mean, variance = (
        default if v is None else np.asarray(v.numpy(), np.float64)
        for v, default in zip(variables, (1.0, 0.0, None, None), strict=True)
    )
    scale = gamma / np.sqrt(variance + batch_norm.epsilon)
    return scale, beta - mean * scale
