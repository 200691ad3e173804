"""The normalizations as equations: pure functions on tensors, from basic TensorFlow operations.

`reduction_axes` are the axes averaged over; `axis`, in `group_norm` and `instance_norm`, is that of
the channels. Variance is the population variance;
`epsilon` stands under the root. `checks.arguments` has each op compute half precision in float32
and return it as it came, and raise ValueError for input that is not floating-point, axes that `x`
lacks, and parameters that do not broadcast. `one_pass` says how an expression is compiled, not
what it computes. Training calls these very functions: see `gradients.py`.
"""

import tensorflow as tf

from normlib import checks
from normlib.arithmetic import one_pass, reduce_mean, refined_mean, total_of


@checks.arguments(per_channel=True)
def batch_norm(x, gamma, beta, *, reduction_axes, epsilon: float = 1e-3, weights=None):
    """Normalize every channel of `x` over the minibatch; return `(y, mean, variance)`.

    y = gamma * (x - mean) / sqrt(variance + epsilon) + beta

    x: (N, ..., C) with reduction_axes all but the channels, (0, 1, 2) for images;
    gamma, beta: (C,), or length 1 on reduction_axes; weights: a mask, (N, ..., 1), or None;
    mean, variance: (1, ..., 1, C), for the moving statistics, float32 at least.
    A channel that is constant or has a single element gives y = beta; where the mask leaves
    nothing, mean and variance are 0. Source: Ioffe & Szegedy 2015, Algorithm 1, and section 3.2.
    """
    mean = refined_mean(x, reduction_axes, weights)
    squares = one_pass(lambda: tf.math.squared_difference(x, mean))
    variance = reduce_mean(squares, reduction_axes, weights)
    inv_std = tf.math.rsqrt(variance + epsilon)
    y = one_pass(lambda: gamma * inv_std * (x - mean) + beta)
    return y, mean, variance


@checks.arguments()
def normalize(x, mean, variance, gamma, beta, *, epsilon: float) -> tf.Tensor:
    """Return `x` standardized with the given statistics, then scaled and shifted.

    y = gamma * (x - mean) / sqrt(variance + epsilon) + beta

    Centred, since x * r + (beta - mean * r) loses accuracy at large means. With the moving
    statistics, BN at inference. Source: Ioffe & Szegedy 2015, Algorithm 2, step 11.
    """
    inv_std = tf.math.rsqrt(variance + epsilon)
    return one_pass(lambda: gamma * inv_std * (x - mean) + beta)


def moving_average(moving, new, *, momentum: float) -> tf.Tensor:
    """Return the moving statistic after one minibatch; `momentum` weights the OLD value.

    moving = momentum * moving + (1 - momentum) * new

    As in Keras; PyTorch's is 1 minus this. Source: Ioffe & Szegedy 2015, section 3.1.
    """
    return momentum * moving + (1 - momentum) * new


@checks.arguments()
def mean_only_batch_norm(x, beta, *, reduction_axes) -> tuple[tf.Tensor, tf.Tensor]:
    """Centre every channel of `x` over the minibatch; return `(y, mean)`.

    y = x - mean + beta

    x: (N, ..., C); beta: (C,); mean: (1, ..., 1, C). Source: Salimans & Kingma 2016, section 4.
    """
    mean = refined_mean(x, reduction_axes)
    return x - mean + beta, mean


@checks.arguments()
def layer_norm(x, gamma, beta, *, reduction_axes, epsilon: float = 1e-3):
    """Normalize every example of `x` over its own features; return `(y, mean, variance)`.

    y = gamma * (x - mean) / sqrt(variance + epsilon) + beta

    x: (N, D) with reduction_axes (1,), or (N, H, W, C) with (1, 2, 3), and so on;
    gamma, beta: the trailing axes averaged over, (D,) or (H, W, C), or what broadcasts;
    mean, variance: as x, with length 1 on reduction_axes, float32 at least.
    Source: Ba, Kiros & Hinton 2016, equations 3 and 4.
    """
    mean = refined_mean(x, reduction_axes)
    squares = one_pass(lambda: tf.math.squared_difference(x, mean))
    variance = reduce_mean(squares, reduction_axes)
    inv_std = tf.math.rsqrt(variance + epsilon)
    y = one_pass(lambda: gamma * inv_std * (x - mean) + beta)
    return y, mean, variance


