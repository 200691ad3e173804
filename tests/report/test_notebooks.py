"""The committed notebooks: current, clean, and within the limits of a readable notebook."""

import ast
import itertools
import json
import re
from pathlib import Path

import nbformat
import pytest
from ipykernel.ipkernel import IPythonKernel
from ipykernel.kernelspec import KERNEL_NAME, get_kernel_dict
from nbclient import NotebookClient

from report import build
from report.study.arms import REPORTED

ROOT = Path(__file__).parents[2]
FILES = sorted((ROOT / "notebooks").glob("*.ipynb"))
NOTEBOOKS = [pytest.param(nbformat.read(file, 4), id=file.stem) for file in FILES]
FOLDED = {"hide-input", "fold-input"}  # the first in JupyterLab too
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
    for number, cell in enumerate(code(notebook), 1):  # as JupyterLab counts when it runs all
        assert cell.execution_count == (None if "try-it" in tags(cell) else number)
        assert all(o.get("execution_count", number) == number for o in cell.outputs)


@every_notebook
def test_outputs_belong_to_the_present_source(notebook):
    assert notebook.metadata["normlib"]["code"] == build.stamp(notebook)


@every_notebook
def test_has_no_errors_log_noise_or_machine_paths(notebook):
    kinds = {(o.output_type, o.get("name")) for o in outputs(notebook)}
    assert not kinds & {("error", None), ("stream", "stderr")}
    text = json.dumps([o for o in outputs(notebook)])
    assert not re.search(r"(?<![\w.])/(home|root|tmp|Users|usr|var|work)/", text)
    assert not re.search(r"ipykernel|\bPID\b|\d\d:\d\d:\d\d|took \d|other sources", text)


@every_notebook
def test_metadata_is_what_jupyterlab_saves(notebook):
    assert set(notebook.metadata) == {"kernelspec", "language_info", "normlib"}
    kernel = get_kernel_dict()
    spec = {"display_name": kernel["display_name"], "language": kernel["language"]}
    assert notebook.metadata.kernelspec == spec | {"name": KERNEL_NAME}
    version = {"version": notebook.metadata.language_info.version}
    assert re.match(r"3\.1[1-3]\.", version["version"])
    assert notebook.metadata.language_info == IPythonKernel.language_info | version
    assert not any("execution" in cell.metadata for cell in notebook.cells)


@every_notebook
def test_cells_are_short_and_never_more_than_two_without_prose(notebook):
    lengths = {
        len([line for line in c.source.splitlines() if line.strip()]): c.source
        for c in code(notebook)
        if not FOLDED & {*tags(c)}
    }
    assert max(lengths) <= 17, lengths[max(lengths)]
    shown = "".join(
        "c" if c.cell_type == "code" and not FOLDED & {*tags(c)} else "m" for c in notebook.cells
    )
    assert "ccc" not in shown


@every_notebook
def test_imports_stand_in_the_first_code_cell(notebook):
    late = [
        cell.source
        for cell in code(notebook)[1:]
        if re.search(r"^(import|from) ", cell.source, re.M)
    ]
    assert late == []


@every_notebook
def test_hidden_inputs_are_hidden_in_jupyterlab_too(notebook):
    for cell in code(notebook):
        hidden = cell.metadata.get("jupyter", {}).get("source_hidden", False)
        assert hidden == ("hide-input" in tags(cell))


def test_what_is_hidden_only_draws_and_most_code_is_in_view():
    cells = [cell for file in FILES for cell in code(nbformat.read(file, 4))]
    lengths = {True: 0, False: 0}
    for cell in cells:
        hidden = "hide-input" in tags(cell)
        assert not hidden or re.search(r"display\.(figure|source)", cell.source), cell.source
        lengths[hidden] += len(cell.source.splitlines())
    assert lengths[False] > 0.6 * sum(lengths.values())


@every_notebook
def test_archive_tables_and_prose_are_checked_by_nbval(notebook):
    """A table or a sentence drawn from archived records is compared in CI; measured ones vary."""
    for cell in code(notebook):
        drawn = FOLDED & {*tags(cell)} and re.search(r"display\.(table|prose)", cell.source)
        live = "measured" in tags(cell) or re.search(r"\bruns?\b", cell.source)
        if drawn and not live:
            assert "nbval-check-output" in tags(cell), cell.source


