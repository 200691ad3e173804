"""A run and its record: trained, measured by its arm's probe, stamped with what computed it.

`python -m report.study.recording` reads arms and seeds as JSON and prints lines of JSON: states of
the runs, what there is to say of them, and after each seed its records.
"""

import gc
import json
import sys
import warnings
from collections.abc import Sequence
from dataclasses import asdict

import keras
import tensorflow as tf

from normlib import train
from normlib.arm import Arm
from normlib.train import Progress, nothing
from report.study import gradient_check, json_lines, probes, provenance
from report.study import variants as variants  # adds norms to the model's table
from report.study.progress import State
from report.study.record import Record, encode


def run(arm: Arm, seed: int, progress: Progress = nothing) -> Record:
    """Train `arm` with `seed` in this process and return its record: see `train.run`."""
    (record,) = runs((arm,), seed, progress)
    return record


def runs(arms: Sequence[Arm], seed: int, progress: Progress = nothing) -> list[Record]:
    """Train once arms that differ in `evaluation` alone; return a record of each.

    An op whose source is not the archive's is checked against its hand-derived gradient.
    """
    sources = [provenance.sources(arm) for arm in arms]  # before they can be edited meanwhile
    if not provenance.known(sources[0]):
        gradient_check.leave_edited_ops_to_the_tape(arms[0])
    probe = probes.PROBES[arms[0].probe] if arms[0].probe else nothing
    results = train.runs(arms, seed, progress, probe)
    threads = tf.config.threading.get_intra_op_parallelism_threads()
    return [
        Record(
            arm=arm,
            seed=seed,
            protocol=provenance.PROTOCOL,
            sources=hashed,
            environment=provenance.environment(tf.__version__, threads),
            **result._asdict(),
        )
        for arm, hashed, result in zip(arms, sources, results, strict=True)
    ]


def main() -> None:
    send = json_lines.taking_stdout()
    settings, seeds = json.loads(sys.argv[1])
    arms = [Arm(**values) for values in settings]
    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    for seed in seeds:
        label = f"{arms[0].label}, seed {seed}"

        def progress(done: int, total: int, epoch: int, accuracy: float, label=label) -> None:
            send(["state", asdict(State(label, done, total, epoch, arms[0].epochs, accuracy))])

        def say(message, category, *_, label=label) -> None:
            if issubclass(category, gradient_check.EditedOp):
                send(["said", f"{label}: {message}"])

        warnings.showwarning = say
        send(["records", [encode(record) for record in runs(arms, seed, progress)]])
        keras.backend.clear_session()  # the graph of this seed's network
        gc.collect()


if __name__ == "__main__":
    main()
