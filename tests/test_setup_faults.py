"""What other machines do to lab.py: settings of the reader's, two set-ups at once, signals."""

import os
import re
import runpy
import shutil
import signal
import subprocess
import sys
import time
import zipfile
from contextlib import suppress
from pathlib import Path

import pytest
from test_lab import elsewhere, installs, set_up_again  # noqa: F401

import lab

ROOT = Path(__file__).parents[1]
posix = pytest.mark.skipif(os.name != "posix", reason="of POSIX alone")
linux = pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")


# What can be set from outside for pip ------------------------------------------------------------


PINNED = "normlib_pinned_by_a_test"  # which no index has
METADATA = f"Metadata-Version: 2.1\nName: {PINNED}\nVersion: 1\n"


@pytest.fixture
def wheels(tmp_path):
    """A folder with the wheel of a package that has one module."""
    (tmp_path / "wheels").mkdir()
    information = f"{PINNED}-1.dist-info"
    with zipfile.ZipFile(tmp_path / "wheels" / f"{PINNED}-1-py3-none-any.whl", "w") as wheel:
        wheel.writestr(f"{PINNED}.py", "")
        wheel.writestr(f"{information}/METADATA", METADATA)
        wheel.writestr(f"{information}/WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any\n")
        wheel.writestr(f"{information}/RECORD", "")
    return tmp_path / "wheels"


@pytest.fixture
def pip(elsewhere):  # noqa: F811
    """The pip of an environment that is empty."""
    pytest.importorskip("pip")  # where this Python came without ensurepip, .venv has none
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", lab.home()], check=True)
    return [sys.executable, "-m", "pip", "--python", str(lab.python())]


def seen_by_its_python(pip, settings):
    """Whether the package is there when pip says that it has installed it."""
    assert lab.run_logged([*pip, "install", PINNED], "", **settings) == 0, lab.read_log()
    return subprocess.call([lab.python(), "-I", "-c", f"import {PINNED}"]) == 0


HOSTILE = {
    "target": "/there", "prefix": "/there", "root": "/there", "user": "true", "dry-run": "true",
    "python": "/there", "require-virtualenv": "true", "no-deps": "true", "quiet": "3",
    "requirement": "/there", "require-hashes": "true", "report": "/there", "platform": "there",
}  # fmt: skip


@posix
@pytest.mark.parametrize(("name", "place"), [
    ("target", "HOME"), ("dry-run", "PIP_CONFIG_FILE"),
    *(pytest.param(name, place, marks=pytest.mark.slow) for name, place in (
        ("prefix", "PIP_CONFIG_FILE"), ("root", "HOME"), ("user", "HOME"),
        ("require-hashes", "HOME"), ("quiet", "HOME"),
    )),
])  # fmt: skip
def test_a_file_cannot_say_where_pip_installs(name, place, pip, wheels, tmp_path, monkeypatch):
    file = tmp_path / (".pip/pip.conf" if place == "HOME" else "pip.conf")
    file.parent.mkdir(exist_ok=True)
    monkeypatch.setenv(place, str(tmp_path if place == "HOME" else file))
    value = HOSTILE[name].replace("/there", str(tmp_path / "there"))
    file.write_text(f"[global]\n{name} = {value}\n[install]\nfind-links = {wheels}\nno-index = 1\n")
    monkeypatch.delenv("PIP_FIND_LINKS", raising=False)
    assert seen_by_its_python(pip, lab.pip_settings(pip))


def test_a_variable_cannot_say_where_pip_installs(pip, wheels, tmp_path, monkeypatch):
    for name, value in HOSTILE.items():
        monkeypatch.setenv(f"PIP_{name.upper().replace('-', '_')}", value)
    monkeypatch.setenv("PIP_FIND_LINKS", str(wheels))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    there = tmp_path / "old" / f"{PINNED}-1.dist-info"
    there.mkdir(parents=True)
    (there / "METADATA").write_text(METADATA)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "old"))
    assert seen_by_its_python(pip, lab.pip_settings(pip))


