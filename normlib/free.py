"""Norms at a lower cost: what they average after the first convolution is known beforehand.

The convolution is linear, and its input is data. Let q be the patch under a position, with a 1 at
its end, and w the kernel as (K * K, C), with the bias as its last row: the output there is q @ w.
Mean and variance of the output, an image's or a minibatch's, then follow from

    s = sum(outer(q, q))    over an image's positions

which no training changes: 26 x 26 whole numbers for pixels of whole numbers, exact, computed once
for a data set. A minibatch's statistics are algebra of these few numbers, without a pass over its
activations, and so is what its gradients pass back through them. Weight norm needs no statistics,
and need not write its weights: x @ (v * s) = (x @ v) * s.

All this bypasses `ops.py`. Its results agree up to rounding; no finding on a norm rests on it.
"""

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from functools import cache, partial, reduce
from itertools import product
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from normlib import layers

# Sums over patches -------------------------------------------------------------------------------


def patch_sums(images: np.ndarray, size: int) -> np.ndarray:
    """Return the upper triangle of every image's s, for patches of a size x size SAME convolution.

    images: (N, H, W, 1) in [0, 1], of bytes, which are what is summed; returns int32 (N, n * (n +
    1) / 2) with n = size**2 + 1. No patch is cut out: what stands at one place of all the patches
    is the image, shifted. Raises ValueError for pixels that are no bytes.
    """
    count, height, width, _ = images.shape
    scaled = 255 * images[..., 0]
    pixels = np.clip(np.round(scaled), 0, 255)
    if not (np.abs(scaled - pixels) < 1e-3).all():
        raise ValueError("free norms take images of bytes over 255; received other pixels.")
    # Of pixels less 128, sums of products over 1024 positions are exact in float32.
    exact = np.float32 if height * width <= 1024 else np.float64
    around, length = ((size - 1) // 2, size // 2), size**2 + 1
    padded = np.pad(pixels.astype(exact), ((0, 0), around, around)) - 128
    q = np.ones((count, length, height, width), exact)
    for place, (down, right) in enumerate(product(range(size), range(size))):
        q[:, place] = padded[:, down : down + height, right : right + width]
    q = q.reshape(count, length, -1)
    back = np.eye(length)
    back[:-1, -1] = 128  # each pixel is what it was less 128, plus 128 times the 1 at the end
    sums = back @ (q @ q.transpose(0, 2, 1)) @ back.T
    return sums[:, *np.triu_indices(length)].astype(np.int32, order="C")


PART = 100  # images at a time, which stay in the processor's cache
MANY = 10_000  # images, from which on the sums are kept on disk


def table(images: np.ndarray, size: int) -> np.ndarray:
    """Return the `patch_sums` of these images.

    Those of many are kept in Keras's folder: named for the images' SHA-256, behind their own. Where
    the file is missing or damaged they are computed; one that cannot be written is left out.
    """
    home = Path(os.environ.get("KERAS_HOME") or Path.home() / ".keras")
    name = hashlib.sha256(np.ascontiguousarray(images)).hexdigest()
    file = home / "datasets" / f"patch-sums-{size}-{name}"
    with suppress(OSError):
        kept = memoryview(file.read_bytes())
        if kept[:32] == hashlib.sha256(kept[32:]).digest():
            return np.frombuffer(kept[32:], np.int32).reshape(len(images), -1)
    parts = [patch_sums(images[i : i + PART], size) for i in range(0, len(images), PART)]
    sums = np.concatenate(parts)
    if len(images) >= MANY:
        _keep(file, sums)
    return sums


def _keep(file: Path, sums: np.ndarray) -> None:
    own = file.with_name(f"{file.name}.{os.getpid()}")
    with suppress(OSError):
        file.parent.mkdir(parents=True, exist_ok=True)
        own.write_bytes(hashlib.sha256(sums).digest() + sums.tobytes())
        own.replace(file)  # as a whole, whoever else reads or writes it
    with suppress(OSError):  # what a full disk leaves
        own.unlink()


_KNOWN = ContextVar("the patch sums of the minibatch", default=None)


@contextmanager
def known(sums: tf.Tensor | None, batch: tf.Tensor) -> Iterator[None]:
    """Within this context a `Block` has the patch sums of the minibatch: rows `batch` of `sums`."""
    token = _KNOWN.set(None if sums is None else tf.gather(sums, batch))
    try:
        yield
    finally:
        _KNOWN.reset(token)


# Statistics of a convolution, without its output -------------------------------------------------


def channel_moments(sums, kernel, bias) -> tuple[tf.Tensor, tf.Tensor]:
    """Return mean and variance of every channel of a SAME convolution, over the minibatch.

    e = average(s) / P;  covariance = e - outer(e[-1], e[-1])
    mean = e[-1] @ w;  variance = sum(w * (covariance @ w), 0)

    sums: (N, 351), the `patch_sums` of N images of P pixels; kernel: (5, 5, 1, C); bias: (C,);
    mean, variance: (C,) float64, since a high-pass filter leaves a thousandth of the covariance.
    """
    w = _with_bias(kernel, bias)
    e = tf.reduce_mean(_of_pixels(sums, w.shape[0]), 0)
    e = tf.gather(e, _places(w.shape[0]))
    covariance = e - e[:, -1:] * e[-1:]
    return tf.linalg.matvec(w, e[-1], transpose_a=True), tf.reduce_sum(w * (covariance @ w), 0)


def image_moments(sums, kernel, bias) -> tuple[tf.Tensor, tf.Tensor]:
    """Return mean and variance of every image's output, all its positions and channels together.

    mean = s[-1] @ average(w, 1) / P;  variance = sum(s * (w @ w.T)) / (P * C) - mean**2

    As in `channel_moments`; mean, variance: (N,).
    """
    w = _with_bias(kernel, bias)
    s, places = _of_pixels(sums, w.shape[0]), _places(w.shape[0])
    products = tf.reshape(tf.matmul(w, w, transpose_b=True) / w.shape[1], [-1])
    # s has one of its two triangles, and each product goes with the one across the diagonal.
    products = tf.math.unsorted_segment_sum(products, places.ravel(), s.shape[1])
    mean = tf.linalg.matvec(tf.gather(s, places[-1], axis=1), tf.reduce_mean(w, 1))
    return mean, tf.linalg.matvec(s, products) - mean**2


def _with_bias(kernel, bias) -> tf.Tensor:
    kernel = tf.reshape(kernel, [-1, kernel.shape[-1]])
    return tf.cast(tf.concat([kernel, bias[None]], 0), tf.float64)


def _of_pixels(sums, length: int) -> tf.Tensor:
    """The sums for pixels in [0, 1], over the number of positions, which is the last of them."""
    sums, unit = tf.cast(sums, tf.float64), np.append(np.full(length - 1, 1 / 255), 1)
    return sums * np.outer(unit, unit)[np.triu_indices(length)] / sums[:, -1:]


@cache
def _places(length: int) -> np.ndarray:
    """Where each element of a symmetric matrix stands in its upper triangle, (length, length)."""
    places = np.zeros((length, length), int)
    places[np.triu_indices(length)] = np.arange(length * (length + 1) // 2)
    return np.maximum(places, places.T)


# Layer norm, pooling and ReLU in one -------------------------------------------------------------

# XLA makes one loop over memory of all that such a function does, TensorFlow one of each operation.
compiled = partial(tf.function, jit_compile=True, autograph=False)


def _quarters(a) -> list[tf.Tensor]:
    """The four pixels of every 2 x 2 window, row by row; an odd last row or column is in none.

    Of a parameter for each element, (H, W, C), too; one for each channel is the same in all four.
    """
    if len(a.shape) == 1:
        return [a] * 4
    height, width = (length // 2 * 2 for length in a.shape[-3:-1])
    return [a[..., i:height:2, j:width:2, :] for i in (0, 1) for j in (0, 1)]


def _whole(quarters: list[tf.Tensor], height: int, width: int) -> tf.Tensor:
    """The images (N, height, width, C) of these quarters, 0 in an odd last row or column."""
    _, rows, columns, channels = quarters[0].shape
    pairs = [tf.stack(quarters[i : i + 2], 3) for i in (0, 2)]
    images = tf.reshape(tf.stack(pairs, 2), [-1, 2 * rows, 2 * columns, channels])
    return tf.pad(images, [[0, 0], [0, height % 2], [0, width % 2], [0, 0]])


def _where(winner, values: list[tf.Tensor]) -> list[tf.Tensor]:
    """Each of the four where it won, 0 elsewhere."""
    return [tf.where(winner == i, value, 0) for i, value in enumerate(values)]


@compiled
def _forward(a, bias, mean, inv_std, gamma, beta):
    x_hats = [(values + bias - mean) * inv_std for values in _quarters(a)]
    terms = zip(x_hats, _quarters(gamma), _quarters(beta), strict=True)
    z = [gamma * x_hat + beta for x_hat, gamma, beta in terms]
    # The first of equals wins, as in max-pooling.
    above, below = (tf.cast(z[i + 1] > z[i], tf.uint8) for i in (0, 2))
    lower = tf.maximum(z[2], z[3]) > tf.maximum(z[0], z[1])
    winner = tf.where(lower, below + tf.constant(2, tf.uint8), above)
    return winner, tf.add_n(_where(winner, x_hats)), tf.nn.relu(reduce(tf.maximum, z))


@compiled
def _backward(winner, x_hat, y, dy, inv_std, gamma, height, width):
    dz = tf.where(y > 0, dy, 0)
    dx_hats = _where(winner, [gamma * dz for gamma in _quarters(gamma)])
    da = _whole([inv_std * dx_hat for dx_hat in dx_hats], height, width)
    dx_hat = tf.add_n(dx_hats)
    return da, dx_hat, dx_hat * x_hat, dz, dz * x_hat


@compiled
def _sum_by_element(winner, values, height, width):
    sums = [tf.reduce_sum(v, 0, keepdims=True) for v in _where(winner, [values] * 4)]
    return _whole(sums, height, width)[0]


@tf.custom_gradient
def normalize_pool_and_relu(a, bias, mean, inv_std, gamma, beta) -> tf.Tensor:
    """Return relu(max_pool(gamma * x_hat + beta)), with x_hat = (a + bias - mean) * inv_std.

    dz = dy where y > 0, else 0;  dx_hat = gamma * dz, at the pixel that won
    da = inv_std * dx_hat there, and 0 elsewhere;  dbias = sum(inv_std * dx_hat)
    dmean = -sum(inv_std * dx_hat);  dinv_std = sum(dx_hat * x_hat) / inv_std
    dgamma = sum(dz * x_hat);  dbeta = sum(dz)

    a: (N, H, W, C); mean, inv_std: (N, 1, 1, 1); gamma, beta: (H, W, C) or (C,). Which of four
    pixels won is kept, so that the backward pass reads no activation, and all but da is computed
    at a quarter of the size.
    """
    winner, x_hat, y = _forward(a, bias, mean, inv_std, gamma, beta)
    size = a.shape[1:3]

    def backward(dy):
        da, dx_hat, dx_hat_x_hat, *both = _backward(winner, x_hat, y, dy, inv_std, gamma, *size)
        by_channel = inv_std * tf.reduce_sum(dx_hat, [1, 2], keepdims=True)  # (N, 1, 1, C)
        dinv_std = tf.reduce_sum(dx_hat_x_hat, [1, 2, 3], keepdims=True) / inv_std
        if len(gamma.shape) == 1:
            dbeta, dgamma = (tf.reduce_sum(values, [0, 1, 2]) for values in both)
        else:
            dbeta, dgamma = (_sum_by_element(winner, values, *size) for values in both)
        dmean = -tf.reduce_sum(by_channel, 3, keepdims=True)
        return da, tf.reduce_sum(by_channel, [0, 1, 2]), dmean, dinv_std, dgamma, dbeta

    return y, backward


# Weight norm -------------------------------------------------------------------------------------

_across = compiled(lambda dw, along, v: dw - along * v)


@tf.custom_gradient
def scaled_product(x, v, g) -> tf.Tensor:
    """Return x @ weight_norm(v, g) without writing the weights.

    s = g / norm(v);  y = (x @ v) * s
    ds = sum(dy * (x @ v), 0);  dx = (dy * s) @ v.T
    dg = ds / norm(v);  dv = x.T @ (dy * s) - ds * g / norm(v)**3 * v

    x: (N, D); v: (D, C); g: (C,).
    """
    inv_norm = tf.math.reciprocal_no_nan(tf.norm(v, axis=0))
    product, scale = x @ v, g * inv_norm

    def backward(dy):
        ds, dproduct = tf.reduce_sum(dy * product, 0), dy * scale
        dv = _across(tf.matmul(x, dproduct, transpose_a=True), ds * g * inv_norm**3, v)
        return tf.matmul(dproduct, v, transpose_b=True), dv, ds * inv_norm

    return product * scale, backward


# The layers --------------------------------------------------------------------------------------


class WeightNormalization(layers.WeightNormalization):
    """`layers.WeightNormalization`, which does not write the weights of a dense layer."""

    def call(self, x):
        """Return x @ (g * v / norm(v)) + bias of a dense layer; of others what it always does."""
        if not isinstance(self.layer, keras.layers.Dense):
            return super().call(x)
        return scaled_product(x, self.v.value, self.g.value) + self.layer.bias.value


def _unwrapped(layer: keras.layers.Layer) -> keras.layers.Layer:
    return getattr(layer, "layer", layer)  # that of a weight norm


class Block(keras.layers.Layer):
    """What a convolution, a norm, 2 x 2 max-pooling and ReLU compute, in one layer.

    y = relu(max_pool(norm(convolution(x))))

    convolution: SAME, of images of one channel, with a bias; its weights may be normalized; norm:
    none, BN, LN of each image as a whole, or group norm of one group, which is that LN per channel.
    In training with `known` patch sums its statistics follow from them; elsewhere the layers that
    it is made of compute it. Raises ValueError for other norms and images.
    """

    def __init__(self, convolution, norm=None):
        super().__init__(dtype=convolution.dtype_policy)
        self.convolution, self.norm = convolution, norm
        self.batch_norm = isinstance(norm, layers.BatchNormalization)

    def build(self, input_shape):
        """Make the variables of convolution and norm."""
        norm, plain, channels = self.norm, _unwrapped(self.convolution), input_shape[-1]
        one_mean = getattr(norm, "axis", 0) == [1, 2, 3] or getattr(norm, "groups", 0) == 1
        same = plain.padding == "same" and plain.strides == plain.dilation_rate == (1, 1)
        if not (same and channels == 1 and (norm is None or self.batch_norm or one_mean)):
            raise ValueError(
                "free norms are none, BN, LN of a whole image and group norm of one group, after a "
                "SAME convolution of one channel; received "
                f"{type(norm).__name__}, {channels} channels, padding={plain.padding!r}, "
                f"strides={plain.strides} and dilation_rate={plain.dilation_rate}."
            )
        self.convolution.build(input_shape)
        if norm:
            norm.build(self.convolution.compute_output_shape(input_shape))

    def patch_sums(self, images: np.ndarray) -> tf.Tensor | None:
        """Those of images, to be `known`; None without a norm, which needs none."""
        if self.norm:
            return tf.constant(table(images, self.convolution.kernel.shape[0]))

    def call(self, x, training=None):
        """Convolve, normalize, pool and rectify."""
        sums = _KNOWN.get()
        if self.norm and (sums is None or not training):
            y = self.norm(self.convolution(x))
            return tf.nn.relu(tf.nn.max_pool2d(y, 2, 2, "VALID"))
        parameters = self.convolution.kernel, _unwrapped(self.convolution).bias
        kernel, bias = map(tf.convert_to_tensor, parameters)
        if self.norm and not self.batch_norm:
            return self._layer_norm(x, sums, kernel, bias)
        if self.batch_norm:
            kernel, bias = self._folded(sums, kernel, bias)
        # The bias is the same for all four pixels, and is added to the largest alone.
        a = tf.nn.conv2d(x, kernel, 1, "SAME")
        return tf.nn.relu(tf.nn.max_pool2d(a, 2, 2, "VALID") + bias)

    def _layer_norm(self, x, sums, kernel, bias) -> tf.Tensor:
        mean, variance = image_moments(sums, kernel, bias)
        inv_std = tf.math.rsqrt(variance + self.norm.epsilon)
        statistics = (tf.cast(s, x.dtype)[:, None, None, None] for s in (mean, inv_std))
        affine = map(tf.convert_to_tensor, (self.norm.gamma, self.norm.beta))
        a = tf.nn.conv2d(x, kernel, 1, "SAME")
        return normalize_pool_and_relu(a, bias, *statistics, *affine)

    def _folded(self, sums, kernel, bias) -> tuple[tf.Tensor, tf.Tensor]:
        """Kernel and bias of the convolution that is this one and then BN.

        scale = gamma / sqrt(variance + epsilon);  kernel * scale, (bias - mean) * scale + beta
        """
        norm, (mean, variance) = self.norm, channel_moments(sums, kernel, bias)
        norm._update(norm.moving_mean, mean)
        norm._update(norm.moving_variance, variance)
        scale = norm.gamma.value * tf.cast(tf.math.rsqrt(variance + norm.epsilon), kernel.dtype)
        centred = tf.cast(tf.cast(bias, mean.dtype) - mean, kernel.dtype)
        return kernel * scale, centred * scale + norm.beta.value
