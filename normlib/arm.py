"""An arm: one configuration to train, with every setting that a run may have."""

import math
from dataclasses import Field, dataclass, fields, replace
from numbers import Integral, Real

VALID = {
    "norm": ("none", "batch", "layer", "group", "weight", "rms", "own"),
    "implementation": ("ours", "keras", "published", "free", "shared"),
    "placement": ("conv", "hidden", "both"),
    "relu": ("after", "before"),
    "init": ("normal", "he"),
    "backward": ("right", "constant mean", "constant variance", "constant moments"),
    "evaluation": ("running", "batch", "re-estimated", "batch of 10", "batch of 1", "one class"),
    "shuffle": ("full", "buffer", "sorted"),
    "scored_on": ("test", "validation"),
    "profile": ("full", "quick"),
    "network": ("cnn", "rnn"),
    "probe": ("", "weights", "sharpness", "predictiveness"),
    "dataset": ("Fashion-MNIST", "MNIST"),
    "per": ("element", "channel", "pixel"),
    "schedule": ("constant", "cosine"),
}
NORMS = {  # that exist, by network and implementation
    ("cnn", "ours"): ("none", "batch", "layer", "group", "weight", "own"),
    ("cnn", "keras"): ("batch", "layer", "group"),
    ("cnn", "published"): ("batch", "weight"),
    ("cnn", "free"): ("none", "batch", "layer", "weight"),
    ("rnn", "ours"): ("none", "batch", "layer", "rms"),
    ("rnn", "shared"): ("batch",),
}


def _finite_from_0(value) -> bool:
    return math.isfinite(value) and value >= 0


MOST_BLOCKS = 8  # a run has ten seeds for its kernels: see `model.py`
IMAGES = {"full": 60_000, "quick": 2_000}  # to train on
NUMBERS = {  # what each number must be, and in words; those of whole numbers are kept as int
    "learning_rate": (Real, _finite_from_0, "a finite number, 0 or more"),
    "momentum": (Real, lambda v: 0 <= v < 1, "a number from 0 to below 1"),
    "std": (Real, _finite_from_0, "a finite number, 0 or more"),
    "batch_size": (Integral, lambda v: v >= 1, "a whole number, 1 or more"),
    "epochs": (Integral, lambda v: v >= 1, "a whole number, 1 or more"),
    "examples": (Integral, lambda v: v >= 0, "a whole number, 0 for all images"),
    "blocks": (Integral, lambda v: 1 <= v <= MOST_BLOCKS, f"1 to {MOST_BLOCKS}"),
    "ulps": (Integral, lambda v: True, "a whole number"),
}
SHORT = {"batch": "BN", "layer": "LN", "group": "GN", "weight": "WN", "rms": "RMS norm"}
OWNERS = {
    "ours": "our", "keras": "TensorFlow's", "published": "the published", "free": "free",
    "shared": "one shared",
}  # fmt: skip
SETTINGS = {  # what a label says of them, where they are changed
    "init": "He initialization", "std": "std {:g}", "learning_rate": "learning rate {:g}",
    "batch_size": "batch {}", "ulps": "{} ulp moved", "relu": "ReLU {}", "blocks": "{} blocks",
    "backward": "{} in the backward pass", "evaluation": "{} statistics in scoring",
    "shuffle": "{} shuffle", "scored_on": "on {}", "examples": "{} images", "network": "{}",
    "dataset": "{}", "schedule": "{} schedule",
}  # fmt: skip


