"""What is compared: arms, and experiments as named lists of arms and seeds."""

from collections.abc import Iterable
from dataclasses import dataclass, fields, replace

VALID = {
    "norm": ("none", "batch", "layer", "weight", "own"),
    "implementation": ("ours", "keras", "published", "folded"),
    "placement": ("conv", "hidden", "both"),
    "init": ("normal", "he"),
    "profile": ("full", "quick"),
    "evaluation": ("running", "batch"),
    "shuffle": ("full", "buffer"),
    "backward": ("right", "constant mean", "constant variance", "constant moments"),
    "scored_on": ("test", "validation"),
}
SHORT = {"batch": "BN", "layer": "LN", "weight": "WN"}


@dataclass(frozen=True)
class Arm:
    """One configuration to compare; the defaults are the published report's.

    `placement` says where BN or LN sits: after the convolution, after the hidden dense layer, or
    both; weight norm always reparameterises all three kernels. `init` is N(0, 0.1**2) ("normal")
    or N(0, 2 / fan_in) ("he"). `ulps` moves one weight by so many units in the last place.
    `source` is the code of a norm of your own, see `own.py`. Raises ValueError for an unknown
    name, listing the valid ones.
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
    evaluation: str = "running"
    shuffle: str = "full"
    backward: str = "right"
    scored_on: str = "test"

    def __post_init__(self):
        for name, valid in VALID.items():
            if getattr(self, name) not in valid:
                raise ValueError(
                    f"{name} must be one of {', '.join(valid)}; received {getattr(self, name)!r}."
                )
        if (self.norm == "own") != bool(self.source):
            raise ValueError("norm='own' and source go together; own.arm(function) sets both.")
        if self.implementation == "keras" and self.norm not in ("batch", "layer"):
            raise ValueError(
                f"Keras has no layer for norm={self.norm!r}; use implementation='ours'."
            )

    @property
    def label(self) -> str:
        """The arm's name in figures and tables: what it changes, and where."""
        if self.norm == "none":
            return "no normalization"
        where = "" if self.norm == "weight" or self.placement == "conv" else f" ({self.placement})"
        if self.norm == "own":
            return f"{self.source.split('def ')[1].split('(')[0]}{where}, yours"
        owner = "our" if self.implementation == "ours" else "TensorFlow's"
        moved = f", {self.ulps} ulp moved" if self.ulps else ""
        return f"{owner} {SHORT[self.norm]}{where}{moved}"

    @property
    def name(self) -> str:
        """The arm's name in the archive: every setting that is not the default."""
        changed = [f for f in fields(self) if getattr(self, f.name) != f.default]
        return "-".join(f"{f.name}={getattr(self, f.name)}" for f in changed) or "default"

    def quick(self) -> "Arm":
        """The same arm on the embedded sample."""
        return replace(self, profile="quick")


@dataclass(frozen=True)
class Experiment:
    """A named list of arms, each to be trained with each of the seeds."""

    name: str
    arms: tuple[Arm, ...]
    seeds: tuple[int, ...]

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


def _experiments(pilot: Iterable[Arm]) -> dict[str, Experiment]:
    families = {
        "baseline": (NONE,),
        "batch_norm": (NONE, OUR_BN, KERAS_BN),
        "layer_norm": (NONE, OUR_LN, KERAS_LN, OUR_LN_HIDDEN, KERAS_LN_HIDDEN),
        "weight_norm": (NONE, OUR_WN),
        "pilot": tuple(pilot),
    }
    found = {name: Experiment(name, arms, PILOT_SEEDS) for name, arms in families.items()}
    moved = tuple(replace(arm, ulps=1) for arm in (OUR_BN, OUR_LN, OUR_LN_HIDDEN))
    found["twins"] = Experiment("twins", moved, PILOT_SEEDS)
    quick = Experiment("quick", tuple(arm.quick() for arm in pilot), (0,))
    return found | {"quick": quick}


EXPERIMENTS = _experiments(
    (NONE, OUR_BN, KERAS_BN, OUR_WN, OUR_LN, KERAS_LN, OUR_LN_HIDDEN, KERAS_LN_HIDDEN)
)
