"""The exploratory sweeps: one setting at a time, with few seeds; no verdict hangs on them."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import product

from normlib.arms import NONE, OUR_BN, OUR_LN, OUR_LN_HIDDEN, OUR_WN, VALID, Arm, Experiment

SEEDS = (0, 1, 2, 3, 4)
# All scorings must be of one training, and the pilot has some of its seeds', perhaps of another
# processor, whose rounding makes other weights.
SEEDS_OF_SCORINGS = (3, 4, 5, 6, 7)
SMALL = {"examples": 10_000, "epochs": 1}  # what most sweeps train on
RATES = (1e-4, 3e-4, 1e-3, 3e-3, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0)
MINIBATCHES = (1, 2, 4, 20, 100, 500)  # all divide the number of images
BLOCKS = (1, 4, 8)
STDS = (0.001, 0.01, 0.1, 1.0, 10.0)
OF_BATCHES = ("running", "batch", "re-estimated")  # how BN is scored where minibatches differ


def learning_rates() -> list[Arm]:
    """Each norm at every rate, scored on the validation split: a best one is chosen by eye."""
    norms = (NONE, OUR_BN, OUR_LN_HIDDEN, OUR_WN)
    return [
        replace(arm, learning_rate=rate, scored_on="validation", **SMALL)
        for arm, rate in product(norms, RATES)
    ]


def batch_sizes() -> list[Arm]:
    """Equally many images in each; the learning rate in proportion to the minibatch."""
    arms = (NONE, *scored(OUR_BN, OF_BATCHES), OUR_LN)
    return [
        replace(arm, batch_size=size, learning_rate=size / 10_000, **SMALL)
        for arm, size in product(arms, MINIBATCHES)
    ]


def placements() -> list[Arm]:
    """BN and LN at each place, with each initialisation, before and after ReLU; and none."""
    places = product(("batch", "layer"), ("conv", "hidden"), VALID["init"], VALID["relu"])
    normalized = [Arm(n, placement=p, init=i, relu=r, **SMALL) for n, p, i, r in places]
    return [Arm(init=init, **SMALL) for init in VALID["init"]] + normalized


def depths() -> list[Arm]:
    """More convolutions, each with its norm; He initialisation, which does not depend on depth."""
    arms = product((NONE, OUR_BN, OUR_LN, OUR_WN), BLOCKS)
    return [replace(arm, blocks=blocks, init="he", **SMALL) for arm, blocks in arms]


def init_scales() -> list[Arm]:
    """Initial weights from N(0, std**2), five standard deviations."""
    arms = product((NONE, OUR_BN, OUR_LN, OUR_LN_HIDDEN), STDS)
    return [replace(arm, std=std, **SMALL) for arm, std in arms]


def orders() -> list[Arm]:
    """Shuffled minibatches, and minibatches of one class; BN scored in four ways."""
    arms = (NONE, *scored(OUR_BN, (*OF_BATCHES, "one class")), OUR_LN)
    return [replace(a, shuffle=s, **SMALL) for a, s in product(arms, ("full", "sorted"))]


def rows() -> list[Arm]:
    """The network that reads an image row by row, on all images."""
    ours = [Arm(norm, network="rnn", epochs=2) for norm in ("none", "layer", "rms", "batch")]
    return [*ours, replace(ours[-1], implementation="shared")]


def datasets() -> list[Arm]:
    """None and each norm on either data set."""
    norms = (NONE, OUR_BN, OUR_LN, OUR_LN_HIDDEN, OUR_WN)
    return [replace(a, dataset=name, **SMALL) for name, a in product(VALID["dataset"], norms)]


def scored(arm: Arm, evaluations: Iterable[str]) -> list[Arm]:
    """The same training, scored in each of these ways."""
    return [replace(arm, evaluation=evaluation) for evaluation in evaluations]


def _experiment(name: str, arms: Sequence[Arm]) -> Experiment:
    seeds = SEEDS_OF_SCORINGS if name == "six_evaluations" else SEEDS
    return Experiment(name, tuple(arms), seeds, "notebook 09")


_FAMILIES = {
    "six_evaluations": scored(OUR_BN, VALID["evaluation"]),
    "batch_sizes": batch_sizes(),
    "learning_rates_wide": learning_rates(),
    "placement": placements(),
    "depth": depths(),
    "init_scale": init_scales(),
    "sorted": orders(),
    "rows": rows(),
    "datasets": datasets(),
}
EXPERIMENTS = {name: _experiment(name, arms) for name, arms in _FAMILIES.items()}
