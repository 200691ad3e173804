"""What is compared: arms, and experiments as named lists of arms and seeds."""

from dataclasses import Field, dataclass, fields, replace

from normlib.datasets import SOURCES

VALID = {
    "norm": ("none", "batch", "layer", "weight", "rms", "own"),
    "implementation": ("ours", "keras", "published", "folded", "shared"),
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
    "dataset": tuple(SOURCES),
}
NORMS = {  # that exist, by network and implementation
    ("cnn", "ours"): ("none", "batch", "layer", "weight", "own"),
    ("cnn", "keras"): ("batch", "layer"),
    ("cnn", "published"): ("batch", "weight"),
    ("cnn", "folded"): ("batch",),
    ("rnn", "ours"): ("none", "batch", "layer", "rms"),
    ("rnn", "shared"): ("batch",),
}
MOST_BLOCKS = 8  # a run has ten seeds for its kernels: see `model.py`
SHORT = {"batch": "BN", "layer": "LN", "weight": "WN", "rms": "RMS norm"}
OWNERS = {
    "ours": "our", "keras": "TensorFlow's", "published": "the published", "folded": "folded",
    "shared": "one shared",
}  # fmt: skip
SETTINGS = {  # what a label says of them, where they are changed
    "init": "{} init", "std": "std {:g}", "learning_rate": "learning rate {:g}",
    "batch_size": "batch {}", "ulps": "{} ulp moved", "relu": "ReLU {}", "blocks": "{} blocks",
    "backward": "{} in the backward pass", "evaluation": "{} statistics in scoring",
    "shuffle": "{} shuffle", "scored_on": "on {}", "examples": "{} images", "network": "{}",
    "dataset": "{}",
}  # fmt: skip


@dataclass(frozen=True)
class Arm:
    """One configuration to compare; the defaults are the published report's.

    norm, implementation: what normalizes, and whose: "published" is the published script's (see
        `variants.py`), "folded" the speed path (see `kernels.py`), and norm "own" a reader's, by
        its `source` (see `own.py`)
    placement, relu: where BN or LN sits, after the convolutions, the hidden layer, or both, and
        whether ReLU comes after it or before; weight norm reparameterises all kernels
    init, std: weights from N(0, std**2) ("normal") or N(0, 2 / fan_in) ("he")
    blocks: convolutions, the further ones 3x3 after the pooling
    backward: BN's gradient, or one that is wrong: these statistics taken for constants
    evaluation: which statistics BN is scored with (see `scoring.py`): the moving ones, or those of
        test batches, "batch" being 100
    shuffle: all images, a buffer of 1000 as in the published script, or minibatches of one class
    scored_on, examples: the test images, or a split of the training images, on which anything is
        chosen; how many images to train on, 0 for all
    ulps: units in the last place by which one weight is moved
    network: the lab's convolutional one, or the one that reads rows (see `recurrent.py`)
    probe: what is measured on the way (see `probes.py`)
    dataset: Fashion-MNIST, of which alone there is a sample for the quick profile, or MNIST

    Raises ValueError for an unknown name, listing the valid ones, and for what does not exist.
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

    def __post_init__(self):
        for name, valid in VALID.items():
            if getattr(self, name) not in valid:
                raise ValueError(
                    f"{name} must be one of {', '.join(valid)}; received {getattr(self, name)!r}."
                )
        if (self.norm == "own") != bool(self.source):
            raise ValueError("norm='own' and source go together; own.arm(function) sets both.")
        if self.norm not in NORMS.get((self.network, self.implementation), ()):
            there = [
                f"{i}: {', '.join(norms)}" for (n, i), norms in NORMS.items() if n == self.network
            ]
            raise ValueError(
                f"network={self.network!r} has no norm={self.norm!r} of "
                f"implementation={self.implementation!r}; it has {'; '.join(there)}."
            )
        if not 1 <= self.blocks <= MOST_BLOCKS:
            raise ValueError(f"blocks must be 1 to {MOST_BLOCKS}; received {self.blocks}.")
        if self.implementation == "folded" or self.network == "rnn":
            self._refuse_changes("placement", "relu", "blocks")
        if self.network == "rnn":
            self._refuse_changes("backward", "ulps")
        if self.norm != "batch" and (self.backward, self.evaluation) != ("right", "running"):
            raise ValueError("backward and evaluation are settings of norm='batch'.")
        if self.backward != "right" and self.implementation != "ours":
            raise ValueError("backward is a setting of implementation='ours'.")
        if self.profile == "quick" and self.dataset != "Fashion-MNIST":
            raise ValueError("profile='quick' has a sample of dataset='Fashion-MNIST' alone.")

    def _refuse_changes(self, *names: str) -> None:
        if changed := [f.name for f in fields(self) if f.name in names and self._changes(f)]:
            raise ValueError(
                f"{', '.join(changed)} cannot be changed with network={self.network!r} and "
                f"implementation={self.implementation!r}."
            )

    def _changes(self, field: Field) -> bool:
        return getattr(self, field.name) != field.default

    @property
    def label(self) -> str:
        """The arm's name in figures and tables: its norm, and every one of SETTINGS it changes."""
        changed = [f.name for f in fields(self) if f.name in SETTINGS and self._changes(f)]
        return ", ".join([self.mode, *(SETTINGS[n].format(getattr(self, n)) for n in changed)])

    @property
    def mode(self) -> str:
        """What normalizes, whose it is, and where it sits; no other setting."""
        if self.norm == "none":
            return "no normalization"
        where = "" if self.norm == "weight" or self.placement == "conv" else f" ({self.placement})"
        if self.norm == "own":
            return f"{self.source.split('def ')[1].split('(')[0]}{where}, yours"
        return f"{OWNERS[self.implementation]} {SHORT[self.norm]}{where}"

    @property
    def name(self) -> str:
        """The arm's name in the archive: every setting that is not the default."""
        changed = filter(self._changes, fields(self))
        return "-".join(f"{f.name}={getattr(self, f.name)}" for f in changed) or "default"

    @property
    def trained(self) -> "Arm":
        """The arm that this one is trained as; others differ in how they are scored."""
        return replace(self, evaluation="running")

    def quick(self) -> "Arm":
        """The same arm on the embedded sample."""
        return replace(self, profile="quick")


