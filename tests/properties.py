"""What must hold of ops, gradients and layers, each a function that asserts it.

`test_properties.py` runs them on the code, `test_mutants.py` on damaged code.
"""

import warnings

import cases
import keras
import numpy as np
import tensorflow as tf
from samples import uneven

from normlib import backward, gradients, layers, ops, weight_norm
from report.study import keras_comparison

X = uneven(20, 32, 7)
GAMMA, BETA = uneven(22, 5), uneven(23, 5)


def first(outputs):
    """The y of an op that may return its statistics beside it."""
    return outputs[0] if isinstance(outputs, tuple) else outputs


def close(found, expected, rtol=1e-11):
    """Within `rtol` of the largest expected value."""
    found, expected = np.asarray(found), np.asarray(expected)
    np.testing.assert_allclose(found, expected, rtol=0, atol=rtol * np.abs(expected).max())


# The equations -----------------------------------------------------------------------------------


def forward_equals_numpy(case):
    """T9: the op against NumPy in float64."""
    assert cases.forward_error(case) < 1e-12


def closed_form_equals_the_tape(case):
    """T9: the hand-derived gradient against automatic differentiation, and the same forward."""
    assert cases.wiring_error(case) < 1e-15
    assert cases.tape_error(case) < 1e-12


def closed_form_equals_central_differences(case):
    """T1: against the slope of NumPy's oracle."""
    assert cases.difference_error(case) < 1e-7


EQUATIONS = (
    forward_equals_numpy,
    closed_form_equals_the_tape,
    closed_form_equals_central_differences,
)

# Curvature ---------------------------------------------------------------------------------------

SCALE_INVARIANT = {
    "batch_norm": lambda m, h: m.batch_norm(h, GAMMA, BETA, reduction_axes=0, epsilon=1e-12)[0],
    "layer_norm": lambda m, h: first(m.layer_norm(h, GAMMA, BETA, reduction_axes=1, epsilon=1e-12)),
    "group_norm": lambda m, h: m.group_norm(h, GAMMA, BETA, groups=1, epsilon=1e-12),
    "rms_norm": lambda m, h: m.rms_norm(h, GAMMA, reduction_axes=1, epsilon=1e-12),
}


def euler_holds(name, mode="eager", module=gradients):
    """T5: ⟨w, ∇⟩ is 0 for every w, so its own gradient, H·w + ∇, is 0 too."""
    norm = SCALE_INVARIANT[name]
    assert (
        keras_comparison.euler_error(lambda w: norm(module, X @ w), uneven(24, 7, 5), mode) < 1e-8
    )


def euler_holds_for_weight_norm(mode="eager", module=gradients):
    """T5 for the direction v of weight norm."""

    def network(v):
        return X @ module.weight_norm(v, GAMMA, reduction_axes=0)

    assert keras_comparison.euler_error(network, uneven(25, 7, 5), mode) < 1e-8


def euler_holds_for_the_closed_forms():
    """T5 kills what first derivatives cannot see: a stopped gradient in the backward pass."""
    for name in SCALE_INVARIANT:
        euler_holds(name)
    euler_holds_for_weight_norm()


def euler_holds_for_the_plain_ops():
    """T5 kills a stopped gradient inside the variance, which Keras's norms have."""
    for name in SCALE_INVARIANT:
        euler_holds(name, module=ops)
    euler_holds_for_weight_norm(module=ops)


# Identities --------------------------------------------------------------------------------------


def gradients_are_orthogonal_to_what_is_removed():
    """T2, T3: dx has no part along the mean, nor along x_hat; dv none along v."""
    case = cases.CASES["batch_norm"]
    x, gamma, beta = map(tf.constant, case.tensors)
    with tf.GradientTape() as tape:
        tape.watch(x)
        options = {"reduction_axes": (0, 1, 2), "epsilon": 1e-14}
        y, mean, _ = gradients.batch_norm(x, gamma, beta, **options)
        loss = tf.reduce_sum(tf.sin(y) * cases.X)
    dx = tape.gradient(loss, x)
    size = np.abs(dx).sum((0, 1, 2))
    assert np.all(np.abs(np.sum(dx, (0, 1, 2))) < 1e-12 * size)
    assert np.all(np.abs(np.sum(dx * (x - mean), (0, 1, 2))) < 1e-11 * np.abs(x).max() * size)
    dv, _ = cases.CASES["weight_norm"].gradients(gradients)
    assert np.all(np.abs(np.sum(dv * cases.X, (0, 1, 2))) < 1e-12 * np.abs(cases.X).max() ** 2)


