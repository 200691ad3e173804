"""The network that reads rows, against NumPy."""

import numpy as np
import pytest
import tensorflow as tf

from normlib import data, model, train
from normlib.arm import Arm
from report.study import row_reader
from report.study import variants as variants  # adds the network to the model's table


def read(reader, images, normalize):
    """h after the last row, in double precision; `normalize(h, row)` stands for the norm."""
    inputs, hidden, bias = (
        v.numpy().astype(float) for v in (reader.inputs, reader.hidden, reader.bias)
    )
    h = np.zeros((len(images), row_reader.UNITS))
    for row in range(28):
        h = np.tanh(normalize(images[:, row, :, 0] @ inputs + h @ hidden + bias, row))
    return h


def standardized(x, axis):
    return (x - x.mean(axis, keepdims=True)) / np.sqrt(x.var(axis, keepdims=True) + 1e-5)


EXPECTED = {
    "none": lambda x, row: x,
    "layer": lambda x, row: standardized(x, 1),
    "rms": lambda x, row: x / np.sqrt((x**2).mean(1, keepdims=True) + 1e-5),
    "batch": lambda x, row: standardized(x, 0),
}


@pytest.mark.parametrize("norm", EXPECTED)
def test_reader_reads_rows_from_the_top(norm):
    images = data.load("quick").train_images[:9]
    network = model.build(Arm(norm, network="rnn", profile="quick"), 2)
    network.layers[0].bias.assign(np.linspace(-1, 1, row_reader.UNITS))
    found = network.layers[0](images, training=True)
    np.testing.assert_allclose(found, read(network.layers[0], images, EXPECTED[norm]), atol=2e-3)


def test_batch_norm_has_statistics_of_each_row_or_one_for_all():
    counts = {}
    for implementation in ("ours", "shared"):
        arm = Arm("batch", implementation, network="rnn", profile="quick")
        network = model.build(arm, 0)
        counts[implementation] = len(network.non_trainable_variables)
    assert counts == {"ours": 2 * 28, "shared": 2}


def test_moving_statistics_of_each_row_are_its_own():
    images = data.load("quick").train_images[:50]
    network = model.build(Arm("batch", network="rnn", profile="quick"), 0)
    network(images, training=True)
    first, middle = (network.layers[0].norms[row].moving_variance.numpy() for row in (0, 14))
    assert np.abs(first - middle).max() > 0.01


@pytest.mark.slow
def test_all_arms_of_a_seed_share_their_weights_and_train():
    arms = [Arm(norm, network="rnn", epochs=3, profile="quick") for norm in EXPECTED]
    kernels = [model.build(arm, 5).layers[0].hidden.numpy() for arm in arms]
    assert all(np.array_equal(kernels[0], kernel) for kernel in kernels)
    trainer = train.Trainer(arms[1], 5, data.load("quick"))
    losses = [np.mean(trainer.train(epoch)[0]) for epoch in (1, 2, 3)]
    assert losses[2] < losses[1] < losses[0]


@pytest.mark.parametrize("norm", ["layer", "rms"])
def test_blank_rows_do_not_blow_up_the_gradient(norm):
    """With a bias of zeros it overflowed, and nothing was learned."""
    images, labels = data.load("quick").train_images[:50], data.load("quick").train_labels[:50]
    assert (images[:, 0].max((1, 2)) == 0).any()

    def length(norm):
        network = model.build(Arm(norm, network="rnn", profile="quick"), 0)
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(train.cross_entropy(labels, network(images, training=True)))
        variables = [variable.value for variable in network.trainable_variables]
        return tf.linalg.global_norm(tape.gradient(loss, variables))

    assert length(norm) < 30 * length("none")
