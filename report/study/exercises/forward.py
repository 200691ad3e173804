"""The forward pass of a norm in NumPy, with a switch for everything that goes wrong in it."""

import numpy as np

from report.study.exercises.exercise import Arrays

POWERS = {
    "root": np.sqrt,
    "none": lambda v: v,
    "square": np.square,
    "fourth root": lambda v: v**0.25,
    "multiplied": lambda v: 1 / np.sqrt(v),
}


def norm(
    x, gamma, beta, epsilon, *, axes, spread="variance", count="n", scale="gamma", shift="beta",
    **switches,
) -> Arrays:  # fmt: skip
    """Batch norm, layer norm, and what resembles them: a tuple of y alone."""
    mean, variance = moments(x, axes, spread, count)
    x_hat = standardize(x, mean, variance, epsilon, **switches)
    return (scale_and_shift(x_hat, gamma, beta, scale, shift),)


def moments(x, axes, spread="variance", count="n") -> Arrays:
    """Mean and variance over `axes`, which stay, with length 1."""
    if axes == "scrambled":  # reshape(C, -1) of channels that come last
        rows = x.reshape(x.shape[-1], -1)
        found = moments(rows, (1,), "variance" if spread == "within" else spread, count)
        return tuple(np.broadcast_to(a, rows.shape).reshape(x.shape) for a in found)
    mean = x.mean(axes, keepdims=True)
    n = x.size / mean.size
    divisor = {"n": n, "n - 1": n - 1, "1": 1, "others": x.size / n, "N": len(x)}[count]
    if spread == "within":  # the average of the positions' variances
        deviations = np.broadcast_to(x.var(0, keepdims=True), x.shape)
    else:
        about = {"variance": x - mean, "square": x, "absolute": np.sqrt(abs(x - mean))}[spread]
        deviations = about**2
    variance = deviations.sum(axes, keepdims=True) / divisor
    return mean, variance**2 if spread == "absolute" else variance


def standardize(x, mean, variance, epsilon, at="inside", power="root", centre="mean") -> np.ndarray:
    """(x - mean) / sqrt(variance + epsilon); a number for `at` takes the place of epsilon."""
    if isinstance(at, float):
        epsilon, at = at, "inside"
    power = POWERS[power]
    if at == "inside":
        deviation = power(variance + epsilon)
    elif at == "outside":
        deviation = power(variance) + epsilon
    elif at == "floor":
        deviation = power(np.maximum(variance, epsilon))
    else:
        deviation = power(variance)
    if centre == "precedence":
        x_hat = x - mean / deviation
    else:
        x_hat = (x if centre == "none" else x - mean) / deviation
    return x_hat + epsilon if at == "after" else x_hat


def scale_and_shift(x_hat, gamma, beta, scale="gamma", shift="beta") -> np.ndarray:
    """gamma * x_hat + beta."""
    factors = {"gamma": gamma, "none": 1.0, "1 + gamma": 1 + gamma, "1 / gamma": 1 / gamma}
    factor = (factors | {"beta": beta})[scale]
    terms = {"beta": beta, "none": 0.0, "minus": -beta, "inside": factor * beta, "gamma": gamma}
    return factor * x_hat + terms[shift]


# Inputs ------------------------------------------------------------------------------------------


def array(*numbers) -> np.ndarray:
    """A small array of these rows."""
    return np.array(numbers, float)


def parameters(rng, channels: int) -> Arrays:
    """A gamma and a beta of either sign, gamma not near 0."""
    gamma = rng.choice([-1, 1], channels) * rng.uniform(0.6, 2, channels)
    return gamma, rng.normal(1, 2, channels)


def drawn(rng, shape: tuple[int, ...], epsilon: float, mean=3.0, size=1.0) -> tuple:
    """An x whose channels differ in spread, a gamma, a beta, and this epsilon."""
    x = mean * size + size * rng.uniform(0.4, 3, shape[-1]) * rng.normal(size=shape)
    return (x, *parameters(rng, shape[-1]), epsilon)


def random_inputs(seed: int, shapes: list[tuple[int, ...]]) -> list[tuple]:
    """One of each shape; the variance of the last is near 1e-5, as is its epsilon."""
    rng = np.random.default_rng(seed)
    *usual, last = shapes
    found = [drawn(rng, shape, e) for shape, e in zip(usual, (0.2, 0.05, 5.0), strict=True)]
    return [*found, drawn(rng, last, 1e-5, size=0.003)]
