"""Execute copies of the notebooks and make the report: `python -m report.build`."""

import argparse
import copy
import hashlib
import json
import os
import re
import shutil
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError
from nbformat import NotebookNode

from report.exporters import HTMLReport, PDFReport

ROOT = Path(__file__).parents[1]
TITLE = "What normalization really does: a lab report on Batch, Layer and Weight Normalization"
MINUTES = {"quick": "two", "full": "six"}  # measured on two cores
COPIED = ("figures", "tables")


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
            print(
                f"\nerror: {error}\nWhat was executed is in {build / 'notebooks'}.", file=sys.stderr
            )
            return 1
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
    """Keep the reader's own runs; what the notebooks write is written anew."""
    for name in (*COPIED, "notebooks", "live"):
        shutil.rmtree(build / name, ignore_errors=True)
    (build / "notebooks").mkdir(parents=True)


# Executing ---------------------------------------------------------------------------------------


def execute(
    notebooks: list[Path], folder: Path, profile: str, progress: "Progress"
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
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        executed = list(pool.map(one, first))
    return dict([*executed, one(last)])


def _execute(notebook: Path, folder: Path) -> NotebookNode:
    executed = nbformat.read(notebook, 4)
    client = NotebookClient(
        executed,
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


class Progress:
    """Shows what the kernels write about their training, on a terminal in one line."""

    def __init__(self, file: Path):
        self.file, self.begin, self.finished = file, time.monotonic(), threading.Event()
        self.terminal = sys.stdout.isatty()
        self.thread = threading.Thread(target=self._follow)

    def __enter__(self) -> "Progress":
        self.file.write_text("")
        self.thread.start()
        return self

    def __exit__(self, *_) -> None:
        self.finished.set()
        self.thread.join()
        self.file.unlink()

    def line(self, text: str, end: str = "\n") -> None:
        """Print the text with the time since the begin, fitted to a terminal's width."""
        text = f"[{clock(time.monotonic() - self.begin)}] {text}"
        if self.terminal:
            text = text[: shutil.get_terminal_size().columns - 1] + "\033[K"
        print(f"\r{text}" if self.terminal else text, end=end, flush=True)

    def _follow(self) -> None:
        with open(self.file) as lines:
            while not self.finished.wait(1 if self.terminal else 15):
                news = lines.readlines()
                if news:
                    self.line(describe(json.loads(news[-1])), "" if self.terminal else "\n")


def describe(state: dict) -> str:
    """One line on a run in training, of the state that a kernel wrote."""
    return (
        f"{state['label']}: epoch {state['epoch']} of {state['epochs']}, "
        f"accuracy {100 * state['accuracy']:.1f} %, about {clock(state['seconds_left'])} left"
    )


def clock(seconds: float) -> str:
    """Seconds as minutes and seconds, 63 as '1:03'."""
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d}"


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
        first.source = re.sub(r"^# .*", rf"\g<0> {{#nb-{name}}}", first.source)
        cells += [first, *rest]
    report = nbformat.v4.new_notebook(
        cells=cells, metadata={"title": TITLE, "notebooks": list(executed)}
    )
    for number, cell in enumerate(report.cells):
        cell.id = f"cell-{number}"
    return report


def publish(executed: dict[str, NotebookNode], root: Path) -> None:
    """Renew the committed notebooks, report, figures and tables."""
    build = root / "report" / "build"
    for name, notebook in executed.items():
        nbformat.write(_without_machine(notebook), root / "notebooks" / f"{name}.ipynb")
    for name in ("index.html", "report.pdf"):
        shutil.copy(build / name, root / "report" / name)
    for name in COPIED:
        shutil.rmtree(root / "report" / name, ignore_errors=True)
        shutil.copytree(build / name, root / "report" / name)


def _without_machine(notebook: NotebookNode) -> NotebookNode:
    """What tells of this machine alone stays in the report, out of the notebook."""
    for cell in notebook.cells:
        if "machine" in cell.metadata.get("tags", []):
            cell.outputs = []
    return notebook


if __name__ == "__main__":
    sys.exit(main())
