"""The command line without a network: what it depends on, and what it says when it cannot."""

import ast
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

import lab

ROOT = Path(__file__).parents[1]
OURS = (
    "pyproject.toml",
    "report/pyproject.toml",
    "report/setup.py",
    "report/jupyter/conf.json",
)
SOURCE = (ROOT / "lab.py").read_text("utf-8")


@pytest.fixture
def elsewhere(tmp_path, monkeypatch):
    """lab.py in a folder of its own, with a lock and two projects but no .venv."""
    for name, path in (("ROOT", "."), ("VENV", ".venv"), ("ENVIRONMENTS", ".venvs"),
                       ("LOCK", "lock"), ("LOG", "log")):  # fmt: skip
        monkeypatch.setattr(lab, name, tmp_path / path)
    (tmp_path / "lock").write_text("a==1\nb==2\n")
    (tmp_path / "log").write_text("")
    (tmp_path / "report" / "jupyter").mkdir(parents=True)
    for name in OURS:
        (tmp_path / name).write_text("first")
    lab.home.cache_clear()
    yield tmp_path
    lab.home.cache_clear()


@pytest.fixture
def installs(elsewhere, monkeypatch):
    """Commands of the set-up, recorded; those with a word in `failing` fail and log its text."""
    calls, failing = [], {}

    def run_logged(command, what, **variables):
        calls.append(" ".join(map(str, command)))
        lab.python().parent.mkdir(parents=True, exist_ok=True)
        lab.python().touch()
        for word, log in failing.items():
            if re.search(word, calls[-1]):
                lab.LOG.write_text(log)
                return 1
        return 0

    monkeypatch.setattr(lab, "run_logged", run_logged)
    return calls, failing


def set_up_again():
    """As the next lab.py does."""
    lab.home.cache_clear()
    lab.setup()


def test_uses_the_standard_library_only():
    names = {
        a.name for n in ast.walk(ast.parse(SOURCE)) if isinstance(n, ast.Import) for a in n.names
    }
    names |= {n.module for n in ast.walk(ast.parse(SOURCE)) if isinstance(n, ast.ImportFrom)}
    assert {name.split(".")[0] for name in names} <= sys.stdlib_module_names


def test_an_old_python_can_read_it_to_be_told_so():
    ast.parse(SOURCE, feature_version=(3, 6))
    with pytest.raises(lab.LabError, match=r"needs Python 3.11 to 3.13; this is 3.8"):
        lab.check_python((3, 8))
    with pytest.raises(lab.LabError, match=r"this is 3.14"):
        lab.check_python((3, 14))
    for minor in (11, 12, 13):
        lab.check_python((3, minor))


def test_names_a_python_that_would_do(monkeypatch):
    monkeypatch.setattr(lab.shutil, "which", lambda name: name == "python3.12")
    with pytest.raises(lab.LabError, match=r"Run: python3.12 lab.py"):
        lab.check_python((3, 9))


def test_set_up_happens_once(installs):
    lab.setup()
    first = list(installs[0])
    *_, locked, ours, _, _ = first
    assert locked.endswith(f"--require-hashes -r {lab.LOCK}")
    assert ours.endswith("--no-deps --no-build-isolation -e . -e ./report")
    set_up_again()
    assert installs[0] == first


@pytest.mark.parametrize("name", ["lock", *OURS])
def test_set_up_is_repeated_when_what_it_installs_changed(installs, name):
    lab.setup()
    count = len(installs[0])
    (lab.ROOT / name).write_text("second==2\n")
    set_up_again()
    assert len(installs[0]) == 2 * count


def test_the_set_up_depends_on_files_that_there_are():
    assert all((ROOT / name).exists() for name in OURS)


def test_an_interrupted_set_up_is_repeated(installs):
    installs[1]["install"] = "pip was stopped"
    with pytest.raises(lab.LabError, match="pip failed"):
        lab.setup()
    assert not lab.ready() and not lab.VENV.exists()
    installs[1].clear()
    lab.setup()
    assert lab.ready() and lab.VENV.exists()