def test_the_readers_index_counts_as_pip_would_read_it(pip, tmp_path, monkeypatch):
    file = tmp_path / "pip.conf"
    file.write_text(
        "[global]\nindex-url = https://a.example/\ncert = /all.pem\nretries = 1\n"
        "[install]\nindex-url = https://b.example/\n"
        "extra-index-url =\n  https://c.example/\n  https://d.example/\n"
    )
    monkeypatch.setenv("PIP_CONFIG_FILE", str(file))
    monkeypatch.setenv("PIP_CERT", "/own.pem")
    found = lab.pip_settings(pip)
    assert found["PIP_INDEX_URL"] == "https://b.example/"
    assert found["PIP_EXTRA_INDEX_URL"].split() == ["https://c.example/", "https://d.example/"]
    assert (found["PIP_CERT"], found["PIP_RETRIES"]) == ("/own.pem", "1")
    assert found["PIP_CONFIG_FILE"] == os.devnull and set(found) <= {
        *lab.PIP_KEEPS, "PIP_CONFIG_FILE",
    }  # fmt: skip


@pytest.mark.parametrize("trial", ["pip check", f"import {lab.TRIED}"])
def test_what_cannot_be_imported_is_not_ready(trial, installs):  # noqa: F811
    installs[1][trial] = "No module named 'numpy'"
    with pytest.raises(lab.LabError, match=r"(?s)failed.*No module named 'numpy'"):
        lab.setup()
    assert not lab.ready() and not lab.VENV.exists()


# Two set-ups, and one after another --------------------------------------------------------------

SLOW_SETUP = """
import sys, time, lab
def run_logged(command, what, **variables):
    assert not (lab.home() / what).exists()
    lab.python().parent.mkdir(parents=True, exist_ok=True)
    lab.python().touch()
    lab.LOG.touch()
    time.sleep(0.05)
    (lab.home() / what).touch()
    return 0
lab.run_logged = run_logged
lab.setup()
print(sorted(path.name for path in lab.home().iterdir()))
"""


@posix
def test_of_set_ups_at_once_one_installs_and_the_others_wait(elsewhere):  # noqa: F811
    shutil.copy(ROOT / "lab.py", elsewhere)
    shutil.copy(elsewhere / "lock", elsewhere / "requirements.lock.txt")
    python = [sys.executable, "-c", SLOW_SETUP]
    environment = os.environ | {"PYTHONPATH": str(elsewhere)}
    started = [
        subprocess.Popen(python, env=environment, cwd=elsewhere, stdout=subprocess.PIPE, text=True)
        for _ in range(6)
    ]
    said = [process.communicate(timeout=60)[0].splitlines() for process in started]
    assert [process.returncode for process in started] == [0] * 6
    assert len({lines[-1] for lines in said}) == 1 and lab.STAMP in said[0][-1]
    assert sum(any("Set up in" in line for line in lines) for lines in said) == 1
    waited = "Another set-up is running in this folder; waiting for it."
    assert sum(waited in lines for lines in said) >= 1


def change_the_lock():
    """Return the environment that there is, which no longer has what the lock names."""
    before = lab.home()
    lab.LOCK.write_text("c==3\n")
    lab.home.cache_clear()
    return before


def test_a_failed_update_costs_nothing_and_a_good_one_clears_up(installs):  # noqa: F811
    lab.setup()
    before = change_the_lock()
    installs[1]["pip install"] = "no such package"
    with pytest.raises(lab.LabError):
        set_up_again()
    assert (before / lab.STAMP).exists() and lab.VENV.resolve() == before
    installs[1].clear()
    set_up_again()
    assert lab.VENV.resolve() == lab.home() != before
    assert lab.environments() == [lab.home()]
    assert not Path(os.readlink(lab.VENV)).is_absolute()


def test_half_a_removed_environment_is_none(installs, monkeypatch):  # noqa: F811
    lab.setup()
    before = change_the_lock()
    monkeypatch.setattr(lab.shutil, "rmtree", lambda *_, **__: None)  # as if killed before it
    set_up_again()
    assert before.exists() and not (before / lab.STAMP).exists()


