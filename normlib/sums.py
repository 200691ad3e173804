"""Averages and sums over `reduction_axes`, and how each element enters them."""

import tensorflow as tf

from normlib import checks


def average(x, *, reduction_axes, weights=None) -> tf.Tensor:
    """Return the mean of `x` over `reduction_axes`, which keep length 1.

    mean = sum(weights * x) / sum(weights)

    weights: 1 or 0 as a mask says, or None for 1 everywhere. With all weights 0 it is 0. A NaN that
    is masked does not enter the mean; it does enter the gradients made of it.
    """
    if weights is None:
        return in_turn(tf.reduce_mean, x, reduction_axes)
    weights = tf.broadcast_to(weights, tf.shape(x))
    weighted = tf.where(weights > 0, weights * x, 0)  # whatever x holds where it is masked
    total, count = (tf.reduce_sum(t, reduction_axes, keepdims=True) for t in (weighted, weights))
    return tf.math.divide_no_nan(total, count)


def in_turn(reduce, x, reduction_axes) -> tf.Tensor:
    """Return `x` reduced over axes, which keep length 1; of channels, the last position last.

    TensorFlow adds rows of many channels quickly, and rows of few slowly.
    """
    axes = checks.axes(x, reduction_axes)
    if axes[1:] and axes[-1] < len(x.shape) - 1:
        x, axes = reduce(x, axes[:-1], keepdims=True), axes[-1:]
    return reduce(x, axes, keepdims=True)


def sum_like(gradient, parameter):
    """Return the gradient summed over the axes on which `parameter` was broadcast."""
    lead = len(gradient.shape) - len(parameter.shape)
    shared = [lead + i for i, length in enumerate(parameter.shape) if length == 1]
    total = tf.reduce_sum(gradient, [*range(lead), *shared])
    return tf.reshape(total, tf.shape(parameter))


def share_of_mean(x, weights, reduction_axes):
    """Return the derivative of `average` by each element: 1 / n, or weights / sum(weights)."""
    if weights is None:
        lengths = tf.gather(tf.shape(x), tf.constant(reduction_axes, tf.int32))
        count = tf.reduce_prod(lengths)
        return 1 / tf.cast(count, x.dtype)
    total = tf.reduce_sum(tf.broadcast_to(weights, tf.shape(x)), reduction_axes, keepdims=True)
    return tf.math.divide_no_nan(weights, total)
