"""The weight normalization wrapper as a Keras layer: built anywhere, nothing of the layer lost."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from samples import uneven

from normlib import layers, weight_norm

X = tf.constant(uneven(0, 9, 6), "float32")


def wrap(layer=None, **options):
    return layers.WeightNormalization(layer or keras.layers.Dense(5), **options)


def norm(wrapped):
    """The norms of the kernel's columns."""
    return np.linalg.norm(wrapped.v.numpy(), axis=0)


@pytest.mark.parametrize(
    "make",
    [
        lambda: keras.layers.Dense(5, bias_initializer="random_normal"),
        lambda: keras.layers.Conv2D(4, (3, 2), padding="same", bias_initializer="random_normal"),
    ],
)
def test_wrapping_in_weight_normalization_keeps_the_function(make):
    plain = make()
    x = tf.constant(
        uneven(2, *((7, 6) if plain.name.startswith("dense") else (3, 6, 7, 2))), "float32"
    )
    expected = plain(x)
    plain.kernel.assign(uneven(3, *plain.kernel.shape))
    expected = plain(x)
    wrapped = layers.WeightNormalization(plain)
    np.testing.assert_allclose(wrapped(x), expected, rtol=1e-4, atol=1e-5 * np.abs(expected).max())


def test_weight_normalization_trains_v_and_g_and_not_the_plain_kernel():
    wrapped = layers.WeightNormalization(keras.layers.Dense(5))
    x = tf.constant(uneven(4, 7, 6), "float32")
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(tf.square(wrapped(x)))
    gradients = tape.gradient(loss, [v.value for v in wrapped.trainable_variables])
    assert sorted(v.name for v in wrapped.trainable_variables) == ["bias", "g", "kernel"]
    kernel = next(v for v in wrapped.trainable_variables if v.name == "kernel")
    gradient = gradients[[v is kernel for v in wrapped.trainable_variables].index(True)]
    np.testing.assert_allclose(np.sum(kernel * gradient, 0), 0, atol=1e-3 * np.abs(gradient).max())


def built_in_fit():
    wrapped = wrap()
    model = keras.Sequential([wrapped])
    model.compile(keras.optimizers.SGD(0.0), "mse")
    model.fit(X, tf.zeros((9, 5)), verbose=0)
    return wrapped


def built_in_a_graph():
    wrapped = wrap()
    tf.function(wrapped)(X)
    return wrapped


def built_symbolically():
    wrapped = wrap()
    wrapped(keras.Input((6,)))
    return wrapped


@pytest.mark.parametrize("build", [built_in_fit, built_in_a_graph, built_symbolically])
def test_g_is_the_norm_of_v_wherever_it_is_built(build):
    wrapped = build()
    np.testing.assert_allclose(wrapped.g, norm(wrapped), rtol=1e-6)


def test_losses_masks_and_shapes_are_those_of_the_layer():
    wrapped = wrap(keras.layers.Dense(5, activity_regularizer="l2", kernel_regularizer="l1"))
    y = wrapped(X)
    activity, weight = wrapped.losses
    plain = wrapped.layer.losses
    assert len(plain) == 1 and {float(plain[0])} <= {float(activity), float(weight)}
    np.testing.assert_allclose(
        float(activity) + float(weight) - float(plain[0]), 0.01 * np.sum(y**2) / 9, rtol=1e-5
    )
    assert wrapped.supports_masking == wrapped.layer.supports_masking
    inner = wrap(keras.layers.Dense(5))
    assert keras.layers.TimeDistributed(inner)(keras.Input((3, 6))).shape == (None, 3, 5)


def test_stateless_calls_use_the_values_that_they_are_given():
    model = keras.Sequential([keras.Input((6,)), wrap()])
    trainable = [v.numpy() for v in model.trainable_variables]
    names = [v.name for v in model.trainable_variables]
    before, _ = model.stateless_call(trainable, [], X)
    trainable[names.index("bias")] += 100.0
    after, _ = model.stateless_call(trainable, [], X)
    np.testing.assert_allclose(after, before + 100, rtol=1e-5)
    trainable[names.index("g")] *= 0.0
    zero, _ = model.stateless_call(trainable, [], X)
    np.testing.assert_allclose(zero, 100 * np.ones((9, 5)), rtol=1e-6)


@pytest.mark.parametrize("scale", [1e6, 1e-9])
def test_the_scale_of_v_does_not_matter_in_mixed_precision(scale):
    wrapped = wrap(keras.layers.Dense(5, dtype="mixed_float16"))
    before = wrapped(X)
    wrapped.v.assign(scale * wrapped.v)
    np.testing.assert_allclose(wrapped(X), before, rtol=2e-3, atol=2e-3)


def test_initialize_before_anything_is_built():
    wrapped = wrap()
    wrapped.initialize(X)
    y = wrapped(X).numpy()
    np.testing.assert_allclose(y.mean(0), 0, atol=1e-5)
    np.testing.assert_allclose(y.std(0), 1, rtol=1e-4)