def test_the_linter_reads_no_environment_without_git_either(tmp_path):
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    (tmp_path / ".venvs" / "x").mkdir(parents=True)
    (tmp_path / ".venvs" / "x" / "a.py").write_text("import os")
    (tmp_path / "report").mkdir()
    ruff = [sys.executable, "-m", "ruff", "check", "--no-cache", "."]
    assert subprocess.call(ruff, cwd=tmp_path) == 0


@posix
def test_an_environment_in_use_stays(installs):  # noqa: F811
    lab.setup()
    before = change_the_lock()
    with lab.lock(before / lab.IN_USE, shared=True):
        set_up_again()
        assert (before / lab.STAMP).exists() and lab.VENV.resolve() == lab.home()
    lab.LOCK.write_text("d==4\n")
    set_up_again()
    assert lab.environments() == [lab.home()]


def test_a_command_holds_its_environment(installs, monkeypatch):  # noqa: F811
    lab.setup()
    held = []
    monkeypatch.setattr(lab, "call", lambda *_: held.append(lab.lock(lab.home() / lab.IN_USE,
                                                                     wait=False)))  # fmt: skip
    lab.run("x")
    assert held == [None]


def test_the_environment_of_an_older_lab_gives_way_to_a_link(installs):  # noqa: F811
    lab.VENV.mkdir()
    (lab.VENV / lab.STAMP).touch()
    lab.setup()
    assert lab.VENV.is_symlink() and lab.environments() == [lab.home()]


def test_an_environment_of_the_readers_stays(installs, capsys):  # noqa: F811
    lab.VENV.mkdir()
    (lab.VENV / "own").touch()
    lab.setup()
    assert (lab.VENV / "own").exists() and lab.ready()
    assert ".venv was not made by the lab and is left as it is" in capsys.readouterr().out


def test_a_removed_link_is_made_again(installs):  # noqa: F811
    lab.setup()
    count = len(installs[0])
    lab.VENV.unlink()
    set_up_again()
    assert lab.VENV.resolve() == lab.home() and len(installs[0]) == count


def test_an_environment_whose_python_is_gone_is_made_again(installs):  # noqa: F811
    lab.setup()
    lab.python().unlink()
    set_up_again()
    assert lab.ready()


def test_what_a_pull_changed_during_a_set_up_is_not_ready(installs, monkeypatch):  # noqa: F811
    install = lab.install
    monkeypatch.setattr(
        lab, "install", lambda *words: (lab.LOCK.write_text("z==1"), install(*words))
    )
    with pytest.raises(lab.LabError, match="changed during the set-up"):
        lab.setup()
    assert lab.environments() == [lab.home()] and not lab.ready()


# Why no environment can be made ------------------------------------------------------------------


@posix
def test_a_colon_in_the_path_is_said(elsewhere, monkeypatch):  # noqa: F811
    monkeypatch.setattr(lab, "ENVIRONMENTS", elsewhere / "a:b")
    lab.home.cache_clear()
    with pytest.raises(lab.LabError, match=r"venv failed.*\n.*contains the PATH separator :"):
        lab.make_venv()


@pytest.mark.parametrize(("step", "log", "reason"), [
    ("-m venv", "Error: [Errno 28] No space left on device", "the disk is full"),
    ("-m venv", "Error: [Errno 13] Permission denied: '.venvs'", "venv failed.*Permission denied"),
    ("-m venv", "No module named venv", "venv failed.*No module named venv"),
    ("-m (ensure)?pip", "zipimport.ZipImportError: bad wheel", "ensurepip failed.*bad wheel"),
])  # fmt: skip
def test_the_true_reason_is_said(step, log, reason, installs):  # noqa: F811
    installs[1][step] = log
    with pytest.raises(lab.LabError, match=f"(?s){reason}") as error:
        lab.setup()
    assert "is missing" not in str(error.value)


