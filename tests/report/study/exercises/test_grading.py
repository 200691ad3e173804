"""Grading a class: one command, one table, and for each student what Gradescope reads."""

import csv
import json
import shutil

import pytest

from report.study.exercises import grading, sheet, solutions
from report.study.exercises.catalogue import EXERCISES

BATCH_NORM = """
import numpy as np

def batch_norm(x, gamma, beta, epsilon):
    return gamma * (x - x.mean(0)) / np.sqrt(x.var(0{}) + epsilon) + beta
"""


@pytest.fixture
def graded(tmp_path, capsys):
    """Hand in sources by their paths, grade them; rows of the table, and the folder of grades."""

    def grade(sources, code=0):
        for name, source in sources.items():
            file = tmp_path / name
            file.parent.mkdir(exist_ok=True, parents=True)
            file.write_text(source)
        assert grading.main([str(tmp_path), *sources]) == code
        with open(tmp_path / "grades" / "grades.csv", encoding="utf-8-sig") as table:
            return list(csv.DictReader(table)), tmp_path / "grades"

    return grade


def test_a_class_gets_a_table_and_each_student_results(graded, capsys):
    sources = {"anna.py": BATCH_NORM.format(""), "bert.py": BATCH_NORM.format(", ddof=1"),
               "cleo.py": "import os\nos._exit(1)"}  # fmt: skip
    rows, grades = graded(sources)
    assert list(rows[0]) == ["student", "exercise", "points", "diagnosis"]
    assert [row["student"] for row in rows] == [
        n for n in ("anna", "bert", "cleo") for _ in EXERCISES
    ]
    assert [row["exercise"] for row in rows[:9]] == [e.title for e in EXERCISES.values()]
    first = {row["student"]: row for row in reversed(rows) if row["exercise"] == "1 batch_norm"}
    assert first["anna"]["points"] == "1" and first["anna"]["diagnosis"] == "right."
    assert first["bert"]["points"] == "0" and "divides by n − 1" in first["bert"]["diagnosis"]
    assert first["cleo"]["points"] == "0" and "ends its process" in first["cleo"]["diagnosis"]
    said = capsys.readouterr().out
    assert "anna: 1 of 9 points\nbert: 0 of 9 points\ncleo: 0 of 9 points\n" in said
    results = json.loads((grades / "bert" / "results.json").read_text("utf-8"))
    test, *others = results["tests"]
    assert test["name"] == "1 batch_norm" and len(others) == 8
    assert (test["score"], test["max_score"], test["status"]) == (0, 1, "failed")
    assert "The smallest of our inputs that shows it" in test["output"]


def test_inputs_are_drawn_anew_so_that_none_can_be_known(monkeypatch, tmp_path):
    seen = []

    def outcomes(file, others, inputs):
        seen.append(inputs["batch_norm"][-1][0])
        return dict.fromkeys(inputs, "nothing")

    monkeypatch.setattr(grading.supervision, "outcomes", outcomes)
    files = [tmp_path / "a.py", tmp_path / "b.py"]
    list(grading.graded(files))
    list(grading.graded(files[:1]))
    first, second, other = seen
    assert first is second and (first != other).all()  # the same for a class, not for another


NEITHER = "is not a notebook (.ipynb) or module (.py)"


@pytest.mark.parametrize(
    ("file", "said"), [("none.py", "does not exist"), ("mine.txt", NEITHER), (".", NEITHER)]
)
def test_a_file_that_is_no_submission_stops_it_before_anything_is_graded(
    file, said, tmp_path, capsys
):
    (tmp_path / "mine.txt").touch()
    (tmp_path / "right.py").touch()
    assert grading.main([str(tmp_path), "right.py", file]) == 1
    assert f"{said}; nothing was graded." in capsys.readouterr().err
    assert not (tmp_path / "grades").exists()


@pytest.mark.parametrize(("paths", "names"), [
    (["a.py", "b.ipynb"], ["a", "b"]),
    (["anna/sheet.ipynb", "bert/sheet.ipynb"], ["anna", "bert"]),
    (["1/anna.py", "2/bert.py"], ["1/anna", "2/bert"]),
    (["a.py", "a.ipynb"], ["a.py", "a.ipynb"]),
    (["x/sheet.ipynb"], ["sheet"]),
    (["x/a/s.py", "x/b/c/s.py"], ["a", "b/c"]),
])  # fmt: skip
def test_students_are_named_by_what_differs(paths, names, tmp_path):
    assert grading.names([tmp_path / path for path in paths]) == names


def test_a_file_named_twice_is_graded_once(graded, tmp_path):
    (tmp_path / "a.py").write_text(BATCH_NORM.format(""))
    assert grading.main([str(tmp_path), "a.py", "./a.py", str(tmp_path / "a.py")]) == 0
    rows = (tmp_path / "grades" / "grades.csv").read_text().splitlines()
    assert len(rows) == 1 + len(EXERCISES)


@pytest.mark.slow
def test_solved_sheets_and_modules_get_all_points_and_fresh_ones_none(tmp_path, capsys):
    sheet.main([str(tmp_path), "fresh", "--solutions", "solved"])
    shutil.copy(solutions.__file__, tmp_path / "module.py")
    grading.main([str(tmp_path), "solved.ipynb", "fresh.ipynb", "module.py"])
    said = capsys.readouterr().out
    assert "solved: 9 of 9 points\nfresh: 0 of 9 points\nmodule: 9 of 9 points\n" in said
    assert (tmp_path / "grades" / "grades.csv").read_text("utf-8").count("not written yet.") == 9
