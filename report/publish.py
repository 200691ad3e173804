"""Renew what is committed: notebooks, HTML, PDF, figures, tables, the README's numbers."""

import csv
import re
import shutil
from contextlib import suppress
from pathlib import Path

import nbformat
import pandas as pd
from nbformat import NotebookNode

COPIED = ("figures", "tables")
FINDINGS, SPEED = "table-a7.csv", "benchmark.csv"
BENCHMARK = "benchmark*"  # tables that `lab.py bench` writes, and no notebook


def publish(executed: dict[str, NotebookNode], root: Path) -> None:
    """Renew the committed notebooks, report, figures and tables."""
    build = root / "report" / "build"
    for name, notebook in executed.items():
        nbformat.write(_without_machine(notebook), root / "notebooks" / f"{name}.ipynb")
    for name in ("index.html", "report.pdf"):
        shutil.copy(build / name, root / "report" / name)
    for name in COPIED:
        clear(root / "report" / name)
        own = shutil.ignore_patterns(BENCHMARK)
        shutil.copytree(build / name, root / "report" / name, ignore=own, dirs_exist_ok=True)
    write_numbers(root / "README.md", root / "report" / "tables")


def clear(folder: Path) -> None:
    """Remove the files that the notebooks wrote there, and the folder if that is all."""
    for file in folder.glob("*"):
        if not file.match(BENCHMARK):
            file.unlink()
    with suppress(OSError):
        folder.rmdir()


def write_numbers(readme: Path, tables: Path) -> None:
    """Renew the README's table of findings and its line on speed, each between two comments."""
    if readme.exists():
        text = readme.read_text()
        for name, now in (
            ("findings", findings(tables / FINDINGS)),
            ("speed", speed(tables / SPEED)),
        ):
            text = re.sub(rf"(<!-- {name}.*?-->\n).*?(<!-- end)", rf"\1{now}\2", text, flags=re.S)
        readme.write_text(text)


def speed(table: Path) -> str:
    """What the benchmark says of a training step, in a sentence."""
    rows = pd.read_csv(table)
    own = rows["contender"].str.startswith("ours")
    script = rows["contender"].str.startswith("the published")
    fastest = rows[~own & ~script].groupby("norm", sort=False)["times ours"].min()
    times = ", ".join(f"{ratio:.1f} times ({norm})" for norm, ratio in fastest.items())
    factor = rows[script]["times ours"].iloc[0]
    return (
        "On two cores a training step of this network takes the fastest of Keras's `fit` and\n"
        f"PyTorch (eager, channels last, compiled) {times} as long as this\n"
        f"lab; done in the published script's way, without a norm, {factor:.0f} times as long.\n"
    )


def findings(table: Path) -> str:
    """A CSV file as the rows of a Markdown table."""
    head, *rows = csv.reader(table.read_text().splitlines())
    return "".join(f"| {' | '.join(row)} |\n" for row in (head, ["---"] * len(head), *rows))


def _without_machine(notebook: NotebookNode) -> NotebookNode:
    """What tells of this machine alone stays in the report, out of the notebook."""
    for cell in notebook.cells:
        if "machine" in cell.metadata.get("tags", []):
            cell.outputs = []
    return notebook
