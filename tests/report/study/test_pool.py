"""Runs at once: whose results are taken, and what is said when the others' end."""

import dataclasses
import re
import time
from concurrent.futures import Future, ThreadPoolExecutor

import pytest
from test_sweep import SMALL, known

from report.study import pool, provenance, worker


@pytest.fixture
def cluster(monkeypatch):
    """Trains, by a made-up worker of this version or another, the seeds; those kept, sorted."""

    def train(changes, seeds=(0, 1, 2, 3)):
        def run(arms, seed):
            time.sleep(0.002)
            return [known(arm, seed, **changes.get(seed, {})) for arm in arms]

        monkeypatch.setattr(worker, "run", run)
        kept = []
        with ThreadPoolExecutor(1) as executor:
            try:
                for record in pool.train([(SMALL, seed) for seed in seeds], executor):
                    kept.append(record.seed)
            except pool.RunFailed as error:
                return sorted(kept), str(error)
        return sorted(kept), ""

    return train


HERE = f"{provenance.PROTOCOL}, {provenance.sources(SMALL)}"


@pytest.mark.parametrize(
    ("other", "named"),
    [
        ({"protocol": 7}, f"protocol 7, sources {provenance.sources(SMALL)}"),
        ({"sources": "abcd"}, f"protocol {provenance.PROTOCOL}, sources abcd"),
    ],
)
def test_a_worker_of_another_version_is_refused_and_both_are_named(other, named, cluster):
    kept, said = cluster({3: other})
    assert kept == [0, 1, 2]
    assert f"A worker runs another version of the lab ({named}; here {HERE}). Give" in said


def test_a_cluster_of_another_version_does_not_train_on(cluster):
    kept, said = cluster({seed: {"protocol": 1} for seed in range(1000)}, range(1000))
    assert kept == [] and int(re.search(r"\d+", said)[0]) < 1000


def test_sources_that_are_listed_as_computing_the_same_are_taken(cluster, monkeypatch):
    monkeypatch.setattr(provenance, "listed", lambda: {"old": [provenance.sources(SMALL)]})
    assert cluster({1: {"sources": "old"}}) == ([0, 1, 2, 3], "")


def test_seeds_of_a_short_run_share_a_process_in_the_order_of_the_sweep():
    long = dataclasses.replace(SMALL, profile="full")
    trainings = [((arm,), seed) for seed in range(7) for arm in (SMALL, long)]
    jobs = pool._jobs(trainings)
    assert [job for job in jobs if job[0] == (SMALL,)] == [
        ((SMALL,), [0, 1, 2, 3, 4]), ((SMALL,), [5, 6]),
    ]  # fmt: skip
    assert [seeds for arms, seeds in jobs if arms == (long,)] == [[seed] for seed in range(7)]
    assert jobs[0] == ((SMALL,), [0, 1, 2, 3, 4]) and jobs[1] == ((long,), [0])


def test_a_lost_scheduler_is_said():
    class Lost:
        def submit(self, *_):
            future = Future()
            future.cancel()
            future.set_running_or_notify_cancel()
            return future

    with pytest.raises(pool.RunFailed, match=r"failed: 2;.* The scheduler was lost; start it"):
        list(pool.train([(SMALL, 0), (SMALL, 1)], Lost()))


ABSENT = ["tcp://127.0.0.1:1", "127.0.0.1:1", "tcp://127.0.0.1:99999", "tcp://nowhere.invalid:8786"]
NONE = ["tcp://127.0.0.1", "127.0.0.1", "foo://127.0.0.1:1", "", "tcp://:x", "tcp://a:b:c"]


@pytest.mark.parametrize("address", ABSENT + NONE)
def test_an_address_without_scheduler_is_said_at_once(address):
    with (
        pytest.raises(pool.RunFailed, match=r"no Dask scheduler at .*\(.+\)\. Start one, by `dask"),
        pool.cluster(address),
    ):
        pass


def test_addresses_are_those_of_a_host_and_a_port(monkeypatch):
    asked = []

    class Connection:
        def __init__(self, address, timeout):
            asked.append(address)

        def __enter__(self):
            return self

        def __exit__(self, *_):
            pass

    monkeypatch.setattr(pool.socket, "create_connection", Connection)
    for address in ("tcp://node-1:8786", "10.0.0.2:80", "tcp://[::1]:8786"):
        assert pool._answering(address) == address
    assert asked == [("node-1", 8786), ("10.0.0.2", 80), ("::1", 8786)]
