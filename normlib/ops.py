"""The normalizations as equations: pure functions on tensors, from basic TensorFlow operations.

Axes are always `reduction_axes`: those averaged over. Variance is the population variance;
`epsilon` stands under the root. Half precision is computed in float32 and returned as it came.
Every op but `moments`, `direction` and `moving_average`, of which others are made, returns the
shape and type of `x`, and raises ValueError for input that is not floating-point, axes that `x`
lacks, and parameters that do not broadcast; see `checks.py`.
"""

import tensorflow as tf

from normlib import checks, fusion, sums


def moments(x, *, reduction_axes, weights=None) -> tuple[tf.Tensor, tf.Tensor]:
    """Return mean and population variance of `x` over `reduction_axes`, which keep length 1.

    mean = average(x);  variance = average((x - mean)**2)

    Two passes, the mean refined by the mean of what it leaves, because average(x**2) - mean**2
    cancels at large means: a constant has variance 0. Source: Chan, Golub & LeVeque 1983.
    """
    mean = sums.average(x, reduction_axes=reduction_axes, weights=weights)
    mean += sums.average(fusion.deviation(x, mean), reduction_axes=reduction_axes, weights=weights)
    squares = fusion.squared_deviation(x, mean)
    variance = sums.average(squares, reduction_axes=reduction_axes, weights=weights)
    return mean, variance


def normalize(x, mean, variance, gamma, beta, *, epsilon: float) -> tf.Tensor:
    """Return `x` standardized with the given statistics, then scaled and shifted.

    y = gamma * (x - mean) / sqrt(variance + epsilon) + beta

    Centred, since x * r + (beta - mean * r) loses accuracy at large means. With the moving
    statistics, BN at inference. Source: Ioffe & Szegedy 2015, Algorithm 2, step 11.
    """
    parameters = {"mean": mean, "variance": variance, "gamma": gamma, "beta": beta}
    for name, parameter in parameters.items():
        checks.broadcasts(parameter, x, name)
    wide, mean, variance, gamma, beta = checks.widen(x, mean, variance, gamma, beta)
    y = fusion.scale_and_shift(wide, mean, tf.math.rsqrt(variance + epsilon), gamma, beta)
    return tf.cast(y, x.dtype)


def batch_norm(x, gamma, beta, *, reduction_axes, epsilon: float = 1e-3, weights=None):
    """Normalize every channel of `x` over the minibatch; return `(y, mean, variance)`.

    mean, variance = moments(x, reduction_axes=reduction_axes, weights=weights)
    y = normalize(x, mean, variance, gamma, beta, epsilon=epsilon)

    x: (N, ..., C) with reduction_axes all but the channels, (0, 1, 2) for images;
    gamma, beta: (C,), or length 1 on reduction_axes; weights: a mask, (N, ..., 1), or None;
    mean, variance: (1, ..., 1, C), for the moving statistics.
    One element a channel, a constant channel, and a mask that leaves nothing give y = beta, the
    last where x = 0. Source: Ioffe & Szegedy 2015, Algorithm 1; section 3.2 for convolutions.
    """
    x, reduction_axes = checks.floating(x), checks.axes(x, reduction_axes)
    checks.constant_on(gamma, x, reduction_axes, "gamma")
    checks.constant_on(beta, x, reduction_axes, "beta")
    wide, *_ = checks.widen(x, gamma, beta)
    weights = None if weights is None else tf.cast(weights, wide.dtype)
    mean, variance = moments(wide, reduction_axes=reduction_axes, weights=weights)
    return normalize(x, mean, variance, gamma, beta, epsilon=epsilon), mean, variance


def moving_average(moving, new, *, momentum: float) -> tf.Tensor:
    """Return the moving statistic after one minibatch; `momentum` weights the OLD value.

    moving = momentum * moving + (1 - momentum) * new

    As in Keras; PyTorch's is 1 minus this. Source: Ioffe & Szegedy 2015, section 3.1.
    """
    return momentum * moving + (1 - momentum) * new


def mean_only_batch_norm(x, beta, *, reduction_axes) -> tuple[tf.Tensor, tf.Tensor]:
    """Centre every channel of `x` over the minibatch; return `(y, mean)`.

    y = x - mean + beta

    x: (N, ..., C); beta: (C,); mean: (1, ..., 1, C). Source: Salimans & Kingma 2016, section 4.
    """
    x, reduction_axes = checks.floating(x), checks.axes(x, reduction_axes)
    checks.broadcasts(beta, x, "beta")
    wide, beta = checks.widen(x, beta)
    mean, _ = moments(wide, reduction_axes=reduction_axes)
    return tf.cast(wide - mean + beta, x.dtype), mean


