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
