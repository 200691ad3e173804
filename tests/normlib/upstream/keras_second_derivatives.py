"""Second derivatives through Keras's normalization layers are wrong on the TensorFlow backend.

A loss that does not change with the scale of w has H @ w = -gradient (Euler). Prints how far each
layer is from it, relative; exits with 1 if one is. tf.nn.moments stops the gradient of the mean
inside the variance, which is exact for first derivatives only.
"""

import sys

import keras
import tensorflow as tf

draw = lambda seed, *shape: tf.random.stateless_normal(shape, (0, seed), dtype="float64")  # noqa: E731
x, target, w = draw(1, 32, 7), draw(2, 32, 5), draw(3, 7, 5)
names = {"BatchNormalization": {}, "LayerNormalization": {}, "GroupNormalization": {"groups": 1}}
errors = {}
for name, options in names.items():
    layer = getattr(keras.layers, name)(epsilon=1e-12, dtype="float64", **options)
    training = {"training": True} if name == "BatchNormalization" else {}
    with tf.GradientTape() as outer:
        outer.watch(w)
        with tf.GradientTape() as inner:
            inner.watch(w)
            loss = tf.reduce_sum(tf.tanh(layer(x @ w, **training)) * target)
        gradient = inner.gradient(loss, w)
        along = tf.reduce_sum(gradient * tf.stop_gradient(w))
    errors[name] = float(tf.norm(outer.gradient(along, w) + gradient) / tf.norm(gradient))
print(errors)
sys.exit(max(errors.values()) > 1e-8)