@pytest.mark.parametrize(("log", "reason"), [
    ("ERROR: Could not install packages: [Errno 28] No space left on device", "the disk is full"),
    ("WARNING: Retrying … NewConnectionError …\nERROR: no matching distribution", "out of reach"),
    ("ERROR: THESE PACKAGES DO NOT MATCH THE HASHES", "pip failed.*\n.*DO NOT MATCH"),
])  # fmt: skip
def test_says_why_pip_failed(installs, log, reason):
    installs[1]["install"] = log
    with pytest.raises(lab.LabError, match=f"(?s){reason}"):
        lab.setup()


def test_takes_the_pip_of_this_python_without_ensurepip(installs):
    """As on Debian without python3-venv."""
    calls, failing = installs
    failing["-m ensurepip"] = "python: No module named ensurepip"
    lab.setup()
    pip = f"{sys.executable} -m pip --python {lab.python()} "
    assert [call for call in calls if call.startswith(pip + "install")] == calls[-4:-2]


def test_without_any_pip_names_the_package_to_install(installs):
    installs[1].update({"-m ensurepip": "No module named ensurepip", "pip --version": ""})
    with pytest.raises(lab.LabError, match="sudo apt-get install python3-venv"):
        lab.setup()


def test_too_little_disk_is_said_before_anything_is_made(installs, monkeypatch):
    monkeypatch.setattr(lab.shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(9, 8, 10**9))
    with pytest.raises(lab.LabError, match=r"1.0 GB are free .* needs 3; make room"):
        lab.setup()
    lab.VENV.mkdir()
    with pytest.raises(lab.LabError, match=r"needs 3 beside the old environment"):
        lab.setup()
    assert not installs[0]


def test_an_error_is_one_sentence_and_an_exit_code(monkeypatch, capsys):
    def fail():
        raise lab.LabError("make room.")

    monkeypatch.setattr(lab, "setup", fail)
    assert lab.main(["setup"]) == 1
    assert capsys.readouterr().err == "error: make room.\n"


@pytest.mark.parametrize(("signals", "code"), [((), 130), ((signal.SIGTERM,), 143)])
def test_a_signal_ends_with_the_code_of_its_number(signals, code, monkeypatch, capsys):
    def interrupt():
        raise KeyboardInterrupt(*signals)

    monkeypatch.setattr(lab, "setup", interrupt)
    assert lab.main(["report"]) == code
    assert "interrupted" in capsys.readouterr().err


@pytest.fixture
def ran(monkeypatch):
    """Commands that would run in .venv, with the environment they are given."""
    calls = []
    monkeypatch.setattr(lab, "setup", lambda: None)
    monkeypatch.setattr(lab, "pip_settings", lambda pip: {})
    monkeypatch.setattr(lab, "run", lambda *c, **e: calls.append((" ".join(c), e)) or 0)
    return calls


def test_report_finds_the_data_and_builds(ran):
    assert lab.main(["report", "--publish"]) == 0
    assert [call for call, _ in ran] == [
        "normlib.data", "report.build --profile full --publish",
    ]  # fmt: skip
    ran.clear()
    lab.main(["report", "--profile", "quick"])
    assert [call for call, _ in ran] == ["report.build --profile quick"]


@pytest.mark.parametrize(
    "words", [["setup", "--publish"], ["report", "--seeds", "3:8"], ["report", "--all"],
              ["report", "--torch-python", "python"], ["bench", "--profile", "quick"]]
)  # fmt: skip
def test_an_option_of_another_command_is_an_error(words, ran, capsys):
    with pytest.raises(SystemExit):
        lab.main(words)
    assert "does not know" in capsys.readouterr().err
    assert not ran


@pytest.mark.parametrize("command", ["report", "test", "bench"])
def test_a_command_has_a_help_of_its_own(command, ran, capsys):
    with pytest.raises(SystemExit, match="0"):
        lab.main([command, "--help"])
    said = capsys.readouterr().out
    assert f"lab.py {command}" in said and ("--all" in said) == (command == "test")
    assert not ran


def test_a_command_must_be_given(ran, capsys):
    with pytest.raises(SystemExit, match="2"):
        lab.main([])
    assert "COMMAND" in capsys.readouterr().err


def test_test_lints_and_runs_tests_and_notebooks_in_the_quick_profile(ran):
    assert lab.main(["test", "-k", "batch"]) == 0
    (lint, _), (layout, _), (tests, environment) = ran
    assert lint == "ruff check ." and layout.startswith("ruff format --check")
    assert (
        tests.startswith("pytest ")
        and " tests notebooks " in tests
        and "--nbval-lax" in tests
        and tests.endswith("-k batch")
    )
    # The cells of a notebook need one kernel, in their order; and long files are not to come last.
    assert "--dist=loadfile --no-loadscope-reorder" in tests
    assert environment["NORMLIB_PROFILE"] == "quick" and "NORMLIB_TESTS" not in environment


