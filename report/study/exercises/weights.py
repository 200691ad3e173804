"""Exercise 6: weight norm and its backward pass."""

import numpy as np

from report.study.exercises.exercise import FINITE, Arrays, Exercise, Fault, Property, close, same
from report.study.exercises.inputs import array, parameters


def _length(v, axes=(0,), length="root") -> np.ndarray:
    squares = (v**2).sum(axes, keepdims=True)
    if isinstance(length, float):  # an epsilon
        return np.sqrt(squares + length)
    return {
        "root": np.sqrt(squares),
        "none": squares,
        "average": np.sqrt((v**2).mean(axes, keepdims=True)),
        "absolute": abs(v).sum(axes, keepdims=True),
        "largest": abs(v).max(axes, keepdims=True),
        "one": 1.0,
    }[length]


def weight_norm(v, g, *, scale="g", division="right", centre="none", **switches) -> Arrays:
    """Return w."""
    v = v - v.mean(0) if centre == "mean" else v
    length = _length(v, **switches)
    factors = {"g": g, "none": 1.0, "1 + g": 1 + g, "exp": np.exp(g), "length": _length(v)}
    return (factors[scale] * v * (length if division == "multiplied" else 1 / length),)


def weight_norm_backward(
    dw, v, g, *, subtracted="unit", scale="g", division="right", dg="unit", order="right",
    **switches,
) -> Arrays:  # fmt: skip
    """Return dv and dg."""
    length = _length(v, **switches)
    unit = v / length
    sums = (dw * unit).sum(0)
    along = {
        "unit": sums * unit,
        "none": 0.0,
        "plus": -sums * unit,
        "half": sums * unit / 2,
        "v": (dw * v).sum(0) * v,
        "once": sums * v,
        "cubed": sums * unit / length,
        "w": (dw * g * unit).sum(0) * unit,
        "without g": sums * unit / g,
        "average": (dw * unit).mean(0) * unit,
        "everywhere": (dw * unit).sum() * unit,
    }[subtracted]
    divisor = {"right": length, "none": 1.0, "twice": length**2}[division]
    dv = {"g": g, "none": 1.0}[scale] / divisor * (dw - along)
    found = {
        "unit": sums,
        "v": (dw * v).sum(0),
        "w": (dw * g * unit).sum(0),
        "average": (dw * unit).mean(0),
        "dw": dw.sum(0),
    }[dg]
    return (dv, found) if order == "right" else (found, dv)


FORWARD = ("length = sqrt(sum of v**2 over axis 0)", "w = g * v / length")
BACKWARD = (
    "unit = v / length, with length = sqrt(sum of v**2 over axis 0)",
    "dg = sum of dw * unit over axis 0",
    "dv = g / length * (dw - dg * unit)",
)


def _length_faults(line: int) -> tuple[Fault, ...]:
    return (
        Fault("axes", (1,), "You take the length of v's rows; every column of v, an output unit, "
              "has its own: sum over axis 0.", line),
        Fault("axes", (0, 1), "There is one length for all of v; every column, an output unit, has "
              "its own: sum over axis 0.", line),
        Fault("length", "none", "You take the sum of the squares; the length is its root.", line),
        Fault("length", "average", "You average the squares; the length sums them.", line),
        Fault("length", "absolute", "You sum absolute values; the length is the root of the sum of "
              "the squares.", line),
        Fault("length", "largest", "You take the largest absolute value; the length is the root of "
              "the sum of the squares.", line),
        *(Fault("length", value, f"{value:g} is added to the sum of the squares; this formula has "
                "no epsilon, so the length of w would not be g.", line)
          for value in (1e-3, 1e-5)),
    )  # fmt: skip


