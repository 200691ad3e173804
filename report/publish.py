"""Renew what is committed: notebooks, HTML, PDF, figures, tables, the README's findings."""

import csv
import re
import shutil
from contextlib import suppress
from pathlib import Path

import nbformat
from nbformat import NotebookNode

COPIED = ("figures", "tables")
FINDINGS = "table-a7.csv"
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
    write_findings(root / "README.md", root / "report" / "tables" / FINDINGS)


def clear(folder: Path) -> None:
    """Remove the files that the notebooks wrote there, and the folder if that is all."""
    for file in folder.glob("*"):
        if not file.match(BENCHMARK):
            file.unlink()
    with suppress(OSError):
        folder.rmdir()


def write_findings(readme: Path, table: Path) -> None:
    """Renew the README's table of findings, between its two comments."""
    if readme.exists():
        text = readme.read_text()
        text = re.sub(
            r"(<!-- findings.*-->\n).*?(<!-- end)", rf"\1{findings(table)}\2", text, flags=re.S
        )
        readme.write_text(text)


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
