"""The command line without a network: what it depends on, and what it says when it cannot."""

import ast
import re
import shutil
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
    "report/jupyter/jupyter_config.json",
)
SOURCE = (ROOT / "lab.py").read_text()


@pytest.fixture
def elsewhere(tmp_path, monkeypatch):
    """lab.py in a folder of its own, with a lock and two projects but no .venv."""
    for name, path in (("ROOT", "."), ("VENV", ".venv"), ("LOCK", "lock"), ("LOG", "log"),
                       ("STAMP", ".venv/stamp"), ("PYTHON", ".venv/bin/python")):  # fmt: skip
        monkeypatch.setattr(lab, name, tmp_path / path)
    (tmp_path / "lock").write_text("a==1\nb==2\n")
    (tmp_path / "report" / "jupyter").mkdir(parents=True)
    for name in OURS:
        (tmp_path / name).write_text("first")
    return tmp_path


@pytest.fixture
def installs(elsewhere, monkeypatch):
    """Commands of the set-up, recorded; those with a word in `failing` fail and log its text."""
    calls, failing = [], {}

    def run_logged(command, what):
        calls.append(" ".join(map(str, command)))
        (elsewhere / ".venv").mkdir(exist_ok=True)
        for word, log in failing.items():
            if re.search(word, calls[-1]):
                lab.LOG.write_text(log)
                return 1
        return 0

    monkeypatch.setattr(lab, "run_logged", run_logged)
    return calls, failing


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
    *_, locked, ours = first
    assert locked.endswith(f"--require-hashes -r {lab.LOCK}")
    assert ours.endswith(f"--no-deps --no-build-isolation -e {lab.ROOT} -e {lab.ROOT / 'report'}")
    lab.setup()
    assert installs[0] == first


@pytest.mark.parametrize("name", ["lock", *OURS])
def test_set_up_is_repeated_when_what_it_installs_changed(installs, name):
    lab.setup()
    count = len(installs[0])
    (lab.ROOT / name).write_text("second==2\n")
    lab.setup()
    assert len(installs[0]) == 2 * count


def test_the_set_up_depends_on_files_that_there_are():
    assert all((ROOT / name).exists() for name in OURS)


def test_an_interrupted_set_up_is_repeated(installs):
    installs[1]["install"] = "pip was stopped"
    with pytest.raises(lab.LabError, match="pip failed"):
        lab.setup()
    assert not lab.STAMP.exists()
    installs[1].clear()
    lab.setup()
    assert lab.STAMP.exists()


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
    """As on Debian without python3-venv: `venv` makes no pip, and .venv then has none."""
    calls, failing = installs
    failing[f"{lab.VENV}$"] = failing[f"{lab.PYTHON} -m pip --version"] = (
        "ensurepip is not available"
    )
    lab.setup()
    assert calls[1].endswith("--without-pip")
    assert all(f"--python {lab.PYTHON} install" in call for call in calls[-2:])


def test_without_any_pip_names_the_package_to_install(installs):
    installs[1].update({"-m venv": "", "pip --version": ""})
    with pytest.raises(lab.LabError, match="sudo apt-get install python3-venv"):
        lab.setup()


def test_too_little_disk_is_said_before_anything_is_made(installs, monkeypatch):
    monkeypatch.setattr(lab.shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(9, 8, 10**9))
    with pytest.raises(lab.LabError, match=r"1.0 GB are free .* needs 3"):
        lab.setup()
    assert not installs[0]


def test_an_error_is_one_sentence_and_an_exit_code(monkeypatch, capsys):
    def fail():
        raise lab.LabError("make room.")

    monkeypatch.setattr(lab, "setup", fail)
    assert lab.main(["setup"]) == 1
    assert capsys.readouterr().err == "error: make room.\n"


