"""Who is measured: ours, the published script's way, Keras, PyTorch; and against whom."""

import sys
from dataclasses import dataclass, field
from pathlib import Path

NORMS = ("none", "weight", "batch", "layer")
SHORT = {"none": "none", "weight": "WN", "batch": "BN", "layer": "LN"}
PUBLISHED_STEPS = 2  # a block: the published script's way takes that long


@dataclass(frozen=True)
class Contender:
    """A module that trains blocks in a process of its own, what it is told, why it cannot run."""

    name: str
    norm: str
    module: str
    options: dict = field(default_factory=dict)
    python: Path = Path(sys.executable)
    missing: str = ""


@dataclass(frozen=True)
class Torch:
    """The Python that has PyTorch, or why there is none."""

    python: Path
    missing: str = ""


def ours(norm: str, what: str = "", **options) -> Contender:
    """An arm of ours, `what` saying how it differs from the plain one."""
    return Contender(", ".join(filter(None, ["ours", what])), norm, "report.bench.ours", options)


def folded() -> Contender:
    """Batch norm folded into the convolution."""
    return ours("batch", "folded", implementation="folded")


def keras(norm: str) -> list[Contender]:
    """Keras's `fit`; it has no weight norm."""
    if norm == "weight":
        return []
    return [
        Contender(name, norm, "report.bench.keras_fit", {"jit_compile": jit})
        for name, jit in (("Keras fit", False), ("Keras fit, XLA", True))
    ]


def pytorch(norm: str, torch: Torch, *variants: str) -> list[Contender]:
    """PyTorch in these variants."""
    return [
        Contender(
            f"PyTorch, {variant}", norm, "report.bench.pytorch", {"variant": variant},
            torch.python, torch.missing,
        ) for variant in variants
    ]  # fmt: skip


def step_groups(torch: Torch) -> dict[str, list[Contender]]:
    """Those that train a norm with all cores, one at a time; ours, the measure, is first.

    BN's group holds ours without a norm too: what a norm costs is a ratio in one group.
    """
    groups = {
        norm: [ours(norm), *keras(norm),
               *pytorch(norm, torch, "eager", "channels_last", "compile")]
        for norm in NORMS
    }  # fmt: skip
    groups["batch"] += [folded(), ours("none")]
    way = {"steps": PUBLISHED_STEPS}
    groups["none"].append(
        Contender("the published script's way", "none", "report.bench.published", way)
    )
    return groups


def sweep_groups(torch: Torch) -> dict[str, list[Contender]]:
    """Those that train a norm in one-thread processes, one a core."""
    groups = {
        norm: [ours(norm), *keras(norm)[:1], *pytorch(norm, torch, "eager", "channels_last")]
        for norm in NORMS
    }
    groups["batch"].append(folded())
    return groups
