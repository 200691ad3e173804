"""Numbers to test with: nothing centred, nothing of one scale."""

import numpy as np


def uneven(seed: int, *shape: int) -> np.ndarray:
    """Normal numbers in float64, another mean, not 0, and another scale in every channel."""
    rng = np.random.default_rng(seed)
    means, scales = rng.uniform(-4, 5, shape[-1]), rng.uniform(0.5, 6, shape[-1])
    return rng.normal(means, scales, shape)