@dataclass(frozen=True)
class Arm:
    """One configuration to compare; the defaults are the published report's.

    norm, implementation: what normalizes, and whose: "published" is the published script's, "free"
        ours by a shortcut (see `free.py`), "shared" one BN for all rows of an image; norm "own" is
        a reader's, by its `source`, added as `model.py` says
    placement, relu: where the norm sits, after the convolutions, the hidden layer, or both, and
        whether ReLU comes after it or before; weight norm reparameterizes all kernels
    init, std: weights from N(0, std**2) ("normal") or N(0, 2 / fan_in) ("he")
    blocks: convolutions, the further ones 3x3 after the pooling
    backward: BN's gradient, or one that is wrong: these statistics taken for constants
    evaluation: which statistics BN is scored with (see `scoring.py`): the moving ones, or those of
        test batches, "batch" being 100
    shuffle: all images, a buffer of 1000 as in the published script, or minibatches of one class
    scored_on, examples: the test images, or a validation split of the training images, for every
        choice of a setting; how many images to train on, 0 for all
    ulps: units in the last place by which one weight is moved
    network: the lab's convolutional one (see `model.py`), or one that reads an image row by row
    probe: the name of what is measured on the way
    dataset: Fashion-MNIST, the only one with a sample for the quick profile, or MNIST
    per: of LN after the convolution: "element" and "channel" take one mean for the image, with a
        gamma and beta for each element or each channel; "pixel" takes a mean at each pixel, with a
        gamma and beta for each channel
    schedule: the learning rate is constant, or falls to 0 along a cosine

    Raises ValueError for unknown names, listing the valid ones, for settings that do not go
    together and for numbers out of range.
    """

    norm: str = "none"
    implementation: str = "ours"
    placement: str = "conv"
    init: str = "normal"
    learning_rate: float = 0.01
    momentum: float = 0.9
    batch_size: int = 100
    epochs: int = 4
    profile: str = "full"
    ulps: int = 0
    source: str = ""
    relu: str = "after"
    std: float = 0.1
    blocks: int = 1
    backward: str = "right"
    evaluation: str = "running"
    shuffle: str = "full"
    scored_on: str = "test"
    examples: int = 0
    network: str = "cnn"
    probe: str = ""
    dataset: str = "Fashion-MNIST"
    per: str = "element"
    schedule: str = "constant"

    def __post_init__(self):
        for name, valid in VALID.items():
            if getattr(self, name) not in valid:
                raise ValueError(
                    f"{name} must be one of {', '.join(valid)}; received {getattr(self, name)!r}."
                )
        if (self.norm == "own") != bool(self.source):
            raise ValueError("norm='own' and source need each other; your_norm.arm sets both.")
        if self.norm not in NORMS.get((self.network, self.implementation), ()):
            there = [
                f"{i}: {', '.join(norms)}" for (n, i), norms in NORMS.items() if n == self.network
            ]
            raise ValueError(
                f"network={self.network!r} has no norm={self.norm!r} of "
                f"implementation={self.implementation!r}; it has {'; '.join(there)}."
            )
        self._check_numbers()
        if self.implementation == "free":
            self._refuse_changes("relu", "probe")
        if self.network == "rnn":
            self._refuse_changes("placement", "relu", "blocks", "backward", "ulps", "per")
        if self.per != "element" and (self.norm != "layer" or self.placement == "hidden"):
            raise ValueError("per needs norm='layer' and placement='conv' or 'both'.")
        if self.per == "pixel" and self.implementation == "free":
            raise ValueError("per='pixel' does not go with implementation='free'.")
        if self.norm == "group" and self.placement != "conv":
            raise ValueError("norm='group' needs placement='conv'.")
        if self.norm != "batch" and (self.backward, self.evaluation) != ("right", "running"):
            raise ValueError("backward and evaluation can be changed for norm='batch' only.")
        if self.backward != "right" and self.implementation != "ours":
            raise ValueError("backward can be changed for implementation='ours' only.")
        if self.profile == "quick" and self.dataset != "Fashion-MNIST":
            raise ValueError("profile='quick' needs dataset='Fashion-MNIST'.")

    def _check_numbers(self) -> None:
        for name, (kind, allows, rule) in NUMBERS.items():
            value = getattr(self, name)
            if isinstance(value, bool) or not (isinstance(value, kind) and allows(value)):
                raise ValueError(f"{name} must be {rule}; received {value!r}.")
            # NumPy's numbers as Python's, which a record can hold.
            object.__setattr__(self, name, int(value) if kind is Integral else float(value))
        if self.examples > (all_of_them := self._most_images()):
            raise ValueError(f"examples must be at most {all_of_them}; received {self.examples}.")
        if self.batch_size > self.images:
            raise ValueError(
                f"batch_size must be at most {self.images}; received {self.batch_size}."
            )

    def _refuse_changes(self, *names: str) -> None:
        if changed := [f.name for f in fields(self) if f.name in names and self._changes(f)]:
            raise ValueError(
                f"{', '.join(changed)} cannot be changed with network={self.network!r} and "
                f"implementation={self.implementation!r}."
            )

    def _changes(self, field: Field) -> bool:
        return getattr(self, field.name) != field.default

    @property
    def images(self) -> int:
        """How many images it is trained on."""
        return self.examples or self._most_images()

    def _most_images(self) -> int:
        held = IMAGES[self.profile] // 12 if self.scored_on == "validation" else 0
        return IMAGES[self.profile] - held

    @property
    def label(self) -> str:
        """The arm's name in figures and tables: its norm, and every one of SETTINGS it changes."""
        changed = [f.name for f in fields(self) if f.name in SETTINGS and self._changes(f)]
        return ", ".join([self.mode, *(SETTINGS[n].format(getattr(self, n)) for n in changed)])

    @property
    def mode(self) -> str:
        """What normalizes, whose it is, and where it sits; no other setting."""
        if self.norm == "none":
            return f"no normalization{', free' * (self.implementation == 'free')}"
        changes = {"placement": self.placement, "per": f"per {self.per}"}
        changed = [changes[f.name] for f in fields(self) if f.name in changes and self._changes(f)]
        where = f" ({', '.join(changed)})" if changed and self.norm != "weight" else ""
        if self.norm == "own":
            return f"{self.source.split('def ')[1].split('(')[0]}{where}, yours"
        return f"{OWNERS[self.implementation]} {SHORT[self.norm]}{where}"

    @property
    def trained(self) -> "Arm":
        """The arm that this one is trained as; others differ in how they are scored."""
        return replace(self, evaluation="running")

    def quick(self) -> "Arm":
        """The same arm on the embedded sample."""
        some = self.examples if self.examples <= IMAGES["quick"] else 0
        return replace(self, profile="quick", examples=some)


MOST_SEEDS = 2**32 // 10  # each has ten of the 2**32 seeds that TensorFlow knows: see `model.py`


def seed(value) -> int:
    """The seed of a run as Python's int; raises ValueError for what is none."""
    if isinstance(value, bool) or not isinstance(value, Integral) or not 0 <= value < MOST_SEEDS:
        raise ValueError(
            f"a seed must be a whole number from 0 to {MOST_SEEDS - 1}; received {value!r}."
        )
    return int(value)
