"""The build on a small repository: notebooks stay, a failure publishes nothing, Ctrl-C ends all."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import nbformat
import pandas as pd
import psutil
import pytest
from made_runs import record
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from report import build
from report.study import archive

ROOT = Path(__file__).parents[2]

WRITE = """
from pathlib import Path
for kind in ("figures", "tables"):
    folder = Path("../report/build", kind)
    folder.mkdir(parents=True)
    (folder / "a.csv").write_text("1")
"""


@pytest.fixture
def folder(tmp_path):
    """A small repository with two notebooks, the first of which writes a table."""
    (tmp_path / "notebooks").mkdir()
    for name, source in (("00_a", WRITE), ("01_b", "print(6 * 7)")):
        cells = [new_markdown_cell(f"# Title {name}"), new_code_cell(source)]
        nbformat.write(new_notebook(cells=cells), tmp_path / "notebooks" / f"{name}.ipynb")
    return tmp_path


def contents(folder):
    return {file.name: file.read_bytes() for file in sorted((folder / "notebooks").glob("*"))}


def test_build_leaves_the_notebooks_and_publish_renews_them(folder, capsys):
    before = contents(folder)
    assert build.main(["--profile", "quick", "--root", str(folder)]) == 0
    assert contents(folder) == before and not (folder / "report" / "index.html").exists()
    assert "42" in (folder / "report" / "build" / "index.html").read_text()
    assert "report.pdf" in capsys.readouterr().out
    archive.append(record(5), folder / "report" / "runs")
    tables = folder / "report" / "tables"
    tables.mkdir()
    for name in ("benchmark.csv", "table-9.csv"):
        (tables / name).touch()
    assert build.main(["--profile", "quick", "--publish", "--root", str(folder)]) == 0
    kept = {"benchmark.csv", "a.csv", "runs.csv", "epochs.csv"}
    assert {file.name for file in tables.iterdir()} == kept
    assert pd.read_csv(tables / "runs.csv")["seed"].tolist() == [5]
    published = nbformat.read(folder / "notebooks" / "01_b.ipynb", 4)
    assert published.cells[1].execution_count == 1 and published.cells[1].outputs[0].text == "42\n"
    assert (folder / "report" / "report.pdf").exists()
    assert (tables / "a.csv").read_text() == "1"


def test_ctrl_c_ends_the_kernels_and_what_they_train(folder):
    file = folder / "notebooks" / "00_a.ipynb"
    notebook = nbformat.read(file, 4)
    notebook.cells[1].source = "import subprocess\nsubprocess.run(['sleep', '600'])"
    nbformat.write(notebook, file)
    command = [sys.executable, "-m", "report.build", "--profile", "quick", "--root", str(folder)]
    with subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True) as process:
        build_process = psutil.Process(process.pid)
        deadline = time.monotonic() + 60
        while not (found := [p for p in children(build_process) if p.name() == "sleep"]):
            assert time.monotonic() < deadline
            time.sleep(0.2)
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 130
        assert "interrupted; what was executed is in" in process.stderr.read()
    gone, alive = psutil.wait_procs(found, 10)
    assert gone and not alive


def children(process):
    return process.children(recursive=True)


def test_a_report_leaves_the_readers_benchmark(tmp_path):
    tables = tmp_path / "build" / "tables"
    tables.mkdir(parents=True)
    for name in ("benchmark.csv", "benchmark-sweep.csv", "table-9.csv"):
        (tables / name).touch()
    build._clean(tmp_path / "build")
    assert {file.name for file in tables.iterdir()} == {"benchmark.csv", "benchmark-sweep.csv"}


def test_a_failing_cell_is_named_shown_in_the_report_and_publishes_nothing(folder, capsys):
    file = folder / "notebooks" / "01_b.ipynb"
    notebook = nbformat.read(file, 4)
    notebook.cells[1].source = "1 / 0"
    nbformat.write(notebook, file)
    before = contents(folder)
    assert build.main(["--profile", "quick", "--publish", "--root", str(folder)]) == 1
    error = capsys.readouterr().err
    assert "error: 01_b.ipynb, cell 1, `1 / 0`: ZeroDivisionError: division by zero" in error
    assert contents(folder) == before and not (folder / "report" / "index.html").exists()
    page = (folder / "report/build/index.html").read_text()
    assert "Title 00_a" in page and "Title 01_b" in page and "ZeroDivisionError" in page