def weights_have_the_length_g():
    """T3: the norm of w is |g| for any v, however small or large; and w ignores the scale of v."""
    for scale in (1.0, 1e-30, 1e30):
        v = tf.constant(uneven(26, 7, 5) * scale, "float32")
        w = gradients.weight_norm(v, tf.constant(GAMMA, "float32"), reduction_axes=0)
        np.testing.assert_allclose(np.linalg.norm(w, axis=0), np.abs(GAMMA), rtol=1e-6)


def invariances_hold():
    """T4: BN ignores scale and shift of a channel, LN of an example; batch order is kept."""
    x, a, b = uneven(27, 9, 6), np.linspace(0.5, 4, 6), uneven(28, 6)
    bn = lambda x: ops.batch_norm(x, 2.0, 3.0, reduction_axes=0, epsilon=0.0)[0]  # noqa: E731
    ln = lambda x: ops.layer_norm(x, 2.0, 3.0, reduction_axes=1, epsilon=0.0)[0]  # noqa: E731
    close(bn(a * x + b), bn(x))
    close(ln(a[:, None] * x[:6] - 2), ln(x[:6]))
    order = np.random.default_rng(0).permutation(9)
    close(bn(x[order]), np.asarray(bn(x))[order])
    for name in ("layer_norm", "group_norm", "instance_norm", "rms_norm"):
        case = cases.CASES[name]
        (whole,), (alone,) = case.call(ops), case.call(ops, cases.X[:1], *case.tensors[1:])
        close(whole[:1], alone)


def moments_as_parameters_give_the_identity():
    """T6: gamma = sqrt(variance + epsilon) and beta = mean undo the normalization."""
    _, mean, variance = ops.batch_norm(cases.X, 1.0, 0.0, reduction_axes=(0, 1, 2))
    gamma, beta = tf.sqrt(variance + 0.3), mean
    options = {"reduction_axes": (0, 1, 2), "epsilon": 0.3}
    close(ops.batch_norm(cases.X, gamma, beta, **options)[0], cases.X)


def the_family_is_one():
    """T7: with the same sets the norms coincide."""
    x, (gamma, beta) = cases.X, cases.C
    options = {"epsilon": 0.3}
    close(
        ops.group_norm(x, gamma, beta, groups=1, **options),
        ops.layer_norm(x, gamma, beta, reduction_axes=(1, 2, 3), **options)[0],
    )
    close(
        ops.group_norm(x, gamma, beta, groups=6, **options),
        ops.instance_norm(x, gamma, beta, **options),
    )
    close(
        ops.batch_norm(x[:1], gamma, beta, reduction_axes=(0, 1, 2), **options)[0],
        ops.instance_norm(x[:1], gamma, beta, **options),
    )
    centred = x - x.mean(-1, keepdims=True)
    close(
        ops.rms_norm(centred, gamma, reduction_axes=-1, **options),
        ops.layer_norm(x, gamma, 0.0, reduction_axes=-1, **options)[0],
    )
    alone, *_ = ops.layer_norm(x[..., :1], 5.0, beta[:1], reduction_axes=-1)
    close(alone, beta[0] + 0 * x[..., :1])


def the_published_variants_are_others():
    """T13: BN over the batch axis alone, and one norm for a whole kernel, are not the papers'."""
    x, (gamma, beta) = cases.X, cases.C
    published, *_ = ops.batch_norm(x, gamma, beta, reduction_axes=0, epsilon=0.3)
    close(published, gamma * cases.standard(x, 0)[0] + beta)
    proper, *_ = cases.CASES["batch_norm"].call(ops)
    assert np.abs(published - proper).max() > 0.1
    one, each = (ops.weight_norm(x, 2.0, reduction_axes=axes) for axes in ((0, 1, 2, 3), (0, 1, 2)))
    close(np.linalg.norm(one), 2)
    assert np.abs(one - each).max() > 0.1


