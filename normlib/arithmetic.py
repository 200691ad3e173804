"""Averages and sums over axes, and element-wise expressions compiled into one pass over memory."""

import functools
import math
import types
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

import tensorflow as tf

# One pass ---------------------------------------------------------------------------------------

IN_THE_LABS_LOOP = ContextVar("an xla context is open", default=False)


@contextmanager
def xla() -> Iterator[None]:
    """Within this context `one_pass` in a graph means what it says: XLA compiles its expressions.

    The lab's training loop asks for it. Layers in other people's models stay plain TensorFlow,
    which takes inputs of any size without compiling again, and exports to any runtime.
    """
    token = IN_THE_LABS_LOOP.set(True)
    try:
        yield
    finally:
        IN_THE_LABS_LOOP.reset(token)


def one_pass(expression: Callable[[], tf.Tensor]) -> tf.Tensor:
    """Return `expression()`, a lambda of the tensors around it: in one pass over memory under xla.

    On a CPU a norm costs the memory that it moves. TensorFlow reads and writes it once an
    operation, XLA once an expression. Sums, convolutions and products of matrices stay outside:
    TensorFlow's are the faster ones.
    """
    if tf.executing_eagerly() or not IN_THE_LABS_LOOP.get():
        return expression()
    return _compiled(expression.__code__)(*(cell.cell_contents for cell in expression.__closure__))


@functools.cache
def _compiled(code: types.CodeType) -> Callable:
    """The lambda's code as a compiled function of the tensors that it closes over.

    Each call of an op makes a new lambda, which tf.function would compile again; their code is one
    and the same object. The only global that it may use is `tf`.
    """

    def call(*tensors):
        return types.FunctionType(code, {"tf": tf}, closure=tuple(map(types.CellType, tensors)))()

    return tf.function(call, jit_compile=True, autograph=False)


# Averages and sums, over sorted axes counted from 0 ---------------------------------------------


def refined_mean(x, reduction_axes, weights=None) -> tf.Tensor:
    """Return the mean of `x`, corrected by the mean of what it leaves: a constant's is exact.

    mean = reduce_mean(x);  mean += reduce_mean(x - mean)

    Source: Chan, Golub & LeVeque 1983, the corrected two-pass algorithm.
    """
    mean = reduce_mean(x, reduction_axes, weights)
    return mean + reduce_mean(one_pass(lambda: x - mean), reduction_axes, weights)


def reduce_mean(x, reduction_axes, weights=None) -> tf.Tensor:
    """Return `tf.reduce_mean` of `x` over `reduction_axes`, which keep length 1.

    mean = sum(weights * x) / sum(weights)

    weights: 1 or 0 as a mask says, or None for 1 everywhere. With all weights 0 it is 0. A NaN that
    is masked does not enter the mean; it does enter the gradients made of it.
    """
    if weights is None:
        return _in_turn(tf.reduce_mean, x, reduction_axes)
    weights = tf.broadcast_to(weights, tf.shape(x))
    weighted = tf.where(weights > 0, weights * x, 0)  # whatever x holds where it is masked
    total, count = total_of(weighted, reduction_axes), total_of(weights, reduction_axes)
    return tf.math.divide_no_nan(total, count)


def reduce_sum(x, reduction_axes) -> tf.Tensor:
    """Return `tf.reduce_sum` of `x` over `reduction_axes`, which keep length 1: of activations.

    Faster there than `total_of`, and rounded differently, since it takes the axes in turns.
    """
    return _in_turn(tf.reduce_sum, x, reduction_axes)


def total_of(x, reduction_axes) -> tf.Tensor:
    """Return `tf.reduce_sum` of `x` over `reduction_axes`, all at once: of masks and kernels."""
    if _is_long(x, reduction_axes):
        return _sum_in_blocks(x, reduction_axes)
    return tf.reduce_sum(x, reduction_axes, keepdims=True)


def _in_turn(reduce, x, axes) -> tf.Tensor:
    """`reduce`, tf.reduce_sum or tf.reduce_mean, of `x` over the axes in turns.

    Where the channels, the last axis, stay, the last of the axes goes after the others: until then
    TensorFlow adds long rows, of width times channels; rows of channels alone it adds slowly.
    """
    of_channels = axes[1:] and axes[-1] < len(x.shape) - 1
    turns = [axes[:-1], axes[-1:]] if of_channels else [axes]
    if any(_is_long(x, turn) for turn in turns):
        total = _sum_in_blocks(x, axes)
        return total if reduce is tf.reduce_sum else total * share_of_mean(x, axes)
    for turn in turns:
        x = reduce(x, turn, keepdims=True)
    return x


LONG, BLOCK = 2**16, 2**12  # elements; the lab's own arms add fewer in a turn


def _is_long(x, axes: tuple[int, ...]) -> bool:
    """Whether `x` has, or may have, so many elements on the axes that float32 loses them.

    TensorFlow adds rows one after the other, while it adds within a row by halves. An unknown
    length is taken for a short one in the lab's own loop, which asks for xla.
    """
    kept = [a for a in range(len(x.shape)) if a not in axes and x.shape[a] != 1]
    lengths = [x.shape[a] for a in axes] if kept and axes and min(axes) < kept[-1] else []
    if None in lengths:
        return not IN_THE_LABS_LOOP.get()
    return math.prod(lengths) > LONG


def _sum_in_blocks(x, axes: tuple[int, ...]) -> tf.Tensor:
    """The sum over one axis after the other, of a long one as the sum of its blocks' sums."""
    shape = [1 if axis in axes else length for axis, length in enumerate(x.shape)]
    for axis in axes:
        if x.shape[axis] is None or x.shape[axis] > BLOCK:
            x = _sums_of_blocks(x, axis)
        x = tf.reduce_sum(x, axis, keepdims=True)
    x.set_shape(shape)  # an operation for it would not convert to TFLite
    return x


def _sums_of_blocks(x, axis: int) -> tf.Tensor:
    """`x` with the axis cut into blocks of equal length, the last one filled up with 0, summed."""
    shape, length = tf.shape(x), tf.shape(x)[axis]
    blocks = tf.maximum((length - 1) // BLOCK + 1, 1)
    each = -(-length // blocks)
    room = tf.one_hot(axis, len(x.shape), blocks * each - length, 0, dtype=tf.int32)
    filled = tf.pad(x, tf.stack([tf.zeros_like(room), room], axis=1))
    cut = tf.reshape(filled, tf.concat([shape[:axis], [blocks, each], shape[axis + 1 :]], 0))
    return tf.reduce_sum(cut, axis + 1)


def sum_like(gradient, parameter) -> tf.Tensor:
    """Return the gradient summed over the axes on which `parameter` was broadcast."""
    lead = len(gradient.shape) - len(parameter.shape)
    shared = [lead + i for i, length in enumerate(parameter.shape) if length == 1]
    axes = (*range(lead), *shared)
    long = _is_long(gradient, axes)
    total = _sum_in_blocks(gradient, axes) if long else tf.reduce_sum(gradient, axes)
    return tf.reshape(total, tf.shape(parameter))


def share_of_mean(x, reduction_axes, weights=None) -> tf.Tensor:
    """Return the derivative of the mean by each element: 1 / n, or weights / sum(weights)."""
    if weights is None:
        lengths = tf.gather(tf.shape(x), tf.constant(reduction_axes, tf.int32))
        count = tf.reduce_prod(lengths)
        return 1 / tf.cast(count, x.dtype)
    total = total_of(tf.broadcast_to(weights, tf.shape(x)), reduction_axes)
    return tf.math.divide_no_nan(weights, total)
