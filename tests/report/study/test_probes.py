"""What is measured on the way is right, and measuring it changes nothing."""

from dataclasses import replace
from types import SimpleNamespace

import keras
import numpy as np
import pytest
import tensorflow as tf

from normlib import data, layers, model, train
from normlib.arm import VALID, Arm
from report.study import experiments, probes, recording


def test_every_probe_is_one_that_an_arm_can_name():
    assert {"", *probes.PROBES} == set(VALID["probe"])
    assert {arm.probe for e in experiments.probed() for arm in e.arms} == {*probes.PROBES}


# Measuring changes nothing -----------------------------------------------------------------------


@pytest.mark.slow
def test_a_run_with_a_probe_has_the_numbers_of_one_without(tiny_arm, tiny_record, monkeypatch):
    """BN's moving statistics are those that a measurement in training mode would move."""
    monkeypatch.setattr(probes, "PREDICTIVENESS_EVERY", 8)  # at steps 8 and 16: an epoch has 8
    probed = recording.run(replace(tiny_arm, probe="predictiveness"), seed=3)
    assert [row["step"] for row in probed.telemetry] == [8, 16] and tiny_record.telemetry == []
    apart = ("arm", "sources", "telemetry")
    found, expected = (
        {name: value for name, value in record.numbers().items() if name not in apart}
        for record in (probed, tiny_record)
    )
    assert found == expected


@pytest.fixture(scope="module")
def trainer():
    arm = Arm("batch", profile="quick", examples=60, batch_size=60)
    return train.Trainer(arm, 0, data.images(arm))


@pytest.mark.parametrize("probe, step", [("weights", 200), ("sharpness", 10)])
def test_a_probe_leaves_every_variable_as_it_was(trainer, probe, step):
    variables = [*trainer.model.variables, *trainer.accumulators]
    before = [variable.numpy() for variable in variables]
    assert probes.PROBES[probe](trainer, step) and not probes.PROBES[probe](trainer, step + 5)
    for variable, value in zip(variables, before, strict=True):
        np.testing.assert_array_equal(variable.numpy(), value)


# Weights -----------------------------------------------------------------------------------------


def lengths(arm, v, g):
    network = model.build(arm, 0)
    output = network.layers[-1]
    output.v.assign(v)
    output.g.assign(g)
    return probes.weights(SimpleNamespace(arm=arm, model=network), 100)


def test_lengths_of_the_units_of_weight_norm():
    v, g = np.random.default_rng(0).normal(size=(100, 10)), np.linspace(-1, 3, 10)
    ratio = (g / np.linalg.norm(v, axis=0)) ** 2
    expected = {"w": np.linalg.norm(g), "v": np.linalg.norm(v), "g": np.linalg.norm(g)}
    expected |= {"ratio": ratio.mean(), "lowest ratio": ratio.min(), "highest ratio": ratio.max()}
    found = lengths(Arm("weight"), v, g)
    assert {k: found[f"output {k}"] for k in expected} == pytest.approx(expected, rel=1e-5)
    assert found["hidden ratio"] == pytest.approx(1, abs=1e-5)


def test_lengths_of_one_norm_for_the_whole_kernel():
    v = np.random.default_rng(1).normal(size=(100, 10))
    found = lengths(Arm("weight", "published"), v, 5.0)
    assert found["output w"] == pytest.approx(5, rel=1e-5)
    assert found["output lowest ratio"] == found["output highest ratio"] == found["output ratio"]
    assert found["output ratio"] == pytest.approx(25 / (v**2).sum(), rel=1e-5)


def test_lengths_of_plain_kernels():
    arm = Arm(blocks=2)
    network = model.build(arm, 0)
    found = probes.weights(SimpleNamespace(arm=arm, model=network), 300)
    kernels = [v.numpy() for v in network.trainable_variables if v.name == "kernel"]
    names = ["conv w", "conv 2 w", "hidden w", "output w"]
    expected = dict(zip(names, map(np.linalg.norm, map(np.ravel, kernels)), strict=True))
    assert found == pytest.approx(expected, rel=1e-5)


# Along the gradient ------------------------------------------------------------------------------

CURVATURES = np.array([3, 1, -5, 2, 0.5, 0, -1, 0.1, 2.5], np.float32)


class Parabola:
    """A trainer whose loss is sum(CURVATURES * w**2) / 2."""

    def __init__(self):
        start = np.random.default_rng(2).normal(size=CURVATURES.shape)
        self.variables = [
            tf.Variable(start[:4], dtype="float32"),
            tf.Variable(start[4:], dtype="float32"),
        ]
        self.model = SimpleNamespace(variables=self.variables)
        self.arm, self.labels = Arm(learning_rate=0.1), np.zeros(200)


