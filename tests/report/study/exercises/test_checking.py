"""What a student is told: of right solutions in any style, and of mistakes as people make them."""

import sys
from types import ModuleType

import numpy as np
import pytest
import tensorflow as tf
from styles import STYLES

from report.study.exercises import checking
from report.study.exercises.catalogue import EXERCISES

RIGHT = [(name, i) for name, functions in STYLES.items() for i in range(len(functions))]


def answer(name, function):
    """As if the function had the exercise's name."""
    function.__name__ = name
    return checking.answer(function)


def test_there_are_twenty_styles_at_least():
    assert len(RIGHT) >= 40


@pytest.mark.parametrize(("name", "number"), RIGHT)
def test_a_right_solution_is_never_called_wrong(name, number):
    before = STYLES[name][number].__name__
    try:
        found = answer(name, STYLES[name][number])
    finally:
        STYLES[name][number].__name__ = before
    assert found.right, found.text
    assert found.text.startswith(f"{name} is right: on ")


# Wrong ones, as they were seen in public, each in the manner of its author -----------------------


def annotated_transformer(x, gamma, beta, epsilon):
    mean, std = x.mean(-1, keepdims=True), x.std(-1, keepdims=True, ddof=1)
    return gamma * (x - mean) / (std + epsilon) + beta


def the_forums_batch_norm(x, gamma, beta, epsilon):
    mean, std = x.mean(0, keepdims=True), np.sqrt(x.var(0, keepdims=True, ddof=1))
    return ((x - mean) / std + epsilon) * gamma + beta


def stax(x, gamma, beta, epsilon):
    mean, variance = tf.reduce_mean(x, 0), tf.math.reduce_variance(x, 0)
    return gamma * (x - mean) / (variance + epsilon) ** 2 + beta


def a_mean_for_each_position(x, gamma, beta, epsilon):
    mean, variance = tf.nn.moments(x, [0])
    return tf.nn.batch_normalization(x, mean, variance, beta, gamma, epsilon)


def of_channels_first(x, gamma, beta, epsilon):
    mean, variance = x.mean((0, 2, 3), keepdims=True), x.var((0, 2, 3), keepdims=True)
    return gamma * (x - mean) / np.sqrt(variance + epsilon) + beta


def keras_swapped(x, gamma, beta, epsilon):
    mean, variance = tf.nn.moments(x, [0])
    return tf.nn.batch_normalization(x, mean, variance, gamma, beta, epsilon)


def as_in_pytorch(x, gamma, beta, moving_mean, moving_variance, training, momentum, epsilon):
    mean, variance = (x.mean(0), x.var(0)) if training else (moving_mean, moving_variance)
    if training:
        moving_mean = (1 - momentum) * moving_mean + momentum * mean
        moving_variance = (1 - momentum) * moving_variance + momentum * x.var(0, ddof=1)
    return gamma * (x - mean) / np.sqrt(variance + epsilon) + beta, moving_mean, moving_variance


def one_for_training(x, gamma, beta, moving_mean, moving_variance, training, momentum, epsilon):
    mean, variance = x.mean(0), x.var(0)
    moving_mean = momentum * moving_mean + (1 - momentum) * mean
    moving_variance = momentum * moving_variance + (1 - momentum) * variance
    return gamma * (x - mean) / np.sqrt(variance + epsilon) + beta, moving_mean, moving_variance


def knet(dy, x, gamma, epsilon):
    n, centred, inv_std = len(x), x - x.mean(0), 1 / np.sqrt(x.var(0) + epsilon)
    scaled = dy * inv_std
    dgamma, dbeta = np.sum(centred * scaled, 0), np.sum(dy, 0)
    dvariance = -0.5 * np.sum(scaled * centred * inv_std**2, 0)
    dmean = -scaled.sum(0) - 2 * dvariance * centred.sum(0) / n
    return scaled + dvariance * 2 * centred / n + dmean / n, dgamma, dbeta


def without_its_moments(dy, x, gamma, epsilon):
    inv_std = 1 / np.sqrt(x.var(0) + epsilon)
    return gamma * inv_std * dy, np.sum(dy * (x - x.mean(0)) * inv_std, 0), dy.sum(0)


