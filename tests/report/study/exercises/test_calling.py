"""Whatever a student's function does: arrays, or one sentence that says why there are none."""

import signal
import threading
import time
import warnings

import numpy as np
import pytest
import tensorflow as tf

from report.study.exercises import calling
from report.study.exercises.calling import NoAnswer
from report.study.exercises.catalogue import EXERCISES

BATCH_NORM, NETWORK_NORM = EXERCISES["batch_norm"], EXERCISES["network_norm"]
MOVING = EXERCISES["batch_norm_moving"]


def outputs(function, exercise=BATCH_NORM):
    return calling.outputs(function, exercise, exercise.inputs(0))


def sentence(function, exercise=BATCH_NORM):
    with pytest.raises(NoAnswer) as raised:
        outputs(function, exercise)
    said = str(raised.value)
    assert "\n" not in said and said.endswith((".", "?"))
    return said


def unwritten(x, gamma, beta, epsilon):
    raise NotImplementedError


def without_keepdims(x, gamma, beta, epsilon):
    return x - x.mean(1)


def without_keepdims_in_tf(x, gamma, beta, epsilon):
    return x - tf.reduce_mean(x, 1)


def of_three(x, gamma, beta):
    return x


class Mute(Exception):
    """Its text cannot be had."""

    def __str__(self):
        raise RuntimeError


def mute(x, gamma, beta, epsilon):
    raise Mute


def ending(x, gamma, beta, epsilon):
    raise SystemExit(0)


def in_place(x, gamma, beta, epsilon):
    x -= x.mean(0)
    return x


def parameters_in_place(x, gamma, beta, epsilon):
    beta[:] = 0
    return x


def nothing(x, gamma, beta, epsilon):
    x.mean(0)


def with_a_cache(x, gamma, beta, epsilon):
    return x, (x, gamma)


def whole_numbers(x, gamma, beta, epsilon):
    return np.zeros_like(x, dtype=int)


def half(x, gamma, beta, epsilon):
    return x.astype("float16")


def text(x, gamma, beta, epsilon):
    return "y"


def ragged(x, gamma, beta, epsilon):
    return [[1.0, 2.0], [3.0]]


def named(x, gamma, beta, epsilon):
    return {"y": x}


SENTENCES = {
    unwritten: "not written yet.",
    without_keepdims: "it raises ValueError at `return x - x.mean(1)`: operands could not be "
    "broadcast together with shapes (5,3) (5,). An average keeps its axis with keepdims=True.",
    without_keepdims_in_tf: "it raises InvalidArgumentError at `return x - tf.reduce_mean(x, 1)`: "
    "Incompatible shapes: [5,3] vs. [5]. An average keeps its axis with keepdims=True.",
    of_three: "it raises TypeError: of_three() takes 3 positional arguments but 4 were given.",
    mute: "it raises Mute at `raise Mute`.",
    ending: "it ends the program: return a value instead.",
    in_place: "it changes its argument x in place: work on a copy.",
    parameters_in_place: "it changes its argument beta in place: work on a copy.",
    nothing: "it returns None: does it end in return?",
    with_a_cache: "it returns 2 values, not y.",
    whole_numbers: "y holds integers (int64), which drop what is behind the decimal point: "
    "compute in floating-point numbers.",
    half: "y holds float16 numbers: compute in float32 or float64.",
    text: "y holds <U1 numbers: compute in float32 or float64.",
    ragged: "y is no array, but a list.",
    named: "y is no array, but a dict.",
}


@pytest.mark.parametrize("function", SENTENCES, ids=lambda function: function.__name__)
def test_what_goes_wrong_is_one_sentence(function):
    assert sentence(function) == SENTENCES[function]


def test_one_number_of_values_is_as_good_as_a_tuple_of_one():
    plain = outputs(lambda x, gamma, beta, epsilon: x)
    assert np.array_equal(outputs(lambda x, *_: (x,))[1][0], plain[1][0])
    assert sentence(lambda *a: a[0], MOVING) == (
        "it returns one ndarray, not y and moving_mean and moving_variance."
    )


