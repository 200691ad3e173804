"""Records on disk: one line of JSON a run, one file an arm, appended whole or not at all."""

import base64
import fcntl
import json
import os
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from hashlib import sha256
from pathlib import Path

import numpy as np

from normlib.arm import Arm

ROOT = Path(__file__).parents[1]
PUBLISHED = ROOT / "runs"  # committed
OWN = ROOT / "build" / "runs"  # everyone's own, git-ignored, read on top of the published ones
LONGEST_NAME = 200
LIVE = ROOT / "build" / "live"  # trained by notebooks on this machine, to hold against those


@dataclass(frozen=True)
class Record:
    """The result of one run: one arm trained with one seed.

    Losses in nats per example, accuracies as fractions, one value an epoch; training values are
    means over the epoch while the weights move. `loss_every_10` holds the minibatch loss at steps
    0, 10, 20 …; `predictions` the class of every test image; `diverged` the first step with a
    loss that was not finite, or None; `sources` the hash of the code that computed it;
    `telemetry` what the arm's probe measured, a row a time.
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


def decode(values: dict) -> Record:
    """The record that `encode` made these values of."""
    packed = zlib.decompress(base64.b64decode(values["predictions"]))
    changed = {"arm": Arm(**values["arm"]), "predictions": np.frombuffer(packed, np.uint8)}
    return Record(**(values | changed))


def append(record: Record, folder: Path = OWN) -> None:
    """Add the record to its arm's file in `folder`, whole or not at all; other writers wait."""
    folder.mkdir(parents=True, exist_ok=True)
    line = json.dumps(encode(record), separators=(",", ":")).encode() + b"\n"
    with open(folder / file_name(record.arm), "ab+", buffering=0) as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        end = _end_of_whole_lines(file)
        file.truncate(end)  # a torn line, of a process killed while writing, goes
        try:
            while line:
                line = line[file.write(line) :]
            os.fsync(file.fileno())
        except OSError:  # a full disk: take back what part of the line was written
            file.truncate(end)
            raise


def file_name(arm: Arm) -> str:
    """The name of the arm's file; one that file systems would refuse is cut, and ends in a hash."""
    if len(arm.name) <= LONGEST_NAME:
        return f"{arm.name}.jsonl"
    return f"{arm.name[: LONGEST_NAME - 17]}-{sha256(arm.name.encode()).hexdigest()[:16]}.jsonl"


@contextmanager
def only_writer(folder: Path) -> Iterator[None]:
    """Wait until no other process sweeps into this folder, and keep others out meanwhile."""
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / ".lock", "w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print("Another sweep writes to this archive; waiting for it to end.", flush=True)
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _end_of_whole_lines(file) -> int:
    file.seek(0)
    return file.read().rfind(b"\n") + 1


def read(folders: Iterable[Path] | None = None) -> dict[tuple[Arm, int], Record]:
    """Every record by (arm, seed), of the published and own archive or `folders`; the last wins.

    Says so and goes on where a file's last line is torn; raises ValueError for any other line
    that is not a record, since that file was damaged or edited.
    """
    folders = (PUBLISHED, OWN) if folders is None else folders
    files = [file for folder in folders for file in sorted(folder.glob("*.jsonl"))]
    return {record.key: record for file in files for record in _records(file)}


def _records(file: Path) -> Iterable[Record]:
    *lines, rest = file.read_bytes().split(b"\n")
    if rest:
        print(f"{file.name}: the last line is torn and was skipped; that run is trained again.")
    for number, line in enumerate(lines, 1):
        try:
            yield decode(json.loads(line))
        except (ValueError, KeyError, TypeError, zlib.error) as error:
            raise ValueError(
                f"{file} line {number} is not a record ({error}); restore it or delete the line."
            ) from error
