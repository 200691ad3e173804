"""The data sets: four files each, in MNIST's format, and the places that may have them."""

from dataclasses import dataclass
from pathlib import Path

FILES = (
    "train-images-idx3-ubyte", "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte",
)  # fmt: skip


@dataclass(frozen=True)
class Source:
    """Where a data set comes from.

    sums: SHA-256 of each decompressed file, in the order of FILES: not all places compress alike
    variable: the environment's, a folder of one's own with the files
    folder: in Keras's cache
    url: what a file's name with .gz follows
    package, system: Debian's, and the folder that it fills; empty if there is none
    """

    sums: tuple[str, ...]
    variable: str
    folder: str
    url: str
    package: str = ""
    system: Path = Path()


SOURCES = {
    "Fashion-MNIST": Source(
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
