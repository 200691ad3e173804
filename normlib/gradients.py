"""The ops with hand-derived gradients: each backward pass is a function of equations below.

Forward is `ops`; `tf.custom_gradient` puts the backward equations in place of what automatic
differentiation would record. They are TensorFlow operations themselves, so they can be
differentiated again. In all of them `dy` is the loss's gradient at `y`, `x_hat` the standardized
`x`, `inv_std` 1 / sqrt(variance + epsilon), and S stands for `reduction_axes`.
"""

from functools import partial

import tensorflow as tf

from normlib import checks, fusion, ops, sums

# The equations ---------------------------------------------------------------------------------


def batch_norm_backward(
    dy, dmean, dvariance, x, gamma, beta, mean, variance, share, total, *, reduction_axes, epsilon
):
    """Return the gradients at `x`, `gamma` and `beta` of `ops.batch_norm`.

    dvariance += sum_S(gamma * dy * x_hat) * -inv_std**2 / 2
    dmean += sum_S(gamma * dy) * -inv_std
    dx = gamma * inv_std * dy + share * (dmean + 2 * (x - mean) * dvariance)
    dgamma = sum(dy * x_hat);  dbeta = sum(dy)

    share: what each element has of the mean, 1 / n or weights / sum_S(weights); dmean, dvariance:
    gradients at the returned statistics, 0 unless the loss reads them; `total` sums over replicas
    (`replicas.py`), else nothing. Source: Ioffe & Szegedy 2015, section 3; the mask adds `share`.
    """
    inv_std = tf.math.rsqrt(variance + epsilon)
    sum_dy = sums.in_turn(tf.reduce_sum, dy, reduction_axes)
    sum_dy_x_hat = sums.in_turn(tf.reduce_sum, fusion.along(dy, x, mean, inv_std), reduction_axes)
    all_dy, all_dy_x_hat, dmean, dvariance = total(sum_dy, sum_dy_x_hat, dmean, dvariance)
    dvariance -= gamma * all_dy_x_hat * tf.square(inv_std) / 2
    dmean -= gamma * all_dy * inv_std
    dx = fusion.through_statistics(dy, x, mean, gamma * inv_std, share, dmean, dvariance)
    return dx, sums.sum_like(sum_dy_x_hat, gamma), sums.sum_like(sum_dy, beta)


def normalize_backward(dy, x, mean, variance, gamma, beta, *, epsilon):
    """Return the gradients at `x`, `mean`, `variance`, `gamma` and `beta` of `ops.normalize`.

    dx = gamma * inv_std * dy
    dmean = -sum(dx);  dvariance = sum(gamma * dy * x_hat) * -inv_std**2 / 2
    dgamma = sum(dy * x_hat);  dbeta = sum(dy)

    The backward pass of BN at inference and of a frozen BN.
    """
    inv_std = tf.math.rsqrt(variance + epsilon)
    x_hat = (x - mean) * inv_std
    dx = gamma * inv_std * dy
    dmean, dvariance = -sums.sum_like(dx, mean), -sums.sum_like(dx * x_hat * inv_std / 2, variance)
    return dx, dmean, dvariance, sums.sum_like(dy * x_hat, gamma), sums.sum_like(dy, beta)


def layer_norm_backward(dy, x, mean, variance, gamma, beta, *, reduction_axes, epsilon):
    """Return the gradients at `x`, `gamma` and `beta` of `ops.layer_norm`.

    dx_hat = gamma * dy
    dx = inv_std * (dx_hat - average_S(dx_hat) - x_hat * average_S(dx_hat * x_hat))
    dgamma = sum(dy * x_hat);  dbeta = sum(dy)

    `gamma` varies inside S, so it stays inside the averages. Group and instance norm too.
    Source: the chain rule, as for batch norm, along the other axes.
    """
    inv_std = tf.math.rsqrt(variance + epsilon)
    dy_x_hat = fusion.along(dy, x, mean, inv_std)
    along_mean = sums.average(fusion.product(gamma, dy), reduction_axes=reduction_axes)
    along_x_hat = sums.average(fusion.product(gamma, dy_x_hat), reduction_axes=reduction_axes)
    dx = fusion.across(dy, x, mean, inv_std, gamma, along_mean, along_x_hat)
    return dx, sums.sum_like(dy_x_hat, gamma), sums.sum_like(dy, beta)


def rms_norm_backward(dy, x, gamma, *, reduction_axes, epsilon):
    """Return the gradients at `x` and `gamma` of `ops.rms_norm`.

    dx_hat = gamma * dy;  x_hat = x * inv_rms
    dx = inv_rms * (dx_hat - x_hat * average_S(dx_hat * x_hat));  dgamma = sum(dy * x_hat)

    Source: Zhang & Sennrich 2019, section 4.2.
    """
    mean_square = sums.average(tf.square(x), reduction_axes=reduction_axes)
    inv_rms = tf.math.rsqrt(mean_square + epsilon)
    x_hat = x * inv_rms
    dx_hat = gamma * dy
    along_x_hat = sums.average(dx_hat * x_hat, reduction_axes=reduction_axes)
    return inv_rms * (dx_hat - x_hat * along_x_hat), sums.sum_like(dy * x_hat, gamma)


def mean_only_backward(dy, dmean, x, beta, *, reduction_axes):
    """Return the gradients at `x` and `beta` of `ops.mean_only_batch_norm`.

    dx = dy - average_S(dy) + dmean / n;  dbeta = sum(dy)

    Source: Salimans & Kingma 2016, section 4: the gradient is centred too.
    """
    share = sums.share_of_mean(x, None, reduction_axes)
    dx = dy - sums.average(dy, reduction_axes=reduction_axes) + share * dmean
    return dx, sums.sum_like(dy, beta)