@dataclass(frozen=True)
class Experiment:
    """A named list of arms, each to be trained with each of the seeds, and what it is for."""

    name: str
    arms: tuple[Arm, ...]
    seeds: tuple[int, ...]
    purpose: str = ""

    def runs(self) -> list[tuple[Arm, int]]:
        """Every (arm, seed), arm by arm."""
        return [(arm, seed) for arm in self.arms for seed in self.seeds]


NONE = Arm()
OUR_BN, KERAS_BN = Arm("batch"), Arm("batch", "keras")
OUR_LN, KERAS_LN = Arm("layer"), Arm("layer", "keras")
OUR_LN_HIDDEN = replace(OUR_LN, placement="hidden")
KERAS_LN_HIDDEN = replace(KERAS_LN, placement="hidden")
OUR_WN = Arm("weight")

# Final test accuracies in percent, one run each: the published report's Tables 1 to 3. Its text
# describes LN after the convolution; its script, so its numbers, had LN on the hidden layer.
PUBLISHED = {
    NONE: 88.25,
    OUR_BN: 88.55,
    KERAS_BN: 88.14,
    OUR_WN: 88.46,
    OUR_LN_HIDDEN: 88.29,
    KERAS_LN_HIDDEN: 88.68,
}

PILOT_SEEDS = (0, 1, 2)


def _experiments(pilot: tuple[Arm, ...]) -> dict[str, Experiment]:
    moved = tuple(replace(arm, ulps=1) for arm in (OUR_BN, OUR_LN, OUR_LN_HIDDEN))
    layer_norms = (OUR_LN, KERAS_LN, OUR_LN_HIDDEN, KERAS_LN_HIDDEN)
    found = (
        Experiment("baseline", (NONE,), PILOT_SEEDS, "notebook 00"),
        Experiment("batch_norm", (NONE, OUR_BN, KERAS_BN), PILOT_SEEDS, "notebook 01"),
        Experiment("layer_norm", (NONE, *layer_norms), PILOT_SEEDS, "notebook 02"),
        Experiment("weight_norm", (NONE, OUR_WN), PILOT_SEEDS, "notebook 03"),
        Experiment("pilot", pilot, PILOT_SEEDS, "notebook 05, and how many seeds it takes"),
        Experiment("twins", moved, PILOT_SEEDS, "how far one rounding carries: notebook 04"),
        Experiment("quick", tuple(arm.quick() for arm in pilot), (0,), "the quick profile"),
    )
    return {experiment.name: experiment for experiment in found}


EXPERIMENTS = _experiments(
    (NONE, OUR_BN, KERAS_BN, OUR_WN, OUR_LN, KERAS_LN, OUR_LN_HIDDEN, KERAS_LN_HIDDEN)
)
