"""What an arm's probe measures while the network trains, for the record's `telemetry`.

A probe is called with the trainer and the step after every ten steps of training, and returns a
row of numbers, or none when it does not measure then. It leaves weights and moving statistics as
they were, bit for bit, so that a run is the same with and without it.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import keras
import numpy as np
import tensorflow as tf
from scipy.sparse.linalg import LinearOperator, eigsh

from normlib import data, ops
from normlib.arithmetic import xla
from normlib.scoring import cross_entropy
from normlib.weight_norm import OUTPUTS_LAST, WeightNormalization

WEIGHTS_EVERY = 100  # steps, as is the next
PREDICTIVENESS_EVERY = 20
MULTIPLES = (0.5, 1, 2, 4, 8)  # of the learning rate
SHARPNESS_AT = (10, 50, 100, 200, 300, 400)
SHARPNESS_IMAGES = 500  # the first training images
TOLERANCE = 0.01  # of the eigenvector; the eigenvalue's error is of the order of its square
LANCZOS_VECTORS = 6


@contextmanager
def restored(model: keras.Model) -> Iterator[None]:
    """Within this context weights and moving statistics may change; after it they are as before."""
    kept = [variable.numpy() for variable in model.variables]
    yield
    for variable, value in zip(model.variables, kept, strict=True):
        variable.assign(value)


def _number(value) -> float:
    return float(str(np.float32(value)))  # the shortest that is this float32


# Weights -----------------------------------------------------------------------------------------


def weights(trainer, step: int) -> dict[str, float]:
    """The length of every kernel w; with WN those of v and g too, and the ratio (g / norm(v))**2.

    All lengths are Euclidean norms of the whole kernel or vector. The ratio scales the part of
    WN's step across v (Salimans & Kingma 2016, equation 3): its mean over the output units, and
    its lowest and highest.
    """
    if step % WEIGHTS_EVERY:
        return {}
    kernels = [layer for layer in trainer.model.layers if isinstance(layer, _WITH_KERNEL)]
    convolutions = ["conv", *(f"conv {block + 1}" for block in range(1, trainer.arm.blocks))]
    return {
        f"{kernel} {name}": _number(value)
        for kernel, layer in zip([*convolutions, "hidden", "output"], kernels, strict=True)
        for name, value in _lengths(layer).items()
    }


_WITH_KERNEL = (*OUTPUTS_LAST, WeightNormalization)


def _lengths(layer: keras.layers.Layer) -> dict[str, tf.Tensor]:
    if not isinstance(layer, WeightNormalization):
        return {"w": tf.norm(layer.kernel.value)}
    v, g, axes = layer.v.value, layer.g.value, layer.reduction_axes
    _, norm = ops.direction(v, reduction_axes=axes)
    ratio = tf.square(g / norm)
    return {
        "w": tf.norm(ops.weight_norm(v, g, reduction_axes=axes)),
        "v": tf.norm(v),
        "g": tf.norm(g),
        "ratio": tf.reduce_mean(ratio),
        "lowest ratio": tf.reduce_min(ratio),
        "highest ratio": tf.reduce_max(ratio),
    }


# Along the gradient ------------------------------------------------------------------------------


def predictiveness(trainer, step: int) -> dict[str, float]:
    """Loss and gradient of one minibatch at w, and along its negative gradient from there.

    w(m) = w - m * learning_rate * gradient(w)
    loss m = loss(w(m));  change m = norm(gradient(w(m)) - gradient(w)) / norm(gradient(w))

    for the multiples m; the minibatch is drawn anew for every step, the same in all arms and
    seeds. change m / (m * learning_rate) is how fast the gradient turns: its maximum over m is the
    effective beta-smoothness. Source: Santurkar et al. 2018, section 3.1.
    """
    if step % PREDICTIVENESS_EVERY:
        return {}
    order = data.batch_order(0, step, len(trainer.labels))
    places = tf.constant(order[: trainer.arm.batch_size])
    with restored(trainer.model):
        start = [tf.identity(variable) for variable in trainer.variables]
        loss, gradient = _loss_and_gradient(trainer, places)
        row = {"loss": loss, "gradient": _norm(gradient)}
        for multiple in MULTIPLES:
            for variable, value, slope in zip(trainer.variables, start, gradient, strict=True):
                variable.assign(value - multiple * trainer.arm.learning_rate * slope)
            loss, moved = _loss_and_gradient(trainer, places)
            change = [new - old for new, old in zip(moved, gradient, strict=True)]
            row[f"loss {multiple:g}"] = loss
            row[f"change {multiple:g}"] = _norm(change) / row["gradient"]
    return {name: _number(value) for name, value in row.items()}


@tf.function(reduce_retracing=True)
def _loss_and_gradient(trainer, places: tf.Tensor) -> tuple[tf.Tensor, list[tf.Tensor]]:
    with xla(), tf.GradientTape() as tape:
        loss = _loss(trainer, places)
        slopes = tape.gradient(loss, trainer.variables)
    return loss, slopes


def _loss(trainer, places: tf.Tensor) -> tf.Tensor:
    images = tf.gather(trainer.images.train_images, places)
    logits = trainer.model(images, training=True)
    return tf.reduce_mean(cross_entropy(tf.gather(trainer.labels, places), logits))


_norm = tf.linalg.global_norm


# Sharpness ---------------------------------------------------------------------------------------


def sharpness(trainer, step: int) -> dict[str, float]:
    """The largest eigenvalue of the Hessian of the loss of some training images, always the same.

    By SciPy's Lanczos iteration on products with the Hessian, started from the gradient; with the
    number of products. BN takes its statistics from these images, as in training.
    """
    if step not in SHARPNESS_AT:
        return {}
    places = tf.range(min(SHARPNESS_IMAGES, len(trainer.labels)))
    with restored(trainer.model):
        eigenvalue, products = top_eigenvalue(trainer, places)
    return {"sharpness": _number(eigenvalue), "products": products}


def top_eigenvalue(trainer, places: tf.Tensor, tolerance: float = TOLERANCE) -> tuple[float, int]:
    """The largest eigenvalue of the Hessian at the images in `places`, and the products it took."""
    products = 0

    def product(vector: np.ndarray) -> np.ndarray:
        nonlocal products
        products += 1
        return hessian_product(trainer, places, tf.constant(vector.ravel(), tf.float32)).numpy()

    _, gradient = _loss_and_gradient(trainer, places)
    start = _flat(gradient).numpy()
    hessian = LinearOperator((len(start), len(start)), product, dtype=np.float32)
    (eigenvalue,) = eigsh(
        hessian, 1, which="LA", v0=start, ncv=LANCZOS_VECTORS, tol=tolerance,
        return_eigenvectors=False,
    )  # fmt: skip
    return float(eigenvalue), products


@tf.function(reduce_retracing=True)
def hessian_product(trainer, places: tf.Tensor, vector: tf.Tensor) -> tf.Tensor:
    """The Hessian of the loss at the images in `places` times a vector, (parameters,) both.

    H @ vector = gradient of sum(gradient of the loss * vector), exact in our layers, unlike Keras's
    """
    with xla(), tf.GradientTape() as outer:
        _, gradient = _loss_and_gradient(trainer, places)
        along = tf.reduce_sum(_flat(gradient) * vector)
        curved = outer.gradient(along, trainer.variables, unconnected_gradients="zero")
    return _flat(curved)


def _flat(tensors: list[tf.Tensor]) -> tf.Tensor:
    return tf.concat([tf.reshape(tensor, [-1]) for tensor in tensors], 0)


PROBES: dict[str, Callable] = {
    "weights": weights,
    "predictiveness": predictiveness,
    "sharpness": sharpness,
}
