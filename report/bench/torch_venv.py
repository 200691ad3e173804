"""PyTorch in an environment of its own, made when the benchmark first needs it."""

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


def torch() -> Torch:
    """The Python that has PyTorch, set up if need be; where that fails, why it is missing."""
    stamp, wanted = VENV / "bench-setup-done", " ".join([*PACKAGES, platform.python_version()])
    if not (stamp.exists() and stamp.read_text("utf-8") == wanted):
        print(f"Setting up .venv-bench with {TORCH}: 0.2 GB to download, 1 GB on disk.", flush=True)
        try:
            _install()
        except (OSError, subprocess.CalledProcessError) as error:
            return Torch(PYTHON, f"could not be installed: {_reason(error)}")
        stamp.write_text(wanted, "utf-8")  # last: an interrupted set-up is repeated
    return Torch(PYTHON)


def _install() -> None:
    pip = [PYTHON, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    index = ["--extra-index-url", CPU_INDEX, "--retries", "1"]
    for command in ([sys.executable, "-m", "venv", "--clear", VENV], [*pip, *index, *PACKAGES]):
        subprocess.run(command, check=True, capture_output=True, encoding="utf-8")


def _reason(error: Exception) -> str:
    printed = getattr(error, "stderr", None) or getattr(error, "stdout", None) or str(error)
    lines = [line for line in printed.splitlines() if line.startswith("ERROR")]
    return (lines or printed.strip().splitlines())[-1]
