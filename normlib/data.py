"""Fashion-MNIST and MNIST as arrays, and the order of minibatches."""

import os
import sys
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np

from normlib.arm import VALID, Arm
from normlib.fetch import FILES, DataError, Source, find, read

SAMPLE = Path(__file__).with_name("fashion_mnist_sample.npz")
PROFILES = VALID["profile"]
SOURCES = {
    "Fashion-MNIST": Source(
        name="Fashion-MNIST",
        sums=(
            "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
            "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
            "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
            "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
        ),
        variable="NORMLIB_DATA",
        folder="fashion-mnist",
        url="https://storage.googleapis.com/tensorflow/tf-keras-datasets/",
        package="dataset-fashion-mnist",
        system=Path("/usr/share/datasets/fashion-mnist"),
    ),
    "MNIST": Source(
        name="MNIST",
        sums=(
            "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
            "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
            "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
            "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
        ),
        variable="NORMLIB_MNIST",
        folder="mnist",
        url="https://storage.googleapis.com/cvdf-datasets/mnist/",
    ),
}
CLASS_NAMES = (
    "T-shirt/top", "trouser", "pullover", "dress", "coat",
    "sandal", "shirt", "sneaker", "bag", "ankle boot",
)  # fmt: skip


class Dataset(NamedTuple):
    """Images float32 in [0, 1], (N, 28, 28, 1); labels int32, (N,)."""

    train_images: np.ndarray
    train_labels: np.ndarray
    test_images: np.ndarray
    test_labels: np.ndarray


def profile() -> str:
    """The profile that NORMLIB_PROFILE names, "full" without one; raises ValueError for others."""
    return _valid(os.environ.get("NORMLIB_PROFILE") or "full", "NORMLIB_PROFILE")


def _valid(name: str, what: str = "profile") -> str:
    if name not in PROFILES:
        raise ValueError(f"{what} must be one of {', '.join(PROFILES)}; received {name!r}.")
    return name


@cache
def load(profile: str, name: str = "Fashion-MNIST") -> Dataset:
    """Return the images of a profile: all of the data set, or the embedded Fashion-MNIST sample.

    Raises ValueError for an unknown profile, DataError when the full data cannot be had.
    """
    if _valid(profile) == "quick":
        with np.load(SAMPLE) as sample:
            return _scaled(*(sample[name] for name in Dataset._fields))
    source, headers = SOURCES[name], (16, 8, 16, 8)  # bytes before the numbers
    folder, files = find(source), zip(FILES, headers, strict=True)
    return _scaled(*(np.frombuffer(read(source, folder, f), np.uint8, offset=n) for f, n in files))


def _scaled(train, train_labels, test, test_labels) -> Dataset:
    train, test = (i.reshape(-1, 28, 28, 1).astype(np.float32) for i in (train, test))
    train /= 255  # in place: the images are most of a run's memory
    test /= 255
    return Dataset(train, train_labels.astype(np.int32), test, test_labels.astype(np.int32))


def images(arm: Arm) -> Dataset:
    """Return the images that the arm is trained and scored on."""
    found = load(arm.profile, arm.dataset)
    if arm.scored_on == "validation":
        found = validation_split(found)
    if not arm.examples:
        return found
    chosen = batch_order(0, 0, len(found.train_labels))[: arm.examples]
    train_images, train_labels = found.train_images[chosen], found.train_labels[chosen]
    return found._replace(train_images=train_images, train_labels=train_labels)


def fetch(arms: Iterable[Arm]) -> None:
    """Find or fetch what the arms are trained on: once, before several workers look for it."""
    for name in {arm.dataset for arm in arms if arm.profile == "full"}:
        find(SOURCES[name])


def validation_split(images: Dataset) -> Dataset:
    """Return the training images only: a twelfth of them, always the same, in the test's place."""
    size = len(images.train_labels)
    order = np.random.default_rng(0).permutation(size)
    held, kept = np.sort(order[: size // 12]), np.sort(order[size // 12 :])
    return Dataset(
        images.train_images[kept], images.train_labels[kept],
        images.train_images[held], images.train_labels[held],
    )  # fmt: skip


def batch_order(seed: int, epoch: int, size: int) -> np.ndarray:
    """Return the order of the `size` training images in one epoch: a permutation, (size,)."""
    return np.random.default_rng([seed, epoch]).permutation(size)


def buffer_order(seed: int, epoch: int, size: int, buffer: int = 1000) -> np.ndarray:
    """Return the order of `tf.data`'s `shuffle(buffer)`: the next image takes a random one's place.

    So an image cannot come sooner than `buffer` places before its own, which is hardly shuffled.
    """
    rng = np.random.default_rng([seed, epoch])
    held, order = list(range(min(buffer, size))), []
    for following in range(len(held), size):
        place = rng.integers(buffer)
        order.append(held[place])
        held[place] = following
    return np.array(order + [held[i] for i in rng.permutation(len(held))])


def sorted_order(seed: int, epoch: int, labels: np.ndarray, batch: int) -> np.ndarray:
    """Return an order whose minibatches are of one class, except where a class ends within one."""
    order = batch_order(seed, epoch, len(labels))
    order = order[np.argsort(labels[order], kind="stable")]
    batches = np.split(order, range(batch, len(order), batch))
    places = np.random.default_rng([seed, epoch, batch]).permutation(len(order) // batch)
    return np.concatenate([batches[i] for i in places])


def main() -> None:
    try:
        print(f"Fashion-MNIST: {find(SOURCES['Fashion-MNIST'])}")
    except DataError as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main()
