"""The rules for the ops' arguments: each is a ValueError that says the rule, what came, a fix."""

import functools
import inspect
from collections.abc import Callable, Iterable
from numbers import Integral

import numpy as np
import tensorflow as tf

from normlib.arithmetic import IN_THE_LABS_LOOP


def arguments(per_channel: bool = False) -> Callable:
    """Decorate an op of `(x, *parameters, *, reduction_axes, weights, **options)` with its rules.

    `x` is floating-point, every parameter broadcasts against it and, if `per_channel`, has length 1
    on reduction_axes. The op gets tensors of one type, float32 at least, and sorted axes; its first
    output returns in the type of `x`. Raises ValueError.
    """

    def decorate(op: Callable) -> Callable:
        signature = inspect.signature(op)

        @functools.wraps(op)
        def checked(*arguments, **options):
            bound = signature.bind(*arguments, **options)
            (first, x), *parameters = zip(signature.parameters, bound.args, strict=False)
            x, options = floating(x, first), dict(bound.kwargs)
            if "reduction_axes" in options:
                options["reduction_axes"] = axes(x, options["reduction_axes"])
            for name, parameter in parameters:
                if per_channel:
                    constant_on(parameter, x, options["reduction_axes"], name)
                broadcasts(parameter, x, name)
            wide = widen(x, *(parameter for _, parameter in parameters))
            if options.get("weights") is not None:
                broadcasts(options["weights"], x, "weights")
                options["weights"] = tf.cast(options["weights"], wide[0].dtype)
            outputs = op(*wide, **options)
            if not isinstance(outputs, tuple):
                return tf.cast(outputs, x.dtype)
            statistics = [representable(s, x) for s in outputs[1:]]
            with tf.control_dependencies(statistics):  # nothing is made of what overflowed
                return tuple(map(tf.identity, (tf.cast(outputs[0], x.dtype), *statistics)))

        return checked

    return decorate


def floating(x, name: str = "x") -> tf.Tensor:
    """Return `x` as a tensor; raises ValueError unless it holds floating-point numbers."""
    x = tf.convert_to_tensor(x)
    if not x.dtype.is_floating:
        raise ValueError(
            f"{name} must hold floating-point numbers; received {x.dtype.name}. Cast it first: "
            f"tf.cast({name}, 'float32')."
        )
    return x


def widen(x, *others) -> list[tf.Tensor]:
    """Return the tensors in the widest of their floating-point types, float32 at least."""
    x = floating(x)
    types = [tf.as_dtype(t.dtype) for t in (x, *others) if hasattr(t, "dtype")]
    dtype = max([tf.float32, *(t for t in types if t.is_floating)], key=lambda t: t.size)
    # Python's numbers are converted at once: tf.cast would round them to float32 first.
    return [
        tf.cast(t, dtype) if hasattr(t, "dtype") else tf.convert_to_tensor(t, dtype)
        for t in (x, *others)
    ]


def axes(x: tf.Tensor, reduction_axes) -> tuple[int, ...]:
    """Return the axes sorted and counted from 0; raises ValueError for one that `x` lacks."""
    return tuple(sorted(axes_of(len(x.shape), reduction_axes, "reduction_axes")))


def axes_of(rank: int, given, name: str) -> tuple[int, ...]:
    """Return the axes counted from 0, in the order given; raises ValueError for wrong ones."""
    given = tuple(given) if isinstance(given, Iterable) else (given,)
    whole = all(isinstance(a, Integral) for a in given)
    if (
        not whole
        or any(not -rank <= a < rank for a in given)
        or len({a % rank for a in given}) < len(given)
    ):
        raise ValueError(
            f"{name} must be distinct whole numbers between {-rank} and {rank - 1} for x of rank "
            f"{rank}; received {given}."
        )
    return tuple(int(a) % rank for a in given)


def representable(statistic: tf.Tensor, x: tf.Tensor) -> tf.Tensor:
    """Return the statistic of `x`; raises ValueError for a finite `x` whose squares overflow.

    In a graph it is TensorFlow's InvalidArgumentError, of this replica and before anything is made
    of the statistic; under XLA nothing is raised. The lab's own loop looks for itself.
    """
    if IN_THE_LABS_LOOP.get():
        return statistic
    wrong = f"x is too large for {statistic.dtype.name}: its squares overflow, or their sum. "
    wrong += "Divide x by a constant first, or compute in float64 (of a layer, its dtype)."
    fits = tf.reduce_all(tf.math.is_finite(statistic))  # or `x` is itself empty or not finite
    right = tf.cond(fits, lambda: True, lambda: ~tf.math.is_finite(tf.reduce_max(tf.abs(x))))
    if tf.executing_eagerly() and not right:
        raise ValueError(wrong)
    with tf.control_dependencies([tf.debugging.Assert(right, [wrong])]):
        return tf.identity(statistic)


def shape_of(parameter) -> tuple:
    """The shape of a tensor, an array, a number or a list of them."""
    return tuple(parameter.shape if hasattr(parameter, "shape") else np.shape(parameter))


def broadcasts(parameter, x: tf.Tensor, name: str) -> None:
    """Raise ValueError unless the parameter's shape broadcasts to that of `x` as it is."""
    shape = shape_of(parameter)
    pairs = zip(shape[::-1], tuple(x.shape)[::-1], strict=False)
    if len(shape) > len(x.shape) or any(n not in (1, m) and None not in (n, m) for n, m in pairs):
        raise ValueError(
            f"{name} must broadcast against x of shape {tuple(x.shape)}; received shape {shape}. "
            f"Give {name} length 1 on the axes that share a value."
        )


def constant_on(parameter, x: tf.Tensor, reduction_axes: tuple[int, ...], name: str) -> None:
    """Raise ValueError if the parameter varies along the axes averaged over."""
    shape = (1,) * (len(x.shape) - len(shape_of(parameter))) + shape_of(parameter)
    if any(shape[a] != 1 for a in reduction_axes):
        raise ValueError(
            f"{name} must have length 1 on reduction_axes {reduction_axes}, one value a channel; "
            f"received shape {shape_of(parameter)} for x of shape {tuple(x.shape)}."
        )


def grouped(channels: int | None, groups: int) -> None:
    """Raise ValueError unless the channels divide into the groups."""
    if not isinstance(groups, Integral) or channels is None or groups < 1 or channels % groups:
        raise ValueError(
            f"groups must divide a known number of channels; received groups={groups} and "
            f"{channels or 'unknown'} channels. Take 1 for all together, or one for each."
        )


def channelwise(parameter, channels: int, name: str) -> None:
    """Raise ValueError unless the parameter is one number or one for each channel."""
    if shape_of(parameter) not in ((), (channels,)):
        raise ValueError(
            f"{name} must be one number, or one for each of the {channels} channels: shape () or "
            f"({channels},); received shape {shape_of(parameter)}."
        )


def channels(x, axis: int) -> int:
    """Return the number of channels at `axis`; raises ValueError for `x` without positions."""
    x = floating(x)
    rank_at_least(x, 3)
    (axis,) = axes(x, axis)
    return x.shape[axis]


def rank_at_least(x: tf.Tensor, rank: int, name: str = "x") -> None:
    """Raise ValueError for a tensor of too few axes."""
    if len(x.shape) < rank:
        raise ValueError(
            f"{name} must have at least {rank} axes; received shape {tuple(x.shape)}. "
            "Add the missing ones with tf.expand_dims."
        )
