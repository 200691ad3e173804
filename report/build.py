"""Execute copies of the notebooks and make the report: `python -m report.build`."""

import argparse
import copy
import hashlib
import json
import os
import re
import shutil
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import nbformat
import psutil
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError
from nbconvert.filters import strip_ansi
from nbformat import NotebookNode
from traitlets.config import Config

from report.exporters import HTMLReport, PDFReport
from report.progress import Progress, clock
from report.publish import COPIED, clear, publish

ROOT = Path(__file__).parents[1]
TITLE = "What normalization really does: a lab report on Batch, Layer and Weight Normalization"
MINUTES = {"quick": "one to two", "full": "one to six"}  # newer and older pairs of cores


def main(arguments: list[str] | None = None) -> int:
    """Make the report; return the exit code."""
    options = _parse(arguments)
    build = options.root / "report" / "build"
    notebooks = sorted((options.root / "notebooks").glob("*.ipynb"))
    begin = time.monotonic()
    print(
        f"Executing {len(notebooks)} notebooks in the {options.profile} profile, training live: "
        f"about {MINUTES[options.profile]} minutes on two cores.",
        flush=True,
    )
    _clean(build)
    with Progress(build / "progress.jsonl") as progress:
        try:
            executed = execute(notebooks, build / "notebooks", options.profile, progress)
        except CellExecutionError as error:
            kept = f"What was executed is in {build / 'notebooks'}."
            print(f"\nerror: {strip_ansi(str(error))}\n{kept}", file=sys.stderr)
            return 1
        except KeyboardInterrupt:
            print(f"\ninterrupted; what was executed is in {build / 'notebooks'}.", file=sys.stderr)
            return 130
    report = write_report(executed, build)
    if options.publish:
        publish(executed, options.root)
    print(f"Done in {clock(time.monotonic() - begin)} min.", *report, sep="\n  ")
    return 0


def _parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="lab.py report")
    parser.add_argument("--profile", choices=MINUTES, default="full")
    parser.add_argument("--publish", action="store_true")
    parser.add_argument("--root", type=Path, default=ROOT, help=argparse.SUPPRESS)
    return parser.parse_args(arguments)


def _clean(build: Path) -> None:
    """Keep the reader's own runs and benchmark; what notebooks write is written anew."""
    for name in COPIED:
        clear(build / name)
    for name in ("notebooks", "live"):
        shutil.rmtree(build / name, ignore_errors=True)
    (build / "notebooks").mkdir(parents=True)


# Executing ---------------------------------------------------------------------------------------


def execute(
    notebooks: list[Path], folder: Path, profile: str, progress: Progress
) -> dict[str, NotebookNode]:
    """Execute the notebooks, two at a time, the last one when the others are done.

    The last one shows what the others trained. Raises CellExecutionError for a failing cell.
    """
    os.environ.update(NORMLIB_PROFILE=profile, NORMLIB_PROGRESS=str(progress.file))
    os.environ["PYTHONPATH"] = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])

    def one(notebook: Path) -> tuple[str, NotebookNode]:
        done = _execute(notebook, folder)
        progress.line(f"{notebook.name} done")
        return notebook.stem, done

    *first, last = notebooks
    others, pool = _children(), ThreadPoolExecutor(os.cpu_count())
    try:
        return dict([*pool.map(one, first), one(last)])
    finally:
        for kernel in _children() - others:  # notebooks that still run after an error or Ctrl-C
            with suppress(psutil.NoSuchProcess):
                kernel.kill()
        pool.shutdown(cancel_futures=True)


def _children() -> set[psutil.Process]:
    return set(psutil.Process().children(recursive=True))


def _execute(notebook: Path, folder: Path) -> NotebookNode:
    executed = nbformat.read(notebook, 4)
    # Without this every kernel prints a warning about its connection.
    encrypted = Config(KernelManager={"transport_encryption": "required"})
    client = NotebookClient(
        executed,
        config=encrypted,
        kernel_name="python3",
        timeout=None,
        record_timing=False,
        store_widget_state=False,
        resources={"metadata": {"path": str(notebook.parent)}},
    )
    try:
        client.execute()
    except CellExecutionError as error:
        raise CellExecutionError(f"{notebook.name}: {error}", error.ename, error.evalue) from None
    finally:
        nbformat.write(_tidy(executed), folder / notebook.name)
    return executed


def _tidy(notebook: NotebookNode) -> NotebookNode:
    """Leave in the metadata what every machine would write."""
    notebook.metadata = {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
        "normlib": {"code": stamp(notebook)},
    }
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)
    return notebook


def stamp(notebook: NotebookNode) -> str:
    """A hash of the code cells, by which a test knows that the outputs are theirs."""
    source = [cell.source for cell in notebook.cells if cell.cell_type == "code"]
    return hashlib.sha256(json.dumps(source).encode()).hexdigest()[:16]


# Writing -----------------------------------------------------------------------------------------


def write_report(executed: dict[str, NotebookNode], build: Path) -> list[Path]:
    """Write index.html and report.pdf of the executed notebooks; return their paths."""
    report = merge(executed)
    html, _ = HTMLReport().from_notebook_node(report)
    pdf, _ = PDFReport().from_notebook_node(report)
    return [
        _replace(build / "index.html", html.encode()),
        _replace(build / "report.pdf", pdf),
    ]


def _replace(path: Path, content: bytes) -> Path:
    temporary = path.with_suffix(".tmp")
    temporary.write_bytes(content)
    return temporary.replace(path)


def merge(executed: dict[str, NotebookNode]) -> NotebookNode:
    """One notebook of all: the first heading of each carries the notebook's name as its anchor."""
    cells = []
    for name, notebook in executed.items():
        first, *rest = copy.deepcopy(notebook.cells)
        first.source = re.sub(r"^# (.*)", rf"# {name[:2]} \1 {{#nb-{name}}}", first.source)
        for number, cell in enumerate((first, *rest)):
            cell.id = f"nb-{name[:2]}-{number}"
        cells += [first, *rest]
    metadata = {"title": TITLE, "notebooks": list(executed)}
    return nbformat.v4.new_notebook(cells=cells, metadata=metadata)


if __name__ == "__main__":
    sys.exit(main())
