"""Synchronized BN on two logical devices against the big batch; prints the errors as JSON.

A process of its own, because devices are fixed before TensorFlow first computes. Its argument is
JSON, a list of jobs: "ours" or "keras", a type, an offset, and the shard borders.
"""

import json
import sys

import keras
import numpy as np
import tensorflow as tf
from samples import uneven

from normlib import layers

SHAPE = (13, 4, 3)
OPTIONS = {"momentum": 0.6, "epsilon": 1e-3}


def main(jobs):
    """Print the errors of each job's splits."""
    cpu = tf.config.list_physical_devices("CPU")[0]
    tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
    strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
    print(json.dumps([[*errors(strategy, *job)] for job in jobs]))


def errors(strategy, owner, dtype, offset, splits):
    """A list of errors for each split: y, dx, dgamma, dbeta, and the moving statistics."""
    library = {"ours": layers, "keras": keras.layers}[owner]
    x = (uneven(0, *SHAPE) / 3 + offset).astype(dtype)
    expected = one_device(x.astype("float64"))
    for split in splits:
        found = two_devices(strategy, library, x, split)
        pairs = zip(found, expected, strict=True)
        yield [float(np.abs(a - b).max() / np.abs(b).max()) for a, b in pairs]


def make(library, dtype, **options):
    layer = library.BatchNormalization(dtype=dtype, **OPTIONS, **options)
    layer.build(SHAPE)
    layer.gamma.assign([1.0, 2.0, 3.0])
    layer.beta.assign([-1.0, 0.0, 1.0])
    return layer


def step(layer, x, upstream):
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = layer(x, training=True)
        loss = tf.reduce_sum(tf.sin(y) * tf.cast(upstream, y.dtype))  # a sum, not a mean
    return y, *tape.gradient(loss, [x, layer.gamma.value, layer.beta.value])


def one_device(x):
    """Everything that the shards together must equal, from our plain layer in float64."""
    layer = make(layers, "float64")
    values = step(layer, tf.constant(x), uneven(1, *SHAPE))
    return [np.asarray(v) for v in (*values, layer.moving_mean, layer.moving_variance)]


def _distribute(strategy, parts):
    return strategy.experimental_distribute_values_from_function(
        lambda context: tf.constant(parts[context.replica_id_in_sync_group])
    )


def two_devices(strategy, library, x, split):
    with strategy.scope():
        layer = make(library, x.dtype.name, synchronized=True)
    shards = [_distribute(strategy, np.split(a, [split])) for a in (x, uneven(1, *SHAPE))]
    run = tf.function(lambda *shards: strategy.run(lambda *s: step(layer, *s), shards))
    y, dx, dgamma, dbeta = map(strategy.experimental_local_results, run(*shards))
    statistics = (layer.moving_mean.numpy(), layer.moving_variance.numpy())
    return [np.concatenate(y), np.concatenate(dx), np.sum(dgamma, 0), np.sum(dbeta, 0), *statistics]


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
