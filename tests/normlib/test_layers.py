"""Our layers against Keras's: outputs, gradients, state, serialisation."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from samples import uneven

from normlib import gradients, layers, ops

CASES = [
    ("BatchNormalization", {"axis": -1}, (6, 5)),
    ("BatchNormalization", {"axis": -1}, (4, 5, 6, 3)),
    ("BatchNormalization", {"axis": 1}, (4, 5, 6, 3)),
    ("LayerNormalization", {"axis": -1}, (6, 5)),
    ("LayerNormalization", {"axis": [1, 2, 3]}, (4, 5, 6, 3)),
    ("LayerNormalization", {"axis": [1, 3]}, (4, 5, 6, 3)),
    ("LayerNormalization", {"axis": [-1, 1]}, (4, 5, 6, 5)),
    ("LayerNormalization", {"scale": False, "center": False}, (6, 5)),
    ("GroupNormalization", {"groups": 3}, (4, 5, 6, 9)),
    ("GroupNormalization", {"groups": 5, "axis": 1}, (4, 5, 6, 3)),
    ("GroupNormalization", {"groups": -1, "scale": False}, (4, 5, 6)),
    ("RMSNormalization", {}, (4, 5, 6)),
    ("RMSNormalization", {"axis": [2, 1]}, (4, 5, 6)),
    ("BatchNormalization", {"scale": False, "center": False}, (6, 5)),
    ("BatchNormalization", {"renorm": True}, (6, 5)),
]


def pair(name, options, shape):
    """Our layer and Keras's with the same random weights."""
    ours, theirs = (
        getattr(library, name)(**options, epsilon=0.01) for library in (layers, keras.layers)
    )
    for layer in (ours, theirs):
        layer.build(shape)
    weights = [
        uneven(i, *w.shape) if w.trainable else np.abs(uneven(i, *w.shape)) + 1
        for i, w in enumerate(ours.weights)
    ]
    ours.set_weights(weights), theirs.set_weights(weights)
    return ours, theirs


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize(("name", "options", "shape"), CASES)
def test_output_and_gradients_equal_keras(name, options, shape, training):
    ours, theirs = pair(name, options, shape)
    x, upstream = (tf.constant(uneven(i, *shape), "float32") for i in (8, 9))
    results = []
    for layer in (ours, theirs):
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = layer(x, **({"training": training} if "Batch" in name else {}))
        targets = [x, *(v.value for v in layer.trainable_variables)]
        results.append([y, *tape.gradient(y, targets, upstream)])
    for mine, other in zip(*results, strict=True):
        np.testing.assert_allclose(mine, other, rtol=2e-4, atol=2e-6 * np.abs(other).max())


@pytest.mark.parametrize(("name", "options", "shape"), CASES)
def test_weights_have_the_names_and_shapes_of_keras(name, options, shape):
    ours, theirs = pair(name, options, shape)
    assert [(w.name, w.shape) for w in ours.weights] == [(w.name, w.shape) for w in theirs.weights]
    for mine, other in zip(ours.weights, theirs.weights, strict=True):
        np.testing.assert_array_equal(mine, other)


@pytest.mark.parametrize(("name", "options", "shape"), CASES[:3])
def test_moving_statistics_after_three_steps_equal_keras(name, options, shape):
    ours, theirs = pair(name, options, shape)
    for step in range(3):
        x = tf.constant(uneven(step, *shape), "float32")
        ours(x, training=True), theirs(x, training=True)
    for mine, other in zip(ours.weights[2:], theirs.weights[2:], strict=True):
        np.testing.assert_allclose(mine, other, rtol=1e-5)


def test_inference_changes_no_state():
    layer, _ = pair(*CASES[1])
    before = layer.get_weights()
    layer(tf.constant(uneven(1, *CASES[1][2]), "float32"), training=False)
    for old, new in zip(before, layer.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)


def test_frozen_batch_normalization_uses_and_keeps_its_moving_statistics():
    layer, _ = pair(*CASES[1])
    x = tf.constant(uneven(1, *CASES[1][2]), "float32")
    expected, before = layer(x, training=False), layer.get_weights()
    layer.trainable = False
    np.testing.assert_array_equal(layer(x, training=True), expected)
    for old, new in zip(before, layer.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)


def every_layer():
    return [
        layers.WeightNormalization(keras.layers.Conv2D(6, 3)),
        layers.BatchNormalization(momentum=0.7, epsilon=0.02),
        layers.LayerNormalization(axis=[1, 2, 3], epsilon=0.03),
        layers.GroupNormalization(groups=3),
        layers.InstanceNormalization(),
        layers.RMSNormalization(epsilon=0.04),
        keras.layers.Flatten(),
        layers.WeightNormalization(keras.layers.Dense(2), per_unit=False),
    ]


