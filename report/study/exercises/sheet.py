"""Copies of the exercises' notebook: `python -m report.study.exercises.sheet`, `lab.py exercises`.

A fresh sheet has nothing solved; one with solutions has `solutions.py` in its cells.
"""

import argparse
import ast
import shlex
import sys
from pathlib import Path

import nbformat
from nbformat import NotebookNode

NOTEBOOK = Path(__file__).parents[3] / "notebooks" / "08_write_your_own.ipynb"
SOLUTIONS = Path(__file__).with_name("solutions.py")
UNWRITTEN = "    raise NotImplementedError"


def main(arguments: list[str] | None = None) -> int:
    """Write what is asked for, next to where the reader is; return the exit code."""
    parser = argparse.ArgumentParser(
        prog="lab.py exercises", description="Write the exercises as a notebook of your own."
    )
    parser.add_argument("reader", type=Path, help=argparse.SUPPRESS)
    parser.add_argument(
        "path", nargs="?", metavar="PATH", help=f"a fresh sheet (default: {NOTEBOOK.name[3:]})"
    )
    parser.add_argument("--solutions", metavar="PATH", help="a sheet with our solutions")
    options = parser.parse_args(arguments)
    fresh = options.path or (None if options.solutions else NOTEBOOK.name[3:])
    for name, solved in ((fresh, False), (options.solutions, True)):
        if name:
            path = options.reader / (name if name.endswith(".ipynb") else f"{name}.ipynb")
            try:
                with open(path, "x", encoding="utf-8") as file:  # nobody's work is overwritten
                    nbformat.write(sheet(solved), file)
            except OSError as error:
                said = f"error: {path} cannot be written ({error.strerror}): give another path."
                print(said, file=sys.stderr)
                return 1
            print(f"Written. To open it: python3 lab.py open {shlex.quote(str(path))}")
    return 0


def sheet(solved: bool = False) -> NotebookNode:
    """The notebook without outputs, as a reader has it, its functions written or not."""
    notebook = nbformat.read(NOTEBOOK, 4)
    notebook.metadata.pop("normlib", None)
    for cell in notebook.cells:
        cell.metadata = {}  # the report shows the first cell alone
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
            if solved and UNWRITTEN in cell.source:
                name = cell.source.split("(")[0].removeprefix("def ")
                cell.source = cell.source.replace(UNWRITTEN, body(name))
    return notebook


def body(name: str) -> str:
    """The lines of the solution, without its signature."""
    text = SOLUTIONS.read_text("utf-8")
    functions = {node.name: node for node in ast.parse(text).body if hasattr(node, "name")}
    first, last = functions[name].body[0].lineno, functions[name].end_lineno
    return "\n".join(text.splitlines()[first - 1 : last])


if __name__ == "__main__":
    sys.exit(main())
