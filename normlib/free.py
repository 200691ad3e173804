"""Norms at almost no cost, because what they average after the first convolution is known before.

The convolution is linear, and its input is data. With w its kernel as (K * K, C), b its bias and
P positions, an image's output at position p is patch_p @ w + b. Every sum over positions that a
norm needs therefore follows from two sums over the image's patches, which no training changes:

    s1 = sum_p(patch_p);  s2 = sum_p(outer(patch_p, patch_p))
    sum_p(output) = s1 @ w + P * b;  sum_p(outer(output - b, output - b)) = w.T @ s2 @ w

For pixels of whole numbers they are whole numbers, exact, and computed once for a data set. The
statistics of a minibatch are then algebra of 25 x 25 numbers, without a pass over its activations,
and so is what passes backwards through them. Weight norm needs no statistics, and need not write
its weights: x @ (v * s) = (x @ v) * s.

These are shortcuts around `ops.py`, equal to it but for rounding, and so no evidence on a norm.
"""

import hashlib
import math
import os
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache, partial
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from normlib import ops

compiled = partial(tf.function, jit_compile=True, autograph=False)

# Sums over patches ------------------------------------------------------------------------------


def patch_sums(images: np.ndarray, size: int) -> np.ndarray:
    """Return s1 and the upper triangle of s2 of each image, for size x size patches, SAME padding.

    images: (N, H, W), whole numbers from 0 to 255; returns (N, K**2 + K**2 * (K**2 + 1) / 2) int32.
    Two taps of the patch that lie d apart multiply each pixel with the one d away, whatever the
    patch: one product per d, 41 for K = 5, and a sum over the window of each pair of taps.
    """
    count, height, width = images.shape
    before, after = (size - 1) // 2, size // 2
    padded = np.pad(images.astype(np.float32), ((0, 0), (before, after), (before, after)))
    second = np.zeros((count, size, size, size, size), np.int32)
    for down in range(size):
        for right in range(1 - size if down else 0, size):
            rows, columns = range(size - down), range(max(0, -right), size - max(0, right))
            left = columns[0]
            here = padded[:, : padded.shape[1] - down, left : left + len(columns) - 1 + width]
            there = padded[:, down:, left + right : left + right + len(columns) - 1 + width]
            # A row's sum stays below 2**24, exact in float32; the sum of rows does not.
            windows = _windows(len(columns), width)
            across = ((here * there) @ windows.T).astype(np.float64)
            sums = _windows(len(rows), height).astype(np.float64) @ across
            for i in rows:
                for j in columns:
                    second[:, i, j, i + down, j + right] = sums[:, i, j - left]
    rows, columns = (_windows(size, length) for length in (height, width))
    first = rows @ (padded @ columns.T)
    taps = size * size
    return np.concatenate(
        [first.reshape(count, taps), second.reshape(count, taps, taps)[:, *np.triu_indices(taps)]],
        1,
    ).astype(np.int32)


def _windows(count: int, length: int) -> np.ndarray:
    """`count` rows that are 1 on `length` places, each beginning one place after the last."""
    places = np.arange(count + length - 1) - np.arange(count)[:, None]
    return np.float32((places >= 0) & (places < length))


PART = 1000  # images at a time, which stay in the processor's cache
MANY = 10_000  # images, from which on the sums are kept on disk


def table(images: np.ndarray, size: int) -> np.ndarray:
    """Return the `patch_sums` of images (N, H, W, 1) in [0, 1] of whole bytes, kept on disk.

    The file stands in Keras's folder under the hash of the images, with a hash of its own; where
    it is damaged or cannot be written, the sums are computed.
    """
    pixels = np.round(255 * images[..., 0]).astype(np.uint8)
    if len(pixels) < MANY:
        return patch_sums(pixels, size)
    file = _file(pixels, size)
    kept = _read(file)
    if kept is None:
        parts = [patch_sums(pixels[i : i + PART], size) for i in range(0, len(pixels), PART)]
        kept = np.concatenate(parts)
        _write(file, kept)
    return kept


def _file(pixels: np.ndarray, size: int) -> Path:
    home = Path(os.environ.get("KERAS_HOME") or Path.home() / ".keras")
    return home / "datasets" / f"patch-sums-{size}-{_hash(pixels)[:16]}.npz"


def _hash(values: np.ndarray) -> str:
    return hashlib.sha256(np.ascontiguousarray(values)).hexdigest()