@pytest.mark.parametrize("policy", [
    "mixed_float16",
    *(pytest.param(p, marks=pytest.mark.slow) for p in ("float32", "float64", "mixed_bfloat16")),
])  # fmt: skip
def test_a_model_of_all_layers_fits_saves_and_loads_in_every_precision(policy, tmp_path):
    with_policy = keras.config.dtype_policy()
    keras.config.set_dtype_policy(policy)
    try:
        model = keras.Sequential([keras.Input((6, 5, 2)), *every_layer()])
        model.compile("sgd", "mse")
        x, y = uneven(5, 9, 6, 5, 2).astype("float32"), uneven(6, 9, 2).astype("float32")
        history = model.fit(x, y, epochs=2, batch_size=4, verbose=0)  # the last batch has one
        assert np.all(np.isfinite(history.history["loss"]))
        assert model(x).dtype == keras.config.dtype_policy().compute_dtype
        assert all(v.dtype == keras.config.dtype_policy().variable_dtype for v in model.variables)
        model.save(tmp_path / "model.keras")
        loaded = keras.models.load_model(tmp_path / "model.keras")
        np.testing.assert_array_equal(model(x), loaded(x))
        assert [type(layer) for layer in loaded.layers] == [type(layer) for layer in model.layers]
        assert loaded.layers[1].momentum == 0.7 and loaded.layers[2].axis == [1, 2, 3]
    finally:
        keras.config.set_dtype_policy(with_policy)


def test_weights_move_to_keras_and_back():
    for name, options, shape in CASES:
        ours, theirs = pair(name, options, shape)
        fresh = getattr(layers, name)(**options, epsilon=0.01)
        fresh.build(shape)
        fresh.set_weights(theirs.get_weights())
        for mine, other in zip(fresh.get_weights(), ours.get_weights(), strict=True):
            np.testing.assert_array_equal(mine, other)


def test_configurations_are_those_of_keras():
    for name, options, shape in CASES:
        ours, theirs = pair(name, options, shape)
        mine, other = (layer.get_config() | {"name": None} for layer in (ours, theirs))
        if isinstance(other["axis"], list):  # Keras sorts [1, -1] before it counts from 0
            mine["axis"], other["axis"] = (
                sorted(a % len(shape) for a in config["axis"]) for config in (mine, other)
            )
        assert mine == other


def test_a_mask_reaches_batch_normalization():
    x = tf.constant(uneven(7, 3, 5, 2), "float32")
    mask = tf.constant(uneven(8, 3, 5) > 0)
    ours, theirs = pair("BatchNormalization", {}, x.shape)
    close = {"rtol": 1e-4, "atol": 1e-5}
    np.testing.assert_allclose(
        ours(x, training=True, mask=mask), theirs(x, training=True, mask=mask), **close
    )
    for mine, other in zip(ours.get_weights(), theirs.get_weights(), strict=True):
        np.testing.assert_allclose(mine, other, **close)


def test_instance_normalization_is_group_normalization_with_a_group_a_channel():
    x = tf.constant(uneven(9, 3, 4, 5, 6), "float32")
    instance, group = layers.InstanceNormalization(), keras.layers.GroupNormalization(groups=-1)
    np.testing.assert_allclose(instance(x), group(x), rtol=1e-4, atol=1e-5)
    assert "groups" not in instance.get_config()
    again = layers.InstanceNormalization.from_config(instance.get_config())
    np.testing.assert_array_equal(again(x), instance(x))
    with pytest.raises(ValueError, match="at least 3 axes"):
        layers.InstanceNormalization()(x[0, 0])


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_moving_statistics_in_half_precision_are_those_of_keras(dtype):
    ours, theirs = (m.BatchNormalization(momentum=0.9, dtype=dtype) for m in (layers, keras.layers))
    x = tf.constant(uneven(11, 8, 4), dtype)
    for _ in range(20):
        ours(x, training=True), theirs(x, training=True)
    for mine, other in zip(ours.weights, theirs.weights, strict=True):
        mine, other = (np.array(tf.cast(w.value, "float32")) for w in (mine, other))
        np.testing.assert_allclose(mine, other, rtol=2e-2)


def test_renormalization_takes_a_mask_in_mixed_precision():
    ours, theirs = (
        m.BatchNormalization(renorm=True, dtype="mixed_float16") for m in (layers, keras.layers)
    )
    x, mask = tf.constant(uneven(12, 6, 5, 4), "float16"), tf.constant(uneven(13, 6, 5) > 0)
    mine, other = (layer(x, training=True, mask=mask) for layer in (ours, theirs))
    np.testing.assert_allclose(mine, other, rtol=2e-3, atol=2e-3)
    for mine, other in zip(ours.weights, theirs.weights, strict=True):
        np.testing.assert_allclose(mine, other, rtol=1e-4, atol=1e-5)


