"""One solution to each exercise, as `lab.py exercises --solutions` writes them into a sheet."""

import numpy as np
import tensorflow as tf


def batch_norm(x, gamma, beta, epsilon):
    mean = np.mean(x, axis=0)
    variance = np.mean((x - mean) ** 2, axis=0)
    x_hat = (x - mean) / np.sqrt(variance + epsilon)
    return gamma * x_hat + beta


def batch_norm_moving(x, gamma, beta, moving_mean, moving_variance, training, momentum, epsilon):
    if training:
        mean = np.mean(x, axis=0)
        variance = np.mean((x - mean) ** 2, axis=0)
        moving_mean = momentum * moving_mean + (1 - momentum) * mean
        moving_variance = momentum * moving_variance + (1 - momentum) * variance
    else:
        mean, variance = moving_mean, moving_variance
    y = gamma * (x - mean) / np.sqrt(variance + epsilon) + beta
    return y, moving_mean, moving_variance


def batch_norm_backward(dy, x, gamma, epsilon):
    mean = np.mean(x, axis=0)
    inv_std = 1 / np.sqrt(np.mean((x - mean) ** 2, axis=0) + epsilon)
    x_hat = (x - mean) * inv_std
    dx_hat = gamma * dy
    along_mean = np.mean(dx_hat, axis=0)
    along_x_hat = np.mean(dx_hat * x_hat, axis=0)
    dx = inv_std * (dx_hat - along_mean - x_hat * along_x_hat)
    return dx, np.sum(dy * x_hat, axis=0), np.sum(dy, axis=0)


def layer_norm(x, gamma, beta, epsilon):
    mean = np.mean(x, axis=1, keepdims=True)
    variance = np.mean((x - mean) ** 2, axis=1, keepdims=True)
    x_hat = (x - mean) / np.sqrt(variance + epsilon)
    return gamma * x_hat + beta


def layer_norm_backward(dy, x, gamma, epsilon):
    mean = np.mean(x, axis=1, keepdims=True)
    inv_std = 1 / np.sqrt(np.mean((x - mean) ** 2, axis=1, keepdims=True) + epsilon)
    x_hat = (x - mean) * inv_std
    dx_hat = gamma * dy
    along_mean = np.mean(dx_hat, axis=1, keepdims=True)
    along_x_hat = np.mean(dx_hat * x_hat, axis=1, keepdims=True)
    dx = inv_std * (dx_hat - along_mean - x_hat * along_x_hat)
    return dx, np.sum(dy * x_hat, axis=0), np.sum(dy, axis=0)


def weight_norm(v, g):
    return g * v / np.sqrt(np.sum(v**2, axis=0))


def weight_norm_backward(dw, v, g):
    length = np.sqrt(np.sum(v**2, axis=0))
    unit = v / length
    dg = np.sum(dw * unit, axis=0)
    dv = g / length * (dw - dg * unit)
    return dv, dg


def batch_norm_images(x, gamma, beta, epsilon):
    mean = np.mean(x, axis=(0, 1, 2))
    variance = np.mean((x - mean) ** 2, axis=(0, 1, 2))
    x_hat = (x - mean) / np.sqrt(variance + epsilon)
    return gamma * x_hat + beta


def network_norm(x, gamma, beta):
    mean = tf.reduce_mean(x, axis=-1, keepdims=True)
    variance = tf.reduce_mean((x - mean) ** 2, axis=-1, keepdims=True)
    x_hat = (x - mean) / tf.sqrt(variance + 1e-5)
    return gamma * x_hat + beta
