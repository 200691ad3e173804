"""What computed a record: the hash of the numerical sources, and the environment.

`report/runs/sources.toml` lists the sources that compute the archive's numbers.
"""

import ast
import hashlib
import os
import platform
import sys
import tomllib
from functools import cache
from importlib.metadata import version
from pathlib import Path

from normlib.arm import Arm
from report.study.archive import ArchiveError

PROTOCOL = 2  # raise it whenever the numbers of a run may change
ROOT = Path(__file__).parents[2]
LIST = ROOT / "report" / "runs" / "sources.toml"

# The sources of every run, and those of some, without comments and docstrings. Not among them are
# `data.py` and `arm.py`, where orders and defaults come from: tests pin these.
EVERY = [f"normlib/{name}.py" for name in (
    "checks", "arithmetic", "ops", "backward", "gradients", "layers", "model", "scoring", "train",
)]  # fmt: skip
SOME = {
    "normlib/weight_norm.py": lambda arm: arm.norm == "weight",
    "normlib/free.py": lambda arm: arm.implementation == "free",
    "report/study/variants.py": lambda arm: (
        arm.implementation == "published" or arm.backward != "right"
    ),
    "report/study/row_reader.py": lambda arm: arm.network == "rnn",
    "report/study/your_norm.py": lambda arm: arm.norm == "own",
    "report/study/probes.py": lambda arm: arm.probe != "",
}


def sources(arm: Arm) -> str:
    """A hash of the code of the arm's network, norm, training and scoring, and of no other.

    Of the files as they are now, which is what the next run's process computes with.
    """
    names = *EVERY, *(name for name, uses in SOME.items() if uses(arm))
    return _hash(*((name, os.stat(f"{ROOT}/{name}").st_mtime_ns) for name in names))


def equal(old: str, new: str) -> bool:
    """Whether two sources are one, or are listed as computing the same numbers."""
    return old == new or new in listed().get(old, [])


def known(sources: str) -> bool:
    """Whether these sources are the archive's, or are listed as computing the same numbers."""
    return any(sources == old or sources in new for old, new in listed().items())


@cache
def listed() -> dict[str, list[str]]:
    """The archive's sources, and those that compute the same: see the file for the evidence."""
    try:
        tables = tomllib.loads(LIST.read_text("utf-8"))
        return {old: list(table["equal"].values()) for old, table in tables.items()}
    except (OSError, ValueError, LookupError, TypeError, AttributeError) as error:
        raise ArchiveError(f"{LIST} is no list of sources ({error}); restore it.") from error


@cache
def _hash(*files: tuple[str, int]) -> str:
    code = "\n".join(_code(ROOT / name) for name, _ in files)
    return hashlib.sha256(code.encode()).hexdigest()[:16]


def _code(file: Path) -> str:
    tree = ast.parse(file.read_text("utf-8"))
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
