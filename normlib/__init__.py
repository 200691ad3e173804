"""Normalization from scratch: the ops, their layers, and the training loop of the lab report."""

import importlib
import os
import sys

# Otherwise TensorFlow's start-up notices land in saved notebook outputs.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
# Its convolutions are several times faster; on older processors TensorFlow does not turn it on.
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
# Whatever keras.json says: the ops are TensorFlow's, and so are the layers made of them.
backend = os.environ.setdefault("KERAS_BACKEND", "tensorflow")
if "keras" in sys.modules:  # and has read keras.json already
    backend = sys.modules["keras"].config.backend()
if backend != "tensorflow":
    raise ImportError(f"Keras uses {backend}: set KERAS_BACKEND=tensorflow before importing it.")


def _import_quietly(name: str) -> None:
    """Import with stderr closed: on some processors TensorFlow greets before it reads the level."""
    stderr = os.dup(2)
    with open(os.devnull, "wb") as nowhere:
        os.dup2(nowhere.fileno(), 2)
    try:
        importlib.import_module(name)
    finally:
        os.dup2(stderr, 2)
        os.close(stderr)


if "ipykernel" in sys.modules:  # elsewhere who needs no TensorFlow need not wait for it
    _import_quietly("tensorflow")
