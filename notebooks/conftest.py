"""What `pytest --nbval-lax notebooks` needs in the environment of its kernels."""

import os
from pathlib import Path

import lab

ROOT = str(Path(__file__).parents[1])

os.environ.setdefault("NORMLIB_PROFILE", "quick")
os.environ.setdefault(
    "NORMLIB_PROGRESS", "off"
)  # nbval does not know displays that clear themselves
os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [ROOT, os.environ.get("PYTHONPATH")]))
# The reader's own settings would change what kernels compute and draw, or take another kernel.
# lab.py leaves out more of them.
os.environ.update(
    KERAS_BACKEND="tensorflow",
    KERAS_HOME=lab.keras_home(),
    MATPLOTLIBRC=os.devnull,
    PYTHONUTF8="1",
    JUPYTER_PREFER_ENV_PATH="1",
)
for name in ("JUPYTER_PATH", "MPLBACKEND"):
    os.environ.pop(name, None)
