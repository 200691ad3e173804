"""A run's result, and its plain JSON values, which are checked on the way back."""

import base64
import math
import zlib
from dataclasses import asdict, dataclass, field

import numpy as np

from normlib.arm import Arm, seed


@dataclass(frozen=True)
class Record:
    """What one run measured, one arm trained with one seed: see `train.Result` for its numbers.

    `protocol`, `sources` and `environment` say by which rules, by what code (a hash), and with
    which packages and processor: see `provenance.py`.
    """

    arm: Arm
    seed: int
    protocol: int
    train_loss: list[float]
    train_accuracy: list[float]
    test_loss: list[float]
    test_accuracy: list[float]
    loss_every_10: list[float]
    predictions: np.ndarray
    diverged: int | None
    seconds: float
    sources: str
    environment: dict
    telemetry: list[dict[str, float]] = field(default_factory=list)

    @property
    def key(self) -> tuple[Arm, int]:
        """What this is the result of."""
        return self.arm, self.seed

    def numbers(self) -> dict:
        """Everything that a rerun on the same machine must repeat bit by bit, by whatever code."""
        values = asdict(self) | {"predictions": self.predictions.tolist()}
        return {k: v for k, v in values.items() if k not in ("seconds", "sources", "environment")}


def encode(record: Record) -> dict:
    """The record as plain JSON values, predictions compressed."""
    packed = zlib.compress(record.predictions.astype(np.uint8).tobytes(), 9)
    return asdict(record) | {"predictions": base64.b64encode(packed).decode()}


def _numbers(values) -> bool:
    return type(values) is list and set(map(type, values)) <= {int, float}


def _number(value) -> bool:
    return type(value) in (int, float) and math.isfinite(value)


LOSSES = (_numbers, "a list of numbers")
SHARES = (lambda v: _numbers(v) and all(0 <= x <= 1 for x in v), "a list of numbers from 0 to 1")
CURVES = dict(train_loss=LOSSES, train_accuracy=SHARES, test_loss=LOSSES, test_accuracy=SHARES)
VALUES = CURVES | {  # what each must be, and in words
    "seed": (lambda v: seed(v) == v, "a seed"),
    "protocol": (lambda v: type(v) is int, "a whole number"),
    "loss_every_10": (lambda v: _numbers(v) and v, "a list of numbers, at least one"),
    "diverged": (lambda v: v is None or (type(v) is int and v >= 0), "a step, or null"),
    "seconds": (lambda v: _number(v) and v >= 0, "a finite number, 0 or more"),
    "sources": (lambda v: type(v) is str, "a text"),
    "environment": (
        lambda v: type(v) is dict and {*map(type, v.values())} <= {str, int} and "cpu" in v,
        "an object of texts and whole numbers, one of them the cpu",
    ),
    "telemetry": (
        lambda v: type(v) is list and all(type(row) is dict and _numbers([*row.values()])
        for row in v), "a list of objects of numbers",
    ),
}  # fmt: skip


def decode(values: dict) -> Record:
    """The record that `encode` made these values of; an exception if it cannot have."""
    for name, (allows, rule) in VALUES.items():
        if name in values and not allows(values[name]):
            raise ValueError(f"{name} must be {rule}; it is {values[name]!r:.60}")
    packed = zlib.decompress(base64.b64decode(values["predictions"], validate=True))
    changed = {"arm": Arm(**values["arm"]), "predictions": np.frombuffer(packed, np.uint8)}
    record = Record(**(values | changed))
    epochs = record.arm.epochs if record.diverged is None else len(record.train_loss)
    if {len(getattr(record, name)) for name in CURVES} != {epochs}:
        raise ValueError(f"{', '.join(CURVES)} must have a value for each of {epochs} epochs")
    return record