def test_moving_statistics_may_be_updated_where_they_are():
    def updating(x, gamma, beta, moving_mean, moving_variance, *_):
        moving_mean.fill(5)  # as no tensor can
        return x, moving_mean, moving_variance

    given = MOVING.inputs(0)[0]
    before = given[3].copy()
    found = outputs(updating, MOVING)
    assert (found[0][1] == 5).all() and np.array_equal(given[3], before)


def test_an_endless_loop_is_ended_and_the_alarm_is_as_it_was(monkeypatch):
    monkeypatch.setattr(calling, "SECONDS", 0.2)

    alarms = []

    def endless(x, gamma, beta, epsilon):
        try:
            while not alarms:
                time.sleep(0.01)
        except BaseException:  # so that a second alarm has to come
            alarms.append(1)
        for _ in range(100):
            time.sleep(0.01)
        return x

    before = signal.getsignal(signal.SIGALRM)
    assert sentence(endless).startswith("it needs more than 0.2 seconds for a few small inputs")
    assert signal.getsignal(signal.SIGALRM) is before
    assert signal.getitimer(signal.ITIMER_REAL) == (0, 0)


def test_ctrl_c_is_the_readers():
    def interrupted(x, gamma, beta, epsilon):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        outputs(interrupted)


def test_it_is_called_in_another_thread_too():
    found = []
    thread = threading.Thread(target=lambda: found.append(outputs(lambda x, *_: x)))
    thread.start()
    thread.join()
    assert len(found[0]) == len(BATCH_NORM.inputs(0))


def test_the_first_library_is_that_which_the_function_names():
    seen = []

    def of_tensorflow(x, gamma, beta, epsilon):
        seen.append(type(x))
        return tf.identity(x)

    outputs(of_tensorflow)
    assert np.ndarray not in seen
    seen.clear()
    outputs(lambda x, *_: seen.append(type(x)) or x)
    assert set(seen) == {np.ndarray}


def test_warnings_of_the_function_are_not_the_students_problem():
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        before = list(warnings.filters)
        outputs(lambda x, *_: x / np.zeros(()))
        assert not caught and warnings.filters == before


def numpys(x, gamma, beta):
    return np.asarray(x) - np.mean(x, -1, keepdims=True)


def eager(x, gamma, beta):
    return x - tf.reduce_mean(x) + float(x[0, 0].numpy())


def row_by_row(x, gamma, beta):
    return tf.stack([gamma * row + beta for row in x])


def flattened(x, gamma, beta):
    return tf.reshape(x, [-1])


@pytest.mark.parametrize(("function", "said"), [
    (numpys, "no gradient comes back through it: use TensorFlow's operations alone."),
    (eager, "has no attribute 'numpy'"),
    (row_by_row, "the network makes a graph of it, which fails: OperatorNotAllowedInGraphError"),
    (flattened, "y has the shape (6,) and should have (2, 3)."),
    (unwritten.__class__(unwritten.__code__, globals(), argdefs=(0,)), "not written yet."),
])  # fmt: skip
def test_what_the_network_cannot_train_with_is_a_sentence(function, said):
    assert said in sentence(function, NETWORK_NORM)


def test_the_gradients_of_a_network_norm_are_the_tapes_and_0_for_what_is_unused():
    found = outputs(lambda x, gamma, beta: 2 * x, NETWORK_NORM)
    for (x, gamma, _, dy), (y, dx, dgamma, dbeta) in zip(
        NETWORK_NORM.inputs(0), found, strict=True
    ):
        np.testing.assert_allclose(y, 2 * x, rtol=1e-6)
        np.testing.assert_allclose(dx, 2 * dy, rtol=1e-6)
        assert dgamma.shape == dbeta.shape == gamma.shape and not dgamma.any() and not dbeta.any()
