"""Exercises 3 and 5: the backward passes of batch norm and layer norm."""

from functools import partial

import numpy as np

from report.study.exercises.exercise import FINITE, Arrays, Exercise, Fault, Property, close, same
from report.study.exercises.forward import moments, standardize
from report.study.exercises.inputs import MATRICES, TRANSPOSED, array, random_inputs


def norm_backward(
    dy, x, gamma, epsilon, *, axes, averaged=None, count="n", at="inside", gamma_in="everywhere",
    divisor="n", through_mean="right", through_variance="right", direct="right", whole="right",
    dgamma="x_hat", dbeta="sum", order="right",
) -> Arrays:  # fmt: skip
    """Return dx, dgamma and dbeta of a norm with one gamma and beta for each column."""
    mean, variance = moments(x, axes, count=count)
    x_hat = standardize(x, mean, variance, epsilon, at)
    inv_std = standardize(1.0, 0.0, variance, epsilon, at)
    n = x.size / mean.size
    outer = gamma if gamma_in == "outside" else 1
    dx_hat = dy * {"nowhere": 1, "outside": 1, "twice": gamma**2}.get(gamma_in, gamma)
    inner = dy if gamma_in == "direct" else dx_hat  # what is averaged
    averages = (a.mean(averaged or axes, keepdims=True) for a in (inner, inner * x_hat))
    along_mean, along_x_hat = (n**2 / x.size * a if divisor == "others" else a for a in averages)
    factors = {"right": 1, "none": 0, "minus": -1, "sum": n, "half": 1 / 2, "twice": 2, "thrice": 3}
    factors |= {"inv_std": inv_std**-2, "inv_std**2": 1 / inv_std}
    carried = {"not centred": x * inv_std, "no x_hat": np.ones_like(x)}.get(through_variance, x_hat)
    mean_term = factors[through_mean] * along_mean
    variance_term = factors.get(through_variance, 1) * carried * along_x_hat
    direct_term = {"right": dx_hat, "no inv_std": dx_hat / inv_std, "none": 0}[direct]
    dx = outer * inv_std * (direct_term - mean_term - variance_term)
    wholes = {"right": 1, "minus": -1, "1 / n": 1 / n, "n": n, "inv_std": inv_std}
    wholes["no inv_std"] = 1 / inv_std
    rows = {"x_hat": dy * x_hat, "centred": dy * (x - mean), "x": dy * x,
            "gamma": dy * gamma * x_hat, "average": dy * x_hat / len(x)}  # fmt: skip
    more = {"sum": dy, "average": dy / len(x), "gamma": dy * gamma}
    found = rows[dgamma].sum(0), more[dbeta].sum(0)
    return (dx * wholes[whole], *(found if order == "right" else found[::-1]))