def test_test_all_asks_the_tests_for_every_case(ran):
    assert lab.main(["test", "--all", "-k", "batch"]) == 0
    tests, environment = ran[-1]
    assert environment["NORMLIB_TESTS"] == "all"
    assert "--all" not in tests and tests.endswith("-k batch")


@pytest.mark.parametrize("failing", ["check", "format", "pytest"])
def test_test_fails_if_the_linter_or_the_tests_do(failing, ran, monkeypatch):
    monkeypatch.setattr(lab, "run", lambda *c, **_: int(failing in c))
    assert lab.main(["test"]) == 1


def test_sweep_passes_everything_on(ran):
    lab.main(["sweep", "pilot", "--publish", "--seeds", "3:8"])
    assert ran[0][0] == "report.study.sweep_command pilot --seeds 3:8 --publish"
    lab.main(["sweep", "--help"])
    assert ran[1][0] == "report.study.sweep_command --help"


def test_verify_passes_everything_on(ran):
    lab.main(["verify", "3"])
    lab.main(["verify", "--help"])
    assert [call for call, _ in ran] == ["report.study.verify 3", "report.study.verify --help"]


def test_a_report_of_all_images_finds_them_first_and_stops_without(ran, monkeypatch):
    lab.main(["report", "--profile", "quick"])
    assert [call for call, _ in ran] == ["report.build --profile quick"]
    monkeypatch.setattr(lab, "run", lambda *c: ran.append(c) or 1)
    assert lab.main(["report"]) == 1 and ran[1:] == [("normlib.data",)]


def test_bench_measures_and_publishes(ran):
    lab.main(["bench"])
    lab.main(["bench", "--publish"])
    assert [call for call, _ in ran] == ["report.bench", "report.bench --publish"]


def test_bench_takes_a_python_with_pytorch_from_where_the_reader_is(ran, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    lab.main(["bench", "--torch-python", "torch/bin/python"])
    assert ran[0][0] == f"report.bench --torch-python {tmp_path}/torch/bin/python"


def test_exercises_and_grade_pass_everything_on_with_the_readers_folder(ran):
    for command, module, words in (
        ("exercises", "sheet", "mine --solutions solved"),
        ("exercises", "sheet", "--help"),
        ("grade", "grading", "a.py b.ipynb"),
        ("grade", "grading", "--help"),
    ):
        assert lab.main([command, *words.split()]) == 0
        assert ran.pop()[0] == f"report.study.exercises.{module} {Path.cwd()} {words}"


def test_open_opens_the_notebooks_or_that_of_the_reader(ran, tmp_path, monkeypatch):
    lab.main(["open", "--no-browser"])
    asks = "--ServerApp.answer_yes=True"
    assert ran.pop()[0] == f"jupyterlab --notebook-dir=notebooks {asks} --no-browser"
    (tmp_path / "mine.ipynb").touch()
    monkeypatch.chdir(tmp_path)
    lab.main(["open", "mine.ipynb", "--no-browser"])
    assert ran.pop()[0] == f"jupyterlab {tmp_path / 'mine.ipynb'} {asks} --no-browser"


def test_help_names_every_command():
    done = subprocess.run(
        [sys.executable, str(ROOT / "lab.py"), "--help"], capture_output=True, text=True
    )
    assert done.returncode == 0 and "lab.py test --all " in done.stdout
    for command in lab.COMMANDS:
        assert f"\n  {command} " in done.stdout


def test_unknown_command_lists_the_known(capsys):
    with pytest.raises(SystemExit, match="2"):
        lab.main(["repot"])
    assert "report" in capsys.readouterr().err


def test_ci_runs_exactly_lab_py_test():
    assert (ROOT / ".ci" / "run").read_text("utf-8").splitlines()[-1] == "exec python3 lab.py test"
    workflow = (ROOT / ".github" / "workflows" / "ci.yml").read_text("utf-8")
    assert re.findall("run: (.*)", workflow) == ["python3 lab.py test", "python3 lab.py test --all"]
    assert "schedule:\n    - cron:" in workflow