WEIGHT_FAULTS = (
    *_length_faults(0),
    Fault("scale", "none", "g is left out.", 1),
    Fault("scale", "1 + g", "You multiply by 1 + g; g itself is the length of w.", 1),
    Fault("scale", "exp", "You multiply by exp(g); g itself is the length of w.", 1),
    Fault("scale", "length", "The length of v stands where g should, so w is v again.", 1),
    Fault("length", "one", "v is not divided by its length.", 1),
    Fault("division", "multiplied", "You multiply by the length of v; divide by it.", 1),
    Fault("centre", "mean", "You subtract a mean from v; weight norm does not centre.", 1),
)
BACKWARD_FAULTS = (
    *_length_faults(0),
    Fault("subtracted", "none", "Your backward pass takes the length of v for a constant: subtract "
          "the part of dw along v.", 2),
    Fault("subtracted", "plus", "The part of dw along v is added; subtract it.", 2),
    Fault("subtracted", "half", "Only half of the part of dw along v is subtracted; subtract all "
          "of it.", 2),
    Fault("subtracted", "v", "The part of dw along v is (sum of dw * unit) * unit; you have v in "
          "place of both units.", 2),
    Fault("subtracted", "once", "The part of dw along v is (sum of dw * unit) * unit; you have v "
          "in place of one unit.", 2),
    Fault("subtracted", "cubed", "The part of dw along v is (sum of dw * unit) * unit; yours is "
          "divided by the length once more.", 2),
    Fault("subtracted", "without g", "g multiplies dw alone; it multiplies the whole difference.",
          2),
    Fault("subtracted", "w", "The part of dw along v has a factor g too many; g multiplies the "
          "whole.", 2),
    Fault("subtracted", "average", "The part of dw along v is averaged over axis 0; sum it.", 2),
    Fault("subtracted", "everywhere", "The part of dw along v is a sum for every column; you sum "
          "over all columns.", 2),
    Fault("scale", "none", "g is missing in dv.", 2),
    Fault("division", "none", "dv is not divided by the length of v.", 2),
    Fault("division", "twice", "dv is divided by the length of v twice.", 2),
    Fault("dg", "v", "dg has v where it needs v / length.", 1),
    Fault("dg", "w", "dg has a factor g that it should not have: w is linear in g.", 1),
    Fault("dg", "average", "dg is averaged over axis 0; sum it.", 1),
    Fault("dg", "dw", "dg sums dw alone; multiply by v / length first.", 1),
)  # fmt: skip


def _unit(v):
    return v / np.sqrt((v**2).sum(0))


WEIGHT_PROPERTIES = (
    FINITE,
    Property(
        "every column of w has the length |g|", "weight norm sets the length of the weights apart",
        "compute the length of this v's columns by hand",
        lambda given, found, right: close((found["w"] ** 2).sum(0), given["g"] ** 2),
    ),
    Property(
        "every column of w has the direction of v, or the opposite where g < 0",
        "only the length changes", "look for what is added, or which axis a shape runs along",
        same("w"),
    ),
)  # fmt: skip
BACKWARD_PROPERTIES = (
    FINITE,
    Property(
        "dg is the slope of the loss along g", "g multiplies the unit vector of v",
        "how much does the loss grow if one g grows by a little?",
        same("dg"),
    ),
    Property(
        "dv stands at right angles to v in every column",
        "to make v longer changes nothing, so the loss has no slope in that direction",
        "follow what v does through its length",
        lambda given, found, right: close((found["dv"] * _unit(given["v"])).sum(0), 0),
    ),
    Property(
        "dv is the slope of the loss along v", "v acts by itself and through its length",
        "compare with a central difference, one element of v at a time",
        same("dv"),
    ),
)  # fmt: skip


def _weights(seed: int) -> list[tuple]:
    rng = np.random.default_rng(seed)
    found = [(array([3], [4]), array(2)), (array([3, 1], [4, 0]), array(2, -1))]
    for shape, size in ((5, 3), 1.0), ((4, 4), 1.0), ((2, 6), 1.0), ((6, 2), 0.02):
        v = size * rng.normal(0.5, rng.uniform(0.5, 2, shape[1]), shape)
        found.append((v, parameters(rng, shape[1])[0]))
    return found


def _gradients(seed: int) -> list[tuple]:
    rng = np.random.default_rng(seed)
    small = [array([1], [0]), array([1, 2], [0, 1])]
    weights = _weights(seed)
    more = [rng.normal(1, 1, v.shape) for v, _ in weights[len(small) :]]
    return [(dw, *given) for dw, given in zip([*small, *more], weights, strict=True)]


WEIGHT_NORM = Exercise(
    6, "weight_norm", ("v", "g"), ("w",), FORWARD, weight_norm, WEIGHT_FAULTS, _weights,
    WEIGHT_PROPERTIES,
)  # fmt: skip
WEIGHT_NORM_BACKWARD = Exercise(
    6, "weight_norm_backward", ("dw", "v", "g"), ("dv", "dg"), BACKWARD, weight_norm_backward,
    BACKWARD_FAULTS, _gradients, BACKWARD_PROPERTIES,
)  # fmt: skip