def a_bias_before_batch_norm_gets_no_gradient():
    """T8: the loss does not depend on a bias that BN removes; on one before LN it does."""
    bias = tf.constant(uneven(29, 5))
    h = tf.constant(uneven(30, 32, 5))
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(bias)
        bn = tf.reduce_sum(tf.sin(gradients.batch_norm(h + bias, GAMMA, BETA, reduction_axes=0)[0]))
        ln = tf.reduce_sum(tf.sin(gradients.layer_norm(h + bias, GAMMA, BETA, reduction_axes=1)))
    assert np.abs(tape.gradient(bn, bias)).max() < 1e-12
    assert np.abs(tape.gradient(ln, bias)).max() > 0.1


def the_first_step_of_weight_norm_is_gradient_descent():
    """T14: with g = ‖v‖ a small step moves w by −rate · dw."""
    v, dw, rate = tf.constant(uneven(31, 7, 5)), uneven(32, 7, 5), 1e-7
    unit, g = ops.direction(v, reduction_axes=[0])
    dv, dg = backward.weight_norm(dw, unit, g, g, reduction_axes=[0])
    new = ops.weight_norm(v - rate * dv, g - rate * dg, reduction_axes=0)
    close((new - v) / -rate, dw, 1e-5)


# Numbers -----------------------------------------------------------------------------------------


def half_precision_is_computed_in_single():
    """float16 whose squares and sums overflow comes out right, as float16."""
    x = tf.constant(uneven(33, 40, 6) * 500 + 20000, "float16")
    for y in (
        gradients.batch_norm(x, 1.0, 0.0, reduction_axes=0)[0],
        gradients.layer_norm(x, 1.0, 0.0, reduction_axes=1),
        gradients.rms_norm(x, 1.0, reduction_axes=1),
    ):
        assert y.dtype == tf.float16 and np.isfinite(y).all()
    exact = np.asarray(x, float)
    expected = (exact - exact.mean(0)) / np.sqrt(exact.var(0) + 1e-3)
    y, mean, _ = gradients.batch_norm(x, 1.0, 0.0, reduction_axes=0)
    close(y, expected, 1e-3)
    assert mean.dtype == tf.float32


def double_precision_is_kept():
    """float64 in, float64 accuracy out, whatever the type of the parameters."""
    y, mean, _ = gradients.batch_norm(
        tf.constant(X), tf.ones(7), tf.zeros(7), reduction_axes=0, epsilon=0.3
    )
    close(y, (X - X.mean(0)) / np.sqrt(X.var(0) + 0.3), 1e-13)
    assert y.dtype == mean.dtype == tf.float64


def large_offsets_cost_only_their_rounding():
    """P11, P12: at an offset of 1e4 the error stays within an ulp of the mean over sigma."""
    x = (uneven(34, 500, 3) / 3 + 1e4).astype("float32")
    exact = x.astype(float)
    sigma = exact.std(0)
    for y in (
        gradients.batch_norm(x, 1.0, 0.0, reduction_axes=0, epsilon=1e-5)[0],
        tf.transpose(
            gradients.layer_norm(tf.transpose(x), 1.0, 0.0, reduction_axes=1, epsilon=1e-5)
        ),
    ):
        expected = (exact - exact.mean(0)) / np.sqrt(exact.var(0) + 1e-5)
        assert np.all(np.abs(y - expected) < 1e4 * np.finfo("float32").eps / sigma)


def constants_give_beta():
    """P8, P11: one example, or a constant channel of any offset, gives beta and no gradient."""
    beta = tf.constant([1.0, -2.0, 3.0])
    for value, count in ((0.0, 6), (1e4, 4001), (1e8, 777), (-3.3, 1)):
        x = tf.fill([count, 3], value)
        with tf.GradientTape() as tape:
            tape.watch(x)
            y, _, variance = gradients.batch_norm(x, 5.0, beta, reduction_axes=0, epsilon=1e-5)
            loss = tf.reduce_sum(tf.sin(y))
        np.testing.assert_array_equal(y, np.broadcast_to(beta, x.shape))
        np.testing.assert_array_equal(variance, [[0, 0, 0]])
        assert np.abs(tape.gradient(loss, x)).max() < 1e-4 * 5 / np.sqrt(1e-5)  # gamma * inv_std


def zeros_have_finite_weights_and_gradients():
    """P6: a v of zeros gives w = 0, dv = 0 and dg = 0; the other units keep theirs."""
    v = uneven(35, 7, 5)
    v[:, 2] = 0
    v = tf.constant(v)
    with tf.GradientTape() as tape:
        tape.watch(v)
        w = gradients.weight_norm(v, GAMMA, reduction_axes=0)
        loss = tf.reduce_sum(tf.sin(w + 1))
    assert not np.any(w[:, 2]) and not np.any(tape.gradient(loss, v)[:, 2])
    np.testing.assert_allclose(np.linalg.norm(w, axis=0)[[0, 1, 3, 4]], np.abs(GAMMA)[[0, 1, 3, 4]])


