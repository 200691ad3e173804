"""Measure the training step against its peers, and write the tables: `python -m report.bench`."""

import argparse
import os
import statistics
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from normlib import data
from report.bench import alone, contenders, parts, problem, tables, targets, torch_venv
from report.bench.contenders import NORMS, SHORT, Contender
from report.bench.progress import Progress
from report.bench.race import Result, race
from report.study import archive
from report.study.progress import clock

STEPS, ROUNDS = 20, 7  # a block, and how many of each contender are measured
SCALED = ("none", "batch", "layer")
MODULES = ("normlib", "normlib.layers", "report.study.recording", "report.study.sweep")
IMPORTS = 5
MEMORY_BLOCKS, SCALING_BLOCKS, IMPORT_BLOCKS, PARTS_BLOCKS = 50, 80, 8, 200  # as long as these
BUSY = 0.5  # processes that want a core: threads that wait for one another suffer most
OWN, PUBLISHED = archive.ROOT / "build" / "tables", archive.ROOT / "tables"


def main(arguments: list[str] | None = None) -> int:
    """Measure everything, write the tables and print the targets; return the exit code."""
    parser = argparse.ArgumentParser(prog="lab.py bench", description=__doc__)
    parser.add_argument("--publish", action="store_true", help="write to the committed tables")
    options = parser.parse_args(arguments)
    try:
        found = measure()
    except KeyboardInterrupt:
        print("\ninterrupted; nothing was written.", file=sys.stderr)
        return 130
    files = tables.write(found, PUBLISHED if options.publish else OWN)
    for line in found["targets"]:
        print("{met:9} {what}: {measured}, target {target}".format(**line))
    print(*files, sep="\n")
    return 0


def measure() -> dict[str, list[dict]]:
    """Every table by its name."""
    load, begin, torch = os.getloadavg()[0], time.monotonic(), torch_venv.torch()
    if load > BUSY:
        print(
            f"This machine is busy (load {load:.1f}): the ratios will not be those of a quiet one."
        )
    steps, sweeps = contenders.step_groups(torch), contenders.sweep_groups(torch)
    progress = Progress(_blocks(steps, sweeps))
    peaks, imports, scaling = _memory(progress), _imports(progress), _scaling(progress)
    step_parts = _parts(progress)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "problem.npz"
        problem.save(problem.make(STEPS, ROUNDS + 1), file)
        stepped = _race(steps, "all cores", progress, file)
        swept = _race(sweeps, "two runs, a thread each", progress, file, threads=1, processes=2)
    print(f"\nMeasured in {clock(time.monotonic() - begin)} min.")
    return {
        "": tables.of_races(stepped, "step"),
        "sweep": tables.of_races(swept, "step pair"),
        "targets": [
            *targets.of_races(stepped, swept), *targets.of_memory(peaks),
            *targets.of_imports(imports), *targets.of_scaling(scaling),
        ],
        "footprint": tables.of_footprint(peaks, imports),
        "scaling": tables.of_scaling(scaling),
        "parts": parts.rows(step_parts),
        "environment": tables.of_environment(
            load, images=data.profile(), rounds=ROUNDS, steps_a_block=STEPS
        ),
    }  # fmt: skip


def _blocks(*all_groups: dict[str, list[Contender]]) -> int:
    races = [len(group) * (ROUNDS + 1) for groups in all_groups for group in groups.values()]
    others = len(NORMS) * MEMORY_BLOCKS // 2 + len(SCALED) * SCALING_BLOCKS
    others += PARTS_BLOCKS
    return sum(races) + others + len(MODULES) * IMPORTS * IMPORT_BLOCKS


def _race(groups: dict, how: str, progress: Progress, file: Path, **options) -> targets.Groups:
    results: dict[str, list[Result]] = {}
    for norm, group in groups.items():
        progress.stage = f"{how}, {SHORT[norm]}"
        results[norm] = race(group, file, ROUNDS, progress, **options)
    return results


def _memory(progress: Progress) -> dict[str, list[float]]:
    """Two at a time, since nothing is timed."""
    progress.stage = "peak memory"

    def one(norm: str) -> list[float]:
        progress(SHORT[norm], MEMORY_BLOCKS // 2)
        return alone.measure("memory", norm)

    with ThreadPoolExecutor(2) as pool:
        return dict(zip(NORMS, pool.map(one, NORMS), strict=True))


def _imports(progress: Progress) -> dict[str, float]:
    progress.stage = "imports"
    return {module: _import(module, progress) for module in MODULES}


def _import(module: str, progress: Progress) -> float:
    seconds = []
    for _ in range(IMPORTS):
        progress(module, IMPORT_BLOCKS)
        seconds.append(alone.import_seconds(module))
    return statistics.median(seconds)


def _scaling(progress: Progress) -> list[dict]:
    progress.stage, rows = "batch sizes and numbers of images", []
    for norm in SCALED:
        progress(SHORT[norm], SCALING_BLOCKS)
        rows += alone.measure("scaling", norm)
    return rows


def _parts(progress: Progress) -> dict[str, dict[str, float]]:
    progress.stage = "parts of a step"
    progress("every norm", PARTS_BLOCKS)
    return alone.measure("parts")


if __name__ == "__main__":
    sys.exit(main())
