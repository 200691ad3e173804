"""Sheets: a fresh one has nothing solved, and no work is lost; one with solutions is right."""

import ast

import nbformat
import pytest

from report.study.exercises import sheet, solutions, training
from report.study.exercises.catalogue import EXERCISES


def functions(notebook):
    """The functions of the cells, by their names, as syntax trees."""
    code = "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "code")
    found = [node for node in ast.parse(code).body if isinstance(node, ast.FunctionDef)]
    return {node.name: node for node in found}


def arguments(node):
    return tuple(argument.arg for argument in node.args.args)


def test_a_fresh_sheet_asks_for_every_exercise_and_solves_none(tmp_path, capsys):
    assert sheet.main([str(tmp_path), "mine"]) == 0
    path = tmp_path / "mine.ipynb"
    said = f"Written. To open it: python3 lab.py open {path}\n"
    assert capsys.readouterr().out == said
    notebook = nbformat.read(path, 4)
    nbformat.validate(notebook)
    assert list(functions(notebook)) == list(EXERCISES)
    for name, function in functions(notebook).items():
        docstring, unwritten = function.body
        assert ast.unparse(unwritten) == "raise NotImplementedError"
        exercise = EXERCISES[name]
        asked = exercise.arguments[:3] if exercise.of_the_tape else exercise.arguments
        assert arguments(function) == asked
        outputs = exercise.outputs[:1] if exercise.of_the_tape else exercise.outputs
        assert all(f"{name}" in ast.unparse(docstring) for name in (*asked, *outputs))
    for cell in notebook.cells:
        assert not cell.metadata and not cell.get("outputs") and cell.get("execution_count") is None
    assert "normlib" not in notebook.metadata


def test_the_report_shows_the_first_cell_alone():
    first, *others = nbformat.read(sheet.NOTEBOOK, 4).cells
    assert "remove-cell" not in first.metadata.get("tags", []) and len(first.source) < 2500
    assert all("remove-cell" in cell.metadata.tags for cell in others)


def test_each_function_is_checked_in_the_cell_below():
    cells = [cell.source for cell in sheet.sheet().cells if cell.cell_type == "code"]
    for name in EXERCISES:
        (at,) = (i for i, source in enumerate(cells) if source.startswith(f"def {name}("))
        assert cells[at + 1] == f"check({name})"
    assert cells[-1] == "compare(network_norm)"


def test_work_that_is_there_is_not_overwritten(tmp_path, capsys):
    (tmp_path / "mine.ipynb").write_text("hours of work")
    assert sheet.main([str(tmp_path), "mine.ipynb"]) == 1
    assert capsys.readouterr().err == (
        f"error: {tmp_path / 'mine.ipynb'} cannot be written (File exists): give another path.\n"
    )
    assert (tmp_path / "mine.ipynb").read_text() == "hours of work"


@pytest.mark.parametrize(("words", "names"), [
    ([], {"write_your_own.ipynb"}), (["--solutions", "solved"], {"solved.ipynb"}),
    (["a", "--solutions", "b.2"], {"a.ipynb", "b.2.ipynb"}),
])  # fmt: skip
def test_what_is_asked_for_is_written_where_the_reader_is(words, names, tmp_path):
    assert sheet.main([str(tmp_path), *words]) == 0
    assert {file.name for file in tmp_path.iterdir()} == names


def test_the_solutions_are_those_that_are_right_with_the_sheets_own_words(capsys, monkeypatch):
    solved, fresh = sheet.sheet(solved=True), functions(sheet.sheet())
    for name, function in functions(solved).items():
        assert ast.get_docstring(function) == ast.get_docstring(fresh[name])
        assert arguments(function) == arguments(fresh[name])
    trained = []
    monkeypatch.setattr(training, "compare", trained.append)
    namespace = {}
    for cell in solved.cells:
        if cell.cell_type == "code":
            exec(cell.source, namespace)
    said = capsys.readouterr().out
    assert [line.split(" is right: ")[0] for line in said.splitlines()[::2]] == list(EXERCISES)
    assert [norm.__name__ for norm in trained] == ["network_norm"]


@pytest.mark.parametrize("name", EXERCISES)
def test_the_solutions_take_what_the_sheet_says(name):
    code = getattr(solutions, name).__code__
    given = code.co_varnames[: code.co_argcount]
    assert given == arguments(functions(sheet.sheet())[name])
