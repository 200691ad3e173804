"""Faults, injected: sweeps are killed, files truncated, bits flipped, disks filled.

What is read after one is right, or is refused by name of file and line; no result changes
unnoticed. A thin sample of each, and all of them with NORMLIB_TESTS=all.
"""

import multiprocessing
import os
import random
import shutil
import time
from pathlib import Path

import pytest
from made_runs import each, list_checksums, record
from test_sweep import SMALL, at_most, known

from report.study import archive, provenance, sweep, worker
from report.study.experiments import Experiment


def thorough() -> bool:
    """Whether every case is asked for."""
    return os.environ.get("NORMLIB_TESTS") == "all"


def cases(all_of_them: int, some: int) -> list[int]:
    """The numbers from 0 to below the first, or so many of them."""
    every = range(all_of_them)
    return list(every if thorough() else random.Random(0).sample(every, min(some, all_of_them)))


def texts(records) -> list[str]:
    """The records as what can be compared, whatever they hold."""
    return [str(archive.encode(each)) for each in records]


# Killed -------------------------------------------------------------------------------------------

RUNS = Experiment("some", (SMALL,), tuple(range(20)))


def swept(folder: Path) -> None:
    """Sweep with a made-up worker, and say in files what was trained and what was kept."""

    def say(file, seed):
        with open(folder / file, "ab", buffering=0) as log:
            log.write(b"%d\n" % seed)

    def train(arms, seed):
        say("trained", seed)
        time.sleep(random.expovariate(200))
        return [known(arm, seed) for arm in arms]

    append = archive.append

    def keep(record, home):
        append(record, home)
        say("kept", record.seed)

    worker.run_each, archive.append = each(train), keep
    for name in ("COMMITTED", "OWN", "LIVE"):
        setattr(archive, name, folder / name)
    provenance.listed = lambda: {"the archive's": [provenance.sources(SMALL)]}
    found = sweep.run(RUNS)
    assert texts(found) == texts(known(SMALL, seed) for seed in RUNS.seeds)


def said(file: Path) -> list[int]:
    return [*map(int, file.read_text().split())] if file.exists() else []


