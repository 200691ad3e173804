"""Small fakes of a data set's four files, and what may have happened to them."""

import errno
import gzip
import shutil
from pathlib import Path

import numpy as np

from normlib import data, fetch
from normlib.data import SOURCES
from normlib.fetch import FILES

IMAGES, LABELS, TEST_IMAGES, TEST_LABELS = FILES
ALL = sorted(f"{name}.gz" for name in FILES)


def fake_contents() -> dict[str, bytes]:
    """Five training and three test images, behind headers as long as the real ones."""
    rng, header = np.random.default_rng(7), bytes(range(100, 116))
    sizes = {IMAGES: 5 * 784, LABELS: 5, TEST_IMAGES: 3 * 784, TEST_LABELS: 3}
    values = {name: rng.integers(0, 10, size, np.uint8) for name, size in sizes.items()}
    return {n: header[: 16 if "images" in n else 8] + v.tobytes() for n, v in values.items()}


def source():
    """Where Fashion-MNIST comes from: the fake, in a test with `contents`."""
    return SOURCES["Fashion-MNIST"]


def final_names(folder: Path) -> list[str]:
    return sorted(file.name for file in folder.glob("*-ubyte*"))


def forget() -> None:
    """Look for files anew."""
    fetch.find.cache_clear()
    data.load.cache_clear()


def truncated(folder: Path) -> None:
    file = folder / f"{IMAGES}.gz"
    file.write_bytes(file.read_bytes()[:-200])


def without_last_byte(folder: Path) -> None:
    file = folder / f"{IMAGES}.gz"
    file.write_bytes(file.read_bytes()[:-1])


def flipped(folder: Path) -> None:
    file = folder / f"{IMAGES}.gz"
    stored = bytearray(file.read_bytes())
    stored[len(stored) // 2] ^= 1
    file.write_bytes(stored)


def garbled(folder: Path) -> None:
    file = folder / f"{IMAGES}.gz"
    file.write_bytes(file.read_bytes()[:10] + b"\xff" * 300)  # a gzip header, then no deflate data


def empty(folder: Path) -> None:
    (folder / f"{IMAGES}.gz").write_bytes(b"")


def not_gzip(folder: Path) -> None:
    (folder / f"{IMAGES}.gz").write_text("<html>Please sign in</html>")


def labels_for_images(folder: Path) -> None:
    shutil.copy(folder / f"{LABELS}.gz", folder / f"{IMAGES}.gz")


def other_content(folder: Path) -> None:
    content = bytearray(gzip.decompress((folder / f"{IMAGES}.gz").read_bytes()))
    content[-1] ^= 1
    (folder / f"{IMAGES}.gz").write_bytes(gzip.compress(content))


FAULTS = [truncated, without_last_byte, flipped, garbled, empty, not_gzip]
FAULTS += [labels_for_images, other_content]


def full_disk(*args, **options):
    raise OSError(errno.ENOSPC, "No space left on device")