def test_ctrl_c_ends_with_130(monkeypatch, capsys):
    def interrupt():
        raise KeyboardInterrupt

    monkeypatch.setattr(lab, "setup", interrupt)
    assert lab.main(["report"]) == 130
    assert "interrupted" in capsys.readouterr().err


@pytest.fixture
def ran(monkeypatch):
    """Commands that would run in .venv, with the environment they are given."""
    calls = []
    monkeypatch.setattr(lab, "setup", lambda: None)
    monkeypatch.setattr(lab, "run", lambda *c, **e: calls.append((" ".join(c[1:]), e)) or 0)
    return calls


def test_report_finds_the_data_and_builds(ran):
    assert lab.main(["report", "--publish"]) == 0
    assert [call for call, _ in ran] == [
        "-m normlib.data", "-m report.build --profile full --publish",
    ]  # fmt: skip
    ran.clear()
    lab.main(["report", "--profile", "quick"])
    assert [call for call, _ in ran] == ["-m report.build --profile quick"]


@pytest.mark.parametrize(
    "words", [["verify", "--profile", "quick"], ["sweep", "pilot", "--profile", "full"],
              ["test", "--publish"], ["report", "--seeds", "3:8"]]
)  # fmt: skip
def test_an_option_of_another_command_is_an_error(words, ran, capsys):
    with pytest.raises(SystemExit):
        lab.main(words)
    assert ("option of report" in (said := capsys.readouterr().err)) or "does not know" in said
    assert not ran


def test_test_lints_and_runs_tests_and_notebooks_in_the_quick_profile(ran):
    assert lab.main(["test", "-k", "batch"]) == 0
    (lint, _), (layout, _), (tests, environment) = ran
    assert lint == "-m ruff check ." and layout.startswith("-m ruff format --check")
    assert " tests notebooks " in tests and "--nbval-lax" in tests and tests.endswith("-k batch")
    assert "--dist=loadfile" in tests  # the cells of a notebook need one kernel, in their order
    assert environment["NORMLIB_PROFILE"] == "quick"


@pytest.mark.parametrize("failing", ["check", "format", "pytest"])
def test_test_fails_if_the_linter_or_the_tests_do(failing, ran, monkeypatch):
    monkeypatch.setattr(lab, "run", lambda *c, **_: int(failing in c))
    assert lab.main(["test"]) == 1


def test_sweep_passes_everything_on(ran):
    lab.main(["sweep", "pilot", "--publish", "--seeds", "3:8"])
    assert ran[0][0] == "-m report.study.sweep_command pilot --seeds 3:8 --publish"
    lab.main(["sweep", "--help"])
    assert ran[1][0] == "-m report.study.sweep_command --help"


def test_verify_finds_the_data_first_and_stops_without(ran, monkeypatch):
    assert lab.main(["verify", "3"]) == 0
    assert [call for call, _ in ran] == ["-m normlib.data", "-m report.study.verify 3"]
    monkeypatch.setattr(lab, "run", lambda *c: ran.append(c) or 1)
    assert lab.main(["verify"]) == 1 and len(ran) == 3


def test_bench_measures_and_publishes(ran):
    lab.main(["bench"])
    lab.main(["bench", "--publish"])
    assert [call for call, _ in ran] == ["-m report.bench", "-m report.bench --publish"]


def test_help_names_every_command():
    done = subprocess.run(
        [sys.executable, str(ROOT / "lab.py"), "--help"], capture_output=True, text=True
    )
    assert done.returncode == 0
    for command in lab.COMMANDS:
        assert f"\n  {command} " in done.stdout


def test_unknown_command_lists_the_known(capsys):
    with pytest.raises(SystemExit, match="2"):
        lab.main(["repot"])
    assert "report" in capsys.readouterr().err


def test_ci_runs_exactly_lab_py_test():
    assert (ROOT / ".ci" / "run").read_text().splitlines()[-1] == "exec python3 lab.py test"
    assert "run: python3 lab.py test" in (ROOT / ".github" / "workflows" / "ci.yml").read_text()
