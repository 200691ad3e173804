"""Every experiment by its name: a list of arms, each to be trained with each of its seeds."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from itertools import product

from normlib.arm import VALID, Arm, seed
from report.study.arms import (
    KERAS_BN,
    KERAS_LN,
    KERAS_LN_HIDDEN,
    NONE,
    OUR_BN,
    OUR_LN,
    OUR_LN_HIDDEN,
    OUR_WN,
    PILOT_SEEDS,
)  # fmt: skip
from report.study.claims import book, questions


@dataclass(frozen=True)
class Experiment:
    """A named list of arms, each to be trained with each of the seeds, and what it is for.

    Raises ValueError for a seed that is no whole number from 0.
    """

    name: str
    arms: tuple[Arm, ...]
    seeds: tuple[int, ...]
    purpose: str = ""

    def __post_init__(self):
        object.__setattr__(self, "arms", tuple(dict.fromkeys(self.arms)))
        object.__setattr__(self, "seeds", tuple(dict.fromkeys(map(seed, self.seeds))))

    def runs(self) -> list[tuple[Arm, int]]:
        """Every (arm, seed), arm by arm."""
        return [(arm, seed) for arm in self.arms for seed in self.seeds]


# The pilot, and what notebooks show of the published modes ---------------------------------------

LAYER_NORMS = (OUR_LN, KERAS_LN, OUR_LN_HIDDEN, KERAS_LN_HIDDEN)
PILOT = (NONE, OUR_BN, KERAS_BN, OUR_WN, *LAYER_NORMS)
MOVED = tuple(replace(arm, ulps=1) for arm in (OUR_BN, OUR_LN, OUR_LN_HIDDEN))


def pilots() -> list[Experiment]:
    """The published modes: with the claims' first seeds, and as pilot, twins and sample with three.

    A notebook that shows the former shows the runs of the ledger.
    """
    return [
        Experiment("baseline", (NONE,), book.FIRST, "notebook 00"),
        Experiment("batch_norm", (NONE, OUR_BN, KERAS_BN), book.FIRST, "notebook 01"),
        Experiment("layer_norm", (NONE, *LAYER_NORMS), book.FIRST, "notebook 02"),
        Experiment("weight_norm", (NONE, OUR_WN), book.FIRST, "notebook 03"),
        Experiment("pilot", PILOT, PILOT_SEEDS, "how many seeds it takes: notebook A1"),
        Experiment("twins", MOVED, PILOT_SEEDS, "how far one rounding carries: notebook 04"),
        Experiment("quick", tuple(arm.quick() for arm in PILOT), PILOT_SEEDS, "the quick profile"),
    ]


# The claims -------------------------------------------------------------------------------------


def of_claims() -> list[Experiment]:
    """The arms of every claim of the book, and the choice and use of best learning rates."""
    fixed = [claim for claim in book.CLAIMS.values() if not claim.rates]
    best = [claim for claim in book.CLAIMS.values() if claim.rates]
    left = [book.CLAIMS[name] for name in book.SECOND_LOOK]
    more = book.LAST[len(book.FIRST) :]
    rates = tuple(book.candidates())
    return [
        Experiment("headline", _arms(fixed), book.FIRST, "the claims: notebook A1"),
        Experiment("best_rates", _arms(best), book.FIRST, "claims at each norm's best rate"),
        Experiment("second_look", _arms(left), more, "claims that 30 seeds left open"),
        Experiment("learning_rates", rates, PILOT_SEEDS, "the choice of the best learning rates"),
    ]


def _arms(claims: Iterable[book.Claim]) -> tuple[Arm, ...]:
    return tuple(dict.fromkeys(arm for claim in claims for arm in claim.settings()))


# Which norm, when and why -------------------------------------------------------------------------


def of_questions() -> list[Experiment]:
    """The arms of every family of questions, and before them the choice of their rates.

    A choice that waits for another has no arms yet: report/claims.toml says what is chosen.
    """
    found = []
    for name, family in book.BOOK["families"].items():
        if name in questions.RATES:
            first, best = questions.candidates(name), questions.finalists(name)
            said = f"the choice of the learning rates of {name}"
            found.append(Experiment(f"{name}_rates", first, questions.CHOOSING[name], said))
            if best:
                found.append(Experiment(f"{name}_finalists", best, questions.MORE, said))
        arms = questions.of_family(name)
        found.append(Experiment(name, arms, questions.SEEDS[name], family["asks"]))
    return [experiment for experiment in found if experiment.arms]


# The exploratory sweeps: one setting at a time, few seeds; no verdict hangs on them -------------

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


def wide_learning_rates() -> list[Arm]:
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
    """BN and LN at each place, with each initialization, before and after ReLU; and none."""
    places = product(("batch", "layer"), ("conv", "hidden"), VALID["init"], VALID["relu"])
    normalized = [Arm(n, placement=p, init=i, relu=r, **SMALL) for n, p, i, r in places]
    return [Arm(init=init, **SMALL) for init in VALID["init"]] + normalized


def depths() -> list[Arm]:
    """More convolutions, each with its norm; He initialization, which does not depend on depth."""
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


def exploratory() -> list[Experiment]:
    """The sweeps of notebook A2."""
    families = {
        "six_evaluations": scored(OUR_BN, VALID["evaluation"]),
        "batch_sizes": batch_sizes(),
        "learning_rates_wide": wide_learning_rates(),
        "placement": placements(),
        "depth": depths(),
        "init_scale": init_scales(),
        "sorted": orders(),
        "rows": rows(),
        "datasets": datasets(),
    }
    seeds = {"six_evaluations": SEEDS_OF_SCORINGS}
    return [
        Experiment(name, tuple(arms), seeds.get(name, SEEDS), "notebook A2")
        for name, arms in families.items()
    ]


# What measures on the way: see `probes.py` ------------------------------------------------------

REDUCED = {"examples": 20000, "epochs": 2}  # 400 steps: measuring costs as much as the training
COMPARED = (NONE, OUR_BN, OUR_LN_HIDDEN, OUR_LN)
WEIGHTED = (NONE, OUR_WN, Arm("weight", "published"))


def probed() -> list[Experiment]:
    """The lengths of the weights, and the loss around them."""

    def arms(probe: str, plain: tuple[Arm, ...], **changes) -> tuple[Arm, ...]:
        return tuple(replace(arm, probe=probe, **changes) for arm in plain)

    return [
        Experiment("weights", arms("weights", WEIGHTED), PILOT_SEEDS, "notebook 03"),
        *(
            Experiment(probe, arms(probe, COMPARED, **REDUCED), SEEDS, "notebook A3")
            for probe in ("sharpness", "predictiveness")
        ),
    ]


EXPERIMENTS = {
    e.name: e for e in [*pilots(), *of_claims(), *of_questions(), *exploratory(), *probed()]
}