def masked_elements_do_not_count():
    """P9: statistics ignore what is masked, whatever it holds; all masked is finite."""
    x, mask = cases.X.copy(), np.broadcast_to(cases.MASK, cases.SHAPE) > 0
    expected, mean, _ = cases.CASES["batch_norm, masked"].call(gradients)
    x[~mask] = np.nan
    options = {"reduction_axes": (0, 1, 2), "epsilon": cases.EPSILON}
    y, new_mean, _ = gradients.batch_norm(x, *cases.C, weights=cases.MASK, **options)
    close(new_mean, mean)
    close(np.asarray(y)[mask], np.asarray(expected)[mask])
    y, mean, variance = gradients.batch_norm(cases.X, *cases.C, weights=0 * cases.MASK, **options)
    assert np.isfinite(y).all() and not np.any(mean) and not np.any(variance)


def shards_merge_to_the_whole():
    """T11: replicas along axis 0, with counts 4, 1 and 0; `total` sums over them."""
    x = uneven(36, 3, 4, 5) + np.array([0, 50, -1e3]).reshape(3, 1, 1)
    mask = np.zeros((3, 4, 1))
    mask[0], mask[1, :1] = 1, 1

    def total(*tensors):
        return [tf.reduce_sum(t, 0, keepdims=True) for t in tensors]

    found = gradients.merged_moments(
        tf.constant(x), tf.constant(mask * np.ones_like(x)), total, reduction_axes=(1,)
    )
    whole = np.concatenate([x[0], x[1, :1]])
    for value, expected in zip(found, (whole.mean(0), whole.var(0), np.full(5, 5)), strict=True):
        close(np.ravel(value), expected)


def shards_share_their_gradients():
    """T11: the backward pass with sums over replicas is that of the whole batch."""
    x, dy = uneven(37, 3, 4, 5), uneven(38, 3, 4, 5)
    whole = x.reshape(12, 5)
    _, mean, variance = ops.batch_norm(whole, 1.0, 0.0, reduction_axes=0)
    options = {"reduction_axes": (1,), "epsilon": 0.3}

    def total(*sums):
        return [tf.reduce_sum(t, 0, keepdims=True) for t in sums]

    zeros = tf.zeros((3, 1, 5), tf.float64)
    saved = (x, GAMMA, BETA, mean[None], variance[None], 1 / 12, total)
    dx, dgamma, dbeta = backward.batch_norm(dy, zeros, zeros, *saved, **options)
    expected = backward.batch_norm(
        dy.reshape(12, 5), zeros[0], zeros[0], whole, GAMMA, BETA, mean, variance, 1 / 12,
        lambda *sums: sums, reduction_axes=(0,), epsilon=0.3,
    )  # fmt: skip
    for found, value in zip((tf.reshape(dx, (12, 5)), dgamma, dbeta), expected, strict=True):
        close(found, value)


# Layers ------------------------------------------------------------------------------------------

LAYERS = {
    "BatchNormalization": {"momentum": 0.7},
    "LayerNormalization": {"axis": [1, 2, 3]},
    "GroupNormalization": {"groups": 2},
    "RMSNormalization": {},
}


def pair(name, **options):
    """Our layer and Keras's, with the same uneven weights."""
    options = LAYERS[name] | {"epsilon": 0.1, "dtype": "float64"} | options
    both = [getattr(library, name)(**options) for library in (layers, keras.layers)]
    for layer in both:
        layer.build(cases.SHAPE)
        layer.set_weights([np.abs(uneven(50 + i, *w.shape)) for i, w in enumerate(layer.weights)])
    return both


def layers_equal_keras():
    """T9: outputs, gradients and moving statistics, in training and at inference."""
    for name in LAYERS:
        for training in (True, False) if name == "BatchNormalization" else (None,):
            results = [_outcome(layer, training) for layer in pair(name)]
            for ours, theirs in zip(*results, strict=True):
                close(ours, theirs, 1e-9)