def loss_of_parabola(trainer, places):
    return tf.reduce_sum(CURVATURES * tf.square(tf.concat(trainer.variables, 0))) / 2


def test_predictiveness_of_a_parabola(monkeypatch):
    """gradient = A w, so it changes by -m * rate * A gradient along its own line."""
    monkeypatch.setattr(probes, "_loss", loss_of_parabola)
    parabola = Parabola()
    w = np.concatenate(parabola.variables)
    gradient = CURVATURES * w
    found = probes.predictiveness(parabola, 40)
    assert found["gradient"] == pytest.approx(np.linalg.norm(gradient), rel=1e-5)
    assert found["loss"] == pytest.approx((CURVATURES * w**2).sum() / 2, rel=1e-5)
    for m in probes.MULTIPLES:
        loss = (CURVATURES * (w - m * 0.1 * gradient) ** 2).sum() / 2
        change = m * 0.1 * np.linalg.norm(CURVATURES * gradient) / np.linalg.norm(gradient)
        assert found[f"loss {m:g}"] == pytest.approx(loss, rel=1e-4)
        assert found[f"change {m:g}"] == pytest.approx(change, rel=1e-4)
    np.testing.assert_array_equal(np.concatenate(parabola.variables), w)
    assert probes.predictiveness(parabola, 50) == {}


# Sharpness ---------------------------------------------------------------------------------------


def test_sharpness_is_the_largest_eigenvalue_not_the_largest_in_size(monkeypatch):
    monkeypatch.setattr(probes, "_loss", loss_of_parabola)
    eigenvalue, products = probes.top_eigenvalue(Parabola(), tf.range(1))
    assert eigenvalue == pytest.approx(3, rel=1e-3) and products >= probes.LANCZOS_VECTORS


def small(norm, dtype):
    """A trainer of a network with 51 weights whose second derivatives are not trivial."""
    rng = np.random.default_rng(3)
    dense, output = (keras.layers.Dense(units, dtype=dtype) for units in (4, 3))
    bent = keras.layers.Activation("tanh", dtype=dtype)
    first = layers.WeightNormalization(dense, dtype=dtype)
    network = keras.Sequential([keras.Input((5,)), first, norm(dtype=dtype), bent, output])
    for variable in network.trainable_variables:
        variable.assign(rng.normal(size=variable.shape))
    images, labels = rng.normal(2, 3, (11, 5)).astype(dtype), np.arange(11) % 3
    return SimpleTrainer(network, images, labels)


class SimpleTrainer:
    """What the probes read of a trainer."""

    def __init__(self, network, images, labels):
        self.model, self.labels = network, labels
        self.images = SimpleNamespace(train_images=images)
        self.variables = [variable.value for variable in network.trainable_variables]


def hessian(trainer, places):
    size = sum(int(tf.size(variable)) for variable in trainer.variables)
    rows = np.eye(size, dtype=trainer.variables[0].dtype.as_numpy_dtype)
    return np.array([probes.hessian_product(trainer, places, row) for row in tf.constant(rows)])


def flat_gradient(trainer, places):
    return np.concatenate([np.ravel(g) for g in probes._loss_and_gradient(trainer, places)[1]])


@pytest.mark.parametrize("norm", [
    layers.BatchNormalization,
    pytest.param(layers.LayerNormalization, marks=pytest.mark.slow),
])  # fmt: skip
def test_products_with_the_hessian_are_differences_of_gradients(norm):
    trainer, places, step = small(norm, "float64"), tf.range(9), 1e-6
    found, rows = hessian(trainer, places), []
    for variable in trainer.variables:
        kept = variable.numpy()
        for place in np.ndindex(kept.shape):
            sides = []
            for sign in (1, -1):
                moved = kept.copy()
                moved[place] += sign * step
                variable.assign(moved)
                sides.append(flat_gradient(trainer, places))
            rows.append((sides[0] - sides[1]) / (2 * step))
        variable.assign(kept)
    np.testing.assert_allclose(found, np.array(rows), atol=1e-6 * np.abs(found).max())


def test_sharpness_is_that_of_the_dense_hessian():
    trainer, places = small(layers.BatchNormalization, "float32"), tf.range(9)
    eigenvalue, _ = probes.top_eigenvalue(trainer, places)
    largest = np.linalg.eigvalsh(hessian(trainer, places).astype(float))[-1]
    assert eigenvalue == pytest.approx(largest, rel=1e-3) and largest > 0.1
