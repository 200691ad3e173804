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
        nbformat.write(notebook, root / "notebooks" / f"{name}.ipynb")
    for name in ("index.html", "report.pdf", "slides.pdf"):
        shutil.copy(build / name, root / "report" / name)
    for name in COPIED:
        clear(root / "report" / name)
        own = shutil.ignore_patterns(BENCHMARK)
        shutil.copytree(build / name, root / "report" / name, ignore=own, dirs_exist_ok=True)
    archive_csv.write(root / "report" / "tables", root / "report" / "runs")
    write_speed(root / "README.md", root / "report" / "tables")


def clear(folder: Path) -> None:
    """Remove the files that the notebooks wrote there, and the folder if that is all."""
    for file in folder.glob("*"):
        if not file.match(BENCHMARK):
            file.unlink()
    with suppress(OSError):
        folder.rmdir()


def write_speed(readme: Path, tables: Path) -> None:
    """Renew what the README says of speed, between two comments."""

    def now(found: re.Match) -> str:
        return found[1] + speed(tables) + found[2]

    if readme.exists():
        pattern = r"(<!-- speed.*?-->\n).*?(<!-- end)"
        text = re.sub(pattern, now, readme.read_text("utf-8"), flags=re.S)
        readme.write_text(text, "utf-8")


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
