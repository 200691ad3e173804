"""The committed notebooks: current, clean, and within the limits of a readable notebook."""

import ast
import json
import re
from pathlib import Path

import nbformat
import pytest

from report import build
from report.study.arms import PUBLISHED

ROOT = Path(__file__).parents[2]
FILES = sorted((ROOT / "notebooks").glob("*.ipynb"))
NOTEBOOKS = [pytest.param(nbformat.read(file, 4), id=file.stem) for file in FILES]
every_notebook = pytest.mark.parametrize("notebook", NOTEBOOKS)


def code(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def outputs(notebook):
    return [output for cell in code(notebook) for output in cell.outputs]


def tags(cell):
    return cell.metadata.get("tags", [])


def test_they_are_numbered_without_gaps_and_then_the_appendices():
    numbers = [file.name[:2] for file in FILES]
    appendices = [number for number in numbers if number[0] == "A"]
    assert appendices == [f"A{n}" for n in range(1, len(appendices) + 1)] and appendices
    notebooks = numbers[: -len(appendices)]
    assert notebooks == [f"{n:02}" for n in range(len(notebooks))] and len(notebooks) > 6


@every_notebook
def test_is_valid_and_executed_from_top_to_bottom(notebook):
    nbformat.validate(notebook)
    assert [cell.execution_count for cell in code(notebook)] == list(
        range(1, len(code(notebook)) + 1)
    )


@every_notebook
def test_outputs_belong_to_the_present_source(notebook):
    assert notebook.metadata["normlib"]["code"] == build.stamp(notebook)


@every_notebook
def test_has_no_errors_log_noise_or_machine_paths(notebook):
    kinds = {(o.output_type, o.get("name")) for o in outputs(notebook)}
    assert not kinds & {("error", None), ("stream", "stderr")}
    text = json.dumps([o for o in outputs(notebook)])
    assert not re.search(r"(?<![\w.])/(home|root|tmp|Users|usr|var|work)/", text)
    assert not re.search(r"ipykernel|\bPID\b|\d\d:\d\d:\d\d|took \d", text)


@every_notebook
def test_metadata_is_the_same_on_every_machine(notebook):
    assert set(notebook.metadata) == {"kernelspec", "language_info", "normlib"}
    assert notebook.metadata.kernelspec.name == "python3"
    assert not any("execution" in cell.metadata for cell in notebook.cells)


@every_notebook
def test_cells_are_short_and_never_more_than_two_without_prose(notebook):
    lengths = {
        len([line for line in c.source.splitlines() if line.strip()]): c.source
        for c in code(notebook)
        if "hide-input" not in tags(c)
    }
    assert max(lengths) <= 17, lengths[max(lengths)]
    shown = "".join(
        "c" if c.cell_type == "code" and "hide-input" not in tags(c) else "m"
        for c in notebook.cells
    )
    assert "ccc" not in shown


@every_notebook
def test_imports_stand_in_the_first_code_cell(notebook):
    late = [
        cell.source
        for cell in code(notebook)[1:]
        if re.search(r"^(import|from) ", cell.source, re.M)
    ]
    assert late in ([], [s for s in late if s.startswith("import inspect")])


@every_notebook
def test_hidden_inputs_are_hidden_in_jupyterlab_too(notebook):
    for cell in code(notebook):
        hidden = cell.metadata.get("jupyter", {}).get("source_hidden", False)
        assert hidden == ("hide-input" in tags(cell))


@every_notebook
def test_archive_tables_and_prose_are_checked_by_nbval(notebook):
    """A table or a sentence drawn from archived records is compared in CI; measured ones vary."""
    for cell in code(notebook):
        drawn = "stats." in cell.source and re.search(r"page\.(table|prose)", cell.source)
        live = re.search(r"\brun\b|\bruns\b", cell.source)
        if drawn and not live and "measured" not in tags(cell):
            assert "nbval-check-output" in tags(cell), cell.source


@every_notebook
def test_every_figure_has_a_caption_and_alt_text(notebook):
    found = outputs(notebook)
    for output, after in zip(found, [*found, None][1:], strict=True):
        if "image/png" in output.get("data", {}):
            assert len(output.metadata["image/png"]["alt"]) > 20
            assert re.match(r"\*\*Figure A?\d+\.\*\* .{30}", after.data["text/markdown"])


def numbers(kind, texts):
    return [found for text in texts for found in re.findall(rf"{kind} (A?\d+)\b", text)]


@pytest.mark.parametrize("kind, published", [("Figure", 6), ("Table", 3)])
def test_figures_and_tables_are_numbered_once_in_order(kind, published):
    """As the sources number them; one whose runs are not there yet is not among the outputs."""
    notebooks = [nbformat.read(file, 4) for file in FILES]
    sources = "".join(cell.source for notebook in notebooks for cell in code(notebook))
    found = numbers(kind, re.findall(r'"((?:Figure|Table) A?\d+)",', sources))
    plain, further = (
        [n.lstrip("A") for n in found if n.startswith("A") == a] for a in (False, True)
    )
    assert plain == [str(n + 1) for n in range(published)]
    assert further == [str(n + 1) for n in range(len(further))]
    captions = [o.get("data", {}).get("text/markdown", "") for n in notebooks for o in outputs(n)]
    shown = numbers(
        kind, [re.match(r"(\*\*(Figure|Table) A?\d+\.)?", text)[0] for text in captions]
    )
    assert shown == [number for number in found if number in shown] and len(shown) > 10


@every_notebook
def test_quoted_numbers_are_those_of_the_published_tables(notebook):
    """Accuracies in the text are the published ones; ours are computed, never typed."""
    text = " ".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")
    typed = {float(number) for number in re.findall(r"(\d\d\.\d\d) %", text)}
    assert typed <= set(PUBLISHED.values())


@every_notebook
def test_code_parses(notebook):
    for cell in code(notebook):
        ast.parse(cell.source)
