"""Exercises 1, 4 and 7: the forward passes of batch norm, layer norm, and batch norm of images."""

from functools import partial

import numpy as np

from report.study.exercises.exercise import FINITE, Exercise, Fault, Property, close, same
from report.study.exercises.forward import norm
from report.study.exercises.inputs import MATRICES, TRANSPOSED, array, drawn, random_inputs


def formula(axes: str) -> tuple[str, ...]:
    """The lines that the faults below refer to."""
    return (
        f"mean = average of x over {axes}",
        f"variance = average of (x - mean)**2 over {axes}",
        "x_hat = (x - mean) / sqrt(variance + epsilon)",
        "y = gamma * x_hat + beta",
    )


EPSILON = (
    Fault("at", "outside", "epsilon stands outside the root; it belongs inside, beside the "
          "variance.", 2),
    Fault("at", "twice", "epsilon is added twice; it belongs inside the root alone.", 2),
    Fault("at", "none", "epsilon is left out.", 2),
    Fault("at", "after", "epsilon is added after the division; it belongs to the variance, inside "
          "the root: mind the parentheses.", 2),
    Fault("at", "floor", "You take epsilon as a floor, max(variance, epsilon); add it to the "
          "variance.", 2),
    *(Fault("at", value, f"epsilon is {value:g} in your code, whatever the argument says.", 2)
      for value in (1e-3, 1e-5, 1e-6, 1e-7, 1e-8)),
)  # fmt: skip
SCALE_AND_SHIFT = (
    Fault("scale", "none", "gamma is left out.", 3),
    Fault("scale", "1 + gamma", "You multiply by 1 + gamma; gamma itself is the factor.", 3),
    Fault("scale", "1 / gamma", "You divide by gamma; multiply by it.", 3),
    Fault("scale", "beta", "beta stands where gamma should.", 3),
    Fault("shift", "none", "beta is left out.", 3),
    Fault("shift", "minus", "beta is subtracted; add it.", 3),
    Fault("shift", "inside", "You add beta before gamma multiplies; add it last.", 3),
    Fault("shift", "gamma", "gamma stands where beta should.", 3),
)
TOGETHER = {
    frozenset({("scale", "beta"), ("shift", "gamma")}): "gamma and beta are swapped.",
    frozenset({("scale", "none"), ("shift", "none")}): "gamma and beta are left out.",
    frozenset({("spread", "square"), ("centre", "none")}): (
        "The mean is subtracted nowhere, neither from x nor in the variance: this is RMS norm."
    ),
}


def faults(name: str, others: str) -> tuple[Fault, ...]:
    """What goes wrong in this norm, whatever its axes; `others` are those that it keeps."""
    return (
        Fault("spread", "square", "Your variance is the average of x**2: subtract the mean before "
              "you square.", 1),
        Fault("spread", "absolute", "The mean absolute deviation stands for the standard "
              "deviation, which is the root of the mean square of x - mean.", 1),
        Fault("count", "n - 1", f"Your variance divides by n − 1; {name} divides by n.", 1),
        Fault("count", "1", "Your variance sums the squares; divide the sum by n.", 1),
        Fault("count", "others", f"Your variance divides by the number of {others}; divide by the "
              "number of squares that you sum.", 1),
        *EPSILON,
        Fault("power", "none", "You divide by the variance; divide by its root.", 2),
        Fault("power", "square", "You square the variance where you should take its root.", 2),
        Fault("power", "fourth root", "You take the root twice: the standard deviation is one "
              "already.", 2),
        Fault("power", "multiplied", "You multiply by the standard deviation; divide by it.", 2),
        Fault("centre", "none", "The mean is not subtracted from x.", 2),
        Fault("centre", "minus", "You subtract x from the mean; subtract the mean from x.", 2),
        Fault("centre", "precedence", "Only the mean is divided by the standard deviation: put "
              "x - mean into parentheses.", 2),
        *SCALE_AND_SHIFT,
    )  # fmt: skip


def _apart(r: tuple, w: tuple, over: str, instead: str) -> tuple[Fault, ...]:
    """One of mean and variance over the wrong axes w, the other over the right ones r.

    The variance is around a mean of its own, or around that which is subtracted.
    """
    both = f"{instead}; mean and variance are both over {over}."
    return (
        Fault("axes", (w, r, r), f"The mean that you subtract from x is over {both}", 0),
        Fault("axes", (w, r, w), f"Your mean is over {both}", 0),
        Fault("axes", (r, w, w), f"Your variance is over {both}", 1),
        Fault("axes", (r, w, r), f"Your variance averages (x - mean)**2 over {both}", 1),
    )


def _of_matrices(name: str, r: tuple, w: tuple, over: str, instead: str) -> tuple[Fault, ...]:
    return (
        *_apart(r, w, over, instead),
        Fault("axes", w, f"You average over {instead}; {name} averages over {over}.", 0),
        Fault("axes", (-2, -1), "You take one mean and one variance of everything; take them "
              f"over {over}.", 0),
    )  # fmt: skip


