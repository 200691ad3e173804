"""The build on a small repository: what a failure costs, and that a signal ends all."""

import os
import shutil
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import nbformat
import pandas as pd
import psutil
import pytest
from made_runs import record
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from report import build, exporters, processes, slides
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
    made = folder / "report" / "build"
    for name in ("report.pdf", "slides.pdf"):
        assert (folder / "report" / name).read_bytes() == (made / name).read_bytes()
    assert (tables / "a.csv").read_text() == "1"


def test_a_cell_to_try_is_skipped_and_counted(folder):
    cells = [new_code_cell("1 / 0", metadata={"tags": ["try-it"]}), new_code_cell("6 * 7")]
    path = folder / "notebooks" / "01_b.ipynb"
    nbformat.write(new_notebook(cells=[new_markdown_cell("# Title"), *cells]), path)
    assert build.main(["--profile", "quick", "--root", str(folder)]) == 0
    built = nbformat.read(folder / "report" / "build" / "notebooks" / "01_b.ipynb", 4)
    _, skipped, computed = built.cells
    assert skipped.execution_count is None and skipped.outputs == []
    assert computed.execution_count == computed.outputs[0].execution_count == 2


HOSTILE = """import matplotlib.pyplot as plt
plt.plot([1, 2]); plt.show()
print("\\x1b[1m12/12\\x1b[0m 训练", chr(0))
"""


def test_a_readers_cell_costs_a_warning_and_only_publishing(folder, capsys):
    change(folder, "01_b", HOSTILE)
    assert build.main(["--profile", "quick", "--root", str(folder)]) == 0
    made = folder / "report" / "build"
    page = (made / "index.html").read_text()
    assert "A picture without a description" in page and ">12/12 训练 \n<" in page
    assert (made / "report.pdf").read_bytes().startswith(b"%PDF")
    said = capsys.readouterr().err
    cell = "warning: 01_b.ipynb, cell 1, `import matplotlib.pyplot as plt`"
    assert said.count(f"{cell}: a picture has no alternative text") == 1
    assert f"{cell}: no font of the PDF has 练 训" in said and "Nothing was" not in said
    before = contents(folder)
    assert build.main(["--profile", "quick", "--publish", "--root", str(folder)]) == 1
    assert "Nothing was published." in capsys.readouterr().err
    assert contents(folder) == before and not (folder / "report" / "index.html").exists()


@pytest.mark.parametrize(
    ("failing", "name"),
    [
        (exporters.HTMLReport, "index.html"),
        (exporters.PDFReport, "report.pdf"),
        (slides, "slides.pdf"),
    ],
)
def test_what_fails_costs_a_sentence_and_not_the_others(tmp_path, monkeypatch, failing, name):
    def fail(*_):
        raise RuntimeError("why")

    monkeypatch.setattr(failing, "make" if failing is slides else "convert", fail)
    names = {"index.html", "report.pdf", "slides.pdf"}
    for file in names:
        (tmp_path / file).write_text("of an earlier report")
    written, problems = build.write_report({"00_a": new_notebook()}, tmp_path)
    assert {path.name for path in written} == names - {name} and not (tmp_path / name).exists()
    assert problems == [f"error: {name} could not be made: why"]


@contextmanager
def training(folder):
    """A build in a process of its own, and a process that a cell of it began.

    One notebook more than there are cores sleeps, so that one at least waits for its turn.
    """
    change(folder, "00_a", "import subprocess\nsubprocess.run(['sleep', '600'])")
    for number in range(os.cpu_count()):
        shutil.copy(
            folder / "notebooks" / "00_a.ipynb", folder / "notebooks" / f"00_b{number}.ipynb"
        )
    with started(folder) as process:
        yield process, wait_for(process, "sleep")


def change(folder, name, source):
    file = folder / "notebooks" / f"{name}.ipynb"
    notebook = nbformat.read(file, 4)
    notebook.cells[1].source = source
    nbformat.write(notebook, file)


def started(folder):
    command = [sys.executable, "-m", "report.build", "--profile", "quick", "--root", str(folder)]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    return subprocess.Popen(command, cwd=ROOT, start_new_session=True, **pipes)


def wait_for(process, name):
    """The processes of that name that the process began, once there is one."""
    deadline = time.monotonic() + 60
    while not (found := [p for p in children(process) if p.name() == name]):
        assert time.monotonic() < deadline and process.poll() is None
        time.sleep(0.02)
    return found


def children(process):
    return psutil.Process(process.pid).children(recursive=True)


@pytest.mark.parametrize("number", [
    pytest.param(signal.SIGINT, marks=pytest.mark.slow), signal.SIGTERM,
    pytest.param(signal.SIGHUP, marks=pytest.mark.slow),
])  # fmt: skip
def test_what_ends_the_build_ends_the_kernels_and_what_they_train(folder, number):
    with training(folder) as (process, found):
        every = [*found, *children(process)]
        process.send_signal(number)
        assert process.wait(10) == 128 + number
        assert "interrupted; what was executed is in" in process.stderr.read()
    gone, alive = psutil.wait_procs(every, 2)
    assert gone and not alive


@pytest.mark.slow
def test_the_build_ends_while_it_writes(folder):
    change(folder, "00_a", "print('many words ' * 1_000_000)")
    with started(folder) as process:
        wait_for(process, "pandoc")
        every = children(process)
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 128 + signal.SIGTERM
    assert not psutil.wait_procs(every, 2)[1]
    assert not [*(folder / "report/build").glob("*.tmp")]


def test_a_build_that_nohup_began_outlives_the_terminal(folder):
    handler = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with processes.signals_interrupt():
            signal.raise_signal(signal.SIGHUP)
    finally:
        signal.signal(signal.SIGHUP, handler)


@pytest.mark.slow
def test_a_second_report_waits_for_the_first(folder):
    change(folder, "00_a", "import time; time.sleep(3)")
    with started(folder) as first, started(folder) as second:
        outputs = [process.communicate(timeout=120)[0] for process in (first, second)]
        assert first.returncode == second.returncode == 0
    waiting = "Another report is being made in this checkout; waiting for it to end."
    assert sum(waiting in output for output in outputs) == 1
    assert all("report.pdf" in output for output in outputs)


def test_a_report_leaves_the_readers_benchmark(tmp_path):
    tables = tmp_path / "build" / "tables"
    tables.mkdir(parents=True)
    for name in ("benchmark.csv", "benchmark-sweep.csv", "table-9.csv"):
        (tables / name).touch()
    build._clean(tmp_path / "build", ("notebooks",))
    assert {file.name for file in tables.iterdir()} == {"benchmark.csv", "benchmark-sweep.csv"}


def test_a_failing_cell_is_named_shown_in_the_report_and_publishes_nothing(folder, capsys):
    change(folder, "01_b", "1 / 0")
    before = contents(folder)
    assert build.main(["--profile", "quick", "--publish", "--root", str(folder)]) == 1
    error = capsys.readouterr().err
    assert "error: 01_b.ipynb, cell 1, `1 / 0`: ZeroDivisionError: division by zero" in error
    assert contents(folder) == before and not (folder / "report" / "index.html").exists()
    page = (folder / "report/build/index.html").read_text()
    assert "Title 00_a" in page and "Title 01_b" in page and "ZeroDivisionError" in page
