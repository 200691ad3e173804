"""Submissions of every kind: each costs its author what it breaks, and nobody else anything."""

import json
import os
import secrets

import nbformat
import numpy as np
import psutil
import pytest
from nbformat.v4 import new_code_cell, new_notebook

from report.study.exercises import supervision
from report.study.exercises.catalogue import EXERCISES
from report.study.exercises.submission import decoded, encoded

ASKED = ("batch_norm", "layer_norm", "weight_norm")
RIGHT = """
import numpy as np

def batch_norm(x, gamma, beta, epsilon):
    return gamma * (x - x.mean(0)) / np.sqrt(x.var(0) + epsilon) + beta

def weight_norm(v, g):
    return g * v / np.linalg.norm(v, axis=0)

def layer_norm(x, gamma, beta, epsilon):
    mean, std = x.mean(1, keepdims=True), np.sqrt(x.var(1, keepdims=True) + epsilon)
    return gamma * (x - mean) / std + beta
"""


@pytest.fixture
def outcomes(tmp_path):
    """What became of a module's functions; of a notebook's, if it is given as cells."""

    def of(source, others=(), **limits):
        file = tmp_path / "handed in" / ("mine.py" if isinstance(source, str) else "mine.ipynb")
        file.parent.mkdir(exist_ok=True)
        if isinstance(source, str):
            file.write_text(source)
        else:
            nbformat.write(new_notebook(cells=[new_code_cell(s) for s in source]), file)
        with pytest.MonkeyPatch.context() as patch:
            for name, value in limits.items():
                patch.setattr(supervision, name, value)
            inputs = {name: EXERCISES[name].inputs(0) for name in ASKED}
            return supervision.outcomes(file, [file, *others], inputs)

    return of


def right(name, outcome):
    expected = [EXERCISES[name].right(given) for given in EXERCISES[name].inputs(0)]
    pairs = zip(outcome, expected, strict=True)
    return all(np.allclose(a, b) for pair in pairs for a, b in zip(*pair, strict=True))


def test_a_module_and_a_notebook_return_what_they_compute(outcomes):
    for source in (RIGHT, ["%time 1 / 0", RIGHT, "batch_norm("]):
        found = outcomes(source)
        assert set(found) == set(ASKED) and all(right(*item) for item in found.items())


def slow(*values):
    return pytest.param(*values, marks=pytest.mark.slow)


DEAF = "import signal, time\n    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGALRM])\n    "
COSTS = [
    (DEAF + "while True: time.sleep(1)", "it needs more than 5 seconds."),
    ("import os\n    os._exit(3)", "it ends its process, with the exit code 3."),
    ("print('x' * 1_100_000)\n    return x", "it prints more than a megabyte."),
    slow("while True: print('x' * 9999)", "it prints more than a megabyte."),
    slow("import time\n    y = np.ones(10**8)\n    time.sleep(20)", "more than 0.5 GB of memory."),
    slow("return np.ones((700, 700))", "it returns more than ten megabytes."),
    slow("import os\n    os._exit(0)", "it ends its process, with the exit code 0."),
    slow("import ctypes\n    ctypes.string_at(0)", "it ends its process, with the exit code -11."),
    slow("raise SystemExit", "it ends the program: return a value instead."),
    slow("raise KeyboardInterrupt", "it ends its process, with the exit code"),
]


@pytest.mark.parametrize(("body", "why"), COSTS)
def test_what_a_function_does_costs_its_exercise_alone(body, why, outcomes):
    broken = f"{RIGHT}\ndef layer_norm(x, gamma, beta, epsilon):\n    {body}\n"
    limits = {"CALLING": 5} if body.startswith(DEAF) else {}
    found = outcomes(broken, MEMORY=5e8, **limits)
    assert why in found["layer_norm"]
    assert right("batch_norm", found["batch_norm"]) and right("weight_norm", found["weight_norm"])


@pytest.mark.parametrize(("source", "why"), [
    ("def batch_norm(x:", "SyntaxError: '(' was never closed (mine.py, line 1)."),
    ("import os\nos._exit(1)", "it ends its process, with the exit code 1."),
    slow("import nothing", "ModuleNotFoundError: No module named 'nothing'."),
    slow("raise SystemExit", "SystemExit."),
    slow("import os\nos._exit(0)", "it ends its process, with the exit code 0."),
    slow("import time\nwhile True: time.sleep(1)", "it needs more than 3 seconds."),
])  # fmt: skip
def test_a_module_that_cannot_be_run_is_a_sentence_for_every_exercise(source, why, outcomes):
    limits = {"LOADING": 3} if "while" in source else {}
    assert outcomes(source, **limits) == dict.fromkeys(ASKED, f"no function could be called: {why}")


def test_what_is_missing_is_said_and_why_its_cell_failed(outcomes):
    found = outcomes([RIGHT.replace("layer_norm", "other"), "def layer_norm(x):\nreturn x"])
    assert "its cell cannot be run: IndentationError: expected an ind" in found["layer_norm"]
    found = outcomes(RIGHT.replace("layer_norm", "other"))
    assert found["layer_norm"] == "there is no function layer_norm."


