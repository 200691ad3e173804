#!/usr/bin/env python3
"""The normalization lab's one command line. It needs Python 3.11 to 3.13 and sets itself up.

  setup    make .venv and install the pinned packages (done by every other command when needed)
  report   execute the notebooks, training for real, and write the HTML and PDF report
  test     run the linter, the tests, and the notebooks in the quick profile
  open     open the notebooks in JupyterLab
  sweep    train the runs of an experiment that are not in the archive yet, or more seeds of it
  verify   retrain some archived runs, and say how far they agree
  bench    measure the training step against Keras's and PyTorch's, the latter in .venv-bench

examples:
  python3 lab.py report                    the whole report, on all of Fashion-MNIST
  python3 lab.py report --profile quick    a first look, on an embedded sample of the data
  python3 lab.py test -k batch_norm        some of the tests
  python3 lab.py sweep --list              the experiments, and which of their runs there are
  python3 lab.py sweep pilot --seeds 3:8   more seeds, 3 to 7, of an experiment's arms
  python3 lab.py verify 5                  five random runs of the archive
"""

import argparse
import hashlib
import os
import shutil
import subprocess
import sys
import threading
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent
VENV = ROOT / ".venv"
LOCK = ROOT / "requirements.lock.txt"
STAMP = VENV / "lab-setup-done"
LOG = ROOT / ".venv.log"
BIN = VENV / ("Scripts" if os.name == "nt" else "bin")
PYTHON = BIN / ("python.exe" if os.name == "nt" else "python")
OLDEST, NEWEST = (3, 11), (3, 13)
DISK_GB = 3
MOST_CORES = 4  # for tests, each with a TensorFlow or two in memory
NO_NETWORK = (
    "NewConnectionError",
    "Temporary failure in name resolution",
    "ConnectTimeout",
    "ProxyError",
    "Could not fetch URL",
    "Max retries exceeded",
    "from versions: none",
)


class LabError(Exception):
    """Something that the user can mend; the message says how."""


def main(arguments=None):
    # type: (list | None) -> int
    options, rest = parse(arguments)
    try:
        check_python(sys.version_info[:2])
        setup()
        return COMMANDS[options.command](options, rest)
    except LabError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\ninterrupted; what was finished is kept.", file=sys.stderr)
        return 130


def parse(arguments):
    if arguments is None:
        arguments = sys.argv[1:]
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        usage="lab.py COMMAND [options]",
        add_help=arguments[:1] not in (["sweep"], ["verify"]),  # which have a help of their own
    )
    parser.add_argument("command", choices=COMMANDS, metavar="COMMAND", help="one of the above")
    parser.add_argument(
        "--profile",
        choices=("quick", "full"),
        help="of report: all images, or the embedded sample (default: full)",
    )
    parser.add_argument(
        "--publish",
        action="store_true",
        help="for maintainers: also renew what is committed, of report, sweep or bench",
    )
    options, rest = parser.parse_known_args(arguments)
    if rest and options.command in ("setup", "report", "bench"):
        parser.error("{} does not know {}".format(options.command, " ".join(rest)))
    if options.profile and options.command != "report":
        parser.error("--profile is an option of report alone")
    if options.publish and options.command not in ("report", "sweep", "bench"):
        parser.error("--publish is an option of report, sweep and bench")
    return options, rest


# Set-up ------------------------------------------------------------------------------------------


def setup():
    """Make .venv with the pinned packages and ours, unless the stamp says that it is there."""
    if STAMP.exists() and STAMP.read_text() == stamp():
        return
    check_disk(ROOT)
    print("Setting up .venv: about 0.6 GB to download, 2.3 GB on disk, 1 to 4 minutes.", flush=True)
    begin = time.time()
    make_venv()
    install()
    STAMP.write_text(stamp())  # last: an interrupted set-up is repeated
    print(f"Set up in {clock(time.time() - begin)}.", flush=True)


def stamp():
    """What the set-up depends on: the lock, what is ours to install, the Python, and the folder."""
    report = ROOT / "report"
    ours = [ROOT / "pyproject.toml", report / "pyproject.toml", report / "setup.py"]
    files = [LOCK, *ours, *sorted(report.glob("jupyter/*.json"))]
    parts = [*(path.read_bytes() for path in files), sys.version.encode(), str(ROOT).encode()]
    return hashlib.sha256(b"\0".join(parts)).hexdigest()


def check_python(version):
    if OLDEST <= tuple(version) <= NEWEST:
        return
    names = [f"python3.{minor}" for minor in range(NEWEST[1], OLDEST[1] - 1, -1)]
    found = [name for name in names if shutil.which(name)]
    advice = f"Run: {found[0]} lab.py" if found else "Install Python 3.13, 3.12 or 3.11."
    this = ".".join(map(str, version))
    raise LabError(f"TensorFlow needs Python 3.11 to 3.13; this is {this}. {advice}")


def check_disk(folder):
    free = shutil.disk_usage(str(folder)).free / 1e9
    if free < DISK_GB:
        raise LabError(
            f"{free:.1f} GB are free in {folder}, and the set-up needs {DISK_GB}; "
            "make room and run this again."
        )


def make_venv():
    venv = [sys.executable, "-m", "venv", "--clear", str(VENV)]
    if run_logged(venv, "making .venv") == 0:
        return
    # Debian and Ubuntu leave ensurepip out: `install` then takes the pip of this Python.
    if run_logged([*venv, "--without-pip"], "making .venv") or not has_pip(sys.executable):
        raise LabError(
            "this Python cannot make .venv (ensurepip is missing). On Debian or Ubuntu: "
            "sudo apt-get install python3-venv"
        )


