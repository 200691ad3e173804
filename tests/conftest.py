"""Fixtures shared by the tests: uneven numbers, and the smallest run there is."""

import os

os.environ["NORMLIB_PROFILE"] = "quick"
os.environ["NORMLIB_PROGRESS"] = "off"

import numpy as np
import pytest

from normlib.arms import Arm


def uneven(seed: int, *shape: int) -> np.ndarray:
    """Normal numbers in float64, another mean, not 0, and another scale in every channel."""
    rng = np.random.default_rng(seed)
    means, scales = rng.uniform(-4, 5, shape[-1]), rng.uniform(0.5, 6, shape[-1])
    return rng.normal(means, scales, shape)


@pytest.fixture(scope="session")
def tiny_arm() -> Arm:
    """An arm that trains in seconds."""
    return Arm(norm="batch", epochs=2, batch_size=250, profile="quick")


@pytest.fixture(scope="session")
def tiny_record(tiny_arm):
    """The record of one real run of that arm."""
    from normlib import train

    return train.run(tiny_arm, seed=3)