def _outcome(layer, training):
    x = tf.constant(cases.X)
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = layer(x) if training is None else layer(x, training=training)
        loss = tf.reduce_sum(tf.sin(y) * cases.X)
    variables = [v.value for v in layer.trainable_variables]
    return [y, *tape.gradient(loss, [x, *variables]), *layer.get_weights()]


def moving_statistics_follow_their_closed_form():
    """T10, P14: after k minibatches, and nothing moves at inference or when frozen."""
    layer, _ = pair("BatchNormalization")
    start = layer.get_weights()[2:]
    for _ in range(3):
        layer(cases.X, training=True)
    axes = (0, 1, 2)
    for new, old, batch in zip(
        layer.get_weights()[2:], start, (cases.X.mean(axes), cases.X.var(axes)), strict=True
    ):
        close(new, 0.7**3 * old + (1 - 0.7**3) * batch)
    before = layer.get_weights()
    expected = layer(cases.X, training=False)
    layer.trainable = False
    close(layer(cases.X, training=True), expected)
    for old, new in zip(before, layer.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)


def wrapping_keeps_the_function():
    """WN starts at g = ‖v‖, per unit or global, and `remove` gives the same function back."""
    x = tf.constant(uneven(60, 9, 6), "float32")
    for per_unit in (True, False):
        dense = keras.layers.Dense(5, bias_initializer="random_normal")
        dense.build(x.shape)
        dense.kernel.assign(uneven(61, 6, 5))
        plain = dense(x)
        wrapped = layers.WeightNormalization(dense, per_unit=per_unit)
        close(wrapped(x), plain, 1e-5)
        wrapped.g.assign(-2.5 * wrapped.g)
        turned = wrapped(x)
        close(wrapped.remove()(x), turned, 1e-5)
        close(wrapped(x), turned, 1e-5)
        assert np.abs(turned - plain).max() > 1


def initialization_standardizes_every_unit():
    """P5: outputs of mean 0 and variance 1 for any v; a unit that does not vary is named."""
    x = tf.constant(uneven(62, 200, 6) + 3, "float32")
    dense = keras.layers.Dense(4, activation="relu")
    dense.build(x.shape)
    kernel = uneven(63, 6, 4) * 17
    kernel[:, 1] = 0
    dense.kernel.assign(kernel)
    wrapped = layers.WeightNormalization(dense)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        wrapped.initialize(x)
    assert [str(w.message)[:6] for w in caught] == ["unit 1"]
    dense.activation = keras.activations.linear
    y = np.asarray(wrapped(x), float)[:, [0, 2, 3]]
    np.testing.assert_allclose(y.mean(0), 0, atol=1e-4)
    np.testing.assert_allclose(y.std(0), 1, atol=1e-4)


def folding_keeps_the_function():
    """Convolution and BN, folded into one, compute the same at inference."""
    for dtype, rtol in (("float64", 1e-12), ("float32", 1e-5)):
        for use_bias in (True, False):
            conv = keras.layers.Conv2D(6, 3, use_bias=use_bias, dtype=dtype)
            conv.build((None, 7, 8, 2))
            conv.set_weights([uneven(70 + i, *w.shape) for i, w in enumerate(conv.weights)])
            norm = layers.BatchNormalization(epsilon=0.1, dtype=dtype)
            norm.build((None, 5, 6, 6))
            norm.set_weights([np.abs(uneven(80 + i, 6)) for i in range(4)])
            x = tf.constant(uneven(64, 3, 7, 8, 2), dtype)
            close(weight_norm.fold(conv, norm)(x), norm(conv(x), training=False), rtol)


SINGLE = (
    euler_holds_for_the_closed_forms,
    euler_holds_for_the_plain_ops,
    gradients_are_orthogonal_to_what_is_removed,
    weights_have_the_length_g,
    invariances_hold,
    moments_as_parameters_give_the_identity,
    the_family_is_one,
    the_published_variants_are_others,
    a_bias_before_batch_norm_gets_no_gradient,
    the_first_step_of_weight_norm_is_gradient_descent,
    half_precision_is_computed_in_single,
    double_precision_is_kept,
    large_offsets_cost_only_their_rounding,
    constants_give_beta,
    zeros_have_finite_weights_and_gradients,
    masked_elements_do_not_count,
    shards_merge_to_the_whole,
    shards_share_their_gradients,
    layers_equal_keras,
    moving_statistics_follow_their_closed_form,
    wrapping_keeps_the_function,
    initialization_standardizes_every_unit,
    folding_keeps_the_function,
)
