"""A norm of your own: a Python function that trains, in worker processes too, beside the others.

Its code travels as text, so it may use `tf`, `np`, `ops` and `gradients`, and nothing else from
outside. Its gradient is automatic unless it calls `gradients`. Its runs are never archived.
"""

import inspect
import textwrap
from collections.abc import Callable
from dataclasses import replace

import keras
import numpy as np
import tensorflow as tf

from normlib import gradients, ops
from normlib.arms import Arm

SHAPES = {"conv": [(3, 4, 5, 6)], "hidden": [(3, 6)], "both": [(3, 4, 5, 6), (3, 6)]}
GIVEN = {"tf": tf, "np": np, "ops": ops, "gradients": gradients}


def arm(function: Callable, **settings) -> Arm:
    """Return the arm of a norm `function(x, gamma, beta)`, placed as the other settings say.

    x: (N, H, W, C) after the convolution, (N, D) on the hidden layer; gamma, beta: the length of
    the last axis, 1 and 0 at the start, trained. Returns y: as x. Raises ValueError for a function
    that does not run on such input by itself.
    """
    placed = Arm(norm="own", source="still to be read", **settings)
    try:
        source = textwrap.dedent(inspect.getsource(function))
        for shape in SHAPES[placed.placement]:
            x = tf.random.stateless_normal(shape, seed=(0, 0))
            y = compiled(source)(x, tf.ones(shape[-1]), tf.zeros(shape[-1]))
            y.shape.assert_is_compatible_with(shape)
    except Exception as error:
        raise ValueError(
            f"the norm {getattr(function, '__name__', function)!r} failed: {error}. Write it as a "
            "plain `def` of (x, gamma, beta), in a cell or a file, that returns a tensor of the "
            f"shape of x and uses only {', '.join(GIVEN)} from outside."
        ) from error
    return replace(placed, source=source)


def compiled(source: str) -> Callable:
    """Return the function that this source defines."""
    if "def " not in source:
        raise ValueError("its source is no `def`")
    namespace = dict(GIVEN)
    exec(source, namespace)  # the reader's own code, as in any cell
    (name,) = set(namespace) - set(GIVEN) - {"__builtins__"}
    return namespace[name]


class Normalization(keras.layers.Layer):
    """A layer around a norm of one's own, with `gamma` and `beta` for the last axis."""

    def __init__(self, source: str, **kwargs):
        super().__init__(**kwargs)
        self.function = compiled(source)

    def build(self, input_shape):
        """Make `gamma` and `beta`."""
        self.gamma = self.add_weight(name="gamma", shape=input_shape[-1:], initializer="ones")
        self.beta = self.add_weight(name="beta", shape=input_shape[-1:], initializer="zeros")

    def call(self, x):
        """Apply the norm."""
        return self.function(x, self.gamma.value, self.beta.value)