def test_its_folder_is_a_copy_and_what_others_handed_in_is_not_there(outcomes, tmp_path):
    folder = tmp_path / "handed in"
    folder.mkdir()
    (folder / "helper.py").write_text("def root(v):\n    return v ** 0.5\n")
    (folder / "other.py").write_text("SECRET = 1")
    (folder / "grades").mkdir()
    deleting = (
        "import os, pathlib, shutil\nhere = sorted(p.name for p in pathlib.Path().iterdir())\n"
        "assert here == ['helper.py', 'mine.py'], here\nfrom helper import root\n"
        "assert pathlib.Path.home() == pathlib.Path.cwd()\nshutil.rmtree(os.getcwd())\n"
    )
    found = outcomes(deleting + RIGHT.replace("np.sqrt", "root"), [folder / "other.py"])
    assert all(right(*item) for item in found.items())
    names = {"helper.py", "other.py", "grades", "mine.py"}
    assert {file.name for file in folder.iterdir()} == names


def test_what_the_sheet_calls_neither_checks_nor_trains(outcomes):
    cell = (
        "from report.study.exercises.checking import check\n"
        "from report.study.exercises.training import compare\nimport sys\n"
        "assert (check(1), compare(1), 'tensorflow' in sys.modules) == (None, None, False)\n"
    )
    found = outcomes([cell + RIGHT])
    assert all(right(*item) for item in found.items())


def test_a_file_that_is_gone_meanwhile_is_a_sentence(tmp_path):
    asked = {"batch_norm": EXERCISES["batch_norm"].inputs(0)}
    found = supervision.outcomes(tmp_path / "gone.py", [], asked)
    assert found == {"batch_norm": "its file cannot be copied: No such file or directory."}


def test_it_can_neither_judge_itself_nor_write_what_is_believed(outcomes):
    """It may say what it likes, in the language of the answers; only numbers count."""
    patching = """
import os
import report.study.exercises.answers as answers
answers.TOLERANCE = 1e9
answers.judge = lambda *_: answers.Answer(True, "", "")
for file in range(3, 20):
    try:
        os.write(file, b'["layer_norm", "", true]\\n{"a"\\n[["x"]]\\n["weight_norm", "", [1]]\\n')
    except OSError:
        pass
def layer_norm(*arguments): return arguments[0]
def weight_norm(*arguments): return arguments[0]
"""
    found = outcomes(patching)
    assert found["batch_norm"] == "there is no function batch_norm."
    assert not right("layer_norm", found["layer_norm"])
    assert not right("weight_norm", found["weight_norm"])


UNREADABLE = "it returns nothing that could be read."


@pytest.mark.parametrize("found", [
    None, True, 3, "text", [], [[]], {"a": 1}, [[[[2], [1]]]] * 6, [[[["x"], [1]]]] * 6,
    [[[[2, 1], ["a", {}]]]] * 6, [[3.0]] * 6, [[[[1], [1]], [[1], [1]]]] * 6, [[[[-1], []]]] * 5,
    [[[[10**30], [1]]]] * 6,
])  # fmt: skip
def test_whatever_is_written_as_an_answer_is_an_outcome(found):
    asked = {"batch_norm": EXERCISES["batch_norm"].inputs(0)}
    assert supervision._outcome("batch_norm", "", found, asked) == UNREADABLE


def test_lines_that_are_no_answers_are_passed_over():
    written = b'["a", "b", 1]\n{"a"\n[1, 2]\n[]\n"x"\n\xff\n' + b"[" * 99999 + b'\n["c", "d"'
    assert list(supervision._lines(written)) == [["a", "b", 1]]


def test_a_long_reason_is_cut_and_one_line():
    said = supervision._outcome("batch_norm", "a\nb" + "c" * 999, [], {})
    assert said.startswith("a bc") and len(said) == 500


def test_what_it_began_ends_with_it(outcomes):
    sleep = ["sleep", f"987.{secrets.randbelow(10**9)}"]  # which nobody else has begun
    begun = f"""
import os, subprocess, time
subprocess.Popen({sleep})
subprocess.Popen({sleep}, start_new_session=True)
if os.fork() == 0:  # whose parent is gone, and which is known by its mark alone
    subprocess.Popen({sleep}, start_new_session=True)
    os._exit(0)
subprocess.Popen({sleep}, start_new_session=True, env={{}})  # which has none, but was seen
time.sleep(1)
"""
    found = outcomes(begun + RIGHT)
    assert all(right(*item) for item in found.items())
    left = [one for one in psutil.process_iter(["cmdline"]) if one.info["cmdline"] == sleep]
    assert psutil.wait_procs(left, timeout=5)[1] == []


def test_arrays_go_over_and_come_back():
    given = (np.arange(6.0).reshape(2, 3), True, 0.25, np.array([np.nan, np.inf]))
    back = decoded(json.loads(json.dumps(encoded(given))))
    assert back[1:3] == (True, 0.25) and np.array_equal(back[0], given[0])
    assert np.array_equal(back[3], given[3], equal_nan=True)


def test_nothing_is_left_in_the_temporary_folder(outcomes, tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "tmp"))
    (tmp_path / "tmp").mkdir()
    outcomes("open('big', 'w').write('x')\n" + RIGHT)
    assert os.listdir(tmp_path / "tmp") == []
