"""What the functions are called on: small arrays that can be checked by hand, and random ones."""

import numpy as np

from report.study.exercises.exercise import Arrays


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
    """One of each of four shapes.

    One number of the third is far from all others, so that the largest x_hat is near 5. The
    variance of the last is near 1e-5, as is its epsilon.
    """
    rng = np.random.default_rng(seed)
    first, second, third, last = (
        drawn(rng, shape, epsilon, size=0.003 if epsilon < 1e-3 else 1.0)
        for shape, epsilon in zip(shapes, (0.2, 0.05, 5.0, 1e-5), strict=True)
    )
    third[0].flat[0] += 100
    return [first, second, third, last]


MATRICES = [(5, 3), (4, 4), (30, 4), (6, 3)]
TRANSPOSED = [shape[::-1] for shape in MATRICES]
