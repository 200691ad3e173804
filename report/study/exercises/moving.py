"""Exercise 2: batch norm with moving statistics, in training and at inference."""

import numpy as np

from report.study.exercises.exercise import FINITE, Arrays, Exercise, Fault, Property, close, same
from report.study.exercises.forward import moments, scale_and_shift, standardize
from report.study.exercises.inputs import array, drawn
from report.study.exercises.norms import SCALE_AND_SHIFT, TOGETHER

OLD = {"old": lambda m: m, "new": lambda m: 1 - m, "0.9": lambda m: 0.9, "0.99": lambda m: 0.99}
STORED = {
    "variance": lambda x, variance, epsilon: variance,
    "n - 1": lambda x, variance, epsilon: variance * len(x) / (len(x) - 1),
    "deviation": lambda x, variance, epsilon: np.sqrt(variance),
    "with epsilon": lambda x, variance, epsilon: variance + epsilon,
    "root with epsilon": lambda x, variance, epsilon: np.sqrt(variance + epsilon),
    "inverse": lambda x, variance, epsilon: 1 / np.sqrt(variance + epsilon),
    "square": lambda x, variance, epsilon: np.mean(x**2, 0, keepdims=True),
}


def batch_norm_moving(
    x, gamma, beta, moving_mean, moving_variance, training, momentum, epsilon, *, mode="right",
    trains_with="batch", infers_with="moving", updates="training", old="old", rule="average",
    averaged="both", count="n", stored="variance", order="right", at="inside", power="root",
    scaled="always", scale="gamma", shift="beta",
) -> Arrays:  # fmt: skip
    """Return y, the new moving mean and the new moving variance."""
    training = training != (mode == "inverted")
    batch = moments(x, (0,), count=count)
    moving = moving_mean[None], moving_variance[None]
    weight = OLD[old](momentum)
    keep = {"sum": 1.0, "replaced": 0.0}.get(rule, weight)
    take = 1.0 if rule in ("undamped", "replaced") else 1 - weight
    mean, variance = moving
    inference_updates = infers_with == "updated" and not training
    if {"training": training, "always": True, "never": False}[updates] or inference_updates:
        if averaged == "both":
            mean = keep * mean + take * batch[0]
        if stored != "nothing":
            variance = keep * variance + take * STORED[stored](x, batch[1], epsilon)
    choice = trains_with if training else infers_with
    used = {"batch": batch, "moving": moving, "updated": (mean, variance),
            "batch variance": (moving[0], batch[1])}[choice]  # fmt: skip
    place, _, only = at.partition(" ")
    elsewhere = only == ("at inference" if training else "in training")
    at = "inside" if elsewhere else place
    power = "root" if training and power == "none at inference" else power.split()[0]
    y = standardize(x, *used, epsilon, at=at, power=power)
    if training or scaled == "always":
        y = scale_and_shift(y, gamma, beta, scale, shift)
    found = mean[0], variance[0]
    return (y, *(found if order == "right" else found[::-1]))


