"""Contender: the published script's way of training, in a few steps.

Eager, a convolution and a pooling over windows that are cut out one by one (784 and 196 slices),
and a second forward pass for the accuracy. The ReLU is TensorFlow's, whose gradient at 0 is 0.
"""

import tensorflow as tf

from report.bench.ours import set_threads
from report.bench.protocol import LEARNING_RATE, MOMENTUM, Make, Problem, serve, timed


def build(spec: dict, problem: Problem) -> Make:
    """The network without a norm, the one that it is measured with."""
    set_threads(spec["threads"])
    weights = [tf.Variable(value) for value in problem[3:]]
    optimizer = tf.keras.optimizers.SGD(LEARNING_RATE, MOMENTUM)

    def step(rows) -> tf.Tensor:
        images, labels = tf.constant(problem.images[rows]), tf.constant(problem.labels[rows])
        accuracy(forward(images, *weights), labels)
        with tf.GradientTape() as tape:
            loss = cross_entropy(forward(images, *weights), labels)
        optimizer.apply_gradients(zip(tape.gradient(loss, weights), weights, strict=True))
        return loss

    few = spec["options"]["steps"]
    return lambda _: timed(lambda block: [step(rows) for rows in problem.minibatches(block)[:few]])


def forward(images, conv, conv_bias, hidden, hidden_bias, output, output_bias) -> tf.Tensor:
    """The lab's network without a norm: images (N, 28, 28, 1) -> logits (N, 10)."""
    padded = tf.pad(images, [[0, 0], [2, 2], [2, 2], [0, 0]])
    patches = tf.reshape(windows(padded, 5, 1), [-1, 25])
    maps = tf.nn.relu(patches @ tf.reshape(conv, [25, 30]) + conv_bias)
    maps = tf.transpose(tf.reshape(maps, [28, 28, -1, 30]), [2, 0, 1, 3])
    pooled = tf.reduce_max(windows(maps, 2, 2), [2, 3])
    flat = tf.reshape(tf.transpose(pooled, [1, 0, 2]), [-1, 5880])
    return tf.nn.relu(flat @ hidden + hidden_bias) @ output + output_bias


def windows(x, size: int, stride: int) -> tf.Tensor:
    """Every square window of the images, (N, H, W, C) -> (windows, N, size, size, C)."""
    starts = range(0, x.shape[1] - size + 1, stride)
    extent = [-1, size, size, -1]
    return tf.stack([tf.slice(x, [0, y, z, 0], extent) for y in starts for z in starts])


def cross_entropy(logits, labels) -> tf.Tensor:
    """The mean loss of a minibatch in nats."""
    return tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits))


def accuracy(logits, labels) -> float:
    """The share of a minibatch that is classified right."""
    return float(tf.reduce_mean(tf.cast(tf.argmax(logits, 1, tf.int32) == labels, tf.float32)))


if __name__ == "__main__":
    serve(build)
