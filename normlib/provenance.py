"""What computed a record: the hash of the numerical sources, and the environment."""

import ast
import hashlib
import platform
import sys
from functools import cache
from importlib.metadata import version
from pathlib import Path

from normlib.arms import Arm

COMMON = (
    "checks", "sums", "fusion", "ops", "gradients", "replicas", "kernels", "layers", "weights",
    "variants", "model", "scoring", "train",
)  # fmt: skip


def sources(arm: Arm) -> str:
    """A hash of the code of the arm's network, norms, training and scoring.

    Comments and docstrings aside. `data.py` and `arms.py` are not in it, which orders and defaults
    come from: tests pin these.
    """
    own = [name for name, used in _FURTHER.items() if used(arm)]
    return _hash(*COMMON, *own)


_FURTHER = {"recurrent": lambda arm: arm.network == "rnn", "probes": lambda arm: arm.probe != ""}


@cache
def _hash(*names: str) -> str:
    folder = Path(__file__).parent
    code = "\n".join(_code(folder / f"{name}.py") for name in names)
    return hashlib.sha256(code.encode()).hexdigest()[:16]


def _code(file: Path) -> str:
    tree = ast.parse(file.read_text())
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if isinstance(body, list) and body and isinstance(body[0], ast.Expr):
            body[:] = [part for part in body if not _is_text(part)]
    return _canonical(tree)


def _canonical(node) -> str:
    """The syntax tree as text, the same on every Python, as those of `ast` are not."""
    if isinstance(node, list):
        return f"[{', '.join(map(_canonical, node))}]"
    if not isinstance(node, ast.AST):
        return repr(node)
    fields = [(name, value) for name, value in ast.iter_fields(node) if value not in (None, [])]
    inside = ", ".join(f"{name}={_canonical(value)}" for name, value in fields)
    return f"{type(node).__name__}({inside})"


def _is_text(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and isinstance(getattr(node.value, "value", None), str)


def environment(tensorflow: str, threads: int) -> dict:
    """What the numbers may depend on besides the code: versions, CPU model, threads."""
    return {
        "python": platform.python_version(),
        "tensorflow": tensorflow,
        "keras": version("keras"),
        "numpy": version("numpy"),
        "system": f"{sys.platform} {platform.machine()}",
        "cpu": _cpu(),
        "threads": threads,
    }


def _cpu() -> str:
    """The processor: many cloud machines hide the name, so family, model and stepping too."""
    info = Path("/proc/cpuinfo")
    first = info.read_text().split("\n\n")[0].splitlines() if info.exists() else []
    fields = dict(map(str.strip, line.split(":", 1)) for line in first if ":" in line)
    numbers = [fields.get(key, "") for key in ("cpu family", "model", "stepping")]
    name = fields.get("model name", platform.processor())
    return f"{name} {'-'.join(filter(None, numbers))}".strip()