@every_notebook
def test_every_figure_has_a_caption_and_alt_text(notebook):
    found = outputs(notebook)
    for output, after in zip(found, [*found, None][1:], strict=True):
        if "image/png" in output.get("data", {}):
            assert len(output.metadata["image/png"]["alt"]) > 20
            assert re.match(r"\*\*Figure A?\d+\.\*\* .{30}", after.data["text/markdown"])


def test_captions_have_at_most_40_words():
    shown = [output for file in FILES for output in outputs(nbformat.read(file, 4))]
    texts = [output.get("data", {}).get("text/markdown", "") for output in shown]
    captions = [re.split(r"^\*\*(?:Figure|Table) A?\d+\.\*\* ", text)[1:] for text in texts]
    captions = [words.split() for found in captions for words in found]
    assert len(captions) > 60 and [words for words in captions if len(words) > 40] == []


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


def text(cells):
    """What is written by hand: no code, no formulas, no addresses."""
    markdown = "\n".join(c.source for c in cells if c.cell_type == "markdown")
    return re.sub(
        r"\$\$.*?\$\$|\$.*?\$|`.*?`|(?<=\])\(.*?\)|sections? 1\.\d|\*\*Prediction.*",
        "",
        markdown,
        flags=re.S,
    )


def tables(notebook):
    """The tables that are shown, as text."""
    shown = [o.data for o in outputs(notebook) if "data" in o]
    return "\n".join(data["text/plain"] for data in shown if "text/html" in data)


# What the text may say without a table: settings, margins, and what the published report measured.
SETTINGS = {"0.0001", "0.0004", "0.001", "0.004", "0.01", "0.02", "0.1", "0.2", "0.3", "0.5", "0.9",
            "1.0", "9.4"}  # fmt: skip
PAIRS = itertools.combinations(REPORTED.values(), 2)
OF_THE_REPORT = {f"{v:.2f}" for v in (*REPORTED.values(), *(abs(a - b) for a, b in PAIRS))}


@every_notebook
def test_a_number_in_the_text_is_one_of_a_table_there(notebook):
    """So that new runs cannot leave an old sentence behind."""
    written = text(cell for cell in notebook.cells if "abstract" not in tags(cell))
    decimals = set(re.findall(r"\d+\.\d+(?! of|\.)", written))
    assert decimals <= SETTINGS | OF_THE_REPORT | set(re.findall(r"\d+\.\d+", tables(notebook)))
    seen = re.findall(r"\*\*(?:What we see|The answer)\.?\*\*.*", written)
    shares = set(re.findall(r"[\d.]+ %", " ".join(seen))) - {"95 %"}
    assert shares <= set(re.findall(r"[\d.]+ %", tables(notebook)))


def test_a_number_of_the_abstract_is_one_of_a_table_there_or_in_a_notebook_that_it_links_to():
    notebooks = (nbformat.read(file, 4) for file in FILES)
    (notebook,) = filter(abstracts, notebooks)
    (abstract,) = abstracts(notebook)
    names = re.findall(r"\]\((\w+\.ipynb)\)", abstract.source)
    linked = [nbformat.read(ROOT / "notebooks" / name, 4) for name in names]
    rows = "\n".join(map(tables, [notebook, *linked])).splitlines()
    written = text([abstract])
    effect = r"(\d+\.\d+) points[^()]*\((?:95 % CI )?(\S+ to \S+), (\d+) seeds\)"
    found = re.findall(effect, written)
    for size, interval, seeds in found:
        row = rf"[+−]{size}\b.*[( ]{re.escape(interval)}\b.* {seeds}\b"
        assert any(re.search(row, line) for line in rows), (size, interval, seeds)
    decimals = re.findall(r"\d+\.\d+", written)
    assert len(decimals) == 3 * len(found) > 0  # every number has its interval


def abstracts(notebook):
    return [cell for cell in notebook.cells if "abstract" in tags(cell)]


@pytest.mark.slow
@pytest.mark.parametrize("name", [file.stem for file in FILES if "try-it" in file.read_text()])
def test_what_a_reader_may_try_runs_and_shows_a_figure(name):
    notebook = nbformat.read(ROOT / "notebooks" / f"{name}.ipynb", 4)
    folder = {"metadata": {"path": str(ROOT / "notebooks")}}
    NotebookClient(notebook, kernel_name="python3", timeout=600, resources=folder).execute()
    tried = [cell for cell in code(notebook) if "try-it" in tags(cell)]
    assert tried and all("image/png" in str(cell.outputs) for cell in tried)


@every_notebook
def test_code_parses(notebook):
    for cell in code(notebook):
        ast.parse(cell.source)
