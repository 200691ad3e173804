"""A network before its first step: how large its activations, its loss and its gradients are."""

from collections.abc import Iterable
from dataclasses import replace

import keras
import numpy as np
import pandas as pd
import tensorflow as tf

from normlib import data, model
from normlib.arm import Arm
from normlib.scoring import cross_entropy
from report.study import variants as variants  # adds the wrong backward passes

KERNELS = ("convolution", "hidden", "output")


def table(arms: Iterable[Arm], seeds: Iterable[int], profile: str) -> pd.DataFrame:
    """One row per arm: the geometric means over the seeds of what `measure` finds."""
    seeds = list(seeds)
    rows = {arm: pd.DataFrame([measure(arm, seed, profile) for seed in seeds]) for arm in arms}
    return pd.DataFrame({arm: np.exp(np.log(found).mean()) for arm, found in rows.items()}).T


def measure(arm: Arm, seed: int, profile: str) -> dict[str, float]:
    """Standard deviations, loss and relative gradients of the seed's first minibatch.

    convolution, hidden: of what these layers put out, before any norm; normalized: of what the
    hidden ReLU sees; logits: of the logits; "hidden, means": root mean square, over the hidden
    units, of their means over the minibatch, before any norm; loss: in nats; "gradient, ...": the
    length of a kernel's gradient over that of the kernel, so that the learning rate times it is how
    far the first step goes. For one convolution.
    """
    network, images, labels = _start(arm, seed, profile)
    kernels = [v.value for v in network.trainable_variables if v.path.endswith("kernel")]
    with tf.GradientTape() as tape:
        x, outputs = images, []
        for layer in network.layers:
            x = layer(x, training=True)
            outputs.append(x)
        loss = tf.reduce_mean(cross_entropy(labels, x))
    kinds = [type(getattr(layer, "layer", layer)) for layer in network.layers]
    hidden = kinds.index(keras.layers.Dense)
    relu = len(kinds) - 1 - kinds[::-1].index(keras.layers.ReLU)
    places = {"convolution": 0, "hidden": hidden, "normalized": relu - 1, "logits": -1}
    gradients = zip(KERNELS, tape.gradient(loss, kernels), kernels, strict=True)
    return {
        **{name: float(tf.math.reduce_std(outputs[place])) for name, place in places.items()},
        "hidden, means": float(
            tf.norm(tf.reduce_mean(outputs[hidden], 0)) / outputs[hidden].shape[1] ** 0.5
        ),
        "loss": float(loss),
        **{f"gradient, {name}": float(tf.norm(d) / tf.norm(w)) for name, d, w in gradients},
    }


def gradient_error(arm: Arm, seed: int, profile: str) -> float:
    """How far the arm's gradient of the first kernel is from the same arm's right one, relative.

    norm(found - right) / norm(right), of the seed's first minibatch at its initial weights.
    """
    found, right = (
        _first_kernel_gradient(one, seed, profile) for one in (arm, replace(arm, backward="right"))
    )
    return float(tf.norm(found - right) / tf.norm(right))


def _first_kernel_gradient(arm: Arm, seed: int, profile: str) -> tf.Tensor:
    network, images, labels = _start(arm, seed, profile)
    with tf.GradientTape() as tape:
        loss = cross_entropy(labels, network(images, training=True))
    return tape.gradient(loss, network.trainable_variables[0].value)


def _start(arm: Arm, seed: int, profile: str) -> tuple[keras.Model, tf.Tensor, tf.Tensor]:
    """The network at its initial weights, and the images and labels of its first minibatch."""
    images, network = data.load(profile), model.build(arm, seed)
    first = data.batch_order(seed, 1, len(images.train_labels))[: arm.batch_size]
    return network, images.train_images[first], images.train_labels[first]
