"""Element-wise expressions compiled into one pass over memory."""

import functools
from collections.abc import Callable

import tensorflow as tf


def fused(expression: Callable) -> Callable:
    """Return the element-wise `expression`, compiled by XLA where it is part of a graph.

    On a CPU a norm costs the memory it moves. TensorFlow reads and writes it once an operation,
    XLA once an expression. Sums, convolutions and products of matrices stay outside: TensorFlow's
    are the faster ones. Called eagerly, the expression stays as it is written.
    """
    compiled = tf.function(expression, jit_compile=True)

    @functools.wraps(expression)
    def call(*tensors):
        return expression(*tensors) if tf.executing_eagerly() else compiled(*tensors)

    return call


# The expressions ---------------------------------------------------------------------------------

deviation = fused(tf.subtract)
squared_deviation = fused(tf.math.squared_difference)
product = fused(tf.multiply)


@fused
def scale_and_shift(x, mean, inv_std, gamma, beta) -> tf.Tensor:
    """Return gamma * inv_std * (x - mean) + beta."""
    return gamma * inv_std * (x - mean) + beta


@fused
def along(dy, x, mean, inv_std):
    """Return dy * x_hat."""
    return dy * ((x - mean) * inv_std)


@fused
def through_statistics(dy, x, mean, scale, share, dmean, dvariance):
    """Return scale * dy + share * (dmean + 2 * (x - mean) * dvariance)."""
    return scale * dy + share * (dmean + 2 * dvariance * (x - mean))


@fused
def across(dy, x, mean, inv_std, gamma, along_mean, along_x_hat):
    """Return inv_std * (gamma * dy - along_mean - x_hat * along_x_hat)."""
    x_hat = (x - mean) * inv_std
    return inv_std * (gamma * dy - along_mean - x_hat * along_x_hat)


@fused
def rejected(dw, unit, scale, along):
    """Return scale * (dw - along * unit)."""
    return scale * (dw - along * unit)
