"""Batch normalization over the minibatches of all replicas together: synchronized BN.

Each replica has its count, mean and M2 = sum((x - mean)**2); they are merged without ever forming
sum(x**2), which would cancel at large means. Outside a strategy, and with one replica, this is
`gradients.batch_norm`. Gradients are those of the SUM of the replicas' losses: Keras's `fit`
averages losses within each replica, which equals the big batch only if the shards are equal.
"""

import tensorflow as tf

from normlib import checks, gradients, ops


def batch_norm(x, gamma, beta, *, reduction_axes, epsilon: float = 1e-3, weights=None):
    """`gradients.batch_norm` with the statistics of all replicas; shards may differ or be empty.

    n = sum(n_i);  mean = sum(n_i * mean_i) / n
    variance = (sum(M2_i) + sum(n_i * (mean_i - mean)**2)) / n

    Source: after Chan, Golub & LeVeque 1983, equation 1.5.
    """
    context = tf.distribute.get_replica_context()
    options = {"reduction_axes": checks.axes(checks.floating(x), reduction_axes)}
    if context is None or context.num_replicas_in_sync == 1:
        return gradients.batch_norm(x, gamma, beta, epsilon=epsilon, weights=weights, **options)
    wide, gamma, beta = checks.widen(x, gamma, beta)
    weights = tf.ones_like(wide) if weights is None else tf.cast(weights, wide.dtype)
    weights = tf.broadcast_to(weights, tf.shape(wide))

    def total(*tensors):
        return context.all_reduce(tf.distribute.ReduceOp.SUM, list(tensors))

    def forward(x, gamma, beta):
        mean, variance, count = merged_moments(x, weights, total, **options)
        y = ops.normalize(x, mean, variance, gamma, beta, epsilon=epsilon)
        share = tf.math.divide_no_nan(weights, count)
        saved = (x, gamma, beta, mean, variance, share, total)
        return (y, mean, variance), lambda *d: gradients.batch_norm_backward(
            *d, *saved, epsilon=epsilon, **options
        )

    y, mean, variance = tf.custom_gradient(forward)(wide, gamma, beta)
    return tf.cast(y, x.dtype), mean, variance


def merged_moments(x, weights, total, *, reduction_axes):
    """Return mean, variance and count of all replicas; `total` sums tensors over them."""
    own = tf.reduce_sum(weights, reduction_axes, keepdims=True)
    own_mean, own_variance = ops.moments(x, reduction_axes=reduction_axes, weights=weights)
    count, weighted = total(own, own * own_mean)
    mean = tf.math.divide_no_nan(weighted, count)
    (rest,) = total(own * (own_mean - mean))  # what rounding left of a large mean
    mean += tf.math.divide_no_nan(rest, count)
    (m2,) = total(own * own_variance + own * tf.square(own_mean - mean))
    return mean, tf.math.divide_no_nan(m2, count), count
