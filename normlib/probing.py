"""The experiments that measure on the way (see `probes.py`): exploratory, none decides a claim."""

from dataclasses import replace

from normlib.arms import NONE, OUR_BN, OUR_LN, OUR_LN_HIDDEN, OUR_WN, PILOT_SEEDS, Arm, Experiment

SEEDS = (0, 1, 2, 3, 4)
EXAMPLES, EPOCHS = 20000, 2  # 400 steps: what is measured costs as much as the training


def _probed(probe: str, arms: tuple[Arm, ...], seeds: tuple[int, ...], **changes) -> Experiment:
    return Experiment(probe, tuple(replace(arm, probe=probe, **changes) for arm in arms), seeds)


REDUCED = {"examples": EXAMPLES, "epochs": EPOCHS}
COMPARED = (NONE, OUR_BN, OUR_LN_HIDDEN, OUR_LN)
EXPERIMENTS = {
    "weights": _probed("weights", (NONE, OUR_WN, Arm("weight", "published")), PILOT_SEEDS),
    "sharpness": _probed("sharpness", COMPARED, SEEDS, **REDUCED),
    "predictiveness": _probed("predictiveness", COMPARED, SEEDS, **REDUCED),
}