def test_a_file_that_cannot_be_written_is_an_error_in_words(elsewhere, capsys):  # noqa: F811
    lab.ENVIRONMENTS.touch()
    assert lab.main(["setup"]) == 1
    assert re.fullmatch("error: .*exists.*\n", capsys.readouterr().err)


# The reader's machine ----------------------------------------------------------------------------

HOSTILE_VARIABLES = {
    "KERAS_BACKEND": "jax", "KERAS_MAX_EPOCHS": "1", "MPLBACKEND": "pdf", "PYTHONHOME": "/there",
    "PYTHONPATH": "/there", "PYTHONOPTIMIZE": "1", "PYTHONSTARTUP": "/there", "PYTHONUTF8": "0",
    "PYTHONIOENCODING": "latin-1", "PYTHONWARNINGS": "error", "PYTEST_ADDOPTS": "-x",
    "TF_XLA_FLAGS": "--there", "TF_ENABLE_ONEDNN_OPTS": "0", "PIP_TARGET": "/there",
    "PYPANDOC_PANDOC": "/there",
}  # fmt: skip
SHOW = """
import keras, json, locale, matplotlib, sys
from jupyter_client.kernelspec import get_kernel_spec
print(json.dumps({
    "keras": [keras.config.backend(), keras.config.image_data_format(), keras.config.floatx()],
    "tex": matplotlib.rcParams["text.usetex"],
    "kernel": get_kernel_spec("python3").display_name,
    "encoding": [open(sys.argv[1]).encoding.lower(), sys.stdout.encoding.lower()],
}))
"""


@pytest.fixture
def machine(elsewhere, tmp_path, monkeypatch):  # noqa: F811
    """A machine with settings of its own for everything that the lab is made of."""
    lab.home().mkdir(parents=True)
    files = {
        ".keras/keras.json": '{"backend": "jax", "image_data_format": "channels_first", '
        '"floatx": "float16", "epsilon": 0.1}',
        "matplotlib/matplotlibrc": "text.usetex: True\n",
        "jupyter/kernels/python3/kernel.json": '{"argv": ["false"], "display_name": "theirs", '
        '"language": "python"}',
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True)
        (tmp_path / name).write_text(text)
    for name, value in HOSTILE_VARIABLES.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("KERAS_HOME", raising=False)
    monkeypatch.setenv("MPLCONFIGDIR", str(tmp_path / "matplotlib"))
    monkeypatch.setenv("MATPLOTLIBRC", str(tmp_path / "matplotlib"))
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path / "jupyter"))
    monkeypatch.setenv("LC_ALL", "de_DE.ISO-8859-1")
    return tmp_path


def test_the_lab_does_not_compute_or_draw_as_the_machine_is_set(machine):
    done = subprocess.run(
        [sys.executable, "-c", SHOW, __file__],
        env=lab.environment(), stdout=subprocess.PIPE, check=True,
    )  # fmt: skip
    assert done.stdout.decode() == (
        '{"keras": ["tensorflow", "channels_last", "float32"], "tex": false, '
        '"kernel": "Python 3 (ipykernel)", "encoding": ["utf-8", "utf-8"]}\n'
    )


def test_variables_that_would_leak_in_do_not(machine, monkeypatch):
    monkeypatch.setenv("PIP_INDEX_URL", "https://a.example/")
    monkeypatch.setenv("PYTHONUNBUFFERED", "1")
    found = lab.environment()
    assert not {name for name, value in HOSTILE_VARIABLES.items() if found.get(name) == value}
    assert found["PYTHONNOUSERSITE"] == found["PYTHONUNBUFFERED"] == found["PYTHONUTF8"] == "1"
    assert found["PIP_INDEX_URL"] == "https://a.example/"  # for `%pip` in a notebook
    assert found["PATH"].startswith(str(lab.python().parent) + os.pathsep)
    assert found["VIRTUAL_ENV"] == str(lab.home())
    assert found["IPYTHONDIR"].startswith(str(lab.home()))  # start-up files of the reader's


