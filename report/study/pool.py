"""Many runs at once, each in a process of one thread, here or on a Dask cluster."""

import logging
import os
import re
import socket
from collections.abc import Iterator
from concurrent.futures import (
    FIRST_COMPLETED,
    CancelledError,
    Executor,
    Future,
    ThreadPoolExecutor,
    wait,
)
from contextlib import ExitStack, contextmanager
from queue import SimpleQueue

from normlib.arm import Arm
from report.study import worker
from report.study.progress import Reporter, State
from report.study.provenance import PROTOCOL, equal, sources
from report.study.record import Record
from report.study.worker import RunFailed

SECONDS_BETWEEN_REPORTS = 0.5


def train(runs: list[tuple[Arm, int]], executor: Executor | None = None) -> Iterator[Record]:
    """Train the runs in processes of one thread, one a core; yield each record when it is done.

    Runs that differ in how they are scored are trained once, together; several seeds of a short
    run share a process. `executor` is anything that submits as those of `concurrent.futures` do, a
    Dask cluster's too. A run that fails does not stop the others: RunFailed comes after them. It
    comes at once where such an executor computes by another protocol or other sources than those
    here.
    """
    if not runs:
        return
    trainings = _together(runs)
    messages, reporter = SimpleQueue(), Reporter(len(trainings))
    if executor:  # a callback stays on this machine; elsewhere only finished runs are seen
        pool = executor
        futures = {pool.submit(worker.run, arms, seed) for arms, seed in trainings}
    else:
        jobs = _jobs(trainings)
        pool = ThreadPoolExecutor(min(os.cpu_count() or 1, len(jobs)))
        futures = {pool.submit(worker.run_each, *job, messages.put, messages.put) for job in jobs}
    try:
        yield from _finished(futures, messages, reporter)
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


SHORT_RUN, SEEDS_A_PROCESS = 50_000, 5  # images to see in all, by one convolution


def _jobs(trainings: list[tuple[tuple[Arm, ...], int]]) -> list[tuple[tuple[Arm, ...], list[int]]]:
    """Arms and seeds to be trained by one process, in the order of their first ones."""
    jobs: list[tuple[tuple[Arm, ...], list[int]]] = []
    open_jobs: dict[tuple[Arm, ...], list[int]] = {}
    for arms, seed in trainings:
        short = arms[0].images * arms[0].epochs * arms[0].blocks <= SHORT_RUN
        seeds = open_jobs.get(arms, [])
        if not seeds or not short or len(seeds) == SEEDS_A_PROCESS:
            seeds = open_jobs[arms] = []
            jobs.append((arms, seeds))
        seeds.append(seed)
    return jobs


def _finished(pending: set[Future], messages: SimpleQueue, reporter: Reporter) -> Iterator[Record]:
    """Yield the records that come as messages or as results; raise RunFailed for what failed."""
    failed = []
    while pending:
        done, pending = wait(pending, SECONDS_BETWEEN_REPORTS, FIRST_COMPLETED)
        for future in done:
            try:
                if records := future.result():  # of an executor's worker
                    messages.put(_refuse_other(records))
            except Exception as error:
                failed.append(error)
        while not messages.empty():
            message = messages.get()
            if isinstance(message, State):
                reporter.take(message)
            else:
                reporter.take(_last_state(message[0]))
                yield from message
        reporter.show()
        if any(isinstance(error, OtherVersion) for error in failed):
            break
    if failed:
        said = f"Runs that failed: {len(failed)}; the others are kept. {_why(failed[0])}"
        raise RunFailed(said) from failed[0]


def _why(error: Exception) -> str:
    if isinstance(error, CancelledError):  # by nobody here, who would not be waiting for it
        return "The scheduler was lost; start it again, and the same command goes on from there."
    return str(error) or repr(error)


class OtherVersion(RunFailed):
    """A worker runs another version of the lab."""


def _refuse_other(records: list[Record]) -> list[Record]:
    for record in records:
        here = sources(record.arm)
        if record.protocol != PROTOCOL or not equal(record.sources, here):
            raise OtherVersion(
                f"A worker runs another version of the lab (protocol {record.protocol}, sources "
                f"{record.sources}; here {PROTOCOL}, {here}). Give the workers this version and "
                "repeat the command: it trains what is missing."
            )
    return records


def _last_state(record: Record) -> State:
    accuracy = record.train_accuracy[-1] if record.train_accuracy else 0.0
    label, epochs = f"{record.arm.label}, seed {record.seed}", record.arm.epochs
    return State(label, 1, 1, epochs, epochs, accuracy)


@contextmanager
def cluster(address: str | None) -> Iterator[Executor | None]:
    """The executor of the Dask cluster with this scheduler, or None for this machine.

    Raises RunFailed if there is no such scheduler.
    """
    if address is None:
        yield None
        return
    try:
        from distributed import Client
    except ModuleNotFoundError:
        raise SystemExit("--scheduler needs Dask: pip install distributed") from None
    logging.getLogger("distributed.client").setLevel(logging.CRITICAL)  # RunFailed says it
    with ExitStack() as stack:
        try:
            client = stack.enter_context(Client(_answering(address)))
        except (OSError, OverflowError, ValueError) as error:
            raise RunFailed(
                f"There is no Dask scheduler at {address} ({error}). Start one, by `dask "
                "scheduler`, and give the address that it prints: tcp://HOST:PORT."
            ) from error
        if not client.nthreads():
            print(f"Waiting for a worker; start one by: dask worker {address}", flush=True)
        yield client.get_executor(pure=False)


def _answering(address: str) -> str:
    """The address, if anything listens there: Dask's client would wait for it half a minute."""
    found = re.fullmatch(r"(?:tcp://)?\[?([^/\[\]]+)\]?:([0-9]{1,5})", address)
    if not found:
        raise ValueError("this is no tcp://HOST:PORT")
    with socket.create_connection((found[1], int(found[2])), timeout=10):
        return address
