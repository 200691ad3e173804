"""Exercise 8: layer norm as a norm of the lab's network, with the gradient that the tape takes."""

from collections.abc import Iterator

import numpy as np

from report.study.exercises.exercise import Arrays, Exercise, Fault, Property, same
from report.study.exercises.forward import moments, scale_and_shift, standardize
from report.study.exercises.inputs import drawn
from report.study.exercises.norms import LAYER_AXES, TOGETHER, faults, formula, properties

EPSILON = 1e-5  # the lab's


def network_norm(
    x, gamma, beta, dy, *, epsilon=EPSILON, axes=(-1,), stopped=(), spread="variance", count="n",
    scale="gamma", shift="beta", **switches,
) -> Arrays:  # fmt: skip
    """Return y, and the slopes of sum(dy * y) along x, gamma and beta, by central differences."""

    def statistics(x):
        return dict(zip(("mean", "variance"), moments(x, axes, spread, count), strict=True))

    constants = {name: statistics(x)[name] for name in stopped}

    def y(x, gamma, beta):
        found = statistics(x) | constants
        x_hat = standardize(x, **found, epsilon=epsilon, **switches)
        return scale_and_shift(x_hat, gamma, beta, scale, shift)

    at = np.concatenate([x.ravel(), gamma, beta])
    # y is quadratic in beta at most, so that a long step is exact, and loses no digits.
    steps = np.repeat([1e-6, 1.0], [x.size + gamma.size, beta.size])
    moved = at + np.concatenate([np.diag(steps), -np.diag(steps)])  # one element in each row
    parts = np.split(moved, [x.size, x.size + gamma.size], axis=1)
    stacked = parts[0].reshape(-1, *x.shape), parts[1][:, None], parts[2][:, None]
    up, down = np.split((dy * y(*stacked)).sum((1, 2)), 2)
    found = (up - down) / (2 * steps)
    dx, dgamma, dbeta = np.split(found, [x.size, x.size + gamma.size])
    return y(x, gamma, beta), dx.reshape(x.shape), dgamma, dbeta


STOPPED = (
    Fault("stopped", ("mean",), "No gradient goes through the mean: it is taken for a constant. "
          "Leave out tf.stop_gradient, and whatever leads out of TensorFlow.", 0),
    Fault("stopped", ("variance",), "No gradient goes through the variance: it is taken for a "
          "constant. Leave out tf.stop_gradient, and whatever leads out of TensorFlow.", 1),
    Fault("stopped", ("mean", "variance"), "No gradient goes through mean and variance: they are "
          "taken for constants. Leave out tf.stop_gradient, and whatever leads out of "
          "TensorFlow.", 1),
)  # fmt: skip


# What cannot be seen with this epsilon, or not computed where inputs are stacked.
NOT_HERE = EPSILON, "after", "others"


def _known() -> Iterator[Fault]:
    """The mistakes of layer norm, where epsilon is no argument, and those of the gradient."""
    for fault in (*STOPPED, *LAYER_AXES, *faults("layer norm", "examples")):
        if isinstance(fault.value, float):
            fault = fault._replace(says=f"epsilon is {fault.value:g}; the lab's is {EPSILON:g}.")
        if fault.value not in NOT_HERE:
            yield fault


PROPERTIES = (
    *properties((1,), "every example"),
    Property(
        "the gradients that the tape takes are the slopes of the loss",
        "the network learns from them, whatever y is",
        "look for what TensorFlow does not differentiate: stop_gradient, NumPy, a cast to integers",
        same("dx", "dgamma", "dbeta"),
    ),
)


def _inputs(seed: int) -> list[tuple]:
    rng, found = np.random.default_rng(seed), []
    for shape, size in ((2, 3), 0.003), ((4, 30), 1.0), ((4, 3), 0.003), ((3, 5), 0.003):
        x, gamma, beta, _ = drawn(rng, shape, EPSILON, size=size)
        x.flat[0] += 100 * (size == 1.0)  # an x_hat that is large
        found.append((x, gamma, beta, rng.normal(1, 1, shape)))
    return found


NETWORK_NORM = Exercise(
    8, "network_norm", ("x", "gamma", "beta", "dy"), ("y", "dx", "dgamma", "dbeta"),
    formula("the features, the last axis"), network_norm, tuple(_known()), _inputs,
    PROPERTIES, together=TOGETHER, of_the_tape=True,
)  # fmt: skip
