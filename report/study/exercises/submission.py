"""A submission in a process of its own: its functions' outputs as lines of JSON, unjudged.

`python -m report.study.exercises.submission FILE` reads which functions to call, and on what, from
stdin. It writes ["loaded", why not, nothing] and, for each function, [name, why not, outputs].
"""

import importlib.util
import json
import os
import re
import sys
from pathlib import Path
from types import ModuleType

import numpy as np

from report.study import json_lines
from report.study.exercises import calling
from report.study.exercises.calling import NoAnswer
from report.study.exercises.catalogue import EXERCISES

PRINTED = 1e6  # bytes that a function may print


def main() -> None:
    """Load the submission, and answer for one function after another."""
    send = json_lines.taking_stdout()
    path, asked = Path(sys.argv[1]), json.load(sys.stdin)
    _silence_the_sheet()
    sys.path.insert(0, str(path.parent))
    try:
        defined, failed = _notebook(path) if path.suffix == ".ipynb" else (_module(path), {})
    except BaseException as error:
        send(["loaded", f"{_named(error)}.", []])
        return
    send(["loaded", "", []])
    for name, inputs in asked:
        before = _printed()
        try:
            if name not in defined:
                raise NoAnswer(_missing(name, failed))
            found = calling.outputs(defined[name], EXERCISES[name], [*map(decoded, inputs)])
            if _printed() - before > PRINTED:
                raise NoAnswer("it prints more than a megabyte.")
            send([name, "", [encoded(arrays) for arrays in found]])
        except NoAnswer as error:
            send([name, str(error), []])


def _printed() -> int:
    """The bytes printed so far, into the file that stderr is."""
    sys.stdout.flush()
    return os.fstat(2).st_size


def _silence_the_sheet() -> None:
    """What the sheet's own cells call neither checks nor trains here."""
    for module, function in (("checking", "check"), ("training", "compare")):
        name = f"report.study.exercises.{module}"
        sys.modules[name] = silent = ModuleType(name)
        setattr(silent, function, lambda *_: None)


def _module(path: Path) -> dict:
    spec = importlib.util.spec_from_file_location("submission", path)
    module = sys.modules["submission"] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return vars(module)


def _notebook(path: Path) -> tuple[dict, dict[str, str]]:
    """What the notebook defines, and the errors of its cells by their source."""
    from IPython.core.interactiveshell import InteractiveShell  # cells may have magics

    shell, failed = InteractiveShell.instance(), {}
    for cell in json.loads(path.read_text("utf-8"))["cells"]:  # nbformat takes long to import
        if cell["cell_type"] == "code":
            source = "".join(cell["source"])
            done = shell.run_cell(source)
            if error := done.error_before_exec or done.error_in_exec:
                failed[source] = _named(error)
    return shell.user_ns, failed


def _missing(name: str, failed: dict[str, str]) -> str:
    for source, error in failed.items():
        if re.search(rf"\bdef {name}\b", source):
            return f"its cell cannot be run: {error}."
    return f"there is no function {name}."


def _named(error: BaseException) -> str:
    return f"{type(error).__name__}: {calling.why(error)}".rstrip(":. ")


# Arrays as JSON ----------------------------------------------------------------------------------


def encoded(values: tuple) -> list:
    """Arrays as their shape and numbers, other arguments as they are."""
    return [[v.shape, v.ravel().tolist()] if isinstance(v, np.ndarray) else v for v in values]


def decoded(values: list) -> tuple:
    """The tuple again; raises ValueError or TypeError for what is none."""
    return tuple(np.array(v[1], float).reshape(v[0]) if isinstance(v, list) else v for v in values)


if __name__ == "__main__":
    main()
