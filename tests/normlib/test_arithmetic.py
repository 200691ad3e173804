"""One pass under XLA for the lab's loop alone, and sums as exact as the written ones."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from samples import uneven

from normlib import arithmetic, data, layers, ops, train
from normlib.arm import Arm

LAYERS = {
    "BN": lambda: layers.BatchNormalization(),
    "LN": lambda: layers.LayerNormalization(axis=[1, 2, 3]),
    "GN": lambda: layers.GroupNormalization(groups=2),
    "RMS": lambda: layers.RMSNormalization(),
    "WN": lambda: layers.WeightNormalization(keras.layers.Conv2D(4, 3)),
}


def compiled_by_xla(graph_function):
    """How many calls of the graph, and of the functions that it calls, XLA is to compile."""
    definition = graph_function.graph.as_graph_def()
    nodes = [*definition.node, *(n for f in definition.library.function for n in f.node_def)]
    attributes = [a for f in definition.library.function for a in f.attr]
    return sum("_XlaMustCompile" in n.attr for n in nodes) + attributes.count("_XlaMustCompile")


def steps(layer, shape):
    """A training step around the layer, as a graph."""
    layer.build(shape)
    x = tf.constant(uneven(1, *shape), tf.float32)

    @tf.function
    def step(x):
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = layer(x, training=True) if "Batch" in type(layer).__name__ else layer(x)
            loss = tf.reduce_sum(tf.sin(y))
        return tape.gradient(loss, [x, *(v.value for v in layer.trainable_variables)])

    return step, x


@pytest.mark.parametrize("name", LAYERS)
def test_in_other_peoples_graphs_layers_are_plain_tensorflow(name):
    """So no input size compiles anew, exports hold no foreign calls, and checkers see every op."""
    step, x = steps(LAYERS[name](), (3, 5, 6, 4))
    assert compiled_by_xla(step.get_concrete_function(x)) == 0
    with arithmetic.xla():
        asked, x = steps(LAYERS[name](), (3, 5, 6, 4))
        count = compiled_by_xla(asked.get_concrete_function(x))
    assert count > 0 or name == "RMS"  # RMS norm has no expression of its own


def test_numerics_can_be_checked_around_a_layer():
    tf.debugging.enable_check_numerics()
    try:
        step, x = steps(layers.BatchNormalization(), (3, 5, 6, 4))
        assert all(np.isfinite(gradient).all() for gradient in step(x))
        with pytest.raises(tf.errors.InvalidArgumentError, match=r"NaN|Inf"):
            step(x / 0)
    finally:
        tf.debugging.disable_check_numerics()


def test_the_labs_own_loop_asks_for_one_pass():
    trainer = train.Trainer(Arm("batch", profile="quick"), 0, data.load("quick"))
    batches = tf.zeros([2, 100], tf.int64)
    assert compiled_by_xla(trainer.steps.get_concrete_function(batches, tf.zeros([2]))) > 0
    score = trainer.scorer._score.get_concrete_function(tf.zeros([7], tf.int32), False)
    assert compiled_by_xla(score) > 0


def test_an_expression_is_compiled_once_however_often_it_stands_in_a_graph():
    def scaled(x, factor):
        return arithmetic.one_pass(lambda: x * factor + 1)

    @tf.function
    def many(x):
        with arithmetic.xla():
            for factor in (2.0, 2.0, 2.0):
                x = scaled(x, tf.constant(factor))
        return x

    before = arithmetic._compiled.cache_info().misses
    np.testing.assert_allclose(many(tf.constant([1.0, -3.0])), [15, -17])
    assert arithmetic._compiled.cache_info().misses == before + 1


def test_the_context_ends_with_its_block():
    with pytest.raises(ZeroDivisionError), arithmetic.xla():
        1 / 0  # noqa: B018
    assert not arithmetic.IN_THE_LABS_LOOP.get()


@pytest.mark.parametrize("axes", [(0, 1, 2), (0, 1), (1, 2), (0, 2), (1, 2, 3), (0,), (3,), ()])
def test_means_and_sums_are_over_all_axes(axes):
    x = uneven(2, 5, 3, 7, 6)
    for found, expected in (
        (arithmetic.reduce_mean(tf.constant(x), axes), np.mean),
        (arithmetic.refined_mean(tf.constant(x), axes), np.mean),
        (arithmetic.reduce_sum(tf.constant(x), axes), np.sum),
    ):
        np.testing.assert_allclose(found, expected(x, axes, keepdims=True), rtol=1e-12, atol=1e-12)


LONG = {  # 1e6 elements and more where they are added
    "channels": ((1_500_001, 2), (0,)),
    "images": ((3, 700, 801, 2), (0, 1, 2)),
    "features": ((2, 1_200_007), (1,)),
    "first axis last": ((2, 1_300_003), (1,)),
    "positions": ((1, 1_100_003, 1), (0, 1)),
    "images, channels first": ((32, 3, 200, 210), (0, 2, 3)),
    "the last of two": ((1001, 2, 1003), (0, 2)),
}


@pytest.mark.parametrize("name", LONG)
@pytest.mark.parametrize(("masked", "known"), [
    (False, False), (True, True),
    *(pytest.param(*others, marks=pytest.mark.slow) for others in ((False, True), (True, False))),
])  # fmt: skip
def test_long_sums_keep_float32s_digits(name, masked, known):
    """TensorFlow alone is 0.4 % off in the variance of four million numbers."""
    shape, axes = LONG[name]
    rng = np.random.default_rng(3)
    x = rng.normal(10, 1, shape).astype("float32")
    mask = (rng.random(shape) < 0.7).astype("float32") if masked else None
    weights = np.ones(shape) if mask is None else mask
    exact = x.astype(float)
    mean = np.average(exact, axes, weights, keepdims=True)
    variance = np.average((exact - mean) ** 2, axes, weights, keepdims=True)
    y64 = (exact - mean) / np.sqrt(variance + 1e-5)

    def norm(x):
        options = {"reduction_axes": axes, "epsilon": 1e-5}
        return ops.batch_norm(x, 1.0, 0.0, weights=mask, **options)

    if not known:
        norm = tf.function(norm, input_signature=[tf.TensorSpec([None] * len(shape))])
    y, found_mean, found_variance = norm(tf.constant(x))
    np.testing.assert_allclose(found_mean, mean, rtol=1e-5)
    np.testing.assert_allclose(found_variance, variance, rtol=1e-5)
    np.testing.assert_allclose(y, y64, atol=1e-5 * np.abs(y64).max())
    assert found_mean.shape == mean.shape


@pytest.mark.parametrize("shape", [(24_000_000, 1), (6, 4_000_000, 1)], ids=str)
def test_the_gradient_of_beta_counts_beyond_two_to_the_24(shape):
    np.testing.assert_array_equal(arithmetic.sum_like(tf.ones(shape), tf.zeros(1)), [24e6])


def test_a_masks_elements_are_counted_beyond_two_to_the_24():
    mean = arithmetic.reduce_mean(tf.ones((20_000_000, 1)), (0,), tf.ones((20_000_000, 1)))
    np.testing.assert_array_equal(mean, [[1.0]])


def test_the_gradient_of_beta_of_channels_first_keeps_its_digits():
    rng = np.random.default_rng(6)
    gradient = rng.normal(10, 1, (32, 3, 200, 210)).astype("float32")
    found = arithmetic.sum_like(tf.constant(gradient), tf.zeros((3, 1, 1)))
    expected = gradient.astype(float).sum((0, 2, 3), keepdims=True)[0]
    np.testing.assert_allclose(found, expected, rtol=1e-6)


def test_long_kernels_have_their_length():
    v = np.random.default_rng(5).normal(0, 1, (1_300_000, 2)).astype("float32")
    w = ops.weight_norm(v, tf.constant([2.0, 3.0]), reduction_axes=0)
    np.testing.assert_allclose(np.linalg.norm(w.numpy().astype(float), axis=0), [2, 3], rtol=1e-6)


def test_the_labs_own_sums_are_not_cut():
    """So that their records stay bitwise: the largest are of 2000 images at once."""
    for shape, axes in (((2000, 28, 28, 30), (0, 1)), ((500, 28, 28, 30), (0, 1)),
                        ((100, 28, 28, 30), (1, 2, 3)), ((5880, 100), (0,)),
                        ((5880, 100), (0, 1))):  # fmt: skip
        assert not arithmetic._is_long(tf.TensorSpec(shape), axes)
