"""Many runs, in parallel: trains what an experiment lacks, in processes of one thread each."""

import argparse
import os
import sys
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, Executor, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from queue import SimpleQueue

from normlib import archive, arms, claims, data, exploration, menu, probing, worker
from normlib import train as training
from normlib.archive import Record
from normlib.arms import Arm, Experiment
from normlib.fetch import find
from normlib.progress import Reporter, State
from normlib.provenance import sources

EXPERIMENTS = (
    arms.EXPERIMENTS | claims.experiments() | exploration.EXPERIMENTS | probing.EXPERIMENTS
)
SECONDS_BETWEEN_REPORTS = 0.5
LIVE_EPOCHS = 1


class MissingRecords(RuntimeError):
    """The archive lacks records that are too long to train here."""


def run(
    experiment: Experiment,
    fresh: bool = False,
    folder: Path | None = None,
    executor: Executor | None = None,
) -> list[Record]:
    """Return the experiment's records, arm by arm and seed by seed, training the missing ones.

    `fresh` retrains all of them. New records are written to the own archive, or to `folder`, as
    they are finished, so an interrupted sweep loses only the runs in flight; a second sweep into
    the same archive waits for the first. Runs of a norm of your own are trained each time and
    never written. In the quick profile a missing full record raises MissingRecords, which names
    the sweep to run.
    """
    known = {} if fresh else current(archive.read())
    if missing := _missing(experiment, known):
        with archive.only_writer(folder or archive.OWN):
            known |= {} if fresh else current(archive.read())  # of a sweep that was waited for
            missing = _missing(experiment, known)
            for record in train(missing, executor):
                if record.arm.norm != "own":
                    archive.append(record, folder or archive.OWN)
                known[record.key] = record
    records = [known[key] for key in experiment.runs()]
    _say_changed_sources(records)
    return records


def _missing(experiment: Experiment, known: dict) -> list[tuple[Arm, int]]:
    missing = [key for key in experiment.runs() if key not in known]
    if any(arm.profile == "full" for arm, _ in missing):
        if data.profile() == "quick":
            raise MissingRecords(_how_to(experiment, missing))
        find()  # fetch once, before the workers look for it
    return sorted(missing, key=lambda key: key[1])  # seed by seed: an interruption leaves pairs


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


def train(runs: list[tuple[Arm, int]], executor: Executor | None = None) -> Iterator[Record]:
    """Train each run in a one-thread process of its own, one a core; yield each record when done.

    Runs that differ in how they are scored are trained once, together.

    `executor` is anything that submits as those of `concurrent.futures` do, a Dask cluster's too.
    A run that fails does not stop the others: RunFailed comes after them.
    """
    if not runs:
        return
    trainings = _together(runs)
    states, reporter = SimpleQueue(), Reporter(len(trainings))
    pool = executor or ThreadPoolExecutor(min(os.cpu_count() or 1, len(trainings)))
    # A callback stays on this machine; elsewhere only finished runs are seen.
    work = worker.run if executor else partial(worker.run, progress=states.put)
    futures = {pool.submit(work, arms, seed) for arms, seed in trainings}
    try:
        yield from _finished(futures, states, reporter)
    finally:
        for future in futures:
            future.cancel()
        worker.stop()
        if executor is None:
            pool.shutdown()
        reporter.close()


def _together(runs: list[tuple[Arm, int]]) -> list[tuple[tuple[Arm, ...], int]]:
    found: dict[tuple[Arm, int], list[Arm]] = {}
    for arm, seed in runs:
        found.setdefault((arm.trained, seed), []).append(arm)
    return [(tuple(arms), seed) for (_, seed), arms in found.items()]


def _finished(pending: set[Future], states: SimpleQueue, reporter: Reporter) -> Iterator[Record]:
    failed = []
    while pending:
        done, pending = wait(pending, SECONDS_BETWEEN_REPORTS, FIRST_COMPLETED)
        for future in done:
            if future.exception():
                failed.append(future.exception())
            else:
                states.put(_last_state(future.result()[0]))
                yield from future.result()
        while not states.empty():
            reporter.take(states.get())
        reporter.show()
    if failed:
        raise worker.RunFailed(f"{len(failed)} runs failed; the others are kept. {failed[0]}")


def _last_state(record: Record) -> State:
    accuracy = record.train_accuracy[-1] if record.train_accuracy else 0.0
    label, epochs = f"{record.arm.label}, seed {record.seed}", record.arm.epochs
    return State(label, 1, 1, epochs, epochs, accuracy)


def _how_to(experiment: Experiment, missing: list) -> str:
    name = experiment.name if experiment.name in EXPERIMENTS else "NAME"
    return (
        f"{len(missing)} of {len(experiment.runs())} records of experiment {experiment.name!r} are "
        f"missing. Train them with: python3 lab.py sweep {name}"
    )


def _say_changed_sources(records: list[Record]) -> None:
    changed = [record for record in records if record.sources != sources(record.arm)]
    if changed:
        print(
            f"{len(changed)} of these {len(records)} records were computed by other sources than "
            "the present normlib; sweep.run(experiment, fresh=True) retrains them."
        )


@contextmanager
def cluster(address: str | None) -> Iterator[Executor | None]:
    """The executor of the Dask cluster with this scheduler, or None for this machine."""
    if address is None:
        yield None
        return
    try:
        from distributed import Client
    except ModuleNotFoundError:
        raise SystemExit("--scheduler needs Dask: pip install distributed") from None
    with Client(address) as client:
        yield client.get_executor(pure=False)


def main() -> None:
    parser = argparse.ArgumentParser(prog="lab.py sweep", description=__doc__)
    parser.add_argument("name", nargs="?", choices=EXPERIMENTS, help="the experiment")
    parser.add_argument("--list", action="store_true", help="list the experiments and their state")
    parser.add_argument(
        "--seeds", type=menu.seeds, metavar="A:B", help="seeds A to B - 1, instead of its own"
    )
    parser.add_argument("--publish", action="store_true", help="write to the committed archive")
    parser.add_argument("--scheduler", metavar="tcp://HOST:PORT", help="train on a Dask cluster")
    options = parser.parse_args()
    experiments = {
        name: replace(experiment, seeds=options.seeds or experiment.seeds)
        for name, experiment in EXPERIMENTS.items()
    }
    if options.list or not options.name:
        print(menu.table(experiments, current(archive.read())))
        return
    os.environ["NORMLIB_PROFILE"] = "full"
    folder = archive.PUBLISHED if options.publish else archive.OWN
    try:
        with cluster(options.scheduler) as executor:
            records = run(experiments[options.name], folder=folder, executor=executor)
    except KeyboardInterrupt:
        sys.exit("\ninterrupted; finished runs are kept, and the same command goes on from there.")
    print(f"{options.name}: {len(records)} records")


if __name__ == "__main__":
    sys.exit(main())