def group_norm(
    x, gamma, beta, *, groups: int, axis: int = -1, epsilon: float = 1e-3, by=None
) -> tf.Tensor:
    """Normalize every example of `x` over each group of its channels, at all positions together.

    y = layer_norm(x with the channels split into groups, over all but the example and the group)

    x: (N, ..., C), channels at `axis`; gamma, beta: (C,) or (); by: `layer_norm`, or that of
    `gradients.py`. Source: Wu & He 2018, equation 7.
    """
    split, gamma, beta, reduction_axes = split_groups(x, gamma, beta, groups, axis)
    norm = by or layer_norm
    y, *_ = norm(split, gamma, beta, reduction_axes=reduction_axes, epsilon=epsilon)
    return tf.reshape(y, tf.shape(x))


def split_groups(x, gamma, beta, groups: int, axis: int) -> tuple:
    """Return `x`, `gamma` and `beta` with the channels as (groups, C / groups), and the axes."""
    x = checks.floating(x)
    checks.rank_at_least(x, 2)
    (axis,) = checks.axes(x, axis)
    checks.grouped(x.shape[axis], groups)
    for name, parameter in {"gamma": gamma, "beta": beta}.items():
        checks.channelwise(parameter, x.shape[axis], name)
    split = [groups, x.shape[axis] // groups]
    shape = tf.concat([tf.shape(x)[:axis], split, tf.shape(x)[axis + 1 :]], 0)
    tail = [1] * (len(x.shape) - axis - 1)
    gamma, beta = (tf.reshape(p, split + tail) if checks.shape_of(p) else p for p in (gamma, beta))
    reduction_axes = [a for a in range(1, len(x.shape) + 1) if a != axis]
    return tf.reshape(x, shape), gamma, beta, reduction_axes


def instance_norm(x, gamma, beta, *, axis: int = -1, epsilon: float = 1e-3, by=None) -> tf.Tensor:
    """Normalize every channel of every example of `x` over its positions.

    y = group_norm(x, gamma, beta, groups=C)

    x: (N, ..., C) with positions between; gamma, beta: (C,) or (); by: as in group norm.
    Source: Ulyanov et al. 2016.
    """
    groups = checks.channels(x, axis)
    return group_norm(x, gamma, beta, groups=groups, axis=axis, epsilon=epsilon, by=by)


@checks.arguments()
def rms_norm(x, gamma, *, reduction_axes, epsilon: float = 1e-6) -> tf.Tensor:
    """Divide every example of `x` by the root of the mean square of its features.

    y = gamma * x / sqrt(average(x**2) + epsilon)

    x: (N, ..., D); gamma: as in layer norm. Source: Zhang & Sennrich 2019, equation 4.
    """
    mean_square = checks.representable(reduce_mean(tf.square(x), reduction_axes), x)
    inv_rms = tf.math.rsqrt(mean_square + epsilon)
    return gamma * inv_rms * x


@checks.arguments(per_channel=True)
def weight_norm(v, g, *, reduction_axes) -> tf.Tensor:
    """Return the weights of direction `v` and length `g`.

    w = g * v / norm(v)

    v: (..., C) with reduction_axes all but the output units, so that each unit has its own norm,
    and g: (C,); or all axes, one norm for all, and g: (); w: as v. A `v` of zeros has no
    direction: its w is 0, and so are its gradients. Source: Salimans & Kingma 2016, equation 2.
    """
    unit, _ = direction(v, reduction_axes=reduction_axes)
    return g * unit


def direction(v, *, reduction_axes) -> tuple[tf.Tensor, tf.Tensor]:
    """Return `v` divided by its Euclidean norm over `reduction_axes`, and that norm.

    norm = sqrt(sum(v**2));  unit = v / norm, or 0 where v is 0

    Divided by its largest element first, so that squares neither underflow nor overflow.
    """
    reduction_axes = checks.axes(v, reduction_axes)
    largest = tf.stop_gradient(tf.reduce_max(tf.abs(v), reduction_axes, keepdims=True))
    scaled = tf.math.divide_no_nan(v, largest)
    square = total_of(tf.square(scaled), reduction_axes)
    inv_norm = tf.where(square > 0, tf.math.rsqrt(tf.where(square > 0, square, 1)), 0)
    return scaled * inv_norm, tf.math.divide_no_nan(largest, inv_norm)


def weight_standardization(v, *, reduction_axes, epsilon: float = 1e-5) -> tf.Tensor:
    """Return the weights `v` with mean 0 and variance 1 in every output unit.

    w = (v - mean) / sqrt(variance + epsilon)

    v: (..., C), reduction_axes all but the output units. Source: Qiao et al. 2019.
    """
    w, *_ = layer_norm(v, 1.0, 0.0, reduction_axes=reduction_axes, epsilon=epsilon)
    return w
