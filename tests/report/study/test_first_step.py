"""What is measured before the first step, against NumPy and against how a norm must change it."""

from dataclasses import replace

import numpy as np
import pytest
import tensorflow as tf

from normlib import data, model, ops
from normlib.arm import Arm
from normlib.scoring import cross_entropy
from report.study import first_step, recording

ARMS = (Arm(), Arm("batch"), Arm("layer", placement="hidden"), Arm("weight"))


@pytest.fixture(scope="module")
def found():
    return first_step.table(ARMS, (3, 4), "quick")


def test_without_a_norm_it_is_what_numpy_computes():
    arm, images = Arm(batch_size=20), data.load("quick")
    kernels = [w for w in model.build(arm, 3).get_weights() if w.ndim > 1]
    x = images.train_images[data.batch_order(3, 1, 2000)[:20]]
    padded = np.pad(x[..., 0], ((0, 0), (2, 2), (2, 2)))
    patches = np.lib.stride_tricks.sliding_window_view(padded, (5, 5), axis=(1, 2))
    convolved = np.einsum("nhwij,ijc->nhwc", patches, kernels[0][:, :, 0])
    pooled = np.maximum(convolved.reshape(20, 14, 2, 14, 2, 30).max((2, 4)), 0)
    hidden = pooled.reshape(20, -1) @ kernels[1]
    logits = np.maximum(hidden, 0) @ kernels[2]
    seen = first_step.measure(arm, 3, "quick")
    expected = {"convolution": convolved, "hidden": hidden, "normalized": hidden, "logits": logits}
    assert {n: seen[n] for n in expected} == pytest.approx(
        {n: v.std() for n, v in expected.items()}, rel=1e-4
    )
    means = np.sqrt(np.mean(hidden.mean(0) ** 2))
    assert seen["hidden, means"] == pytest.approx(means, rel=1e-4)


def test_the_loss_is_that_of_the_runs_first_minibatch():
    arm = Arm("batch", epochs=1, profile="quick")
    record = recording.run(arm, 3)
    seen = first_step.measure(arm, 3, "quick")
    assert seen["loss"] == pytest.approx(record.loss_every_10[0], rel=1e-4)


def test_a_norm_on_the_hidden_layer_sets_its_spread_and_weight_norm_leaves_the_function(found):
    none, bn, ln, wn = (found.loc[arm] for arm in ARMS)
    assert none["hidden"] > 1.1 and ln["normalized"] == pytest.approx(1, rel=0.01)
    assert bn["hidden"] > 2 * none["hidden"] and bn["loss"] > none["loss"]
    assert wn[["convolution", "hidden", "logits", "loss"]].to_numpy() == pytest.approx(
        none[["convolution", "hidden", "logits", "loss"]].to_numpy(), rel=1e-3
    )


def test_the_mean_over_seeds_is_geometric(found):
    losses = [first_step.measure(ARMS[0], seed, "quick")["loss"] for seed in (3, 4)]
    assert found.loc[ARMS[0], "loss"] == pytest.approx(np.sqrt(losses[0] * losses[1]))


def test_hes_initialization_makes_the_hidden_layer_smaller():
    he = first_step.measure(replace(ARMS[0], init="he"), 3, "quick")
    assert he["hidden"] < 0.8 * first_step.measure(ARMS[0], 3, "quick")["hidden"]


def test_the_error_of_a_gradient_is_that_of_the_wrong_backward_pass_alone():
    wrong = Arm("batch", backward="constant moments")
    assert first_step.gradient_error(Arm("batch"), 3, "quick") == 0
    images = data.load("quick")
    first = data.batch_order(3, 1, 2000)[:100]
    found = []
    for stop in (tf.stop_gradient, tf.identity):
        convolution, _, *rest = model.build(Arm(), 3).layers[:1] + model.build(Arm(), 3).layers
        with tf.GradientTape() as tape:
            x = convolution(images.train_images[first])
            _, mean, variance = ops.batch_norm(x, 1.0, 0.0, reduction_axes=(0, 1, 2))
            mean, variance = stop(mean), stop(variance)
            x = ops.normalize(x, mean, variance, tf.ones(30), tf.zeros(30), epsilon=1e-5)
            for layer in rest:
                x = layer(x)
            loss = cross_entropy(images.train_labels[first], x)
        found.append(tape.gradient(loss, convolution.kernel.value))
    expected = tf.norm(found[0] - found[1]) / tf.norm(found[1])
    assert first_step.gradient_error(wrong, 3, "quick") == pytest.approx(float(expected), rel=1e-3)