FORMULA = (
    "x_hat = (x - mean) * inv_std, where inv_std = 1 / sqrt(variance + epsilon)",
    "dx_hat = gamma * dy",
    "dx = inv_std * (dx_hat - average(dx_hat) - x_hat * average(dx_hat * x_hat))",
    "dgamma = sum of dy * x_hat over the batch, axis 0",
    "dbeta = sum of dy over the batch, axis 0",
)
FAULTS = (
    Fault("count", "n - 1", "Your variance divides by n − 1; divide by n.", 0),
    Fault("at", "none", "epsilon is left out.", 0),
    Fault("at", "outside", "epsilon stands outside the root; it belongs inside, beside the "
          "variance.", 0),
    *(Fault("at", value, f"epsilon is {value:g} in your code, whatever the argument says.", 0)
      for value in (1e-5, 1e-8)),
    Fault("gamma_in", "nowhere", "gamma is missing in dx.", 1),
    Fault("gamma_in", "twice", "gamma multiplies dx twice.", 1),
    Fault("through_mean", "none", "Your backward pass takes the mean for a constant: each x moves "
          "it.", 2),
    Fault("through_mean", "minus", "The term that comes through the mean has the wrong sign.", 2),
    Fault("through_mean", "sum", "The term that comes through the mean is a sum and should be an "
          "average: divide by n.", 2),
    Fault("through_mean", "twice", "The term that comes through the mean is subtracted twice.", 2),
    Fault("through_variance", "none", "Your backward pass takes the variance for a constant: each "
          "x moves it.", 2),
    Fault("through_variance", "minus", "The term that comes through the variance has the wrong "
          "sign.", 2),
    Fault("through_variance", "sum", "The term that comes through the variance is a sum and should "
          "be an average: divide by n.", 2),
    Fault("through_variance", "half", "The term that comes through the variance is half of what it "
          "should be: the derivative of (x - mean)**2 has a factor 2.", 2),
    Fault("through_variance", "twice", "The term that comes through the variance is twice what it "
          "should be: the derivative of the root has a factor 1/2.", 2),
    Fault("through_variance", "thrice", "The term that comes through the variance is three times "
          "what it should be: the derivative of v**(-1/2) has the factor -1/2, not -3/2.", 2),
    Fault("through_variance", "no x_hat", "The term that comes through the variance lacks its "
          "factor x_hat.", 2),
    Fault("through_variance", "inv_std", "The derivative of 1 / sqrt(v) is -v**(-3/2) / 2, so it "
          "needs inv_std**3; you have inv_std.", 2),
    Fault("through_variance", "inv_std**2", "The derivative of 1 / sqrt(v) is -v**(-3/2) / 2, so "
          "it needs inv_std**3; you have inv_std**2.", 2),
    Fault("through_variance", "not centred", "The term that comes through the variance has x where "
          "it needs x - mean.", 2),
    Fault("direct", "no inv_std", "The first term of dx, dx_hat, lacks its factor inv_std.", 2),
    Fault("direct", "none", "The first term of dx is missing: dx_hat itself, beside what comes "
          "through mean and variance.", 2),
    Fault("whole", "minus", "dx has the wrong sign.", 2),
    Fault("whole", "1 / n", "dx is divided by n once too often.", 2),
    Fault("whole", "n", "dx lacks a division by n.", 2),
    Fault("whole", "inv_std", "dx has a factor inv_std too many: it divides by the variance.", 2),
    Fault("whole", "no inv_std", "dx lacks its factor inv_std.", 2),
    Fault("dgamma", "centred", "dgamma has x - mean where it needs x_hat: divide by the standard "
          "deviation.", 3),
    Fault("dgamma", "x", "dgamma has x where it needs x_hat.", 3),
    Fault("dgamma", "gamma", "dgamma has a factor gamma that it should not have: y is linear in "
          "gamma.", 3),
    Fault("dgamma", "average", "dgamma is averaged over the batch; sum it.", 3),
    Fault("dbeta", "average", "dbeta is averaged over the batch; sum it.", 4),
    Fault("dbeta", "gamma", "dbeta has a factor gamma that it should not have: beta is added "
          "after gamma multiplies.", 4),
    Fault("order", "swapped", "dgamma and dbeta are returned in the wrong order.", 3),
)  # fmt: skip
BATCH = (
    Fault("averaged", (1,), "mean and variance are over the batch, but the averages in dx over the "
          "features; these are over the batch, axis 0, too.", 2),
    Fault("divisor", "others", "The averages in dx divide by the number of features; divide by "
          "that of the examples, which they sum over.", 2),
    Fault("axes", (1,), "You average over the features; batch norm's mean and variance are over "
          "the batch, axis 0, and so are the averages in dx.", 2),
    Fault("axes", (0, 1), "You average over everything; batch norm's mean and variance are over "
          "the batch, axis 0, and so are the averages in dx.", 2),
)  # fmt: skip
LAYER = (
    Fault("averaged", (0,), "mean and variance are over the features, but the averages in dx over "
          "the batch; these are over the features, axis 1, too.", 2),
    Fault("divisor", "others", "The averages in dx divide by the number of examples; divide by "
          "that of the features, which they sum over.", 2),
    Fault("axes", (0,), "You average over the batch, as batch norm does; layer norm's mean and "
          "variance are over the features, axis 1, and so are the averages in dx.", 2),
    Fault("axes", (0, 1), "You average over everything; layer norm's mean and variance are over "
          "the features, axis 1, and so are the averages in dx.", 2),
    Fault("gamma_in", "outside", "gamma is taken out of the averages, as in batch norm; in layer "
          "norm it differs between the features that are averaged, so it stays inside.", 2),
    Fault("gamma_in", "direct", "gamma is missing in the two averages of dx.", 2),
)  # fmt: skip
CONSTANTS = {
    frozenset({("through_mean", "none"), ("through_variance", "none")}): (
        "Your backward pass takes the mean and the variance for constants: each x moves both."
    )
}


def _properties(axes: tuple[int, ...], each: str) -> tuple[Property, ...]:
    def sums_to_zero(given, found, right):
        size = max(1.0, abs(right["dx"]).max())
        return close(found["dx"].sum(axes) / size, 0)

    return (
        FINITE,
        Property("dbeta is the slope of the loss along beta", "beta is added to every example's y",
                 "how much does the loss grow if one beta grows by a little?", same("dbeta")),
        Property("dgamma is the slope of the loss along gamma", "gamma multiplies x_hat",
                 "how much does the loss grow if one gamma grows by a little?", same("dgamma")),
        Property(f"dx sums to 0 in {each}", "to add a constant to x changes nothing, so the loss "
                 "has no slope in that direction",
                 "follow what x does through the mean", sums_to_zero),
        Property("dx is the slope of the loss along x", "x acts in three ways: by itself, through "
                 "the mean, and through the variance",
                 "differentiate one line at a time, and compare each with a central difference",
                 same("dx")),
    )  # fmt: skip


def _with_dy(small: list[tuple], shapes: list[tuple], seed: int) -> list[tuple]:
    rng = np.random.default_rng(seed + 1)
    inputs = random_inputs(seed, shapes)
    return small + [(rng.normal(1, 1, x.shape), x, gamma, e) for x, gamma, _, e in inputs]


SMALL_BATCH = [
    (array([1], [0]), array([1], [3]), array(2), 3.0),
    (array([1], [2], [0]), array([0], [3], [6]), array(2), 3.0),
    (array([1, 0], [2, 1]), array([1, 0], [3, 4]), array(2, -1), 5.0),
]
SMALL_LAYER = [
    (array([1, 0]), array([1, 3]), array(2, -1), 3.0),
    (array([1, 2, 0]), array([0, 3, 6]), array(2, 1, -1), 3.0),
    (array([1, 2], [0, 1]), array([1, 3], [0, 4]), array(2, -1), 5.0),
]
BATCH_NORM_BACKWARD, LAYER_NORM_BACKWARD = (
    Exercise(
        number, name, ("dy", "x", "gamma", "epsilon"), ("dx", "dgamma", "dbeta"), FORMULA,
        partial(norm_backward, axes=axes), known + FAULTS, partial(_with_dy, small, shapes),
        _properties(axes, each), together=CONSTANTS,
    )
    for number, name, axes, known, small, shapes, each in (
        (3, "batch_norm_backward", (0,), BATCH, SMALL_BATCH, MATRICES, "every feature"),
        (5, "layer_norm_backward", (1,), LAYER, SMALL_LAYER, TRANSPOSED, "every example"),
    )
)  # fmt: skip
