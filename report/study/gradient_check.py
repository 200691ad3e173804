"""Whether an op and its hand-derived gradient still belong together after an edit of either."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import tensorflow as tf

from normlib import gradients
from normlib.arm import Arm

EXAMPLE = (3, 4, 5, 6)  # uneven: (N, H, W, C)
EXAMPLES = {
    "batch_norm": ([EXAMPLE, 6, 6], {"reduction_axes": (0, 1, 2)}),
    "normalize": ([EXAMPLE, 6, 6, 6, 6], {"epsilon": 0.3}),
    "layer_norm": ([EXAMPLE, EXAMPLE[1:], EXAMPLE[1:]], {"reduction_axes": (1, 2, 3)}),
    "rms_norm": ([EXAMPLE, 6], {"reduction_axes": (-1,)}),
    "mean_only_batch_norm": ([EXAMPLE, 6], {"reduction_axes": (0, 1, 2)}),
    "weight_norm": ([EXAMPLE, 6], {"reduction_axes": (0, 1, 2)}),
}
# The ops that an arm's norm is made of, and whose hand-derived gradient it is trained with.
MADE_OF = {
    "batch": ("batch_norm", "normalize"), "layer": ("layer_norm",), "group": ("layer_norm",),
    "rms": ("rms_norm",), "weight": ("weight_norm",), "own": tuple(EXAMPLES),
}  # fmt: skip
ROUNDING = 1e-6  # relative: far above what float64 leaves, far below any mistake


class EditedOp(UserWarning):
    """An op's hand-derived gradient is not that of the op any more."""


def leave_edited_ops_to_the_tape(arm: Arm) -> None:
    """Compare each hand-derived gradient of the arm's norm with the automatic one.

    Where they differ, says so in a warning, and trains with the automatic one in this process, so
    that an edited op is never trained with the gradient of another. An arm whose gradient is wrong
    on purpose stays as it is.
    """
    if arm.backward != "right":
        return
    for name in MADE_OF.get(arm.norm, ()):
        off = error(name)
        if not off <= ROUNDING:
            gradients.LEFT_TO_THE_TAPE.add(name)
            said = (
                f"backward.{name} is not the gradient of ops.{name} any more: it is "
                f"{100 * off:.2g} % off, as if only one of the two had been edited. This run is "
                "trained with the automatic gradient."
            )
            warnings.warn(said, EditedOp, stacklevel=2)


@contextmanager
def automatic(*names: str) -> Iterator[None]:
    """Within this context these ops, or all of them, are differentiated automatically."""
    added = set(names or EXAMPLES) - gradients.LEFT_TO_THE_TAPE
    gradients.LEFT_TO_THE_TAPE.update(added)
    try:
        yield
    finally:
        gradients.LEFT_TO_THE_TAPE.difference_update(added)


def error(name: str) -> float:
    """How far an op's hand-derived gradient is from the automatic one, relative, in float64.

    norm(by_hand - automatic) / norm(automatic), the largest over x and the parameters, of one small
    random minibatch: a rounding error while the backward pass is that of the op in `ops.py`.
    """
    by_hand = _gradient(name)
    with automatic(name):
        expected = _gradient(name)
    distances = [np.linalg.norm(a - b) for a, b in zip(by_hand, expected, strict=True)]
    sizes = [np.linalg.norm(value) for value in expected]
    return float(np.max(np.divide(distances, np.maximum(sizes, np.finfo(float).tiny))))


def _gradient(name: str) -> list[np.ndarray]:
    shapes, options = EXAMPLES[name]
    rng = np.random.default_rng(0)
    tensors = [tf.constant(1.5 + rng.random(shape)) for shape in shapes]
    with tf.GradientTape() as tape:
        tape.watch(tensors)
        outputs = tf.nest.flatten(getattr(gradients, name)(*tensors, **options))
        loss = tf.add_n([tf.reduce_sum(tf.sin(y) * rng.normal(size=y.shape)) for y in outputs])
    return [np.array(d) for d in tape.gradient(loss, tensors, unconnected_gradients="zero")]
