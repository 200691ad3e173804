"""The ops with hand-derived gradients: forward is `ops.py`, backward is `backward.py`.

`tf.custom_gradient` puts the backward equations in place of what automatic differentiation would
record.
"""

from collections.abc import Callable

import tensorflow as tf

from normlib import backward, checks, ops
from normlib.arithmetic import share_of_mean, total_of


@checks.arguments(per_channel=True)
def batch_norm(x, gamma, beta, *, reduction_axes, epsilon: float = 1e-3, weights=None):
    """`ops.batch_norm` with the gradient of `backward.batch_norm`; `weights` are constants."""
    options = {"reduction_axes": reduction_axes, "epsilon": epsilon}

    def forward(x, gamma, beta):
        y, mean, variance = ops.batch_norm(x, gamma, beta, weights=weights, **options)
        share = share_of_mean(x, reduction_axes, weights)
        saved = (x, gamma, beta, mean, variance, share, lambda *sums: sums)
        return (y, mean, variance), lambda *d: backward.batch_norm(*d, *saved, **options)

    return _with_backward("batch_norm", forward)(x, gamma, beta)


@checks.arguments()
def normalize(x, mean, variance, gamma, beta, *, epsilon: float):
    """`ops.normalize` with the gradient of `backward.normalize`."""

    def forward(*tensors):
        y = ops.normalize(*tensors, epsilon=epsilon)
        return y, lambda dy: backward.normalize(dy, *tensors, epsilon=epsilon)

    return _with_backward("normalize", forward)(x, mean, variance, gamma, beta)


@checks.arguments()
def layer_norm(x, gamma, beta, *, reduction_axes, epsilon: float = 1e-3):
    """The y of `ops.layer_norm` with the gradient of `backward.layer_norm`."""
    options = {"reduction_axes": reduction_axes, "epsilon": epsilon}

    def forward(x, gamma, beta):
        y, mean, variance = ops.layer_norm(x, gamma, beta, **options)
        saved = (x, mean, variance, gamma, beta)
        return y, lambda dy: backward.layer_norm(dy, *saved, **options)

    return _with_backward("layer_norm", forward)(x, gamma, beta)


def group_norm(x, gamma, beta, *, groups: int, axis: int = -1, epsilon: float = 1e-3):
    """`ops.group_norm` by the layer norm above, and so with the gradient of its backward pass."""
    return ops.group_norm(
        x, gamma, beta, groups=groups, axis=axis, epsilon=epsilon, by=_layer_norm_alone
    )


def instance_norm(x, gamma, beta, *, axis: int = -1, epsilon: float = 1e-3):
    """`ops.instance_norm` by the layer norm above, each channel a group."""
    return ops.instance_norm(x, gamma, beta, axis=axis, epsilon=epsilon, by=_layer_norm_alone)


def _layer_norm_alone(*tensors, **options):
    return (layer_norm(*tensors, **options),)


@checks.arguments()
def rms_norm(x, gamma, *, reduction_axes, epsilon: float = 1e-6):
    """`ops.rms_norm` with the gradient of `backward.rms_norm`."""
    options = {"reduction_axes": reduction_axes, "epsilon": epsilon}

    def forward(x, gamma):
        y = ops.rms_norm(x, gamma, **options)
        return y, lambda dy: backward.rms_norm(dy, x, gamma, **options)

    return _with_backward("rms_norm", forward)(x, gamma)


@checks.arguments()
def mean_only_batch_norm(x, beta, *, reduction_axes):
    """`ops.mean_only_batch_norm` with the gradient of `backward.mean_only_batch_norm`."""
    options = {"reduction_axes": reduction_axes}

    def forward(x, beta):
        outputs = ops.mean_only_batch_norm(x, beta, **options)
        return outputs, lambda *d: backward.mean_only_batch_norm(*d, x, beta, **options)

    return _with_backward("mean_only_batch_norm", forward)(x, beta)


