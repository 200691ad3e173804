"""Our layers against Keras's: outputs, gradients, state, serialisation."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from samples import uneven

from normlib import layers

CASES = [
    ("BatchNormalization", {"axis": -1}, (6, 5)),
    ("BatchNormalization", {"axis": -1}, (4, 5, 6, 3)),
    ("BatchNormalization", {"axis": 1}, (4, 5, 6, 3)),
    ("LayerNormalization", {"axis": -1}, (6, 5)),
    ("LayerNormalization", {"axis": [1, 2, 3]}, (4, 5, 6, 3)),
    ("LayerNormalization", {"axis": [1, 3]}, (4, 5, 6, 3)),
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
            y = layer(x, training=training)
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


def test_a_model_of_our_layers_survives_saving_without_custom_objects(tmp_path):
    model = keras.Sequential(
        [
            keras.Input((6, 5, 2)),
            layers.WeightNormalization(keras.layers.Conv2D(3, 3)),
            layers.BatchNormalization(momentum=0.7, epsilon=0.02),
            layers.LayerNormalization(axis=[1, 2, 3], epsilon=0.03),
        ]
    )
    x = tf.constant(uneven(5, 9, 6, 5, 2), "float32")
    model.compile("sgd", "mse")
    model.fit(x, tf.zeros((9, 4, 3, 3)), verbose=0)
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(model(x), loaded(x))
    assert loaded.layers[1].momentum == 0.7 and loaded.layers[2].axis == [1, 2, 3]
