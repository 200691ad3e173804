"""How far two implementations are apart: outputs, gradients, offsets, second derivatives."""

import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree

import keras
import numpy as np
import pandas as pd
import tensorflow as tf

from normlib import layers
from report.study import gradient_check

ROOT = Path(__file__).parents[2]
SUITES = ROOT / "tests" / "normlib" / "test_keras_suites.py"
LIBRARIES = {"ours": layers, "Keras": keras.layers}
MODES = {
    "eager": lambda f, _: f,
    "tf.function": lambda f, x: tf.function(f).get_concrete_function(x),
    "XLA": lambda f, x: tf.function(f, jit_compile=True).get_concrete_function(x),
}


def evaluate(layer: keras.layers.Layer, shape: tuple[int, ...]) -> dict:
    """Return outputs, gradients and moving statistics of the layer on one random minibatch.

    Channels of different mean and scale, random weights and upstream gradient; the same
    single-precision numbers whatever the layer's type.
    """
    rng = np.random.default_rng(4)

    def draw(mean, std, shape):
        return tf.cast(tf.constant(rng.normal(mean, std, shape), "float32"), layer.compute_dtype)

    channels = shape[-1]
    x = draw(np.linspace(-3, 3, channels), np.geomspace(0.5, 4, channels), shape)
    upstream = draw(0, 1, shape)
    layer.build(shape)
    for weight in layer.trainable_variables:
        weight.assign(draw(1, 0.5, weight.shape))
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = layer(x, **training(layer))
    targets = [x, *(variable.value for variable in layer.trainable_variables)]
    names = ["dx", *(f"d{variable.name}" for variable in layer.trainable_variables)]
    found = dict(zip(names, tape.gradient(y, targets, upstream), strict=True))
    moving = {variable.name: variable.value for variable in layer.non_trainable_variables}
    return {name: np.array(value) for name, value in ({"y": y} | found | moving).items()}


def training(layer: keras.layers.Layer) -> dict:
    """The call argument that layers with two modes need."""
    return {"training": True} if isinstance(layer, keras.layers.BatchNormalization) else {}


def difference(found: np.ndarray, expected: np.ndarray) -> dict:
    """Largest absolute difference; that relative to, and in ulp of, the largest expected value."""
    absolute = np.max(np.abs(found.astype(float) - expected.astype(float)))
    largest = np.max(np.abs(expected))
    ulp = np.spacing(largest.astype(found.dtype))
    return {"max abs": absolute, "relative": absolute / largest, "ulp": absolute / ulp}


def implementations(name: str, options: dict, shape: tuple[int, ...]) -> pd.DataFrame:
    """One row per quantity and type: our layer and Keras's, closed form and the tape's."""
    rows = []
    for dtype in ("float32", "float64"):
        ours, theirs = (
            evaluate(getattr(library, name)(**options, dtype=dtype), shape)
            for library in (layers, keras.layers)
        )
        with gradient_check.automatic():
            tape = evaluate(getattr(layers, name)(**options, dtype=dtype), shape)
        for quantity, value in ours.items():
            closed = difference(value, tape[quantity])["relative"]
            against = difference(value, theirs[quantity]) | {"closed form, relative": closed}
            rows.append({"layer": name, "quantity": quantity, "type": dtype} | against)
    return pd.DataFrame(rows)


def offset_errors(dtype: str, offsets: np.ndarray) -> pd.DataFrame:
    """Largest error of the standardized x, by input offset (rows) and implementation (columns)."""
    return pd.DataFrame([_offset_errors(dtype, offset) for offset in offsets], index=offsets)


def _offset_errors(dtype: str, offset: float) -> dict:
    noise = np.random.default_rng(5).normal(size=(16, 8, 8, 3))
    x = tf.cast(tf.constant(noise + offset), dtype)
    exact = np.array(tf.cast(x, tf.float64))
    sigma = np.sqrt(exact.var((0, 1, 2)) + 1e-3)
    expected = (exact - exact.mean((0, 1, 2))) / sigma
    policy = {"float32": "float32", "bfloat16": "mixed_bfloat16"}[dtype]
    results = {
        "ours": layers.BatchNormalization(dtype=policy)(x, training=True),
        "Keras": keras.layers.BatchNormalization(dtype=policy)(x, training=True),
        "Keras, synchronized": keras.layers.BatchNormalization(dtype=policy, synchronized=True)(
            x, training=True
        ),
        "TensorFlow's fused op": fused(x),
    }
    return {k: np.max(np.abs(np.array(tf.cast(v, tf.float64)) - expected))
            for k, v in results.items()}  # fmt: skip


def fused(x: tf.Tensor) -> tf.Tensor:
    """TensorFlow's fused batch normalization of `x` (N, H, W, C), gamma 1 and beta 0."""
    one, zero = tf.ones(x.shape[-1]), tf.zeros(x.shape[-1])
    return tf.raw_ops.FusedBatchNormV3(
        x=x, scale=one, offset=zero, mean=zero, variance=one, epsilon=1e-3, is_training=True
    ).y


def euler_error(network: Callable, weight: np.ndarray, mode: str = "eager") -> float:
    """How far H @ w is from -gradient, relative: 0 for a loss that the scale of w leaves alone.

    `network` maps the weight to activations; the loss is a weighted sum of their tanh. `mode` is
    one of MODES. Source: Euler's theorem for homogeneous functions of degree 0, differentiated.
    """

    def twice(w):
        with tf.GradientTape() as outer:
            outer.watch(w)
            with tf.GradientTape() as inner:
                inner.watch(w)
                h = tf.tanh(network(w))
                loss = tf.reduce_sum(h * np.random.default_rng(6).normal(size=h.shape))
            gradient = inner.gradient(loss, w)
            along = tf.reduce_sum(gradient * tf.stop_gradient(w))
        return gradient, outer.gradient(along, w)

    weight = tf.constant(weight)
    gradient, product = MODES[mode](twice, weight)(weight)
    return float(tf.norm(product + gradient) / tf.norm(gradient))


def conformance() -> pd.DataFrame:
    """Run Keras's own tests of its layers on ours; one row per layer with how many passed."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.xml"
        done = subprocess.run(
            [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(SUITES),
             f"--junitxml={report}"], capture_output=True, encoding="utf-8", cwd=ROOT,
        )  # fmt: skip
        if not report.exists():
            raise RuntimeError(
                "Keras's tests could not be run. They need tests/ and the packages "
                f"of requirements.txt. {(done.stdout + done.stderr)[-500:]}"
            )
        cases = [case for case in ElementTree.parse(report).iter("testcase")]
    rows = [
        {
            "layer": case.get("classname").split(".")[-1].removesuffix("Test"),
            "passed": not len(case),
        }
        for case in cases
        if case.get("classname").endswith("Test")
    ]
    counts = pd.DataFrame(rows).groupby("layer", sort=False)["passed"].agg(["size", "sum"])
    return counts.reset_index().rename(columns={"size": "Keras's tests", "sum": "passed by ours"})
