"""Measure the training step against its peers, and write the tables: `python -m report.bench`."""

import argparse
import os
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from normlib import data
from report.bench import alone, contenders, parts, problem, tables, targets, torch_venv
from report.bench.contenders import Contender, Torch
from report.bench.progress import Progress
from report.bench.race import Groups, fault, race
from report.study import archive
from report.study.progress import clock

STEPS, ROUNDS = 20, 7  # a block, and how many of each contender and norm are measured
MEMORY_BLOCKS, SCALING_BLOCKS, PARTS_BLOCKS = 50, 80, 300  # as long as these
BUSY = 0.5  # processes that want a core: threads that wait for one another suffer most
OWN, COMMITTED = archive.ROOT / "build" / "tables", archive.ROOT / "tables"


def main(arguments: list[str] | None = None) -> int:
    """Measure everything, write the tables and print the targets; return the exit code."""
    parser = argparse.ArgumentParser(prog="lab.py bench", description=__doc__)
    parser.add_argument(
        "--publish",
        action="store_true",
        help="write to the committed tables, if no peer is missing",
    )
    parser.add_argument(
        "--torch-python", type=Path, metavar="PATH",
        help="a Python that has PyTorch and NumPy, instead of one in .venv-bench",
    )  # fmt: skip
    options = parser.parse_args(arguments)
    torch = torch_venv.torch(options.torch_python)
    if torch.missing and not _goes_on_without(torch, options.publish):
        return 1
    try:
        found, absent = measure(torch)
    except KeyboardInterrupt:
        print("\ninterrupted; nothing was written.", file=sys.stderr)
        return 130
    if options.publish and absent:
        print(f"Not published, for want of {'; '.join(absent)}.", file=sys.stderr)
    published = options.publish and not absent
    files = tables.write(found, COMMITTED if published else OWN)
    for line in found["targets"]:
        print("{met:9} {what}: {measured}, target {target}".format(**line))
    print(*files, sep="\n")
    return 1 if options.publish and absent else 0


def _goes_on_without(torch: Torch, publish: bool) -> bool:
    """Says at the start that PyTorch is missing, and asks; where nobody can answer it is a no."""
    print(f"There is no PyTorch to measure against: {torch.missing}\n{torch_venv.HOW}")
    if publish:
        print("Tables without it are not published.")
        return False
    try:
        return input("Measure for a quarter of an hour without it? [y/N] ").lower().startswith("y")
    except EOFError:
        return False


def measure(torch: Torch) -> tuple[dict[str, list[dict]], list[str]]:
    """Every table by its name, and which peers are missing or train another network, and why."""
    load, begin = os.getloadavg()[0], time.monotonic()
    if load > BUSY:
        print(
            f"This machine is busy (load {load:.1f}): the ratios will not be those of a quiet one."
        )
    one, two = contenders.one_run(torch), contenders.two_runs(torch)
    progress = Progress(_blocks(one, two))
    peaks, scaling = _memory(progress), _scaling(progress)
    step_parts = _parts(progress)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "problem.npz"
        problem.save(problem.make(STEPS, ROUNDS + 1), file)
        progress.stage = targets.HOW[0]
        alone_on_all = race(one, file, ROUNDS, progress)
        progress.stage = targets.HOW[1]
        side_by_side = race(two, file, ROUNDS, progress, threads=1, processes=2)
    print(f"\nMeasured in {clock(time.monotonic() - begin)} min.")
    counts = {"images": data.profile(), "rounds": ROUNDS, "steps a block": STEPS}
    return {
        "": tables.of_race(alone_on_all, "step"),
        "sweep": tables.of_race(side_by_side, "step pair"),
        "targets": targets.rows(alone_on_all, side_by_side, peaks, step_parts["none, free"]),
        "footprint": tables.of_memory(peaks),
        "scaling": tables.of_scaling(scaling),
        "parts": parts.rows(step_parts),
        "environment": tables.of_environment(load, PyTorch=torch.version, **counts),
    }, [*_absent(alone_on_all), *_absent(side_by_side)]


def _absent(groups: Groups) -> list[str]:
    return [
        f"{result.contender.name}, {norm} ({why})"
        for norm, results in groups.items() for result in results
        if (why := fault(result, results[0]))
    ]  # fmt: skip


def _blocks(*groups: list[Contender]) -> int:
    races = sum(len(contender.norms) for group in groups for contender in group) * (ROUNDS + 1)
    others = len(alone.BOTH) * MEMORY_BLOCKS // 2 + len(alone.SCALED) * SCALING_BLOCKS
    return races + others + PARTS_BLOCKS


def _memory(progress: Progress) -> dict[str, list[float]]:
    """Two at a time, since nothing is timed."""
    progress.stage = "peak memory"

    def one(arm: str) -> list[float]:
        progress(arm, MEMORY_BLOCKS // 2)
        return alone.measure("memory", arm)

    with ThreadPoolExecutor(2) as pool:
        return dict(zip(alone.BOTH, pool.map(one, alone.BOTH), strict=True))


def _scaling(progress: Progress) -> list[dict]:
    progress.stage, rows = "batch sizes and numbers of images", []
    for arm in alone.SCALED:
        progress(arm, SCALING_BLOCKS)
        rows += alone.measure("scaling", arm)
    return rows


def _parts(progress: Progress) -> dict[str, dict[str, float]]:
    progress.stage = "parts of a step"
    progress("every norm", PARTS_BLOCKS)
    return alone.measure("parts")


if __name__ == "__main__":
    sys.exit(main())
