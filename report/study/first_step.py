"""A network before its first step: how large its activations, its loss and its gradients are."""

from collections.abc import Iterable

import keras
import numpy as np
import pandas as pd
import tensorflow as tf

from normlib import data, model
from normlib.arm import Arm
from normlib.scoring import cross_entropy

KERNELS = ("convolution", "hidden", "output")


def table(arms: Iterable[Arm], seeds: Iterable[int], profile: str) -> pd.DataFrame:
    """One row per arm: the geometric means over the seeds of what `measure` finds."""
    seeds = list(seeds)
    rows = {arm: pd.DataFrame([measure(arm, seed, profile) for seed in seeds]) for arm in arms}
    return pd.DataFrame({arm: np.exp(np.log(found).mean()) for arm, found in rows.items()}).T


def measure(arm: Arm, seed: int, profile: str) -> dict[str, float]:
    """Standard deviations, loss and relative gradients of the seed's first minibatch.

    convolution, hidden: of what these layers put out, before any norm; normalized: of what the
    hidden ReLU sees; logits: of the logits; loss: in nats; "gradient, ...": the length of a
    kernel's gradient over that of the kernel, so that the learning rate times it is how far the
    first step goes. For one convolution.
    """
    images, network = data.load(profile), model.build(arm, seed)
    first = data.batch_order(seed, 1, len(images.train_labels))[: arm.batch_size]
    kernels = [v.value for v in network.trainable_variables if v.path.endswith("kernel")]
    with tf.GradientTape() as tape:
        x, outputs = images.train_images[first], []
        for layer in network.layers:
            x = layer(x, training=True)
            outputs.append(x)
        loss = tf.reduce_mean(cross_entropy(images.train_labels[first], x))
    kinds = [type(getattr(layer, "layer", layer)) for layer in network.layers]
    hidden = kinds.index(keras.layers.Dense)
    relu = len(kinds) - 1 - kinds[::-1].index(keras.layers.ReLU)
    places = {"convolution": 0, "hidden": hidden, "normalized": relu - 1, "logits": -1}
    gradients = zip(KERNELS, tape.gradient(loss, kernels), kernels, strict=True)
    return {
        **{name: float(tf.math.reduce_std(outputs[place])) for name, place in places.items()},
        "loss": float(loss),
        **{f"gradient, {name}": float(tf.norm(d) / tf.norm(w)) for name, d, w in gradients},
    }