def test_the_batch_size_may_vary_in_a_graph():
    model = keras.Sequential([keras.Input((None, None, 6)), *every_layer()[3:6]])
    run = tf.function(model, input_signature=[tf.TensorSpec([None, None, None, 6])])
    for shape in ((2, 5, 4, 6), (7, 3, 8, 6)):
        x = tf.constant(uneven(10, *shape), "float32")
        np.testing.assert_allclose(run(x), model(x), rtol=1e-5, atol=1e-6)


def test_integers_are_taken_as_floating_point_numbers():
    x = tf.constant(np.arange(12).reshape(4, 3))
    for name in ("BatchNormalization", "LayerNormalization", "GroupNormalization"):
        ours, theirs = pair(name, {"groups": 1} if "Group" in name else {}, x.shape)
        np.testing.assert_array_equal(ours(x), ours(tf.cast(x, "float32")))
        if "Batch" in name:  # the others of Keras give integers back, truncated
            np.testing.assert_allclose(ours(x), theirs(x), rtol=1e-5, atol=1e-6)


EMPTY = [(0, 5), (2, 0, 4, 5), (0, 3, 4, 5)]


@pytest.mark.parametrize("options", [{}, {"synchronized": True}, {"renorm": True}], ids=str)
@pytest.mark.parametrize("shape", EMPTY, ids=str)
@pytest.mark.parametrize("known", [True, False])
def test_an_empty_minibatch_leaves_the_statistics_and_gives_an_empty_output(shape, options, known):
    layer = layers.BatchNormalization(**options)
    layer.build(shape)
    for number, variable in enumerate(layer.non_trainable_variables):
        variable.assign(tf.ones(variable.shape) * (1 + number / 3))
    before = [v.numpy() for v in layer.non_trainable_variables]
    signature = tf.TensorSpec(shape if known else [None] * (len(shape) - 1) + [5])
    step = tf.function(lambda x: layer(x, training=True), input_signature=[signature])
    for call in (step, lambda x: layer(x, training=True)):
        assert call(tf.zeros(shape)).shape == shape
        for variable, old in zip(layer.non_trainable_variables, before, strict=True):
            np.testing.assert_array_equal(variable, old)
    if not known:  # the same graph still learns from what is not empty
        step(tf.random.stateless_normal([n or 3 for n in shape], seed=(0, 1)))
        assert np.abs(layer.moving_mean - before[0]).max() > 1e-4


@pytest.mark.parametrize("shape", EMPTY, ids=str)
def test_the_gradients_of_an_empty_minibatch_are_zero(shape):
    layer = layers.BatchNormalization()
    layer.build(shape)
    x = tf.zeros(shape)
    with tf.GradientTape() as tape:
        tape.watch(x)
        loss = tf.reduce_sum(layer(x, training=True))
    dx, *others = tape.gradient(loss, [x, layer.gamma.value, layer.beta.value])
    assert dx.shape == shape and not np.any(others)


@pytest.mark.parametrize("axis", [[1, -1], [-1, 1], [2, 1], (2, 1), [-2, -1]], ids=str)
def test_axes_mean_the_same_in_any_order(axis):
    x = tf.constant(uneven(20, 4, 5, 6))
    given, plain = (layers.LayerNormalization(axis=a, dtype="float64") for a in (axis, [1, 2]))
    for layer in (given, plain):
        layer.build(x.shape)
        layer.set_weights([uneven(21, 5, 6), uneven(22, 5, 6)])
    np.testing.assert_allclose(given(x), plain(x), rtol=1e-12)


@pytest.mark.parametrize(
    ("make", "shape"),
    [
        (lambda: layers.BatchNormalization(axis=5), (2, 3)),
        (lambda: layers.BatchNormalization(axis=-4), (2, 3, 4)),
        (lambda: layers.LayerNormalization(axis=4), (2, 3, 4)),
        (lambda: layers.LayerNormalization(axis=[1, -2]), (2, 3, 4)),
        (lambda: layers.LayerNormalization(axis=[0, 1.5]), (2, 3, 4)),
        (lambda: layers.RMSNormalization(axis=3), (2, 3, 4)),
        (lambda: layers.RMSNormalization(axis=[1, 1]), (2, 3, 4)),
        (lambda: layers.GroupNormalization(groups=1, axis=5), (2, 3, 10)),
        (lambda: layers.GroupNormalization(groups=1, axis=0), (2, 3, 10)),
        (lambda: layers.GroupNormalization(groups=4), (2, 3, 10)),
        (lambda: layers.InstanceNormalization(axis=7), (2, 3, 4)),
    ],
)
def test_a_bad_axis_or_number_of_groups_is_a_value_error(make, shape):
    for use in (lambda layer: layer.build(shape), lambda layer: layer(tf.zeros(shape))):
        with pytest.raises(ValueError, match=r"axis must|[Gg]roups"):
            use(make())


