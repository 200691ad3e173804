"""Every op with uneven arguments in float64, and the oracle in plain NumPy that it must equal."""

from dataclasses import dataclass, field

import numpy as np
import tensorflow as tf
from samples import uneven

from normlib import gradients, ops

SHAPE = (4, 3, 5, 6)
EPSILON = 0.3  # large enough that a misplaced one shows
MASK = (np.arange(4 * 3 * 5).reshape(4, 3, 5, 1) % 3 > 0).astype(float)


@dataclass(frozen=True)
class Case:
    """An op's name, tensor arguments, options, and oracle; `outputs` are compared, all if None."""

    op: str
    tensors: tuple
    oracle: callable
    options: dict = field(default_factory=dict)
    outputs: int | None = None

    def call(self, module, *tensors):
        """The op of that module on these tensors, or on the case's own: a tuple of outputs."""
        y = getattr(module, self.op)(*(tensors or self.tensors), **self.options)
        return (y if isinstance(y, tuple) else (y,))[: self.outputs]

    def loss(self, module, *tensors):
        """A loss that reads every output, with weights of its own."""
        outputs = enumerate(self.call(module, *tensors))
        losses = [tf.sin(y + 0.1) * uneven(40 + i, *y.shape) for i, y in outputs]
        return tf.add_n([tf.reduce_sum(loss) for loss in losses])

    def gradients(self, module):
        """The loss's gradients at all tensors, by the tape."""
        tensors = [tf.constant(t) for t in self.tensors]
        with tf.GradientTape() as tape:
            tape.watch(tensors)
            loss = self.loss(module, *tensors)
        return tape.gradient(loss, tensors)


def standard(x, axes, weights=None):
    """NumPy's mean, variance and standardized x."""
    weights = np.broadcast_to(1.0 if weights is None else weights, x.shape)
    mean = np.average(x, axes, weights, keepdims=True)
    variance = np.average((x - mean) ** 2, axes, weights, keepdims=True)
    return (x - mean) / np.sqrt(variance + EPSILON), mean, variance


def _batch(axes, weights=None):
    def oracle(x, gamma, beta):
        x_hat, mean, variance = standard(x, axes, weights)
        return gamma * x_hat + beta, mean, variance

    return oracle


def _layer(axes):
    return lambda x, gamma, beta: (gamma * standard(x, axes)[0] + beta,)


def _group(groups):
    def oracle(x, gamma, beta):
        split = x.reshape(*x.shape[:-1], groups, -1)
        x_hat = standard(split, (1, 2, 4))[0].reshape(x.shape)
        return (gamma * x_hat + beta,)

    return oracle


def _unit(v, axes):
    return v / np.sqrt(np.sum(v**2, axes, keepdims=True))


def _normalize(x, mean, variance, gamma, beta):
    return (gamma * (x - mean) / np.sqrt(variance + EPSILON) + beta,)


def _rms(x, gamma):
    return (gamma * x / np.sqrt(np.mean(x**2, -1, keepdims=True) + EPSILON),)


def _mean_only(x, beta):
    mean = x.mean((0, 1, 2), keepdims=True)
    return x - mean + beta, mean


X = uneven(0, *SHAPE)
C, CHW = (uneven(1, 6), uneven(2, 6)), (uneven(3, 3, 5, 6), uneven(4, 3, 5, 6))
FIRST = (uneven(5, 3, 1, 1), uneven(6, 3, 1, 1))
MOVING = (uneven(7, 1, 1, 1, 6), uneven(8, 1, 1, 1, 6) ** 2)
CHANNELS, FEATURES, EPS = {"reduction_axes": (0, 1, 2)}, (1, 2, 3), {"epsilon": EPSILON}

CASES = {
    "batch_norm": Case("batch_norm", (X, *C), _batch((0, 1, 2)), CHANNELS | EPS),
    "batch_norm, channels first": Case(
        "batch_norm", (X, *FIRST), _batch((0, 2, 3)), {"reduction_axes": (0, 2, 3)} | EPS
    ),
    "batch_norm, masked": Case(
        "batch_norm", (X, *C), _batch((0, 1, 2), MASK), CHANNELS | EPS | {"weights": MASK}
    ),
    "normalize": Case("normalize", (X, *MOVING, *C), _normalize, EPS),
    "layer_norm": Case(
        "layer_norm", (X, *CHW), _layer(FEATURES), {"reduction_axes": FEATURES} | EPS, 1
    ),
    "layer_norm, last axis": Case(
        "layer_norm", (X, *C), _layer((-1,)), {"reduction_axes": -1} | EPS, 1
    ),
    "group_norm": Case("group_norm", (X, *C), _group(2), {"groups": 2} | EPS),
    "instance_norm": Case("instance_norm", (X, *C), _layer((1, 2)), EPS),
    "rms_norm": Case("rms_norm", (X, C[0]), _rms, {"reduction_axes": (-1,)} | EPS),
    "mean_only_batch_norm": Case("mean_only_batch_norm", (X, C[1]), _mean_only, CHANNELS),
    "weight_norm": Case(
        "weight_norm", (X, C[0]), lambda v, g: (g * _unit(v, (0, 1, 2)),), CHANNELS
    ),
    "weight_norm, global": Case(
        "weight_norm", (X, uneven(9, 1)[0]), lambda v, g: (g * _unit(v, None),),
        {"reduction_axes": (0, 1, 2, 3)},
    ),
    "weight_standardization": Case(
        "weight_standardization", (X,), lambda v: (standard(v, (0, 1, 2))[0],), CHANNELS | EPS
    ),
}  # fmt: skip


def relative(found, expected) -> float:
    """The largest absolute difference, relative to the largest expected value."""
    found, expected = np.asarray(found, float), np.asarray(expected, float)
    return float(np.max(np.abs(found - expected)) / np.max(np.abs(expected)))


# The checks: each takes a case and says how far it is from what it must be ----------------------


def forward_error(case: Case) -> float:
    """The op against NumPy."""
    pairs = zip(case.call(ops), case.oracle(*case.tensors), strict=True)
    return max(relative(*pair) for pair in pairs)


def wiring_error(case: Case) -> float:
    """The op with the closed-form gradient against the plain op, forward."""
    pairs = zip(case.call(gradients), case.call(ops), strict=True)
    return max(relative(*pair) for pair in pairs)


def tape_error(case: Case) -> float:
    """The closed form against automatic differentiation of the plain op."""
    pairs = zip(case.gradients(gradients), case.gradients(ops), strict=True)
    return max(relative(*pair) for pair in pairs)


def difference_error(case: Case) -> float:
    """The closed form against central differences of NumPy's oracle, in random directions."""
    closed, worst, step = case.gradients(gradients), 0.0, 1e-5
    for i, gradient in enumerate(closed):
        for draw in range(3):
            direction = np.random.default_rng(draw).normal(size=np.shape(case.tensors[i]))
            ends = []
            for sign in (1, -1):
                tensors = list(case.tensors)
                tensors[i] = tensors[i] + sign * step * direction
                ends.append(_numpy_loss(case.oracle(*tensors)))
            slope = (ends[0] - ends[1]) / (2 * step)
            scale = np.linalg.norm(gradient) * np.linalg.norm(direction)
            worst = max(worst, abs(slope - np.sum(gradient * direction)) / scale)
    return worst


def _numpy_loss(outputs) -> float:
    return sum(np.sum(np.sin(y + 0.1) * uneven(40 + i, *y.shape)) for i, y in enumerate(outputs))
