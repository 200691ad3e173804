"""A norm of your own: a Python function that trains, in worker processes too, beside the others.

Its code travels as text, so it may use `tf`, `np`, `ops` and `gradients`, and nothing else from
outside. Its gradient is automatic unless it calls `gradients`. Its runs are never archived.
"""

import ast
import builtins
import inspect
import textwrap
from collections.abc import Callable
from dataclasses import replace

import keras
import numpy as np
import tensorflow as tf

from normlib import gradients, ops
from normlib.arm import Arm

SHAPES = {"conv": [(3, 4, 5, 6)], "hidden": [(3, 6)], "both": [(3, 4, 5, 6), (3, 6)]}
GIVEN = {"tf": tf, "np": np, "ops": ops, "gradients": gradients}


def arm(function: Callable, **settings) -> Arm:
    """Return the arm of a norm `function(x, gamma, beta)`, placed as the other settings say.

    x: (N, H, W, C) after the convolution, (N, D) on the hidden layer; gamma, beta: the length of
    the last axis, 1 and 0 at the start, trained if they are used. Returns y: as x. Raises
    ValueError for a function that does not run on such input by itself.
    """
    placed = Arm(norm="own", source="still to be read", **settings)
    name = getattr(function, "__name__", repr(function))
    try:
        source = textwrap.dedent(inspect.getsource(function))
        if reason := fault(source):
            raise ValueError(reason)
        for shape in SHAPES[placed.placement]:
            x = tf.random.stateless_normal(shape, seed=(0, 0))
            y = compiled(source)(x, tf.ones(shape[-1]), tf.zeros(shape[-1]))
            if tuple(np.shape(y)) != shape:
                raise ValueError(f"for x of shape {shape} it returned shape {tuple(np.shape(y))}")
    except Exception as error:
        raise ValueError(
            f"the norm {name!r} failed: {error}. Write it as a plain `def` of (x, gamma, beta), in "
            "a cell or a file, that returns a tensor of the shape of x and uses only "
            f"{', '.join(GIVEN)} from outside."
        ) from error
    return replace(placed, source=source)


def fault(source: str) -> str:
    """Why this source cannot travel as text by itself; empty if it can."""
    try:
        (function,) = ast.parse(source).body
    except (SyntaxError, ValueError):
        function = None
    if not isinstance(function, ast.FunctionDef):
        return "its source is no `def`"
    if function.decorator_list:
        return f"it is decorated, with @{ast.unparse(function.decorator_list[0])}; leave that out"
    outside = sorted(_used(function) - _made(function) - set(GIVEN) - set(dir(builtins)))
    if outside:
        return f"it takes {', '.join(outside)} from outside; define or import that inside it"
    return ""


def _used(function: ast.FunctionDef) -> set[str]:
    nodes = ast.walk(function)
    return {n.id for n in nodes if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Load)}


def _made(function: ast.FunctionDef) -> set[str]:
    """The names that it binds; those of its arguments are no use to its own default values."""
    defaults = {id(node) for value in _defaults(function) for node in ast.walk(value)}
    made = set()
    for node in ast.walk(function):
        if id(node) in defaults:
            continue
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            made.add(node.id)
        elif isinstance(node, ast.arg):
            made.add(node.arg)
        elif isinstance(node, ast.FunctionDef | ast.ClassDef):
            made.add(node.name)
        elif isinstance(node, ast.alias):
            made.add((node.asname or node.name).split(".")[0])
        elif isinstance(node, ast.ExceptHandler) and node.name:
            made.add(node.name)
    return made - ({function.name} if function.name in GIVEN else set())


def _defaults(function: ast.FunctionDef) -> list[ast.expr]:
    return [*function.args.defaults, *filter(None, function.args.kw_defaults)]


def compiled(source: str) -> Callable:
    """Return the function that this source defines."""
    namespace = dict(GIVEN)
    exec(source, namespace)  # the reader's own code, as in any cell
    return namespace[ast.parse(source).body[0].name]


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
        return tf.convert_to_tensor(self.function(x, self.gamma.value, self.beta.value))
