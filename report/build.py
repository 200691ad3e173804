"""Execute copies of the notebooks and make the report: `python -m report.build`."""

import argparse
import hashlib
import json
import os
import shutil
import signal
import sys
import time
from collections.abc import Iterable
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from contextlib import suppress
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbformat import NotebookNode
from traitlets.config import Config

from report import slides
from report.cells import TRY_IT, failures, merge
from report.exporters import HTMLReport, PDFReport
from report.plain_text import clean
from report.processes import children, end_children, signals_interrupt
from report.publish import COPIED, clear, publish
from report.study.progress import Follower, clock
from report.study.turns import alone_in

ROOT = Path(__file__).parents[1]
MINUTES = {"quick": "one to two", "full": "one to six"}  # newer and older pairs of cores


def main(arguments: list[str] | None = None) -> int:
    """Make the report; return the exit code."""
    options = _parse(arguments)
    build = options.root / "report" / "build"
    build.mkdir(parents=True, exist_ok=True)
    waiting = "Another report is being made in this checkout; waiting for it to end."
    try:
        with signals_interrupt(), alone_in(build, waiting):
            return _make(options, build)
    except KeyboardInterrupt as end:
        with suppress(OSError):  # the terminal may be gone
            executed = f"what was executed is in {build / 'notebooks'}."
            print(f"\ninterrupted; {executed}", file=sys.stderr, flush=True)
        return 128 + (end.args or [signal.SIGINT])[0]


def _make(options: argparse.Namespace, build: Path) -> int:
    notebooks = sorted((options.root / "notebooks").glob("*.ipynb"))
    begin = time.monotonic()
    print(
        f"Executing {len(notebooks)} notebooks in the {options.profile} profile, training live: "
        f"about {MINUTES[options.profile]} minutes on two cores.",
        flush=True,
    )
    _clean(build, ("notebooks", "live") if options.publish else ("notebooks",))
    with Follower(build / "progress.jsonl") as progress:
        executed = execute(notebooks, build / "notebooks", options.profile, progress)
    written, problems = write_report(executed, build)
    print(f"Done in {clock(time.monotonic() - begin)} min.", *written, sep="\n  ")
    if said := failures(executed) + problems:
        print(*said, "The report is written without them.", sep="\n", file=sys.stderr)
        if options.publish:
            print("Nothing was published.", file=sys.stderr)
    bad = said if options.publish else [line for line in said if line.startswith("error: ")]
    if bad:
        return 1
    if options.publish:
        publish(executed, options.root)
    return 0


def _parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="lab.py report")
    parser.add_argument("--profile", choices=MINUTES, default="full")
    parser.add_argument("--publish", action="store_true")
    parser.add_argument("--root", type=Path, default=ROOT, help=argparse.SUPPRESS)
    return parser.parse_args(arguments)


def _clean(build: Path, folders: Iterable[str]) -> None:
    """Keep the reader's own runs and benchmark; what notebooks write is written anew.

    What is published shows the live runs of its own notebooks only.
    """
    for name in COPIED:
        clear(build / name)
    for name in folders:
        shutil.rmtree(build / name, ignore_errors=True)
    (build / "notebooks").mkdir(parents=True)


# Executing ---------------------------------------------------------------------------------------


def execute(
    notebooks: list[Path], folder: Path, profile: str, progress: Follower
) -> dict[str, NotebookNode]:
    """Execute the notebooks, one on each core.

    A cell that fails stops neither its notebook nor the others: see `cells.failures`.
    """
    os.environ.update(NORMLIB_PROFILE=profile, NORMLIB_PROGRESS=str(progress.file))
    os.environ["PYTHONPATH"] = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])

    def one(notebook: Path) -> tuple[str, NotebookNode]:
        done = _execute(notebook, folder)
        progress.line(f"{notebook.name} done", lasting=True)
        return notebook.stem, done

    # Not in this thread: there nbclient would take the signals that are to end us.
    others, pool = children(), ThreadPoolExecutor(os.cpu_count())
    futures = [pool.submit(one, notebook) for notebook in notebooks]
    try:
        wait(futures, return_when=FIRST_EXCEPTION)
        return dict(future.result() for future in futures)
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
        end_children(others)
        begun = [future for future in futures if not future.cancelled()]
        while wait(begun, timeout=0.5).not_done:  # one may just have begun a kernel
            end_children(others)


def _execute(notebook: Path, folder: Path) -> NotebookNode:
    executed = nbformat.read(notebook, 4)
    # Without this every kernel prints a warning about its connection.
    encrypted = Config(KernelManager={"transport_encryption": "required"})
    client = NotebookClient(
        executed,
        config=encrypted,
        kernel_name="python3",
        timeout=None,
        allow_errors=True,
        record_timing=False,
        skip_cells_with_tag=TRY_IT,
        store_widget_state=False,
        resources={"metadata": {"path": str(notebook.parent)}},
    )
    try:
        client.execute()
    finally:
        nbformat.write(_tidy(executed), folder / notebook.name)
    return executed


def _tidy(notebook: NotebookNode) -> NotebookNode:
    """Leave what JupyterLab would write when it runs all, so that a reader's changes stand out."""
    kernel = {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"}
    notebook.metadata = {
        "kernelspec": kernel,
        # As the kernel gave it, if it began.
        "language_info": notebook.metadata.get("language_info", {"name": "python"}),
        "normlib": {"code": stamp(notebook)},
    }
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)
        clean(cell)
    for number, cell in enumerate((c for c in notebook.cells if c.cell_type == "code"), 1):
        for part in (cell, *cell.outputs):  # what is skipped here is counted where all is run
            if part.get("execution_count"):
                part.execution_count = number
    return notebook


def stamp(notebook: NotebookNode) -> str:
    """A hash of the code cells, by which a test knows that the outputs are theirs."""
    source = [cell.source for cell in notebook.cells if cell.cell_type == "code"]
    return hashlib.sha256(json.dumps(source).encode()).hexdigest()[:16]


# Writing -----------------------------------------------------------------------------------------


def write_report(executed: dict[str, NotebookNode], build: Path) -> tuple[list[Path], list[str]]:
    """Write the notebooks as HTML and PDF, and the slides: the paths, and what went wrong."""
    report, written, problems = merge(executed), [], []
    parts = {
        "index.html": lambda: HTMLReport().from_notebook_node(report),
        "report.pdf": lambda: PDFReport().from_notebook_node(report),
        "slides.pdf": lambda: (slides.make(build / "figures"), {"warnings": []}),
    }
    for name, make in parts.items():
        try:
            made, resources = make()
        except Exception as error:  # the others are made all the same
            reason = " ".join(str(error).split())[:300]
            problems.append(f"error: {name} could not be made: {reason}")
            (build / name).unlink(missing_ok=True)  # it would be that of another report
        else:
            problems += [f"warning: {warning}" for warning in resources["warnings"]]
            written.append(_replace(build / name, made if name.endswith("pdf") else made.encode()))
    return written, [*dict.fromkeys(problems)]


def _replace(path: Path, content: bytes) -> Path:
    temporary = path.with_suffix(".tmp")
    temporary.write_bytes(content)
    return temporary.replace(path)


if __name__ == "__main__":
    sys.exit(main())