NORMS = {
    "BN": lambda: layers.BatchNormalization(),
    "LN": lambda: layers.LayerNormalization(axis=[1, 2, 3]),
    "GN": lambda: layers.GroupNormalization(groups=2),
    "IN": lambda: layers.InstanceNormalization(),
    "RMS": lambda: layers.RMSNormalization(),
}


@pytest.mark.parametrize("name", NORMS)
@pytest.mark.parametrize("scale", [1e20, 1e30])
def test_an_input_whose_squares_overflow_is_refused_and_right_in_double_precision(name, scale):
    x = uneven(23, 4, 3, 5, 6)
    wide = NORMS[name]()
    training = {"training": True} if name == "BN" else {}
    with pytest.raises(ValueError, match=r"too large for float32: its squares overflow.*float64"):
        wide(tf.constant(x * scale, tf.float32), **training)
    exact = type(wide).from_config(wide.get_config() | {"dtype": "float64"})
    expected = exact(tf.constant(x * 1e5, tf.float64), **training)
    np.testing.assert_allclose(exact(tf.constant(x * scale), **training), expected, rtol=1e-6)


@pytest.mark.parametrize("name", NORMS)
def test_in_a_model_that_is_fitted_it_is_refused_too_and_nothing_is_trained_on_it(name):
    x, target = uneven(25, 4, 3, 5, 6).astype("float32"), np.zeros((4, 2))
    model = keras.Sequential([NORMS[name](), keras.layers.Flatten(), keras.layers.Dense(2)])
    model.compile("sgd", "mse")
    model.fit(x, target, verbose=0)
    before = model.get_weights()
    with pytest.raises(tf.errors.InvalidArgumentError, match="too large for float32"):
        model.fit(x * np.float32(1e20), target, verbose=0)
    for weight, old in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(weight, old)


@pytest.mark.parametrize("module", [ops, gradients], ids=["ops", "gradients"])
def test_no_statistic_leaves_an_op_whose_squares_overflow(module):
    """Not even the mean, which is sound: it would be of another step than the variance."""
    mean = tf.Variable(tf.zeros((1, 6)))

    @tf.function
    def step(x):
        _, new, _ = module.batch_norm(x, 1.0, 0.0, reduction_axes=0)
        mean.assign(new)

    for _ in range(10):
        with pytest.raises(tf.errors.InvalidArgumentError, match="too large"):
            step(tf.constant(uneven(26, 9, 6) * 1e20, tf.float32))
    np.testing.assert_array_equal(mean, np.zeros((1, 6)))


@pytest.mark.parametrize("name", NORMS)
def test_a_model_of_images_of_any_size_converts_to_tflite(name):
    model = keras.Sequential([keras.Input((None, None, 6)), by_channel(NORMS[name]())])
    converted = tf.lite.TFLiteConverter.from_keras_model(model).convert()
    interpreter = tf.lite.Interpreter(model_content=converted)
    x = uneven(27, 1, 5, 7, 6).astype("float32")
    (given,), (found,) = interpreter.get_input_details(), interpreter.get_output_details()
    interpreter.resize_tensor_input(given["index"], x.shape)
    interpreter.allocate_tensors()
    interpreter.set_tensor(given["index"], x)
    interpreter.invoke()
    np.testing.assert_allclose(interpreter.get_tensor(found["index"]), model(x), atol=1e-5)


def by_channel(norm):
    """The norm, or one of its kind whose parameters do not depend on the image's size."""
    several = isinstance(norm, layers.LayerNormalization)
    return layers.LayerNormalization() if several else norm


@pytest.mark.parametrize("name", NORMS)
@pytest.mark.parametrize(("examples", "value"), [(0, 0.0), (4, np.nan), (4, np.inf)])
def test_what_is_empty_or_not_finite_is_not_called_too_large(name, examples, value):
    norm, x = NORMS[name](), np.full((examples, 3, 5, 6), value)
    training = {"training": True} if name == "BN" else {}
    for call in (norm, tf.function(norm)):
        assert not np.isfinite(call(tf.constant(x, tf.float32), **training)).any()


def test_an_input_that_is_not_finite_is_not_called_too_large():
    x = uneven(24, 4, 6).astype("float32")
    x[1, 2] = np.nan
    assert np.isnan(layers.LayerNormalization()(x)).any()