BATCH_AXES = _of_matrices("batch norm", (0,), (1,), "the batch, axis 0", "the features")
# Counted from the end, for exercise 8 stacks its inputs.
LAYER_AXES = _of_matrices("layer norm", (-1,), (-2,), "the features, axis 1", "the batch")
IMAGE_AXES = (
    *_apart((0, 1, 2), (0, 1, 2, 3), "the axes (0, 1, 2)", "everything"),
    Fault("axes", (0,), "You normalize over the batch alone: images need (0, 1, 2).", 0),
    Fault("axes", (1, 2), "You normalize each image for itself, which is instance norm: batch norm "
          "needs (0, 1, 2).", 0),
    Fault("axes", (1, 2, 3), "You normalize each image with all its channels, which is layer norm: "
          "batch norm needs (0, 1, 2).", 0),
    Fault("axes", (3,), "You average over the channels; keep them, and average over the axes "
          "(0, 1, 2).", 0),
    Fault("axes", (0, 1, 2, 3), "You take one mean and one variance of everything; each channel "
          "needs its own, over (0, 1, 2).", 0),
    Fault("axes", (0, 2, 3), "(0, 2, 3) are the axes for images with the channels first; here they "
          "come last: (0, 1, 2).", 0),
    Fault("axes", (0, 1), "You leave out axis 2, the columns: images need (0, 1, 2).", 0),
    Fault("axes", (0, 2), "You leave out axis 1, the rows: images need (0, 1, 2).", 0),
    Fault("axes", "scrambled", "reshape(C, -1) mixes the channels, which come last; use "
          "reshape(-1, C), or the axes (0, 1, 2).", 0),
    Fault("spread", "within", "You average the variances of the positions; a channel's variance is "
          "that of all its elements, around one mean.", 1),
    Fault("count", "N", "Your variance divides by the number of images; divide by the number of "
          "squares that you sum, N·H·W.", 1),
)  # fmt: skip

# Properties --------------------------------------------------------------------------------------


def _x_hat(given: dict, outputs: dict) -> np.ndarray:
    return (outputs["y"] - given["beta"]) / given["gamma"]


def properties(axes: tuple[int, ...], each: str) -> tuple[Property, ...]:
    """What a norm over these axes does to `each` set of elements that share a mean."""
    return (
        FINITE,
        Property(
            f"(y - beta) / gamma has mean 0 in {each}", "a norm takes the mean out",
            "set gamma to 1 and beta to 0: if the mean of y is 0 then, look at these two, and if "
            "not, at the mean that you subtract",
            lambda given, found, right: close(_x_hat(given, found).mean(axes), 0),
        ),
        Property(
            f"(y - beta) / gamma has variance v / (v + epsilon) in {each} of variance v",
            "a norm divides by the spread of x, and epsilon only keeps that from being 0",
            "compute the variance of this input by hand, and what you divide by",
            lambda given, found, right: close(
                _x_hat(given, found).var(axes), _x_hat(given, right).var(axes)
            ),
        ),
        Property(
            f"(y - beta) / gamma is a straight line over x in {each}, and it rises",
            "all elements are treated alike, and the largest stays the largest",
            "look for a sign, and for an element that gets another mean, variance, gamma or beta "
            "than its neighbours: shapes broadcast from the last axis",
            same("y"),
        ),
    )  # fmt: skip


# Exercises ---------------------------------------------------------------------------------------

ARGUMENTS = ("x", "gamma", "beta", "epsilon")


def _batch(seed: int) -> list[tuple]:
    return [
        (array([1], [3]), array(1), array(0), 3.0),
        (array([1, 0], [3, 8]), array(2, -1), array(10, 5), 0.5),
        *random_inputs(seed, MATRICES),
    ]


def _layer(seed: int) -> list[tuple]:
    return [
        (array([1, 3]), array(1, 1), array(0, 0), 3.0),
        (array([1, 3], [0, 8]), array(2, -1), array(10, 5), 0.5),
        *random_inputs(seed, TRANSPOSED),
    ]


def _images(seed: int) -> list[tuple]:
    shapes = (1, 2, 1, 1), (1, 1, 2, 1), (2, 1, 1, 1)
    return [
        *((array(1, 3).reshape(shape), array(1), array(0), 3.0) for shape in shapes),
        (array(1, 0, 3, 8).reshape(1, 2, 1, 2), array(2, -1), array(10, 5), 0.5),
        *random_inputs(seed, [(3, 4, 2, 5), (2, 3, 3, 2), (4, 2, 5, 3), (3, 2, 4, 3)]),
    ]


def _large(shape: tuple[int, ...], seed: int) -> list[tuple]:
    return [drawn(np.random.default_rng(seed), shape, 1e-3, mean=1e6)]


BATCH_NORM, LAYER_NORM, BATCH_NORM_IMAGES = (
    Exercise(
        number, name, ARGUMENTS, ("y",), formula(over), partial(norm, axes=axes), known, inputs,
        properties(axes, each), partial(_large, shape), TOGETHER,
    )
    for number, name, over, axes, known, inputs, each, shape in (
        (1, "batch_norm", "the batch, axis 0", (0,),
         BATCH_AXES + faults("batch norm", "features"), _batch, "every feature", (8, 3)),
        (4, "layer_norm", "the features, axis 1", (-1,),
         LAYER_AXES + faults("layer norm", "examples"), _layer, "every example", (3, 8)),
        (7, "batch_norm_images", "images, rows and columns, axes (0, 1, 2)", (0, 1, 2),
         IMAGE_AXES + faults("batch norm", "channels"), _images, "every channel", (3, 2, 4, 2)),
    )
)  # fmt: skip