def layer_norm(x, gamma, beta, *, reduction_axes, epsilon: float = 1e-3) -> tf.Tensor:
    """Normalize every example of `x` over its own features.

    mean, variance = moments(x, reduction_axes=reduction_axes)
    y = normalize(x, mean, variance, gamma, beta, epsilon=epsilon)

    x: (N, D) with reduction_axes (1,), or (N, H, W, C) with (1, 2, 3), and so on;
    gamma, beta: the trailing axes averaged over, (D,) or (H, W, C), or what broadcasts.
    Source: Ba, Kiros & Hinton 2016, equations 3 and 4.
    """
    x, reduction_axes = checks.floating(x), checks.axes(x, reduction_axes)
    wide, *_ = checks.widen(x, gamma, beta)
    mean, variance = moments(wide, reduction_axes=reduction_axes)
    return normalize(x, mean, variance, gamma, beta, epsilon=epsilon)


def group_norm(x, gamma, beta, *, groups: int, axis: int = -1, epsilon: float = 1e-3) -> tf.Tensor:
    """Normalize every example of `x` over each group of its channels, at all positions together.

    y = layer_norm(x with the channels split into groups, over all but the example and the group)

    x: (N, ..., C), channels at `axis`; gamma, beta: (C,) or (). Source: Wu & He 2018, equation 7.
    """
    split, gamma, beta, reduction_axes = split_groups(x, gamma, beta, groups, axis)
    y = layer_norm(split, gamma, beta, reduction_axes=reduction_axes, epsilon=epsilon)
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
    gamma, beta = (
        tf.reshape(p, split + tail) if len(getattr(p, "shape", ())) else p for p in (gamma, beta)
    )
    reduction_axes = [a for a in range(1, len(x.shape) + 1) if a != axis]
    return tf.reshape(x, shape), gamma, beta, reduction_axes


def instance_norm(x, gamma, beta, *, axis: int = -1, epsilon: float = 1e-3) -> tf.Tensor:
    """Normalize every channel of every example of `x` over its positions.

    y = group_norm(x, gamma, beta, groups=C)

    x: (N, ..., C) with positions between; gamma, beta: (C,) or (). Source: Ulyanov et al. 2016.
    """
    groups = checks.channels(x, axis)
    return group_norm(x, gamma, beta, groups=groups, axis=axis, epsilon=epsilon)


def rms_norm(x, gamma, *, reduction_axes, epsilon: float = 1e-6) -> tf.Tensor:
    """Divide every example of `x` by the root of the mean square of its features.

    y = gamma * x / sqrt(average(x**2) + epsilon)

    x: (N, ..., D); gamma: as in layer norm. Source: Zhang & Sennrich 2019, equation 4.
    """
    x, reduction_axes = checks.floating(x), checks.axes(x, reduction_axes)
    checks.broadcasts(gamma, x, "gamma")
    wide, gamma = checks.widen(x, gamma)
    mean_square = sums.average(tf.square(wide), reduction_axes=reduction_axes)
    return tf.cast(gamma * tf.math.rsqrt(mean_square + epsilon) * wide, x.dtype)


def weight_norm(v, g, *, reduction_axes) -> tf.Tensor:
    """Return the weights of direction `v` and length `g`.

    w = g * v / norm(v)

    v: (..., C) with reduction_axes all but the output units, so that each unit has its own norm,
    and g: (C,); or all axes, one norm for all, and g: (); w: as v. A `v` of zeros has no
    direction: its w is 0, and so are its gradients. Source: Salimans & Kingma 2016, equation 2.
    """
    v, reduction_axes = checks.floating(v, "v"), checks.axes(v, reduction_axes)
    checks.constant_on(g, v, reduction_axes, "g")
    checks.broadcasts(g, v, "g")
    wide, g = checks.widen(v, g)
    unit, _ = direction(wide, reduction_axes=reduction_axes)
    return tf.cast(g * unit, v.dtype)


def direction(v, *, reduction_axes) -> tuple[tf.Tensor, tf.Tensor]:
    """Return `v` divided by its Euclidean norm over `reduction_axes`, and that norm.

    norm = sqrt(sum(v**2));  unit = v / norm, or 0 where v is

    Divided by its largest element first, so that squares neither underflow nor overflow.
    """
    largest = tf.stop_gradient(tf.reduce_max(tf.abs(v), reduction_axes, keepdims=True))
    scaled = tf.math.divide_no_nan(v, largest)
    square = tf.reduce_sum(tf.square(scaled), reduction_axes, keepdims=True)
    inv_norm = tf.where(square > 0, tf.math.rsqrt(tf.where(square > 0, square, 1)), 0)
    return scaled * inv_norm, tf.math.divide_no_nan(largest, inv_norm)


def weight_standardization(v, *, reduction_axes, epsilon: float = 1e-5) -> tf.Tensor:
    """Return the weights `v` with mean 0 and variance 1 in every output unit.

    w = (v - mean) / sqrt(variance + epsilon)

    v: (..., C), reduction_axes all but the output units. Source: Qiao et al. 2019.
    """
    return layer_norm(v, 1.0, 0.0, reduction_axes=reduction_axes, epsilon=epsilon)
