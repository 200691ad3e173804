"""Grades submissions: `python -m report.study.exercises.grading`, `lab.py grade FILE...`.

Each is run in a process of its own, in a copy of its folder, for a limited time; what it returns
is judged here. That keeps mistakes apart. It is no sandbox: a program that means harm can do
whatever its user can.
"""

import argparse
import csv
import json
import os
import secrets
import sys
from collections.abc import Iterator
from pathlib import Path

from report.study.exercises import answers, supervision
from report.study.exercises.answers import Answer
from report.study.exercises.catalogue import EXERCISES
from report.study.exercises.exercise import Exercise

COLUMNS = ("student", "exercise", "points", "diagnosis")


def main(arguments: list[str] | None = None) -> int:
    """Grade the files and write the results into the folder `grades`; return the exit code."""
    parser = argparse.ArgumentParser(
        prog="lab.py grade", description="Grade solutions of the exercises into the folder grades."
    )
    parser.add_argument("reader", type=Path, help=argparse.SUPPRESS)
    parser.add_argument(
        "files", nargs="+", type=Path, metavar="FILE", help="a student's .ipynb or .py"
    )
    options = parser.parse_args(arguments)
    files = list(dict.fromkeys((options.reader / file).resolve() for file in options.files))
    for file in files:
        if not file.is_file() or file.suffix not in (".ipynb", ".py"):
            said = (
                "is not a notebook (.ipynb) or module (.py)" if file.exists() else "does not exist"
            )
            print(f"error: {file} {said}; nothing was graded.", file=sys.stderr)
            return 1
    grades, rows = options.reader / "grades", [COLUMNS]
    for student, found in graded(files):
        rows += [(student, EXERCISES[n].title, int(a.right), a.diagnosis) for n, a in found.items()]
        folder = grades / student
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "results.json").write_text(json.dumps(gradescope(found), indent=1), "utf-8")
        # Written each time, for a command may be interrupted; with the mark that Excel needs.
        with open(grades / "grades.csv", "w", newline="", encoding="utf-8-sig") as table:
            csv.writer(table).writerows(rows)
        points = sum(answer.right for answer in found.values())
        print(f"{student}: {points} of {len(found)} points", flush=True)
    print(f"{grades / 'grades.csv'}, and each student's results.json beside it.")
    return 0


def graded(files: list[Path]) -> Iterator[tuple[str, dict[str, Answer]]]:
    """Each student's name and answers, by the functions' names.

    The inputs are drawn anew, so that no submission can know them.
    """
    seed = secrets.randbits(32)
    inputs = {name: [*e.inputs(seed), *e.large(seed)] for name, e in EXERCISES.items()}
    for student, file in zip(names(files), files, strict=True):
        outcomes = supervision.outcomes(file, files, inputs)
        yield student, {name: _judged(EXERCISES[name], seed, outcomes[name]) for name in inputs}


def _judged(exercise: Exercise, seed: int, outcome: str | list) -> Answer:
    if isinstance(outcome, str):
        return answers.refused(exercise, outcome)
    return answers.judge(exercise, seed, outcome)


def names(files: list[Path]) -> list[str]:
    """Who handed them in: the files' names, or the folders' if the files are all named alike."""
    paths = [file.with_suffix("") for file in files]
    if len(files) > 1 and len({path.name for path in paths}) == 1:
        paths = [path.parent for path in paths]
    if len(set(paths)) < len(files):  # a.py beside a.ipynb
        paths = files
    root = os.path.commonpath([path.parent for path in paths])
    return [path.relative_to(root).as_posix() for path in paths]


def gradescope(found: dict[str, Answer]) -> dict:
    """As Gradescope's autograder specification has it: a test for each function."""
    return {
        "tests": [
            {
                "name": EXERCISES[name].title,
                "score": int(answer.right),
                "max_score": 1,
                "status": "passed" if answer.right else "failed",
                "output": answer.text,
            }
            for name, answer in found.items()
        ]
    }


if __name__ == "__main__":
    sys.exit(main())