def _read(file: Path) -> np.ndarray | None:
    try:
        with np.load(file) as kept:
            sums, expected = kept["sums"], str(kept["sha256"])
    except (OSError, ValueError, KeyError, EOFError):
        return None
    return sums if _hash(sums) == expected else None


def _write(file: Path, sums: np.ndarray) -> None:
    part = file.with_suffix(f".{os.getpid()}.npz")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        np.savez(part, sums=sums, sha256=_hash(sums))
        part.replace(file)
    except OSError:  # a folder that cannot be written, or a full disk: computed again next time
        part.unlink(missing_ok=True)


_KNOWN = ContextVar("the patch sums of the minibatch", default=None)


@contextmanager
def known(sums: tf.Tensor | None, places: tf.Tensor) -> Iterator[None]:
    """Within this context the minibatch's patch sums are the rows of `sums` at these places."""
    token = _KNOWN.set(None if sums is None else tf.gather(sums, places))
    try:
        yield
    finally:
        _KNOWN.reset(token)


def _sums(x: tf.Tensor, size: int) -> tuple[tf.Tensor, tf.Tensor]:
    """Of images x (N, H, W, 1) in [0, 1]: mean patches (N, 25) and mean products (N, 325), float64.

    Known beforehand, or else computed of x.
    """
    taps, positions = size * size, x.shape[1] * x.shape[2]
    if (sums := _KNOWN.get()) is not None:
        sums = tf.cast(sums, tf.float64)
        return sums[:, :taps] / (255 * positions), sums[:, taps:] / (255**2 * positions)
    options = {"sizes": [1, size, size, 1], "strides": [1] * 4, "rates": [1] * 4}
    patches = tf.image.extract_patches(tf.cast(x, tf.float64), padding="SAME", **options)
    patches = tf.reshape(patches, [-1, positions, taps])
    second = tf.matmul(patches, patches, transpose_a=True) / positions
    triangle = tf.gather(tf.reshape(second, [-1, taps * taps]), _triangle(taps), axis=1)
    return tf.reduce_mean(patches, 1), triangle


@cache
def _triangle(taps: int) -> np.ndarray:
    """Where the upper triangle stands in a flat matrix."""
    return np.ravel_multi_index(np.triu_indices(taps), (taps, taps))


