"""The notebooks' cells: how messages name them, which failed, and all of them as one notebook."""

import copy
import re
from collections.abc import Callable

import nbformat
from nbformat import NotebookNode

TITLE = "What normalization really does: a lab report on Batch, Layer and Weight Normalization"


TRY_IT = "try-it"  # the tag of cells that a reader may run, and a report leaves out


def named(cell: NotebookNode, notebook: str) -> str:
    """How a message names a cell: its notebook, its number if it has one, its first line."""
    number = f"cell {cell.get('execution_count') or '–'}" if cell.cell_type == "code" else "text"
    first = next(iter(cell.source.split("\n")), "")
    return f"{notebook}, {number}, `{first[:80]}`"


def failures(executed: dict[str, NotebookNode]) -> list[str]:
    """One line per cell that failed: its notebook, its number, its code's first line, the error."""
    return [
        f"error: {named(cell, f'{name}.ipynb')}: "
        f"{output.ename}: {' '.join(output.evalue.split())[:300]}"
        for name, notebook in executed.items()
        for cell in notebook.cells
        for output in cell.get("outputs", [])
        if output.output_type == "error"
    ]


def culprits(items: list, works: Callable[[list], bool]) -> list:
    """Those of the items that do not work even alone; none if they fail only together."""
    if works(items):
        return []
    if len(items) == 1:
        return items
    half = len(items) // 2
    return culprits(items[:half], works) + culprits(items[half:], works)


def merge(executed: dict[str, NotebookNode]) -> NotebookNode:
    """One notebook of all: the first heading of each carries the notebook's name as its anchor.

    Its metadata hold each notebook by itself, as it is before a run.
    """
    cells = []
    for name, notebook in executed.items():
        own = [
            copy.deepcopy(cell)
            for cell in notebook.cells
            if TRY_IT not in cell.metadata.get("tags", [])
        ]
        for cell in own:
            cell.metadata.named = named(cell, f"{name}.ipynb")
        if not own or own[0].cell_type != "markdown" or not re.match("# .", own[0].source):
            own.insert(0, nbformat.v4.new_markdown_cell(f"# {name.replace('_', ' ')}"))
        first, *rest = own[0].source.split("\n")
        first = f"# {name[:2]} {first[2:]} {{#nb-{anchor(name)}}}"
        own[0].source = "\n".join([first, *rest])
        cells += own
    for number, cell in enumerate(cells):
        cell.id = f"cell-{number}"
    notebooks = {name: _not_run(notebook) for name, notebook in executed.items()}
    metadata = {"title": TITLE, "notebooks": notebooks}
    return nbformat.v4.new_notebook(cells=cells, metadata=metadata)


def anchor(name: str) -> str:
    """The name of a notebook as the end of its anchor, as sections.lua has it."""
    return re.sub(rb"\W", b"-", name.encode()).decode()


def _not_run(notebook: NotebookNode) -> str:
    """The text of the notebook's file without what running it left."""
    fresh = copy.deepcopy(notebook)
    for cell in fresh.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
        cell.metadata.pop("named", None)
    return nbformat.writes(fresh)