@pytest.mark.parametrize(
    "layer", [keras.layers.Conv2DTranspose(3, 2), keras.layers.Embedding(4, 2),
              keras.layers.Conv2D(3, 2, data_format="channels_first")],
    ids=lambda layer: layer.name,
)  # fmt: skip
def test_other_layers_are_refused(layer):
    with pytest.raises(ValueError, match="Dense, Conv1D, Conv2D, Conv3D, channels last; received"):
        wrap(layer)


def test_what_cannot_be_initialized_or_removed():
    for wrapped in (wrap(keras.layers.Dense(5, use_bias=False)), wrap(per_unit=False)):
        with pytest.raises(ValueError, match="use_bias=True and per_unit=True"):
            wrapped.initialize(X)
    with pytest.raises(ValueError, match="call it once"):
        wrap().remove()


def test_fold_refuses_what_it_cannot_fold():
    dense, norm = keras.layers.Dense(3, activation="relu"), keras.layers.BatchNormalization()
    dense.build((None, 4)), norm.build((None, 5))
    with pytest.raises(ValueError, match="without activation; received relu"):
        weight_norm.fold(dense, norm)
    dense.activation = keras.activations.linear
    with pytest.raises(
        ValueError, match=r"3 channels on the last of its output.s 2 axes; received 5"
    ):
        weight_norm.fold(dense, norm)
    conv, first = keras.layers.Conv2D(3, 2), keras.layers.BatchNormalization(axis=1)
    conv.build((None, 4, 4, 2)), first.build((None, 3, 3, 3))
    with pytest.raises(ValueError, match="received 3 on axis 1"):
        weight_norm.fold(conv, first)
    with pytest.raises(ValueError, match="needs a BatchNormalization; received LayerNormalization"):
        weight_norm.fold(dense, keras.layers.LayerNormalization())
    with pytest.raises(ValueError, match="fold takes layers"):
        weight_norm.fold(keras.layers.ReLU(), norm)
    for layer in (keras.layers.Dense(3), wrapped_dense().layer, with_low_rank_weights()):
        with pytest.raises(
            ValueError, match=r"not quantized and without LoRA; call remove\(\) first"
        ):
            weight_norm.fold(layer, norm)


def with_low_rank_weights():
    layer = keras.layers.Dense(5)
    layer.build((None, 4))
    layer.enable_lora(2)
    return layer


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "mixed_float16"])
def test_wrapping_half_precision_keeps_the_function_and_the_norm_is_exact(dtype):
    """Squares of 4 608 half-precision numbers, added as such, stall at a few thousand."""
    rng = np.random.default_rng(4)
    x = tf.constant(rng.normal(size=(5, 4608)), "float16")
    plain = keras.layers.Dense(3, dtype=dtype)
    before = np.asarray(tf.cast(plain(x), "float32"))
    plain.kernel.assign(tf.cast(rng.normal(0, 0.7, (4608, 3)), plain.kernel.dtype))
    before = np.asarray(tf.cast(plain(x), "float32"))
    wrapped = layers.WeightNormalization(plain)
    after = np.asarray(tf.cast(wrapped(x), "float32"))
    exact = np.linalg.norm(np.asarray(tf.cast(plain.kernel, "float64")), axis=0)
    np.testing.assert_allclose(wrapped.g, exact, rtol=1e-5)
    step = 2**-7 if dtype == "bfloat16" else 2**-10
    np.testing.assert_allclose(after, before, atol=4 * step * np.abs(before).max())


def wrapped_dense():
    layer = layers.WeightNormalization(keras.layers.Dense(3))
    layer.build((None, 4))
    layer.g.assign([1.0, -2.0, 3.0])
    return layer


@pytest.mark.parametrize("mode", ["int8", "int4", "float8"])
def test_quantizing_a_model_is_refused_in_a_sentence_that_names_remove(mode):
    model = keras.Sequential([keras.Input((4,)), wrapped_dense()])
    before = model(tf.constant(uneven(3, 5, 4), tf.float32))
    with pytest.raises(ValueError, match=r"quantize would read the direction v .*\.remove\(\)"):
        model.quantize(mode)
    np.testing.assert_array_equal(model(tf.constant(uneven(3, 5, 4), tf.float32)), before)


def test_low_rank_adaptation_is_refused_and_what_was_removed_takes_both():
    layer = wrapped_dense()
    x = tf.constant(uneven(3, 5, 4), tf.float32)
    expected = layer(x)
    with pytest.raises(ValueError, match="enable_lora would read the direction v"):
        layer.layer.enable_lora(2)
    plain = layer.remove()
    np.testing.assert_allclose(plain(x), expected, rtol=1e-6)
    plain.enable_lora(2)
    np.testing.assert_allclose(plain(x), expected, rtol=1e-6)
    with pytest.raises(ValueError, match="is quantized or has LoRA weights: wrap a plain layer"):
        layers.WeightNormalization(plain)
    other = wrapped_dense().remove()
    other.quantize("int8")
    assert other.quantization_mode == "int8"