def test_data_sets_stay_in_the_readers_keras_home(machine, monkeypatch):
    home = Path(lab.environment()["KERAS_HOME"])
    assert not (home / "keras.json").exists()
    (home / "datasets" / "x").mkdir()
    assert (machine / ".keras" / "datasets" / "x").is_dir()
    assert lab.environment()["KERAS_HOME"] == str(home)
    monkeypatch.setenv("KERAS_HOME", str(machine / "other"))
    assert (Path(lab.environment()["KERAS_HOME"]) / "datasets").resolve() == (
        machine / "other" / "datasets"
    )


@pytest.mark.parametrize("name", lab.FOLDERS)
def test_a_relative_folder_of_data_is_the_same_everywhere(name, machine, monkeypatch):
    monkeypatch.chdir(machine)
    monkeypatch.setenv(name, "data")
    assert lab.environment()[name] == str(machine / "data")
    monkeypatch.setenv(name, "~/data")
    assert lab.environment()[name] == os.path.expanduser("~/data")


def test_a_relative_folder_of_data_is_named_in_full(tmp_path, monkeypatch):
    from normlib import data, fetch

    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NORMLIB_DATA", "data")
    fetch.find.cache_clear()
    with pytest.raises(data.DataError, match=f"NORMLIB_DATA is {tmp_path / 'data'}, which"):
        fetch.find(data.SOURCES["Fashion-MNIST"])


def test_a_relative_keras_home_is_named_in_full(tmp_path, monkeypatch):
    from normlib import data, fetch

    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("KERAS_HOME", "keras")
    (place, _), *_ = fetch._places(data.SOURCES["Fashion-MNIST"])
    assert place == f"Keras's cache {tmp_path}/keras/datasets/fashion-mnist"


@pytest.mark.parametrize("folder", ["tests", "notebooks"])
def test_under_pytest_alone_keras_is_not_as_the_machine_is_set_either(folder, machine, monkeypatch):
    ours = lab.environment()
    monkeypatch.setattr(os, "environ", os.environ.copy())
    runpy.run_path(str(ROOT / folder / "conftest.py"))
    for name in ("KERAS_BACKEND", "KERAS_HOME"):
        assert os.environ[name] == ours[name]


def test_notebooks_under_pytest_alone_do_not_see_the_machine_either(machine, monkeypatch):
    monkeypatch.setattr(os, "environ", os.environ.copy())
    runpy.run_path(str(ROOT / "notebooks" / "conftest.py"))
    found, ours = os.environ, lab.environment()
    for name in ("MATPLOTLIBRC", "PYTHONUTF8", "JUPYTER_PREFER_ENV_PATH"):
        assert found[name] == ours[name]
    assert "JUPYTER_PATH" not in found and "MPLBACKEND" not in found


def test_text_is_read_and_written_as_utf_8():
    """Where the locale is another, `open` and its like would take that."""
    for file in ("lab.py", "normlib/fetch.py", "notebooks/conftest.py"):
        source = (ROOT / file).read_text("utf-8")
        calls = re.findall(r"(?:\bopen|read_text|write_text)\(.*", source)
        assert not [c for c in calls if not re.search(r"encoding=|b\"|gzip|\"a\"|urlopen", c)], file


def test_a_clone_with_autocrlf_has_the_bytes_that_were_committed(tmp_path):
    for name in (".gitattributes", "lab.py"):
        shutil.copy(ROOT / name, tmp_path)
    git = ["git", "-C", str(tmp_path), "-c", "core.autocrlf=true", "-c", "core.safecrlf=false"]
    for command in (["init", "-q"], ["add", "."], ["rm", "-rq", "--cached", "."], ["add", "."]):
        subprocess.run([*git, *command], check=True)
    (tmp_path / "lab.py").unlink()
    subprocess.run([*git, "checkout", "-q", "--", "lab.py"], check=True)
    assert (tmp_path / "lab.py").read_bytes() == (ROOT / "lab.py").read_bytes()


# Signals -----------------------------------------------------------------------------------------

