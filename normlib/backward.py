"""The backward passes, derived by hand: the gradients of the ops of `ops.py` as equations.

In all of them `dy` is the gradient of the loss with respect to `y`, `x_hat` the standardized `x`,
`inv_std` is 1 / sqrt(variance + epsilon), and S stands for `reduction_axes`. They are TensorFlow
operations themselves, so they can be differentiated again.
"""

import tensorflow as tf

from normlib.arithmetic import one_pass, reduce_mean, reduce_sum, share_of_mean, sum_like, total_of


def batch_norm(
    dy, dmean, dvariance, x, gamma, beta, mean, variance, share, total, *, reduction_axes, epsilon
):
    """Return the gradients at `x`, `gamma` and `beta` of `ops.batch_norm`.

    dvariance += sum_S(gamma * dy * x_hat) * -inv_std**2 / 2
    dmean += sum_S(gamma * dy) * -inv_std
    dx = gamma * inv_std * dy + share * (dmean + 2 * (x - mean) * dvariance)
    dgamma = sum(dy * x_hat);  dbeta = sum(dy)

    share: the weight of each element in the mean, 1 / n or weights / sum_S(weights); dmean,
    dvariance: gradients with respect to the returned statistics, 0 unless the loss reads them;
    `total` adds the four sums up over all replicas (`gradients.py`), of which there may be one.
    Source: Ioffe & Szegedy 2015, section 3; the mask adds `share`.
    """
    inv_std = tf.math.rsqrt(variance + epsilon)
    sum_dy = reduce_sum(dy, reduction_axes)
    sum_dy_x_hat = reduce_sum(one_pass(lambda: dy * ((x - mean) * inv_std)), reduction_axes)
    all_dy, all_dy_x_hat, dmean, dvariance = total(sum_dy, sum_dy_x_hat, dmean, dvariance)
    dvariance -= gamma * all_dy_x_hat * tf.square(inv_std) / 2
    dmean -= gamma * all_dy * inv_std
    scale = gamma * inv_std
    dx = one_pass(lambda: scale * dy + share * (dmean + 2 * dvariance * (x - mean)))
    return dx, sum_like(sum_dy_x_hat, gamma), sum_like(sum_dy, beta)


def normalize(dy, x, mean, variance, gamma, beta, *, epsilon):
    """Return the gradients at `x`, `mean`, `variance`, `gamma` and `beta` of `ops.normalize`.

    dx = gamma * inv_std * dy
    dmean = -sum(dx);  dvariance = sum(gamma * dy * x_hat) * -inv_std**2 / 2
    dgamma = sum(dy * x_hat);  dbeta = sum(dy)

    The backward pass of BN at inference and of a frozen BN.
    """
    inv_std = tf.math.rsqrt(variance + epsilon)
    x_hat = (x - mean) * inv_std
    dx = gamma * inv_std * dy
    dmean, dvariance = -sum_like(dx, mean), -sum_like(dx * x_hat * inv_std / 2, variance)
    return dx, dmean, dvariance, sum_like(dy * x_hat, gamma), sum_like(dy, beta)


def layer_norm(dy, x, mean, variance, gamma, beta, *, reduction_axes, epsilon):
    """Return the gradients at `x`, `gamma` and `beta` of `ops.layer_norm`.

    dx_hat = gamma * dy
    dx = inv_std * (dx_hat - average_S(dx_hat) - x_hat * average_S(dx_hat * x_hat))
    dgamma = sum(dy * x_hat);  dbeta = sum(dy)

    `gamma` varies inside S, so it stays inside the averages. Group and instance norm too.
    Source: the chain rule, as for batch norm, along the other axes.
    """
    inv_std = tf.math.rsqrt(variance + epsilon)
    dy_x_hat = one_pass(lambda: dy * ((x - mean) * inv_std))
    along_mean = reduce_mean(one_pass(lambda: gamma * dy), reduction_axes)
    along_x_hat = reduce_mean(one_pass(lambda: gamma * dy_x_hat), reduction_axes)
    dx = one_pass(lambda: inv_std * (gamma * dy - along_mean - (x - mean) * inv_std * along_x_hat))
    return dx, sum_like(dy_x_hat, gamma), sum_like(dy, beta)


def rms_norm(dy, x, gamma, *, reduction_axes, epsilon):
    """Return the gradients at `x` and `gamma` of `ops.rms_norm`.

    dx_hat = gamma * dy;  x_hat = x * inv_rms
    dx = inv_rms * (dx_hat - x_hat * average_S(dx_hat * x_hat));  dgamma = sum(dy * x_hat)

    Source: Zhang & Sennrich 2019, section 4.2.
    """
    mean_square = reduce_mean(tf.square(x), reduction_axes)
    inv_rms = tf.math.rsqrt(mean_square + epsilon)
    x_hat = x * inv_rms
    dx_hat = gamma * dy
    along_x_hat = reduce_mean(dx_hat * x_hat, reduction_axes)
    return inv_rms * (dx_hat - x_hat * along_x_hat), sum_like(dy * x_hat, gamma)


def mean_only_batch_norm(dy, dmean, x, beta, *, reduction_axes):
    """Return the gradients at `x` and `beta` of `ops.mean_only_batch_norm`.

    dx = dy - average_S(dy) + dmean / n;  dbeta = sum(dy)

    Source: Salimans & Kingma 2016, section 4: the gradient is centred too.
    """
    share = share_of_mean(x, reduction_axes)
    dx = dy - reduce_mean(dy, reduction_axes) + share * dmean
    return dx, sum_like(dy, beta)


def weight_norm(dw, unit, norm, g, *, reduction_axes):
    """Return the gradients at `v` and `g` of `ops.weight_norm`.

    unit = v / norm(v);  along = sum_S(dw * unit)
    dg = along;  dv = g / norm(v) * (dw - along * unit)

    dv is the part of dw across v, dg the part along it; both 0 where v is 0.
    Source: Salimans & Kingma 2016, equation 3.
    """
    dg = total_of(dw * unit, reduction_axes)
    scale = tf.math.divide_no_nan(g, norm)
    dv = one_pass(lambda: scale * (dw - dg * unit))
    return dv, sum_like(dg, g)
