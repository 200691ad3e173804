"""Many runs at once, each in a process of one thread, here or on a Dask cluster."""

import os
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, Executor, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from functools import partial
from queue import SimpleQueue

from normlib.arm import Arm
from report.study import worker
from report.study.archive import Record
from report.study.progress import Reporter, State
from report.study.worker import RunFailed

SECONDS_BETWEEN_REPORTS = 0.5


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
        said = f"{len(failed)} runs failed; the others are kept. {failed[0]}"
        raise RunFailed(said) from failed[0]


def _last_state(record: Record) -> State:
    accuracy = record.train_accuracy[-1] if record.train_accuracy else 0.0
    label, epochs = f"{record.arm.label}, seed {record.seed}", record.arm.epochs
    return State(label, 1, 1, epochs, epochs, accuracy)


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
