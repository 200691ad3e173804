"""A sweep on a Dask cluster of two worker processes, one of which is killed in the middle."""

import dataclasses
import os
import signal
import socket
import subprocess
import sys
import threading
import time

import pytest
from distributed import Client, LocalCluster
from test_sweep import SMALL

from report.study import pool, sweep, sweep_command, worker
from report.study.experiments import Experiment

ARM = dataclasses.replace(SMALL, epochs=2)


@pytest.fixture(scope="module")
def client():
    """A client of a local scheduler with two processes of one thread."""
    options = {"processes": True, "threads_per_worker": 1, "dashboard_address": None}
    with LocalCluster(n_workers=2, **options) as cluster, Client(cluster) as client:
        yield client


@pytest.mark.slow
def test_every_record_arrives_once_though_a_worker_dies(client):
    pids = list(client.run(os.getpid).values())
    records = pool.train([(ARM, seed) for seed in (0, 1, 2)], client.get_executor(pure=False))
    first = next(records)
    os.kill(pids[0], signal.SIGKILL)
    found = [first, *records]
    assert sorted(record.seed for record in found) == [0, 1, 2]
    (local,) = worker.run((ARM,), 2)
    (remote,) = (record for record in found if record.seed == 2)
    assert remote.numbers() == local.numbers()


def test_the_command_line_takes_the_address(client, monkeypatch, capsys):
    address, asked = client.scheduler.address, {}

    def run(experiment: Experiment, folder, executor) -> list:
        asked.update(name=experiment.name, sum=executor.submit(sum, [1, 2]).result(20))
        return []

    monkeypatch.setattr(sweep, "run", run)
    monkeypatch.setenv("NORMLIB_PROFILE", "quick")
    monkeypatch.setattr(sys, "argv", ["sweep", "baseline", "--scheduler", address])
    sweep_command.main()
    assert asked == {"name": "baseline", "sum": 3}


def test_without_dask_the_missing_package_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(SystemExit, match="pip install distributed"):
        pool.cluster("tcp://127.0.0.1:1").__enter__()


def test_a_scheduler_without_workers_is_waited_for_and_that_is_said(capsys):
    with (
        LocalCluster(n_workers=0, dashboard_address=":0") as cluster,
        pool.cluster(cluster.scheduler_address),
    ):
        assert f"start one by: dask worker {cluster.scheduler_address}" in capsys.readouterr().out


def test_a_scheduler_that_dies_is_one_sentence_and_no_traceback(capfd):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"tcp://127.0.0.1:{free.getsockname()[1]}"
    command = [sys.executable, "-m", "distributed.cli.dask_scheduler", "--no-dashboard"]
    with subprocess.Popen([*command, "--port", address.split(":")[-1]]) as scheduler:
        try:
            _until_it_listens(address)
            with pytest.raises(pool.RunFailed) as failure, pool.cluster(address) as executor:
                capfd.readouterr()
                threading.Timer(0.5, scheduler.kill).start()
                list(pool.train([(ARM, 0)], executor))
        finally:
            scheduler.kill()
    assert "Runs that failed: 1; the others are kept. The scheduler was lost" in str(failure.value)
    assert capfd.readouterr() == ("", "")


def _until_it_listens(address):
    for _ in range(300):
        try:
            return pool._answering(address)
        except OSError:
            time.sleep(0.1)
    raise TimeoutError(address)
