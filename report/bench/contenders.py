"""Who is measured: ours, by both ways, the published script's way, Keras and PyTorch."""

import sys
from dataclasses import dataclass, field
from pathlib import Path

from normlib.arm import Arm

ARMS = {
    "none": Arm(),
    "WN": Arm("weight"),
    "BN": Arm("batch"),
    "LN": Arm("layer"),
    "LN per channel": Arm("layer", per="channel"),
}
NORMS = tuple(ARMS)
PLAIN, FREE, SCRIPT = "ours", "ours, free", "the published script's way"
OF_KERAS = tuple(norm for norm in NORMS if norm != "WN")  # it has none
SCRIPT_STEPS = 2  # a block: the published script's way takes that long


@dataclass(frozen=True)
class Contender:
    """A module that trains blocks in a process of its own: with which norms, and what it is told.

    `missing`: why it cannot run, if it cannot.
    """

    name: str
    module: str
    options: dict = field(default_factory=dict)
    norms: tuple[str, ...] = NORMS
    python: Path = Path(sys.executable)
    missing: str = ""

    @property
    def is_peer(self) -> bool:
        """Whether ours are held against it: Keras and PyTorch."""
        return self.name not in (PLAIN, FREE, SCRIPT)


@dataclass(frozen=True)
class Torch:
    """The Python that has PyTorch, and which; or why there is none."""

    python: Path
    version: str = ""
    missing: str = ""


def one_run(torch: Torch) -> list[Contender]:
    """Those that train on all cores, one at a time; first ours, which the losses are held to."""
    published = Contender(
        SCRIPT, "report.bench.published", {"steps": SCRIPT_STEPS}, norms=("none",)
    )
    return [*two_runs(torch), _pytorch(torch, "compile"), published]


def two_runs(torch: Torch) -> list[Contender]:
    """Those of which two train side by side, on one thread each."""
    return [
        Contender(PLAIN, "report.bench.ours", {"implementation": "ours"}),
        Contender(FREE, "report.bench.ours", {"implementation": "free"}),
        Contender("Keras fit", "report.bench.keras_fit", norms=OF_KERAS),
        _pytorch(torch, "eager"),
        _pytorch(torch, "channels_last"),
    ]


def _pytorch(torch: Torch, variant: str) -> Contender:
    return Contender(
        f"PyTorch, {variant}", "report.bench.pytorch", {"variant": variant}, NORMS, torch.python,
        torch.missing,
    )  # fmt: skip