def test_a_model_with_what_was_removed_is_quantized_as_without_the_wrapper():
    model = keras.Sequential([keras.Input((4,)), wrapped_dense()])
    alone = keras.models.clone_model(keras.Sequential([keras.Input((4,)), model.layers[0].layer]))
    x = tf.constant(uneven(3, 5, 4), tf.float32)
    alone.set_weights(model.layers[0].remove().get_weights())
    model.quantize("int8")
    alone.quantize("int8")
    np.testing.assert_array_equal(model(x), alone(x))


def test_an_activation_with_a_state_keeps_it():
    wrapped = layers.WeightNormalization(
        keras.layers.Dense(4, activation=keras.layers.BatchNormalization(momentum=0.5))
    )
    x = tf.constant(uneven(6, 9, 4) + 3, tf.float32)
    t = x @ (wrapped(x, training=True), wrapped.kernel)[1]
    norm = wrapped.layer.activation
    np.testing.assert_allclose(norm.moving_mean, 0.5 * np.mean(t, 0), rtol=1e-5)
    before = [v.numpy() for v in wrapped.non_trainable_variables]
    wrapped(x, training=False)
    for variable, old in zip(wrapped.non_trainable_variables, before, strict=True):
        np.testing.assert_array_equal(variable, old)


def test_an_activation_with_a_kernel_of_its_own_keeps_that():
    plain = keras.layers.Dense(4, activation=keras.layers.Dense(4))
    x = tf.constant(uneven(6, 9, 4), tf.float32)
    expected = plain(x)
    np.testing.assert_allclose(layers.WeightNormalization(plain)(x), expected, rtol=1e-5)


def test_a_frozen_layer_keeps_its_v():
    wrapped = wrapped_dense()
    wrapped.trainable = False
    v = wrapped.v.numpy()
    wrapped(tf.constant(uneven(3, 5, 4), tf.float32), training=True)
    np.testing.assert_array_equal(wrapped.v, v)


def test_a_length_beyond_half_precision():
    plain = keras.layers.Dense(3, dtype="float16")
    x = tf.constant(uneven(6, 2, 4608) / 1e4, tf.float16)
    plain.build(x.shape)
    plain.kernel.assign(1500 * np.random.default_rng(4).normal(size=(4608, 3)))
    expected = plain(x)
    wrapped = layers.WeightNormalization(plain)
    assert np.isfinite(expected).all() and np.min(np.abs(wrapped(x))) > 0
    np.testing.assert_allclose(wrapped(x), expected, rtol=0.02, atol=0.02 * np.abs(expected).max())


def test_the_kernel_in_use_can_be_read():
    layer = wrapped_dense()
    np.testing.assert_allclose(np.linalg.norm(layer.kernel, axis=0), [1, 2, 3], rtol=1e-6)
    x = tf.constant(uneven(3, 5, 4), tf.float32)
    np.testing.assert_allclose(layer(x), x @ layer.kernel, rtol=1e-5)


@pytest.mark.parametrize("mode", ["full", "activations", "larger_than"])
@pytest.mark.parametrize("compiled", [False, True])
def test_recomputation_keeps_the_gradients(mode, compiled):
    """Within Keras's scope, and in TensorFlow's own function."""
    x = tf.constant(uneven(3, 5, 4), tf.float32)

    def gradients(layer, call):
        def step():
            with tf.GradientTape() as tape:
                loss = tf.reduce_sum(tf.sin(call(x)))
            return tape.gradient(loss, [v.value for v in layer.trainable_variables])

        return (tf.function(step) if compiled else step)()

    plain = wrapped_dense()
    with keras.RematScope(mode=mode):
        scoped = wrapped_dense()
    scoped.set_weights(plain.get_weights())
    expected = gradients(plain, plain)
    for found in (gradients(scoped, scoped), gradients(plain, tf.recompute_grad(plain.__call__))):
        for mine, theirs in zip(found, expected, strict=True):
            np.testing.assert_allclose(mine, theirs, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("axis", [-1, 2])
def test_fold_takes_the_outputs_last_axis_whatever_the_kernels_rank(axis):
    dense = keras.layers.Dense(4)
    norm = keras.layers.BatchNormalization(axis=axis, epsilon=0.1)
    x = tf.constant(uneven(4, 5, 4, 3), tf.float32)
    h = dense(x)
    norm.build(h.shape)
    norm.set_weights([np.abs(uneven(30 + i, 4)) for i in range(4)])
    np.testing.assert_allclose(
        weight_norm.fold(dense, norm)(x), norm(h, training=False), rtol=1e-4, atol=1e-5
    )


def test_fold_refuses_an_axis_that_is_not_the_outputs_last():
    dense, norm = keras.layers.Dense(4), keras.layers.BatchNormalization(axis=1)
    norm.build(dense(tf.zeros((5, 4, 3))).shape)
    with pytest.raises(ValueError, match=r"the last of its output's 3 axes; received 4 on axis 1"):
        weight_norm.fold(dense, norm)