@checks.arguments(per_channel=True)
def weight_norm(v, g, *, reduction_axes):
    """`ops.weight_norm` with the gradient of `backward.weight_norm`."""
    options = {"reduction_axes": reduction_axes}

    def forward(v, g):
        unit, norm = ops.direction(v, **options)
        w = ops.weight_norm(v, g, **options)
        return w, lambda dw: backward.weight_norm(dw, unit, norm, g, **options)

    return _with_backward("weight_norm", forward)(v, g)


def weight_standardization(v, *, reduction_axes, epsilon: float = 1e-5):
    """`ops.weight_standardization` with the gradient of `backward.layer_norm`."""
    return layer_norm(v, 1.0, 0.0, reduction_axes=reduction_axes, epsilon=epsilon)


# Over the minibatches of all replicas together ---------------------------------------------------


@checks.arguments(per_channel=True)
def synchronized_batch_norm(x, gamma, beta, *, reduction_axes, epsilon: float = 1e-3, weights=None):
    """`batch_norm` with the statistics of all replicas, whose shards may differ or be empty.

    n = sum(n_i);  mean = sum(n_i * mean_i) / n
    variance = (sum(n_i * variance_i) + sum(n_i * (mean_i - mean)**2)) / n

    Never by sum(x**2), which would cancel at large means. Outside a `tf.distribute` strategy, and
    with one replica, it is `batch_norm`. Gradients are those of the SUM of the replicas' losses:
    Keras's `fit` averages losses within each replica, which gives the gradient of the whole batch
    only if all shards have the same size. Source: after Chan, Golub & LeVeque 1983, equation 1.5.
    """
    context = tf.distribute.get_replica_context()
    options = {"reduction_axes": reduction_axes, "epsilon": epsilon}
    if context is None or context.num_replicas_in_sync == 1:
        return batch_norm(x, gamma, beta, weights=weights, **options)
    weights = tf.broadcast_to(1.0 if weights is None else weights, tf.shape(x))
    weights = tf.cast(weights, x.dtype)

    def total(*tensors):
        return context.all_reduce(tf.distribute.ReduceOp.SUM, list(tensors))

    def forward(x, gamma, beta):
        mean, variance, count = merged_moments(x, weights, total, reduction_axes=reduction_axes)
        y = ops.normalize(x, mean, variance, gamma, beta, epsilon=epsilon)
        share = tf.math.divide_no_nan(weights, count)
        saved = (x, gamma, beta, mean, variance, share, total)
        return (y, mean, variance), lambda *d: backward.batch_norm(*d, *saved, **options)

    return tf.custom_gradient(forward)(x, gamma, beta)


def elements(x, synchronized: bool) -> int | tf.Tensor:
    """How many elements `x` has, in all replicas if `synchronized`; a number where it is known."""
    context = tf.distribute.get_replica_context() if synchronized else None
    known = x.shape.num_elements()
    if context is None or context.num_replicas_in_sync == 1:
        return tf.size(x) if known is None else known
    return context.all_reduce(tf.distribute.ReduceOp.SUM, tf.size(x))


def merged_moments(x, weights, total, *, reduction_axes):
    """Return mean, variance and count of all replicas; `total` sums tensors over them."""
    own = total_of(weights, reduction_axes)
    _, own_mean, own_variance = ops.batch_norm(
        x, 1.0, 0.0, reduction_axes=reduction_axes, weights=weights
    )
    count, weighted = total(own, own * own_mean)
    mean = tf.math.divide_no_nan(weighted, count)
    (rest,) = total(own * (own_mean - mean))  # what rounding left of a large mean
    mean += tf.math.divide_no_nan(rest, count)
    (m2,) = total(own * own_variance + own * tf.square(own_mean - mean))
    return mean, tf.math.divide_no_nan(m2, count), count


# Which gradient is taken -------------------------------------------------------------------------

LEFT_TO_THE_TAPE: set[str] = set()  # ops that are differentiated automatically in this process


def _with_backward(name: str, forward: Callable) -> Callable:
    """`forward`, which returns outputs and their backward pass, as a function that is trained."""
    if name in LEFT_TO_THE_TAPE:
        return lambda *tensors: forward(*tensors)[0]
    return tf.custom_gradient(forward)
