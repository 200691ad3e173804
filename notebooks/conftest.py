"""What `pytest --nbval-lax notebooks` needs in the environment of its kernels."""

import os
from pathlib import Path

ROOT = str(Path(__file__).parents[1])

os.environ.setdefault("NORMLIB_PROFILE", "quick")
os.environ.setdefault(
    "NORMLIB_PROGRESS", "off"
)  # nbval does not know displays that clear themselves
os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [ROOT, os.environ.get("PYTHONPATH")]))