@cache
def _mirror(taps: int) -> np.ndarray:
    """Where each element of a symmetric matrix stands in its upper triangle, (taps, taps)."""
    places = np.zeros((taps, taps), int)
    places[np.triu_indices(taps)] = np.arange(taps * (taps + 1) // 2)
    return np.maximum(places, places.T)


def _symmetric(triangle: tf.Tensor, taps: int) -> tf.Tensor:
    return tf.gather(triangle, _mirror(taps), axis=-1)


# Pooling and ReLU, and which of four pixels won --------------------------------------------------


def _quarters(a) -> list[tf.Tensor]:
    """The four pixels of each 2 x 2 window, row by row; an odd last row or column is in none."""
    height, width = (length // 2 * 2 for length in a.shape[-3:-1])
    return [a[..., i:height:2, j:width:2, :] for i in (0, 1) for j in (0, 1)]


def _winner(values: list[tf.Tensor]) -> tf.Tensor:
    """Which of the four is largest, 0 to 3 as uint8; the first of equals, as in max-pooling."""
    a, b, c, d = values
    above, below = tf.cast(b > a, tf.uint8), tf.cast(d > c, tf.uint8) + tf.constant(2, tf.uint8)
    return tf.where(tf.maximum(c, d) > tf.maximum(a, b), below, above)


def _pick(winner, values: list[tf.Tensor]) -> tf.Tensor:
    a, b, c, d = values
    return tf.where(winner == 0, a, tf.where(winner == 1, b, tf.where(winner == 2, c, d)))


def _spread(winner, values: list[tf.Tensor], shape) -> tf.Tensor:
    """Each of the four where it won and 0 elsewhere, at full size (N, *shape)."""
    won = [tf.where(winner == i, value, 0) for i, value in enumerate(values)]
    rows = tf.stack([tf.stack(won[:2], 3), tf.stack(won[2:], 3)], 2)
    height, width = (length // 2 * 2 for length in shape[:2])
    full = tf.reshape(rows, [-1, height, width, shape[2]])
    return tf.pad(full, [[0, 0], [0, shape[0] - height], [0, shape[1] - width], [0, 0]])


@compiled
def _winners(a):
    return _winner(_quarters(a))


@compiled
def _pooled(a):
    a, b, c, d = _quarters(a)
    return tf.nn.relu(tf.maximum(tf.maximum(a, b), tf.maximum(c, d)))


@compiled
def _pooled_backward(winner, y, dy, like):
    slope = tf.where(y > 0, dy, 0)
    return _spread(winner, [slope] * 4, like.shape[1:])


@tf.custom_gradient
def pool_and_relu(a):
    """Return relu(max_pool(a)), 2 x 2, of (N, H, W, C); the backward pass reads no activation.

    da is dy at the largest of four pixels, the first of equals, if that is above 0, and else 0.
    """
    winner, y = _winners(a), _pooled(a)
    return y, lambda dy: _pooled_backward(winner, y, dy, a)


# Batch norm --------------------------------------------------------------------------------------


def channel_moments(x, kernel) -> tuple[tf.Tensor, tf.Tensor]:
    """Return mean and variance of every channel of a SAME convolution of x, without bias or output.

    mean = s1 @ w / n;  variance = sum(w * ((s2 / n - outer(s1, s1) / n**2) @ w), 0)

    x: (N, H, W, 1); kernel: (K, K, 1, C), differentiated; float64, since a high-pass filter leaves
    a thousandth of the covariance.
    """
    w = _wide(kernel)
    first, second = (tf.reduce_mean(sums, 0) for sums in _sums(x, kernel.shape[0]))
    covariance = _symmetric(second, w.shape[0]) - first[:, None] * first
    return tf.linalg.matvec(w, first, transpose_a=True), tf.reduce_sum(w * (covariance @ w), 0)


def _wide(kernel) -> tf.Tensor:
    return tf.cast(tf.reshape(kernel, [-1, kernel.shape[-1]]), tf.float64)


def _convolution(x, kernel, bias) -> tf.Tensor:
    return tf.nn.bias_add(tf.nn.conv2d(x, kernel, 1, "SAME"), bias)


# Layer norm --------------------------------------------------------------------------------------


@compiled
def _normalized_winners(a, mean, inv_std, gamma, beta):
    """Of max_pool(gamma * x_hat + beta): which pixel won, x_hat there, and the ReLU of it all."""
    x_hats = [(x - mean) * inv_std for x in _quarters(a)]
    gammas, betas = _of_quarters(gamma), _of_quarters(beta)
    winner = _winner([g * x + b for x, g, b in zip(x_hats, gammas, betas, strict=True)])
    x_hat = _pick(winner, x_hats)
    y = tf.nn.relu(_pick(winner, gammas) * x_hat + _pick(winner, betas))
    return winner, x_hat, y


def _of_quarters(parameter) -> list[tf.Tensor]:
    """A gain per element, (H, W, C), has four quarters; one per channel is the same in all."""
    return _quarters(parameter) if len(parameter.shape) == 3 else [parameter] * 4


@compiled
def _through_gamma(winner, y, dy, x_hat, gamma, inv_std, like):
    """dy where ReLU lets it pass; gamma * dy, and gamma * dy * x_hat; da but for the statistics."""
    dy = tf.where(y > 0, dy, 0)
    gammas = _of_quarters(gamma)
    dx_hat = _pick(winner, gammas) * dy
    direct = _spread(winner, [g * dy * inv_std for g in gammas], like.shape[1:])
    return dy, dy * x_hat, dx_hat, dx_hat * x_hat, direct


@compiled
def _by_element(winner, values, like):
    """The sum over the images of values at the pixel that won, for each element: (H, W, C)."""
    won = [tf.reduce_sum(tf.where(winner == i, values, 0), 0, keepdims=True) for i in range(4)]
    rows = tf.stack([tf.stack(won[:2], 3), tf.stack(won[2:], 3)], 2)
    height, width, channels = like.shape[1:]
    full = tf.reshape(rows, [height // 2 * 2, width // 2 * 2, channels])
    return tf.pad(full, [[0, height % 2], [0, width % 2], [0, 0]])


def convolution_layer_norm(x, kernel, bias, gamma, beta, *, epsilon: float) -> tf.Tensor:
    """Return relu(max_pool(layer_norm(convolution(x)))), its statistics known beforehand.

    With M = w @ w.T / C and averages over an image's P positions and C channels:
    mean = s1 @ average(w) / P + average(b)
    variance = (sum(s2 * M) + 2 * s1 @ (w @ b) / C) / P + average(b**2) - mean**2

    and backwards, with k1 = inv_std * average(dx_hat), k2 = inv_std**2 * average(dx_hat * x_hat),
    da = inv_std * dx_hat - k1 - k2 * (a - mean), whose last two terms need no pass over a:
    dw -= sum_n(outer(s1, k1) + k2 * (s2 @ w + outer(s1, b - mean)))

    x: (N, H, W, 1), no gradient; gamma, beta: (H, W, C), or (C,).
    """
    size, channels = kernel.shape[0], kernel.shape[-1]
    positions = x.shape[1] * x.shape[2]

    @tf.custom_gradient
    def forward(kernel, bias, gamma, beta):
        w, b = _wide(kernel), tf.cast(bias, tf.float64)
        first, second = _sums(x, size)
        upper = tf.constant(_off_diagonal_twice(size * size))
        products = tf.reshape(w @ tf.transpose(w) / channels, [-1])
        products = tf.gather(products, _triangle(size * size)) * upper
        mean = tf.linalg.matvec(first, tf.reduce_mean(w, 1)) + tf.reduce_mean(b)
        along_bias = tf.linalg.matvec(first, tf.linalg.matvec(w, b)) / channels
        square = tf.linalg.matvec(second, products) + 2 * along_bias + tf.reduce_mean(b**2)
        inv_std = tf.math.rsqrt(square - mean**2 + epsilon)

        def narrow(statistic):
            return tf.cast(statistic, x.dtype)[:, None, None, None]

        a = _convolution(x, kernel, bias)
        winner, x_hat, y = _normalized_winners(a, narrow(mean), narrow(inv_std), gamma, beta)

        def backward(dy):
            slope, slope_x_hat, dx_hat, dx_hat_x_hat, direct = _through_gamma(
                winner, y, dy, x_hat, gamma, narrow(inv_std), a
            )

            def average(values):
                total = tf.reduce_sum(tf.reshape(values, [-1, math.prod(values.shape[1:])]), 1)
                return tf.cast(total, tf.float64) / (positions * channels)

            k1, k2 = inv_std * average(dx_hat), inv_std**2 * average(dx_hat_x_hat)
            # Sums over the minibatch of s1 and s2, weighted by k1, k2, and k2 * mean.
            at = {k: positions * tf.linalg.matvec(first, v, transpose_a=True)
                  for k, v in (("k1", k1), ("k2", k2), ("k2 mean", k2 * mean))}  # fmt: skip
            weighted = positions * tf.linalg.matvec(second, k2, transpose_a=True)
            dw = (at["k1"] - at["k2 mean"])[:, None] + at["k2"][:, None] * b
            dw += _symmetric(weighted, size * size) @ w
            db = positions * tf.reduce_sum(k1 + k2 * (b[:, None] - mean), 1)
            db += tf.linalg.matvec(w, at["k2"], transpose_a=True)
            direct_dw = tf.raw_ops.Conv2DBackpropFilter(
                input=x, filter_sizes=list(kernel.shape), out_backprop=direct,
                strides=[1] * 4, padding="SAME",
            )  # fmt: skip
            direct_db = tf.reduce_sum(direct, [0, 1, 2])
            if len(gamma.shape) == 3:
                sums = [_by_element(winner, values, a) for values in (slope_x_hat, slope)]
            else:
                sums = [tf.reduce_sum(values, [0, 1, 2]) for values in (slope_x_hat, slope)]
            return (
                direct_dw - tf.cast(tf.reshape(dw, kernel.shape), x.dtype),
                direct_db - tf.cast(db, x.dtype),
                *sums,
            )

        return y, backward

    return forward(kernel, bias, gamma, beta)


@cache
def _off_diagonal_twice(taps: int) -> np.ndarray:
    """What a sum over a symmetric matrix counts of its upper triangle."""
    rows, columns = np.triu_indices(taps)
    return np.where(rows == columns, 1.0, 2.0)


# Weight norm -------------------------------------------------------------------------------------


@compiled
def _across(dw, along, v):
    return dw - along * v


@tf.custom_gradient
def scaled_product(x, v, g):
    """Return x @ weight_norm(v, g) without writing the weights.

    s = g / norm(v);  y = (x @ v) * s
    ds = sum(dy * (x @ v), 0);  dx = (dy * s) @ v.T
    dg = ds / norm(v);  dv = x.T @ (dy * s) - ds * g / norm(v)**3 * v

    x: (N, D); v: (D, C); g: (C,).
    """
    inv_norm = tf.math.rsqrt(tf.reduce_sum(tf.square(v), 0))
    product, scale = x @ v, g * inv_norm

    def backward(dy):
        along, dz = tf.reduce_sum(dy * product, 0), dy * scale
        dv = _across(tf.matmul(x, dz, transpose_a=True), along * g * inv_norm**3, v)
        return tf.matmul(dz, v, transpose_b=True), dv, along * inv_norm

    return product * scale, backward


# The layers --------------------------------------------------------------------------------------


class Dense(keras.layers.Dense):
    """A dense layer with weight norm, whose weights are never written."""

    def build(self, input_shape):
        """Make the variables, `kernel` being v, and `g` at its norm."""
        super().build(input_shape)
        self.g = _length(self)

    def call(self, x):
        """Return x @ (g * v / norm(v)) + bias."""
        return scaled_product(x, self.kernel.value, self.g.value) + self.bias.value


def _length(layer) -> keras.Variable:
    def norm(shape, dtype):
        return tf.norm(tf.reshape(layer.kernel.value, [-1, *shape]), axis=0)

    return layer.add_weight(name="g", shape=layer.kernel.shape[-1:], initializer=norm)


class Block(keras.layers.Conv2D):
    """The first block of the network in one layer: convolution, norm, 2 x 2 max-pooling, ReLU.

    y = relu(max_pool(norm(convolution(x))))

    norm: "none", "batch", "layer" or "weight"; per: what LN has a gamma and a beta for, "element"
    or "channel". x: images of one channel, constant; patch sums that are `known` are taken from
    there. At inference LN is computed as `ops.layer_norm` has it.
    """

    def __init__(self, norm: str, per: str, *, momentum: float, epsilon: float, **kwargs):
        super().__init__(padding="same", **kwargs)
        self.norm, self.per, self.momentum, self.epsilon = norm, per, momentum, epsilon

    def build(self, input_shape):
        """Make the variables of convolution and norm; ValueError for more channels than one."""
        if input_shape[-1] != 1:
            raise ValueError(f"free norms take images of one channel; received {input_shape}.")
        super().build(input_shape)
        element = self.norm == "layer" and self.per == "element"
        shape = (*input_shape[1:3], self.filters) if element else (self.filters,)
        if self.norm in ("batch", "layer"):
            self.gamma = self.add_weight(name="gamma", shape=shape, initializer="ones")
            self.beta = self.add_weight(name="beta", shape=shape, initializer="zeros")
        if self.norm == "batch":
            fixed = {"shape": shape, "trainable": False}
            self.moving_mean = self.add_weight(name="moving_mean", initializer="zeros", **fixed)
            self.moving_variance = self.add_weight(
                name="moving_variance", initializer="ones", **fixed
            )
        if self.norm == "weight":
            self.g = _length(self)

    def compute_output_shape(self, input_shape):
        """Half the height and width."""
        return (input_shape[0], input_shape[1] // 2, input_shape[2] // 2, self.filters)

    def call(self, x, training=None):
        """Convolve, normalize, pool and rectify."""
        kernel, bias = self.kernel.value, self.bias.value
        if self.norm == "layer" and training:
            parameters = (kernel, bias, self.gamma.value, self.beta.value)
            return convolution_layer_norm(x, *parameters, epsilon=self.epsilon)
        if self.norm == "batch":
            kernel, bias = self._folded(x, kernel, bias, training)
        elif self.norm == "weight":
            inv_norm = tf.math.rsqrt(tf.reduce_sum(tf.square(kernel), [0, 1, 2]))
            kernel = kernel * (self.g.value * inv_norm)
        a = _convolution(x, kernel, bias)
        if self.norm == "layer":
            options = {"reduction_axes": (1, 2, 3), "epsilon": self.epsilon}
            a, *_ = ops.layer_norm(a, self.gamma.value, self.beta.value, **options)
        return pool_and_relu(a)

    def _folded(self, x, kernel, bias, training):
        """Kernel and bias of the convolution that is BN of this one."""
        if training:
            mean, variance = channel_moments(x, kernel)  # without the bias, which BN cancels
            self._update(self.moving_mean, mean + tf.cast(bias, mean.dtype))
            self._update(self.moving_variance, variance)
        else:
            mean, variance = self.moving_mean.value - bias, self.moving_variance.value
        scale = self.gamma.value * tf.cast(tf.math.rsqrt(variance + self.epsilon), x.dtype)
        return kernel * scale, self.beta.value - tf.cast(mean, x.dtype) * scale

    def _update(self, moving, new):
        old = tf.cast(moving.value, new.dtype)
        moving.assign(tf.cast(ops.moving_average(old, new, momentum=self.momentum), moving.dtype))