def has_pip(python):
    return run_logged([python, "-m", "pip", "--version"], "looking for pip") == 0


def install():
    own = has_pip(str(PYTHON))
    pip = [str(PYTHON), "-m", "pip"] if own else [sys.executable, "-m", "pip", "--python", PYTHON]
    install = [*map(str, pip), "install", "--disable-pip-version-check", "--progress-bar=off"]
    locked = ["--require-hashes", "-r", str(LOCK)]
    # Editable, so that every kernel finds them and nbconvert their exporters; built by the locked
    # setuptools, so that nothing is fetched whose hash nobody checks.
    ours = ["--no-deps", "--no-build-isolation", "-e", str(ROOT), "-e", str(ROOT / "report")]
    count = LOCK.read_text().count("==")
    for packages, what in ((locked, f"{count} packages"), (ours, "normlib and the report")):
        if run_logged([*install, *packages], "installing " + what):
            raise LabError(why_pip_failed(LOG.read_text(errors="replace")))


def why_pip_failed(log):
    if "No space left on device" in log:
        reason = f"the disk is full; make room ({DISK_GB} GB) and run this again"
    elif any(sign in log for sign in NO_NETWORK):
        reason = "the package index is out of reach; check network or proxy and run this again"
    else:
        reason = "pip failed"
    end = "\n".join("  " + line for line in log.strip().splitlines()[-5:])
    return f"{reason}. The whole log is {LOG}; it ends:\n{end}"


def run_logged(command, what):
    """Run the command with its output in the log, showing `what` and the time; return its code."""
    finished = threading.Event()
    ticker = threading.Thread(target=tick, args=(what, finished))
    ticker.start()
    try:
        with open(str(LOG), "w") as log:
            return subprocess.call(command, stdout=log, stderr=subprocess.STDOUT)
    finally:
        finished.set()
        ticker.join()


def tick(what, finished):
    terminal, begin = sys.stdout.isatty(), time.time()
    while not finished.wait(1 if terminal else 30):
        lines = LOG.read_text(errors="replace").splitlines() or [""]
        text = f"{what}, {clock(time.time() - begin)}: {lines[-1].strip()}"[:79]
        print(f"\r{text:79}" if terminal else text, end="" if terminal else "\n", flush=True)
    print("\r" + " " * 79, end="\r") if terminal else None


def clock(seconds):
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d} min"


# Commands ----------------------------------------------------------------------------------------


def run(*command, **environment):
    """Run the command of .venv in the repository; return its exit code."""
    inherited = {k: v for k, v in os.environ.items() if k not in ("PYTHONHOME", "PYTHONPATH")}
    inherited["PATH"] = os.pathsep.join([str(BIN), inherited.get("PATH", "")])
    with subprocess.Popen(command, cwd=str(ROOT), env=dict(inherited, **environment)) as process:
        try:
            return process.wait()
        except KeyboardInterrupt:
            process.wait()  # Ctrl-C reached it too: it is tidying up
            raise


def command_setup(options, rest):
    print(f"Ready: {VENV}")
    return 0


def find_data():
    """Find or fetch the images before anything waits for them; return the exit code."""
    return run(str(PYTHON), "-m", "normlib.data")


def command_report(options, rest):
    profile = options.profile or "full"
    failed = find_data() if profile == "full" else 0
    if failed:
        return failed
    flags = ["--publish"] if options.publish else []
    return run(str(PYTHON), "-m", "report.build", "--profile", profile, *flags)


def command_test(options, rest):
    """The linter, then the tests and the notebooks, on each core a file at a time."""
    begin = time.time()
    failed = run(str(PYTHON), "-m", "ruff", "check", ".")
    failed |= run(str(PYTHON), "-m", "ruff", "format", "--check", "--quiet", ".")
    pytest = [str(PYTHON), "-m", "pytest", "-p", "no:cacheprovider", "tests", "notebooks"]
    nbval = ["--nbval-lax", "--nbval-current-env", "--nbval-cell-timeout=600"]
    cores = ["--numprocesses=logical", f"--maxprocesses={MOST_CORES}", "--dist=loadfile"]
    quick = {"NORMLIB_PROFILE": "quick", "NORMLIB_PROGRESS": "off"}
    code = run(*pytest, *nbval, *cores, *rest, **quick)
    print(f"Tested in {clock(time.time() - begin)}.")
    return failed or code


def command_open(options, rest):
    # A kernel of the user's named python3 would otherwise come before this one.
    return run(
        str(PYTHON),
        "-m",
        "jupyterlab",
        "--notebook-dir=notebooks",
        *rest,
        JUPYTER_PREFER_ENV_PATH="1",
    )


def command_sweep(options, rest):
    return run(
        str(PYTHON),
        "-m",
        "report.study.sweep_command",
        *rest,
        *(["--publish"] if options.publish else []),
    )


def command_verify(options, rest):
    return find_data() or run(str(PYTHON), "-m", "report.study.verify", *rest)


def command_bench(options, rest):
    return run(str(PYTHON), "-m", "report.bench", *(["--publish"] if options.publish else []))


COMMANDS = {
    "setup": command_setup,
    "report": command_report,
    "test": command_test,
    "open": command_open,
    "sweep": command_sweep,
    "verify": command_verify,
    "bench": command_bench,
}


if __name__ == "__main__":
    sys.exit(main())
