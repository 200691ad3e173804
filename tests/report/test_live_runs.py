"""What a student does: another rate, another seed, an edited op; then the report."""

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import nbformat
import pytest
from made_runs import record

from report.study import archive, arms, live_runs
from report.study.provenance import PROTOCOL

ROOT = Path(__file__).parents[2]
TRAINS = """
from report.study import arms, live_runs, sweep
run = sweep.live(arms.OUR_BN, 0)
print(live_runs.comparison(run, sweep.archived(run)))
"""
CENTRED = "gamma * inv_std * (x - mean) + beta)\n    return y, mean, variance"


@pytest.fixture
def house(tmp_path):
    """A checkout of its own, with one of the notebooks: links, but for what is edited."""
    for name in ("normlib", "report", "notebooks"):
        (tmp_path / name).mkdir()
    for name in ("normlib", "report"):
        for file in (ROOT / name).iterdir():
            if file.name not in ("build", "ops.py", "__pycache__"):
                (tmp_path / name / file.name).symlink_to(file)
    (tmp_path / "CITATION.cff").symlink_to(ROOT / "CITATION.cff")  # the report's authors and date
    (tmp_path / "normlib/ops.py").write_bytes((ROOT / "normlib/ops.py").read_bytes())
    file = ROOT / "notebooks" / "01_batch_norm.ipynb"
    (tmp_path / "notebooks" / file.name).write_bytes(file.read_bytes())
    return tmp_path


def run(house, *command, code=0):
    quick = {"NORMLIB_PROFILE": "quick", "NORMLIB_PROGRESS": "off", "PYTHONPATH": str(house)}
    done = subprocess.run(
        [sys.executable, *command], cwd=house, env=os.environ | quick, capture_output=True,
        text=True,
    )  # fmt: skip
    assert done.returncode == code, done.stderr[-3000:]
    return done.stdout + done.stderr


def test_another_rate_and_another_seed_break_no_notebook_and_no_report(house):
    hot = record(42, arm=replace(arms.OUR_BN.quick(), learning_rate=0.1), protocol=PROTOCOL)
    archive.append(hot, house / "report/build/live")
    said = live_runs.comparison(hot, None)
    assert said.startswith("Trained here, our BN, learning rate 0.1 with seed 42 scored")
    assert said.endswith("nothing to compare it with.")
    run(house, "-m", "report.build", "--profile", "quick", "--root", str(house))
    assert "Trained here, our BN with seed 0" in (house / "report/build/index.html").read_text()


@pytest.mark.slow
def test_an_edited_op_is_said_and_its_runs_are_live(house):
    """The mean is dropped from the op, and not from the backward pass."""
    ops = house / "normlib/ops.py"
    text = ops.read_text()
    assert text.count(CENTRED) == 2
    ops.write_text(text.replace(CENTRED, CENTRED.replace("(x - mean)", "x"), 1))
    said = run(house, "-c", TRAINS)
    assert "our BN, seed 0: backward.batch_norm is not the gradient of ops.batch_norm" in said
    assert "our BN with seed 0 scored" in said and "Their losses differ by at most" in said
    own = "from report.study import experiments, sweep\n"
    own += "from normlib.arm import Arm\nsome = Arm('batch', epochs=1, profile='quick')\n"
    own += "print(len(sweep.run(experiments.Experiment('mine', (some,), (7,)))))\n"
    assert "1" in run(house, "-c", own).splitlines()
    assert not [*(house / "report/build/runs").glob("*.jsonl")]
    assert (house / "report/build/live/norm=batch-epochs=1-profile=quick.jsonl").exists()
    said = run(house, "-m", "report.build", "--profile", "quick", "--root", str(house), code=1)
    notebook = nbformat.read(house / "notebooks/01_batch_norm.ipynb", 4)
    sources = [cell.source for cell in notebook.cells if cell.cell_type == "code"]
    number = 1 + next(i for i, source in enumerate(sources) if "oracle" in source)
    assert f"error: 01_batch_norm.ipynb, cell {number}," in said
    page = (house / "report/build/index.html").read_text()
    assert "Not equal to tolerance" in page