FORMULA = (
    "training: mean, variance = those of x over the batch, axis 0",
    "inference: mean, variance = moving_mean, moving_variance",
    "y = gamma * (x - mean) / sqrt(variance + epsilon) + beta",
    "training: moving_mean = momentum * moving_mean + (1 - momentum) * mean",
    "training: moving_variance = momentum * moving_variance + (1 - momentum) * variance",
    "inference: moving_mean and moving_variance stay",
)
FAULTS = (
    Fault("mode", "inverted", "Training and inference are swapped.", 0),
    Fault("trains_with", "moving", "In training you normalize with the moving statistics; take "
          "those of the batch.", 0),
    Fault("trains_with", "updated", "In training you normalize with the moving statistics just "
          "updated; take those of the batch.", 0),
    Fault("infers_with", "batch", "At inference you normalize with the statistics of the batch; "
          "take the moving ones.", 1),
    Fault("infers_with", "updated", "At inference you update the moving statistics and normalize "
          "with the new ones; leave them as they are.", 1),
    Fault("infers_with", "batch variance", "At inference you take the moving mean, but the "
          "variance of the batch; take the moving variance.", 1),
    Fault("updates", "always", "You update the moving statistics at inference too; leave them "
          "as they are.", 5),
    Fault("old", "new", "The momentum weights the new value; here it weights the old one "
          "(PyTorch's convention is the other).", 3),
    Fault("old", "0.9", "The momentum is 0.9 in your code, whatever the argument says.", 3),
    Fault("old", "0.99", "The momentum is 0.99 in your code, whatever the argument says.", 3),
    Fault("updates", "never", "The moving statistics are not updated, or not returned.", 3),
    Fault("averaged", "variance", "The moving mean is not updated.", 3),
    Fault("stored", "nothing", "The moving variance is not updated.", 4),
    Fault("rule", "sum", "The old moving statistics keep their whole weight; weight them "
          "with momentum.", 3),
    Fault("rule", "undamped", "The statistics of the batch get their whole weight; weight "
          "them with 1 - momentum.", 3),
    Fault("rule", "replaced", "The moving statistics become those of this batch alone; average "
          "them with the old ones.", 3),
    Fault("count", "n - 1", "Your variance divides by n − 1; batch norm divides by n.", 0),
    Fault("stored", "n - 1", "The moving variance averages variances that divide by n − 1, as "
          "PyTorch's does; here, as in Keras, they divide by n.", 4),
    Fault("stored", "deviation", "The moving variance averages standard deviations; average the "
          "variances.", 4),
    Fault("stored", "root with epsilon", "The moving variance averages sqrt(variance + epsilon); "
          "average the variances.", 4),
    Fault("stored", "with epsilon", "The moving variance has epsilon in it; epsilon is added "
          "where you divide, and nowhere else.", 4),
    Fault("stored", "inverse", "The moving variance averages 1 / sqrt(variance + epsilon); average "
          "the variances.", 4),
    Fault("stored", "square", "The moving variance averages the mean of x**2; subtract the mean "
          "before you square.", 4),
    Fault("order", "swapped", "The moving mean and the moving variance are returned in the wrong "
          "order.", 3),
    *(Fault("at", f"outside{mode}", f"epsilon stands outside the root{mode}; it belongs inside, "
            "beside the variance.", 2) for mode in ("", " in training", " at inference")),
    *(Fault("at", f"none{mode}", f"epsilon is left out{mode}.", 2)
      for mode in ("", " in training", " at inference")),
    Fault("power", "none", "You divide by the variance; divide by its root.", 2),
    Fault("power", "none at inference", "At inference you divide by the variance; divide by its "
          "root.", 2),
    *(fault._replace(line=2) for fault in SCALE_AND_SHIFT),
    Fault("scaled", "in training", "At inference gamma and beta are left out.", 2),
)  # fmt: skip


def _kept(given, found, right) -> bool:
    names = "moving_mean", "moving_variance"
    return given["training"] or all(close(found[name], given[name]) for name in names)


PROPERTIES = (
    FINITE,
    Property(
        "at inference the moving statistics are returned as they came",
        "a network that is tested does not learn from its test data",
        "look at what you return where training is False", _kept,
    ),
    Property(
        "in training y is that of exercise 1", "the moving statistics only watch",
        "call your function of exercise 1 on this input, and compare",
        lambda given, found, right: not given["training"] or close(found["y"], right["y"]),
    ),
    Property(
        "at inference y has the formula of exercise 1 with the moving statistics in it",
        "what an example gets does not depend on the others in its batch",
        "look at which mean and variance reach y where training is False, and what becomes of them",
        same("y"),
    ),
    Property(
        "after training the moving mean is a weighted average of the old one and the batch's",
        "it forgets the past at the rate 1 - momentum",
        "compute the moving mean of this input by hand",
        same("moving_mean"),
    ),
    Property(
        "after training the moving variance is a weighted average of the old one and the batch's",
        "it forgets the past at the rate 1 - momentum",
        "compute the moving variance of this input by hand",
        same("moving_variance"),
    ),
)  # fmt: skip


def _inputs(seed: int) -> list[tuple]:
    one, zero = array(1), array(0)
    rng = np.random.default_rng(seed)
    found = [
        (array([1], [3]), one, zero, array(4), array(6), True, 0.75, 3.0),
        (array([1], [3]), one, zero, array(4), array(6), False, 0.75, 3.0),
    ]
    for shape, training, momentum, epsilon in (
        ((4, 2), True, 0.8, 0.5), ((3, 3), False, 0.6, 0.3), ((5, 3), True, 0.95, 0.1),
        ((6, 4), False, 0.7, 0.2), ((6, 3), True, 0.3, 1e-5), ((3, 4), False, 0.3, 1e-5),
    ):  # fmt: skip
        small = epsilon < 1e-3
        x, gamma, beta, _ = drawn(rng, shape, epsilon, size=0.003 if small else 1.0)
        mean = rng.normal(3, 1, shape[1]) * (0.003 if small else 1)
        variance = rng.uniform(0.5, 9, shape[1]) * (1e-5 if small else 1)
        found.append((x, gamma, beta, mean, variance, training, momentum, epsilon))
    return found


BATCH_NORM_MOVING = Exercise(
    2, "batch_norm_moving",
    ("x", "gamma", "beta", "moving_mean", "moving_variance", "training", "momentum", "epsilon"),
    ("y", "moving_mean", "moving_variance"), FORMULA, batch_norm_moving, FAULTS, _inputs,
    PROPERTIES, together=TOGETHER,
)  # fmt: skip