def weight_norm_backward(dw, unit, norm, g, *, reduction_axes):
    """Return the gradients at `v` and `g` of `ops.weight_norm`.

    unit = v / norm(v);  along = sum_S(dw * unit)
    dg = along;  dv = g / norm(v) * (dw - along * unit)

    dv is the part of dw across v, dg the part along it; both 0 where v is.
    Source: Salimans & Kingma 2016, equation 3.
    """
    dg = tf.reduce_sum(dw * unit, reduction_axes, keepdims=True)
    dv = fusion.rejected(dw, unit, tf.math.divide_no_nan(g, norm), dg)
    return dv, sums.sum_like(dg, g)


# The ops ---------------------------------------------------------------------------------------


def batch_norm(x, gamma, beta, *, reduction_axes, epsilon: float = 1e-3, weights=None):
    """`ops.batch_norm` with the gradient of `batch_norm_backward`; `weights` are constants."""
    x = checks.floating(x)
    reduction_axes = checks.axes(x, reduction_axes)
    wide, gamma, beta = checks.widen(x, gamma, beta)
    weights = None if weights is None else tf.cast(weights, wide.dtype)
    options = {"reduction_axes": reduction_axes, "epsilon": epsilon}

    def forward(x, gamma, beta):
        y, mean, variance = ops.batch_norm(x, gamma, beta, weights=weights, **options)
        share = sums.share_of_mean(x, weights, reduction_axes)
        saved = (x, gamma, beta, mean, variance, share, lambda *sums: sums)
        return (y, mean, variance), lambda *d: batch_norm_backward(*d, *saved, **options)

    y, mean, variance = tf.custom_gradient(forward)(wide, gamma, beta)
    return tf.cast(y, x.dtype), mean, variance


def normalize(x, mean, variance, gamma, beta, *, epsilon: float):
    """`ops.normalize` with the gradient of `normalize_backward`."""
    tensors = (x, mean, variance, gamma, beta)
    return _with_backward(ops.normalize, normalize_backward, *tensors, epsilon=epsilon)


def layer_norm(x, gamma, beta, *, reduction_axes, epsilon: float = 1e-3):
    """`ops.layer_norm` with the gradient of `layer_norm_backward`."""
    x = checks.floating(x)
    reduction_axes = checks.axes(x, reduction_axes)

    def forward(x, gamma, beta):
        mean, variance = ops.moments(x, reduction_axes=reduction_axes)
        saved = (x, mean, variance, gamma, beta)
        y = ops.normalize(*saved, epsilon=epsilon)
        options = {"reduction_axes": reduction_axes, "epsilon": epsilon}
        return y, lambda dy: layer_norm_backward(dy, *saved, **options)

    y = tf.custom_gradient(forward)(*checks.widen(x, gamma, beta))
    return tf.cast(y, x.dtype)


def group_norm(x, gamma, beta, *, groups: int, axis: int = -1, epsilon: float = 1e-3):
    """`ops.group_norm` with the gradient of `layer_norm_backward` on the split channels."""
    split, gamma, beta, reduction_axes = ops.split_groups(x, gamma, beta, groups, axis)
    y = layer_norm(split, gamma, beta, reduction_axes=reduction_axes, epsilon=epsilon)
    return tf.reshape(y, tf.shape(x))


def instance_norm(x, gamma, beta, *, axis: int = -1, epsilon: float = 1e-3):
    """`ops.instance_norm` with the gradient of `layer_norm_backward`, each channel a group."""
    groups = checks.channels(x, axis)
    return group_norm(x, gamma, beta, groups=groups, axis=axis, epsilon=epsilon)


def rms_norm(x, gamma, *, reduction_axes, epsilon: float = 1e-6):
    """`ops.rms_norm` with the gradient of `rms_norm_backward`."""
    options = {"reduction_axes": checks.axes(x, reduction_axes), "epsilon": epsilon}
    return _with_backward(ops.rms_norm, rms_norm_backward, x, gamma, **options)


def mean_only_batch_norm(x, beta, *, reduction_axes):
    """`ops.mean_only_batch_norm` with the gradient of `mean_only_backward`."""
    options = {"reduction_axes": checks.axes(x, reduction_axes)}
    return _with_backward(ops.mean_only_batch_norm, mean_only_backward, x, beta, **options)


def weight_norm(v, g, *, reduction_axes):
    """`ops.weight_norm` with the gradient of `weight_norm_backward`."""
    v = checks.floating(v, "v")
    options = {"reduction_axes": checks.axes(v, reduction_axes)}

    def forward(v, g):
        unit, norm = ops.direction(v, **options)
        backward = partial(weight_norm_backward, unit=unit, norm=norm, g=g, **options)
        return ops.weight_norm(v, g, **options), backward

    return tf.cast(tf.custom_gradient(forward)(*checks.widen(v, g)), v.dtype)


def weight_standardization(v, *, reduction_axes, epsilon: float = 1e-5):
    """`ops.weight_standardization` with the gradient of `layer_norm_backward`."""
    return layer_norm(v, 1.0, 0.0, reduction_axes=reduction_axes, epsilon=epsilon)


def _with_backward(op, backward, x, *parameters, **options):
    """The op on widened tensors, its gradient by `backward(*dy, *tensors, **options)`."""

    x = checks.floating(x)

    def forward(*tensors):
        return op(*tensors, **options), lambda *d: backward(*d, *tensors, **options)

    y = tf.custom_gradient(forward)(*checks.widen(x, *parameters))
    first, *rest = y if isinstance(y, (tuple, list)) else (y,)
    first = tf.cast(first, x.dtype)
    return (first, *rest) if rest else first
