"""JupyterLab as a reader has it: opening a notebook changes nothing, a run but its live cells."""

import json
import os
import platform
import re
import shutil
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import pytest
from browser import DESKTOP, DRIVER, PATIENCE, eventually

ROOT = Path(__file__).parents[2]
NAME = "01_batch_norm.ipynb"
RUNNING = 20 * 60  # seconds that a run of the notebook may take beside other work
LIVE = re.compile(
    r"sweep\.live\(|comparison\(run\b"
)  # what is trained here, and what is said of it
expect = DRIVER.expect


@pytest.fixture
def checkout(tmp_path):
    """A copy of the checkout, which a reader may change."""
    ignored = shutil.ignore_patterns("__pycache__", "build", "figures", "*.egg-info")
    for name in ("normlib", "notebooks", "report"):
        shutil.copytree(ROOT / name, tmp_path / "checkout" / name, ignore=ignored)
    return tmp_path / "checkout"


@contextmanager
def jupyterlab(checkout, home):
    """JupyterLab on the checkout with no settings of anybody's: its address."""
    settings = {name: str(home / name) for name in (
        "JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR", "JUPYTERLAB_SETTINGS_DIR",
        "JUPYTERLAB_WORKSPACES_DIR", "IPYTHONDIR",
    )}  # fmt: skip
    own = {"PYTHONPATH": str(checkout), "JUPYTER_PREFER_ENV_PATH": "1", "MATPLOTLIBRC": os.devnull}
    options = ["--no-browser", "--allow-root", "--ServerApp.port=0", "--IdentityProvider.token="]
    command = [sys.executable, "-m", "jupyterlab", *options]
    log = home / "log"
    with (
        log.open("w") as file,
        subprocess.Popen(
            command, cwd=checkout, env=os.environ | settings | own, stderr=file
        ) as lab,
    ):
        try:
            deadline = time.monotonic() + PATIENCE / 1000
            while not (address := re.search(r"http://localhost:\d+/lab", log.read_text())):
                assert time.monotonic() < deadline and lab.poll() is None, log.read_text()
                time.sleep(0.2)
            yield address[0]
        finally:
            lab.terminate()


def choose(page, menu, entry):
    page.get_by_role("menuitem", name=menu, exact=True).click()
    page.locator(".lm-Menu-itemLabel").get_by_text(entry, exact=True).click()


def saved(page, file):
    """What JupyterLab saves in the file."""
    before = file.stat().st_mtime_ns
    choose(page, "File", "Save Notebook")
    eventually(page, lambda: file.stat().st_mtime_ns > before)
    eventually(page, lambda: file.read_text("utf-8").endswith("\n}\n"))  # it is whole
    return file.read_text("utf-8")


def last_count(notebook):
    return [c["execution_count"] for c in notebook["cells"] if c["cell_type"] == "code"][-1]


def of_this_python(text):
    """The committed text, with the version of the Python that the kernel is."""
    now = f'"version": "{platform.python_version()}"'
    return re.sub(r'"version": "3[\d.]+"', now, text)


@pytest.mark.slow
def test_opening_changes_nothing_and_a_run_changes_only_live_cells(checkout, tmp_path, browser):
    file = checkout / "notebooks" / NAME
    committed = of_this_python(file.read_text("utf-8"))
    with jupyterlab(checkout, tmp_path) as address:
        width, height = DESKTOP
        page = browser.new_page(viewport={"width": width, "height": height})
        page.set_default_timeout(PATIENCE)
        page.goto(f"{address}/tree/notebooks/{NAME}")
        status = page.locator(".jp-Notebook-ExecutionIndicator")
        expect(status).to_have_attribute("data-status", "idle", timeout=PATIENCE)
        assert saved(page, file) == committed

        choose(page, "Run", "Restart Kernel and Run All Cells…")
        page.locator(".jp-Dialog-button", has_text="Restart").click()
        expect(status).to_have_attribute("data-status", "busy", timeout=PATIENCE)
        before, after = json.loads(committed), json.loads(saved(page, file))
        deadline = time.monotonic() + RUNNING
        while last_count(after) != last_count(before):  # each is null until its cell has run
            assert time.monotonic() < deadline
            page.wait_for_timeout(2000)
            after = json.loads(saved(page, file))
        page.close()

    assert after["metadata"] == before["metadata"]
    changed = []
    for old, new in zip(before["cells"], after["cells"], strict=True):
        changed += [new] if old != new else []
        assert all(output["output_type"] != "error" for output in new.get("outputs", []))
    assert changed and all(LIVE.search("".join(cell["source"])) for cell in changed)
    tried = [cell for cell in changed if "try-it" in cell["metadata"].get("tags", [])]
    assert len(tried) == 2 and all("image/png" in cell["outputs"][-1]["data"] for cell in tried)
