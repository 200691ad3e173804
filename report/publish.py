"""Renew what is committed: notebooks, report, slides, figures, tables, data, README's numbers."""

import re
import shutil
from contextlib import suppress
from pathlib import Path

import nbformat
import pandas as pd
from nbformat import NotebookNode

from report.study import archive_csv

COPIED = ("figures", "tables")
SPEED, MACHINE = "benchmark.csv", "benchmark-environment.csv"
BENCHMARK = "benchmark*"  # tables that `lab.py bench` writes, and no notebook


def publish(executed: dict[str, NotebookNode], root: Path) -> None:
    """Renew the committed notebooks, report, slides, figures, tables, data release and README."""
    build = root / "report" / "build"
    for name, notebook in executed.items():
        nbformat.write(_without_machine(notebook), root / "notebooks" / f"{name}.ipynb")
    for name in ("index.html", "report.pdf", "slides.pdf"):
        shutil.copy(build / name, root / "report" / name)
    for name in COPIED:
        clear(root / "report" / name)
        own = shutil.ignore_patterns(BENCHMARK)
        shutil.copytree(build / name, root / "report" / name, ignore=own, dirs_exist_ok=True)
    archive_csv.write(root / "report" / "tables", root / "report" / "runs")
    write_numbers(root / "README.md", root / "report" / "tables")


def clear(folder: Path) -> None:
    """Remove the files that the notebooks wrote there, and the folder if that is all."""
    for file in folder.glob("*"):
        if not file.match(BENCHMARK):
            file.unlink()
    with suppress(OSError):
        folder.rmdir()


def write_numbers(readme: Path, tables: Path) -> None:
    """Renew what the README takes from tables, each text between two comments of its name."""
    if readme.exists():
        text = readme.read_text("utf-8")
        for name, now in numbers(tables).items():
            text = _replace(text, name, now)
        readme.write_text(text, "utf-8")


def _replace(text: str, name: str, now: str) -> str:
    pattern = rf"(<!-- {name}.*?-->\n).*?(<!-- end)"
    return re.sub(pattern, lambda found: found[1] + now + found[2], text, flags=re.S)


def numbers(tables: Path) -> dict[str, str]:
    """What the README takes from the tables: the speed."""
    return {"speed": speed(tables)}


def speed(tables: Path) -> str:
    """What the benchmark says of a training step of the free arms."""
    rows = pd.read_csv(tables / SPEED)
    what = pd.read_csv(tables / MACHINE, index_col="what", dtype=str)["value"]
    free = rows[rows["contender"] == "ours, free"].set_index("norm")
    peers = _times(1 / free["times the fastest peer"], 1)
    none = _times(free["times no norm"].drop("none"), 2)
    script = rows[rows["contender"].str.startswith("the published")]["times ours"].iloc[0]
    return (
        f"On {what['threads']} threads of a processor {what['cpu']} (family, model, stepping) a "
        f"training step with the shortcut of `free.py` takes {none} as long as the plain step "
        "without a norm.\n"
        "The fastest of Keras's `fit` and PyTorch (eager, channels last, compiled) "
        f"takes {peers} as long as the shortcut.\n"
        "The published script's way, without a norm, takes "
        f"{script:.0f} times as long as the lab's plain one. "
        f"Ratios are medians of {what['rounds']} rounds; notebook 07 has their ranges.\n"
    )


def _times(ratios: pd.Series, digits: int) -> str:
    return ", ".join(f"{ratio:.{digits}f} times ({norm})" for norm, ratio in ratios.items())


def _without_machine(notebook: NotebookNode) -> NotebookNode:
    """What tells of this machine alone stays in the report, out of the notebook."""
    for cell in notebook.cells:
        if "machine" in cell.metadata.get("tags", []):
            cell.outputs = []
    return notebook
