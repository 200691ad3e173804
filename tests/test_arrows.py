"""The arrows of the house: which room imports from which, read off every import."""

import ast
import io
import subprocess
import sys
import tokenize
from pathlib import Path

import nbformat
import pytest

ROOT = Path(__file__).parents[1]
OWN = ("normlib", "report", "lab")
ROOMS = (
    "normlib", "report/study", "report/bench", "report", "notebooks/conftest.py", "notebooks",
    "tests", "lab.py",
)  # fmt: skip
FILES = [
    file
    for room in ("normlib", "report", "notebooks", "tests")
    for file in sorted((ROOT / room).rglob("*.py"))
    if "build" not in file.relative_to(ROOT).parts
] + [*sorted((ROOT / "notebooks").glob("*.ipynb")), ROOT / "lab.py"]


def room(path):
    """The innermost room of a file."""
    return next(r for r in ROOMS if path == r or path.startswith(f"{r}/"))


def source(file):
    if file.suffix != ".ipynb":
        return file.read_text("utf-8")
    return "\n".join(c.source for c in nbformat.read(file, 4).cells if c.cell_type == "code")


def imported(file):
    """Every module that a file imports, as "normlib.ops", whatever stands around the import."""
    found = set()
    for node in ast.walk(ast.parse(source(file))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{file}: a relative import"
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def rooms_imported(file):
    paths = (name.replace(".", "/") for name in imported(file))
    return {"lab.py" if p == "lab" else room(p) for p in paths if p.split("/")[0] in OWN}


# What each room may import from, besides itself.
ARROWS = {
    "normlib": set(),
    "report/study": {"normlib"},
    "report/bench": {"normlib", "report/study"},
    "report": {"report/study"},  # what makes the report imports no model code
    "notebooks/conftest.py": {"lab.py"},
    "notebooks": {"normlib", "report/study"},
    "tests": {"normlib", "report/study", "report/bench", "report", "lab.py"},
    "lab.py": set(),
}


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.relative_to(ROOT).as_posix())
def test_imports_follow_the_arrows(file):
    own = room(file.relative_to(ROOT).as_posix())
    assert rooms_imported(file) - {own} <= ARROWS[own]


def test_every_room_but_the_lowest_imports_from_below():
    """Else the test above would read no import."""
    for own, below in ARROWS.items():
        files = [f for f in FILES if room(f.relative_to(ROOT).as_posix()) == own]
        found = set().union(*map(rooms_imported, files)) - {own}
        assert files and found == below, own


NO_CODE = {
    tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT,
    tokenize.ENDMARKER,
}  # fmt: skip


def test_normlib_is_thin():
    modules = [f for f in FILES if f.parent == ROOT / "normlib"]
    assert len(modules) <= 15
    assert sum(map(lines_of_code, modules)) <= 1600


def lines_of_code(file):
    """The lines that hold any token of code, docstrings and comments aside."""
    text = file.read_text("utf-8")
    docstrings = {
        line
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) and ast.get_docstring(node)
        for line in range(node.body[0].lineno, node.body[0].end_lineno + 1)
    }
    tokens = tokenize.generate_tokens(io.StringIO(text).readline)
    code = {
        line
        for token in tokens
        if token.type not in NO_CODE
        for line in range(token.start[0], token.end[0] + 1)
    }
    return len(code - docstrings)


LIGHT = (
    "normlib.arm", "normlib.data", "report.study.archive", "report.study.archive_csv",
    "report.study.sweep", "report.study.claims.verdicts", "report.study.claims.summary",
    "report.study.figures", "report.study.claim_figures", "report.study.display", "report.build",
    "report.study.verify", "report.publish",
)  # fmt: skip
IMPORT_EACH = """
import importlib, sys
for name in sys.argv[1:]:
    importlib.import_module(name)
    if "tensorflow" in sys.modules:
        sys.exit(f"{name} imports TensorFlow")
"""


def test_what_trains_nothing_imports_no_tensorflow():
    command = [sys.executable, "-c", IMPORT_EACH, *LIGHT]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    assert (done.returncode, done.stderr) == (0, "")


def test_normlib_opens_no_file_of_the_repository_but_its_sample():
    """It may be installed without one: no path leads out of its own folder."""
    for file in (ROOT / "normlib").glob("*.py"):
        assert "parents[" not in file.read_text() and ".parent.parent" not in file.read_text()