# A command with a child in its group and a kernel in a session of its own, deaf to all but KILL.
COMMAND = """
import os, signal, subprocess, sys, time
deaf = "import signal, time\\nfor n in (1, 2, 15): signal.signal(n, signal.SIG_IGN)\\n"
tail = "print(flush=True)\\ntime.sleep(600)"
started = [
    subprocess.Popen([sys.executable, "-c", deaf + tail], start_new_session=own, stdout=-1)
    for own in (False, True)
]
for process in started:
    process.stdout.readline()
if sys.argv[1] == "deaf":
    exec(deaf)
print(os.getpid(), *(process.pid for process in started), flush=True)
if sys.argv[1] != "ends":
    time.sleep(600)
"""
DRIVER = f"""
import sys; sys.path.insert(0, {str(ROOT)!r})
import os, lab
lab.GRACE = int(sys.argv[2])
lab.setup = lambda: None
command = [sys.executable, "-c", {COMMAND!r}, sys.argv[1]]
lab.COMMANDS["open"] = lambda options, rest: lab.call(command, os.environ)
lab.heed_signals()
sys.exit(lab.main(["open"]))
"""


@pytest.fixture
def start():
    """Starts such a command under lab.py; gives lab.py's process and those that it started."""
    everything = []

    def started(kind, grace=1, **options):
        process = subprocess.Popen(
            [sys.executable, "-c", DRIVER, kind, str(grace)],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **options,
        )  # fmt: skip
        below = [int(number) for number in process.stdout.readline().split()]
        everything.extend([process.pid, *below])
        return process, below

    yield started
    for number in everything:
        with suppress(OSError):
            os.kill(number, signal.SIGKILL)


def alive(numbers):
    found = []
    for number in numbers:
        with suppress(OSError):
            os.kill(number, 0)
            found.append(number)
    return found


def left(numbers):
    """What there is a few seconds later; who reaps orphans may take a moment."""
    end = time.monotonic() + 3
    while alive(numbers) and time.monotonic() < end:
        time.sleep(0.05)
    return alive(numbers)


@posix
@pytest.mark.parametrize("kind", ["obedient", "deaf"])
@pytest.mark.parametrize("name", [
    pytest.param("SIGINT", marks=pytest.mark.slow), "SIGTERM",
    pytest.param("SIGHUP", marks=pytest.mark.slow),
])  # fmt: skip
def test_a_signal_to_lab_py_alone_leaves_nothing(name, kind, start):
    process, below = start(kind, grace=1 if kind == "deaf" else 60)
    assert len(alive(below)) == 3
    process.send_signal(getattr(signal, name))
    _, said = process.communicate(timeout=10)
    assert process.returncode == 128 + getattr(signal, name)
    assert "interrupted; what was finished is kept" in said
    assert not left(below)


@posix
def test_a_second_ctrl_c_does_not_wait_for_what_tidies_up(start):
    process, below = start("deaf", grace=60)
    begin = time.monotonic()
    for _ in range(4):
        process.send_signal(signal.SIGINT)
        time.sleep(0.02)
    process.communicate(timeout=10)
    assert time.monotonic() - begin < 10 and not left(below)


@posix
def test_kill_9_of_lab_py_leaves_nothing(start):
    process, below = start("deaf")
    assert len(alive(below)) == 3
    process.kill()
    process.wait()
    assert not left(below)


@posix
def test_what_a_command_leaves_at_its_end_is_ended(start):
    process, below = start("ends")
    process.communicate(timeout=10)
    assert process.returncode == 0 and not left(below)


@posix
def test_nohup_is_heeded(start):
    process, below = start(
        "obedient", preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN)
    )
    process.send_signal(signal.SIGHUP)
    time.sleep(0.3)
    assert process.poll() is None and len(alive(below)) == 3


@linux
def test_ctrl_z_pauses_the_command_too(start):
    process, below = start("obedient")

    def states():
        time.sleep(0.3)
        numbers = (process.pid, below[0])
        return [Path(f"/proc/{n}/stat").read_text().rsplit(") ")[1][0] for n in numbers]

    process.send_signal(signal.SIGTSTP)
    assert states() == ["T", "T"]
    process.send_signal(signal.SIGCONT)
    assert "T" not in states()
