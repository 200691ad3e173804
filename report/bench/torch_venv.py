"""PyTorch in an environment of its own: one that there is, or made when it is first needed."""

import os
import platform
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

from report.bench.contenders import Torch

VENV = Path(__file__).parents[2] / ".venv-bench"
PYTHON = VENV / ("Scripts" if os.name == "nt" else "bin") / "python"
CPU_INDEX = "https://download.pytorch.org/whl/cpu"
# "+cpu", for on Linux the package index has the build with CUDA under the plain number: 5 GB.
TORCH = "torch==2.13.0" + ("+cpu" if sys.platform == "linux" else "")
PACKAGES = [TORCH, f"numpy=={version('numpy')}"]
VERSION = "import numpy, torch; print(torch.__version__)"
HOW = (
    "An environment from the package index does as well: `python3 -m venv ../torch`, "
    "`../torch/bin/pip install torch numpy`, and here `--torch-python ../torch/bin/python`."
)


def torch(python: Path | None = None) -> Torch:
    """The Python that has PyTorch, `python` or ours, set up if need be; or why there is none."""
    try:
        if python is None:
            _set_up()
        return Torch(python or PYTHON, _printed([python or PYTHON, "-c", VERSION]).strip())
    except (OSError, subprocess.CalledProcessError) as error:
        return Torch(python or PYTHON, missing=_reason(error))


def _set_up() -> None:
    stamp, wanted = VENV / "bench-setup-done", " ".join([*PACKAGES, platform.python_version()])
    if stamp.exists() and stamp.read_text("utf-8") == wanted:
        return
    print(f"Setting up .venv-bench with {TORCH}: 0.2 GB to download, 1 GB on disk.", flush=True)
    pip = [PYTHON, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    index = ["--extra-index-url", CPU_INDEX, "--retries", "1"]
    _printed([sys.executable, "-m", "venv", "--clear", VENV])
    _printed([*pip, *index, *PACKAGES])
    stamp.write_text(wanted, "utf-8")  # last: an interrupted set-up is repeated


def _printed(command: list) -> str:
    return subprocess.run(command, check=True, capture_output=True, encoding="utf-8").stdout


def _reason(error: Exception) -> str:
    printed = getattr(error, "stderr", None) or getattr(error, "stdout", None) or str(error)
    lines = [line for line in printed.splitlines() if line.startswith("ERROR")]
    return (lines or printed.strip().splitlines())[-1]