def batch_norms_backward(dy, x, gamma, epsilon):
    d, inv_std = x.shape[1], 1 / np.sqrt(x.var(1, keepdims=True) + epsilon)
    x_hat = (x - x.mean(1, keepdims=True)) * inv_std
    along = dy.sum(1, keepdims=True) + x_hat * (dy * x_hat).sum(1, keepdims=True)
    return gamma * inv_std / d * (d * dy - along), np.sum(dy * x_hat, 0), dy.sum(0)


def one_length_for_all(v, g):
    return g * v / tf.norm(v)


def stopped(x, gamma, beta):
    mean, variance = tf.nn.moments(tf.stop_gradient(x), -1, keepdims=True)
    return tf.nn.batch_normalization(x, mean, variance, beta, gamma, 1e-5)


SEEN = {
    annotated_transformer: ("layer_norm", "divides by n − 1", "epsilon stands outside the root"),
    the_forums_batch_norm: ("batch_norm", "divides by n − 1", "added after the division"),
    stax: ("batch_norm", "You square the variance where you should take its root."),
    a_mean_for_each_position: ("batch_norm_images", "over the batch alone: images need (0, 1, 2)."),
    of_channels_first: ("batch_norm_images", "images with the channels first"),
    keras_swapped: ("batch_norm", "gamma and beta are swapped."),
    as_in_pytorch: ("batch_norm_moving", "PyTorch's convention is the other", "as PyTorch's does"),
    one_for_training: ("batch_norm_moving", "At inference you normalize with the statistics of the "
                       "batch", "update the moving statistics at inference too"),
    knet: ("batch_norm_backward", "gamma is missing in dx."),
    without_its_moments: ("batch_norm_backward", "takes the mean and the variance for constants"),
    batch_norms_backward: ("layer_norm_backward", "gamma is taken out of the averages"),
    one_length_for_all: ("weight_norm", "There is one length for all of v"),
    stopped: ("network_norm", "No gradient goes through mean and variance"),
}  # fmt: skip


@pytest.mark.parametrize("function", SEEN, ids=lambda function: function.__name__)
def test_mistakes_of_others_are_named(function):
    name, *said = SEEN[function]
    found = answer(name, function)
    assert not found.right and all(part in found.diagnosis for part in said), found.diagnosis
    assert found.diagnosis.count("Or, which gives the same numbers") == 0
    assert found.diagnosis.startswith("Two mistakes together.") == (len(said) == 2)


@pytest.mark.parametrize("name", ["batch_norm", "layer_norm", "batch_norm_images", "network_norm"])
def test_a_difference_that_only_a_large_x_hat_shows_is_wrong(name):
    exercise = EXERCISES[name]

    def clipped(x, gamma, beta, *_):
        right = STYLES[name][0](x, gamma, beta, *_)
        return gamma * tf.clip_by_value((right - beta) / gamma, -3, 3) + beta

    found = answer(name, clipped)
    assert not found.right and exercise.properties[1].says in found.text


def test_check_prints_the_answer_to_the_function_of_that_name(capsys):
    def batch_norm(x, gamma, beta, epsilon):
        raise NotImplementedError

    assert checking.check(batch_norm) is None
    assert capsys.readouterr().out == "batch_norm: not written yet.\n"


def test_a_function_of_another_name_is_a_sentence_that_lists_the_names():
    for other in (len, lambda x: x, 3):
        found = checking.answer(other)
        assert not found.right and "batch_norm, batch_norm_moving, " in found.text


class Tensor:
    """As much of PyTorch's as a solution needs that NumPy's arrays and TensorFlow have not."""

    def __init__(self, values):
        self.values = np.array(values)

    def detach(self):
        return self.values


def test_tensors_of_pytorch_are_given_and_taken(monkeypatch):
    torch = ModuleType("torch")
    torch.tensor = Tensor
    monkeypatch.setitem(sys.modules, "torch", torch)

    def batch_norm(x, gamma, beta, epsilon):
        x, gamma, beta = x.values, gamma.values, beta.values
        return Tensor(gamma * (x - x.mean(0)) / np.sqrt(x.var(0) + epsilon) + beta)

    assert checking.answer(batch_norm).right
