"""Fixtures shared by the tests: the quick profile, and the smallest run there is."""

import os

os.environ["NORMLIB_PROFILE"] = "quick"
os.environ["NORMLIB_PROGRESS"] = "off"

import pytest

from normlib.arms import Arm


@pytest.fixture(scope="session")
def tiny_arm() -> Arm:
    """An arm that trains in seconds."""
    return Arm(norm="batch", epochs=2, batch_size=250, profile="quick")


@pytest.fixture(scope="session")
def tiny_record(tiny_arm):
    """The record of one real run of that arm."""
    from normlib import train

    return train.run(tiny_arm, seed=3)