@pytest.fixture(scope="module")
def start():
    """Starts a sweep into a folder, in a process of its own that is there at once."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["pytest", "report.study.claims.book", "report.study.sweep"])

    def begin(folder: Path) -> multiprocessing.Process:
        folder.mkdir(exist_ok=True)
        process = context.Process(target=swept, args=(folder,))
        process.start()
        return process

    return begin


def test_a_sweep_that_is_killed_loses_what_was_in_flight_and_a_restart_completes_it(
    start, tmp_path
):
    moments, midway = random.Random(0), 0
    for number in cases(150, 6):
        folder = tmp_path / str(number)
        process = start(folder)
        while process.is_alive() and len(said(folder / "kept")) < number % len(RUNS.seeds):
            time.sleep(0.001)
        time.sleep(moments.uniform(0, 0.02))
        process.kill()
        process.join()
        kept = archive.read([folder / "OWN"])
        assert texts(kept.values()) == texts(known(*key) for key in kept)
        assert {*said(folder / "kept")} <= {seed for _, seed in kept}
        before = len(said(folder / "trained"))
        midway += 0 < len(kept) < len(RUNS.seeds)
        again = start(folder)
        again.join()
        assert again.exitcode == 0
        assert {*said(folder / "trained")[before:]} == {*RUNS.seeds} - {s for _, s in kept}
        assert {*archive.read([folder / "OWN"])} == {*RUNS.runs()}
        assert {file.suffix for file in (folder / "OWN").iterdir()} == {".jsonl", ""}
    assert midway, "every kill came before or after its sweep"


# Damaged ------------------------------------------------------------------------------------------


@pytest.fixture
def new(tmp_path) -> Path:
    """A file of three lines that carry their checksums, 10 kB."""
    rng = random.Random(1)
    for seed in range(3):
        losses = [rng.random() for _ in range(120)]
        archive.append(record(seed, loss_every_10=losses), tmp_path)
    (file,) = tmp_path.glob("*.jsonl")
    return file


@pytest.fixture
def old(tmp_path) -> Path:
    """The first three lines of a published file, whose checksums are in the list."""
    source = archive.COMMITTED / "epochs=1.jsonl"
    file = tmp_path / source.name
    file.write_bytes(b"".join(source.read_bytes().splitlines(keepends=True)[:3]))
    shutil.copy(archive.COMMITTED / archive.CHECKSUMS, tmp_path)
    assert archive.MARK not in file.read_bytes()
    return file


def read(file: Path) -> list[str]:
    return texts(archive.read([file.parent]).values())


def test_a_truncated_file_has_the_whole_lines_before_and_says_so(new, capsys):
    content, sound = new.read_bytes(), read(new)
    for size in cases(len(content), 200):
        new.write_bytes(content[:size])
        lines = content[:size].count(b"\n")
        assert read(new) == sound[:lines]
        torn = not content[:size].endswith(b"\n") and size > 0
        assert (f"{new.name} line {lines + 1} is incomplete" in capsys.readouterr().out) == torn


def test_a_truncated_file_is_completed_by_the_next_record(new, capsys):
    content, sound = new.read_bytes(), read(new)
    for size in cases(len(content), 50)[:: 20 if thorough() else 1]:
        new.write_bytes(content[:size])
        archive.append(record(7), new.parent)
        capsys.readouterr()
        assert read(new) == sound[: content[:size].count(b"\n")] + texts([record(7)])
        assert capsys.readouterr().out == ""


@pytest.mark.parametrize("age", ["new", "old"])
def test_a_flipped_bit_is_refused_by_file_and_line(age, request, capsys):
    file = request.getfixturevalue(age)
    content, sound = file.read_bytes(), read(file)
    flips = random.Random(2)
    for _ in cases(1500, 200):
        flip(file, content, flips.randrange(8 * len(content)), sound, capsys)
    for place, byte in enumerate(content):  # every one of the bytes that lines are told apart by
        if byte in b"\n":
            for bit in range(8):
                flip(file, content, 8 * place + bit, sound, capsys)


def flip(file, content, bit, sound, capsys):
    changed = bytearray(content)
    changed[bit // 8] ^= 1 << bit % 8
    file.write_bytes(changed)
    line = content[: bit // 8].count(b"\n") + 1
    try:
        found = read(file)
    except archive.ArchiveError as error:
        assert f"{file} line {line} is not a record (" in str(error), bit
        return
    assert bit // 8 == len(content) - 1, f"bit {bit} is changed unnoticed"
    assert found == sound[:-1]  # the end of the last line: it is taken for a torn one
    assert f"{file.name} line {line} is incomplete" in capsys.readouterr().out


def test_a_flipped_bit_in_the_list_of_checksums_changes_no_result(old):
    sums, sound = old.parent / archive.CHECKSUMS, read(old)
    ours = list_checksums(old.parent).encode()
    for bit in cases(8 * len(ours), 50):
        changed = bytearray(ours)
        changed[bit // 8] ^= 1 << bit % 8
        sums.write_bytes(changed)
        try:
            assert read(old) == sound
        except archive.ArchiveError as error:
            assert "its checksum is not in checksums.txt" in str(error)


# Filled -------------------------------------------------------------------------------------------


def test_a_disk_that_fills_at_any_byte_leaves_whole_lines(new):
    content, sound = new.read_bytes(), read(new)
    line = len(content) // 3
    for room in cases(line - 100, 100):
        with at_most(len(content) + room), pytest.raises(archive.ArchiveError, match="make room"):
            archive.append(record(7, loss_every_10=[0.1 + 0.2] * 120), new.parent)
        assert new.read_bytes() == content
    assert read(new) == sound
