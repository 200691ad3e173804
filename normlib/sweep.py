"""Many runs, in parallel: trains what an experiment lacks, in processes of one thread each."""

import argparse
import multiprocessing
import os
import sys
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from dataclasses import replace
from pathlib import Path

import tensorflow as tf

from normlib import archive, data
from normlib import train as training
from normlib.archive import Record
from normlib.arms import EXPERIMENTS, Arm, Experiment
from normlib.fetch import find
from normlib.progress import Reporter, State
from normlib.provenance import sources

SECONDS_BETWEEN_REPORTS = 0.5
LIVE_EPOCHS = 1


class MissingRecords(RuntimeError):
    """The archive lacks records that are too long to train here."""


def run(experiment: Experiment, fresh: bool = False, folder: Path | None = None) -> list[Record]:
    """Return the experiment's records, arm by arm and seed by seed, training the missing ones.

    `fresh` retrains all of them. New records are written to the own archive, or to `folder`, as
    they are finished, so an interrupted sweep loses only the runs in flight; those of a norm of
    your own are trained each time and never written. In the quick profile a missing full record
    raises MissingRecords, which names the sweep to run.
    """
    known = {} if fresh else current(archive.read())
    missing = [key for key in experiment.runs() if key not in known]
    missing.sort(key=lambda key: key[1])  # seed by seed: an interrupted sweep has whole pairs
    if data.profile() == "quick" and any(arm.profile == "full" for arm, _ in missing):
        raise MissingRecords(_how_to(experiment, missing))
    if any(arm.profile == "full" for arm, _ in missing):
        find()  # fetch once, before the workers look for it
    for record in train(missing):
        if record.arm.norm != "own":
            archive.append(record, folder or archive.OWN)
        known[record.key] = record
    records = [known[key] for key in experiment.runs()]
    _say_changed_sources(records)
    return records


def live(arm: Arm, seed: int) -> Record:
    """Train one run now, on this machine, whatever the archive holds; kept apart from it.

    In the full profile for one epoch: as many steps as a reader waits for.
    """
    arm = arm.quick() if data.profile() == "quick" else replace(arm, epochs=LIVE_EPOCHS)
    (record,) = train([(arm, seed)])
    archive.append(record, archive.LIVE)
    return record


def archived(run: Record) -> Record:
    """The archived run of a live run's arm and seed, of which it repeats the first epochs."""
    name = "quick" if run.arm.profile == "quick" else "pilot"
    key = (replace(run.arm, epochs=Arm.epochs), run.seed)
    records = current(archive.read([archive.PUBLISHED]))
    if key not in records:
        raise MissingRecords(_how_to(EXPERIMENTS[name], [key]))
    return records[key]


def live_runs() -> list[tuple[Record, Record]]:
    """The latest live run of each arm in this profile, each with the archived run of its seed."""
    runs = current(archive.read([archive.LIVE])).values()
    return [(run, archived(run)) for run in runs if run.arm.profile == data.profile()]


def current(records: dict) -> dict:
    """Those records that were made with this protocol."""
    protocol = training.PROTOCOL
    return {key: record for key, record in records.items() if record.protocol == protocol}


def train(runs: list[tuple[Arm, int]], workers: int | None = None) -> Iterator[Record]:
    """Train the runs in spawned one-thread processes, one a core; yield each record when done."""
    if not runs:
        return
    spawn = multiprocessing.get_context("spawn")  # a fork after TensorFlow has run can hang
    queue, reporter = spawn.Queue(), Reporter(len(runs))
    workers = min(workers or os.cpu_count() or 1, len(runs))
    # One process a run: nothing of one reaches the next.
    pool = ProcessPoolExecutor(
        workers, spawn, initializer=_start_worker, initargs=(queue,), max_tasks_per_child=1
    )
    try:
        futures = {pool.submit(_work, arm, seed) for arm, seed in runs}
        yield from _finished(futures, queue, reporter)
    finally:
        pool.shutdown(cancel_futures=True)
        reporter.close()


def _finished(pending: set[Future], queue, reporter: Reporter) -> Iterator[Record]:
    while pending:
        done, pending = wait(pending, SECONDS_BETWEEN_REPORTS, FIRST_COMPLETED)
        while not queue.empty():
            reporter.take(queue.get())
        reporter.show()
        for future in done:
            yield future.result()


def _start_worker(queue) -> None:
    """Make this process compute on one thread: its numbers then repeat bit by bit."""
    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    _work.queue = queue


def _work(arm: Arm, seed: int) -> Record:
    def progress(done: int, total: int, epoch: int, accuracy: float) -> None:
        label = f"{arm.label}, seed {seed}"
        _work.queue.put(State(label, done, total, epoch, arm.epochs, accuracy))

    return training.run(arm, seed, progress)


def _how_to(experiment: Experiment, missing: list) -> str:
    name = experiment.name if experiment.name in EXPERIMENTS else "NAME"
    return (
        f"{len(missing)} of {len(experiment.runs())} records of experiment {experiment.name!r} are "
        f"missing. Train them with: python3 lab.py sweep {name}"
    )


def _say_changed_sources(records: list[Record]) -> None:
    changed = [record for record in records if record.sources != sources()]
    if changed:
        print(
            f"{len(changed)} of these {len(records)} records were computed by other sources than "
            "the present normlib; sweep.run(experiment, fresh=True) retrains them."
        )


def main() -> None:
    parser = argparse.ArgumentParser(prog="lab.py sweep", description=__doc__)
    parser.add_argument("name", nargs="?", choices=EXPERIMENTS, help="the experiment")
    parser.add_argument("--list", action="store_true", help="list the experiments")
    parser.add_argument("--publish", action="store_true", help="write to the committed archive")
    options = parser.parse_args()
    if options.list or not options.name:
        for name, experiment in EXPERIMENTS.items():
            print(f"{name}: {len(experiment.arms)} arms x {len(experiment.seeds)} seeds")
        return
    os.environ["NORMLIB_PROFILE"] = "full"
    folder = archive.PUBLISHED if options.publish else archive.OWN
    records = run(EXPERIMENTS[options.name], folder=folder)
    print(f"{options.name}: {len(records)} records")


if __name__ == "__main__":
    sys.exit(main())
