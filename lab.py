#!/usr/bin/env python3
"""The normalization lab's one command line. It needs Python 3.11 to 3.13 and sets itself up.

  setup      make .venv and install the pinned packages (done by every other command when needed)
  report     execute the notebooks, training for real, and write the HTML and PDF report
  test       run the linter, the tests, and the notebooks in the quick profile
  open       open the notebooks in JupyterLab, or a notebook of yours
  sweep      train the runs of an experiment that are not in the archive yet, or more seeds of it
  verify     retrain some archived runs, and say how far they agree
  bench      measure the training step against Keras's and PyTorch's, the latter in .venv-bench,
             or in the environment of --torch-python
  exercises  write a fresh sheet of exercises ("write your own"), or one with the solutions
  grade      grade notebooks or modules with solutions: a table, and results.json for Gradescope

examples:
  python3 lab.py report                    the whole report, on all of Fashion-MNIST
  python3 lab.py report --profile quick    a first look, on an embedded sample of the data
  python3 lab.py test -k batch_norm        some of the tests
  python3 lab.py test --all                every case of them, as maintainers do before a release
  python3 lab.py sweep --list              the experiments, and which of their runs there are
  python3 lab.py sweep pilot --seeds 3:8   more seeds, 3 to 7, of an experiment's arms
  python3 lab.py verify 5                  five random runs of the archive
  python3 lab.py exercises mine.ipynb      a sheet to write in; --solutions PATH for one solved
  python3 lab.py grade handed_in/*.ipynb   a teacher's table, in the folder grades/
"""

import argparse
import ast
import hashlib
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress
from functools import lru_cache
from pathlib import Path

try:
    import fcntl
except ImportError:  # Windows: nothing is locked there
    fcntl = None

ROOT = Path(__file__).resolve().parent
VENV = ROOT / ".venv"  # for people and editors: a link to one of ENVIRONMENTS
ENVIRONMENTS = ROOT / ".venvs"
LOCK = ROOT / "requirements.lock.txt"
LOG = ROOT / ".venv.log"
STAMP, IN_USE = "lab-setup-done", "lab-in-use"  # files in an environment
OLDEST, NEWEST = (3, 11), (3, 13)
DISK_GB = 3
MOST_TESTERS = 4  # processes, each with a TensorFlow or two in memory
GRACE = 5  # seconds that a command has to tidy up after a signal
SIGNALS = [getattr(signal, n) for n in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, n)]
KILL = getattr(signal, "SIGKILL", signal.SIGTERM)  # Windows has but the latter
MARK = "NORMLIB_LAB"  # the variable by which we know what a command started
# Waits for the end of its input, which comes with ours even if we are killed.
WATCHER = "import sys, lab; mark = sys.stdin.read(); mark and lab.end_marked(mark)"
# What pip may take from the reader's settings: how to reach an index, never what goes where.
PIP_KEEPS = [
    "PIP_" + name for name in (
        "INDEX_URL", "EXTRA_INDEX_URL", "FIND_LINKS", "NO_INDEX", "TRUSTED_HOST", "PROXY", "CERT",
        "CLIENT_CERT", "KEYRING_PROVIDER", "USE_FEATURE", "TIMEOUT", "DEFAULT_TIMEOUT", "RETRIES",
        "CACHE_DIR", "NO_CACHE_DIR",
    )
]  # fmt: skip
# Variables that change what the lab computes, shows or finds; the rest is the reader's.
NOT_OURS = re.compile(
    "PYTHON(?!UNBUFFERED|DONTWRITEBYTECODE|PYCACHEPREFIX)|KERAS_|TF_|XLA_|MPLBACKEND|MATPLOTLIBRC"
    "|IPYTHON|JUPYTER_PATH|PIP_|PYPANDOC_|VIRTUAL_ENV|PYTEST_|RUFF_"
)
FOLDERS = ("NORMLIB_DATA", "NORMLIB_MNIST")  # which may be relative to where the reader is
# One module at least of what each part of the lab needs.
TRIED = "normlib.train, report.build, report.bench, jupyterlab, nbval, pytest, ruff, xdist"
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
    except (LabError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt as stop:
        print("\ninterrupted; what was finished is kept.", file=sys.stderr)
        return 128 + number_of(stop)


def parse(arguments):
    """What is asked, and the words that the command itself reads."""
    kind = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=kind, usage="lab.py COMMAND [options]"
    )
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", help="one of the above")
    commands.required = True  # Python 3.6, which is to be told what it lacks, has no argument
    of = {
        name: commands.add_parser(
            name, prog="lab.py " + name, add_help=name not in HAVE_THEIR_OWN_HELP
        )
        for name in COMMANDS
    }
    of["report"].add_argument(
        "--profile",
        choices=("quick", "full"),
        default="full",
        help="the embedded sample, or all images (default: full)",
    )
    for name in ("report", "sweep", "bench"):
        said = "for maintainers: also update the committed files"
        of[name].add_argument("--publish", action="store_true", help=said)
    of["test"].add_argument(
        "--all",
        action="store_true",
        help="every case of the tests instead of a sample; other options are pytest's",
    )
    of["bench"].add_argument(
        "--torch-python",
        metavar="PATH",
        help="a Python with PyTorch and NumPy to use instead of .venv-bench",
    )
    options, rest = parser.parse_known_args(arguments)
    if rest and options.command in ("setup", "report", "bench"):
        parser.error("{} does not know {}".format(options.command, " ".join(rest)))
    return options, rest


# Set-up ------------------------------------------------------------------------------------------


def setup():
    """Make the environment of the pinned packages and ours, unless it is there and complete."""
    if not ready():
        ENVIRONMENTS.mkdir(exist_ok=True)
        with take_turns():
            if not ready():  # whoever we waited for may have made it
                make()
    if not VENV.is_dir() or (VENV.is_symlink() and VENV.resolve() != home()):
        link()


@lru_cache(maxsize=None)  # once for all: a `git pull` meanwhile changes what it depends on
def home():
    """The environment's folder, another one whenever something changes that it depends on.

    Thus a new lock file makes a new environment beside the old one, which serves until then.
    """
    report = ROOT / "report"
    ours = [ROOT / "pyproject.toml", report / "pyproject.toml", report / "setup.py"]
    files = [LOCK, *ours, *sorted(report.glob("jupyter/*.json"))]
    parts = [*(path.read_bytes() for path in files), sys.version.encode(), os.fsencode(str(ROOT))]
    return ENVIRONMENTS / hashlib.sha256(b"\0".join(parts)).hexdigest()[:16]


def python():
    return home() / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def ready():
    return (home() / STAMP).exists() and python().exists()


def make():
    remove(folder for folder in environments() if not (folder / STAMP).exists())
    check_disk(ROOT)
    print("Setting up .venv: about 0.6 GB to download, 2.3 GB on disk, 1 to 4 minutes.", flush=True)
    begin = time.time()
    pip = make_venv()
    settings = pip_settings(pip)
    install(pip, settings)
    try_out(pip, settings)
    if home.__wrapped__() != home():
        raise LabError(
            "the lock file or a pyproject.toml changed during the set-up. Repeat the command."
        )
    (home() / STAMP).touch()  # last: an interrupted set-up is repeated
    link()
    remove(folder for folder in environments() if folder != home())
    print(f"Set up in {clock(time.time() - begin)}.", flush=True)


def take_turns():
    """Wait until no other set-up runs in this folder; ours then does until the file is closed."""
    turn = lock(ENVIRONMENTS / "lock", wait=False)
    if not turn:
        print("Another set-up is running in this folder; waiting for it.", flush=True)
        turn = lock(ENVIRONMENTS / "lock")
    return turn


def lock(path, shared=False, wait=True):
    """Lock a file until it is closed or this process ends; None if another process has it."""
    file = open(str(path), "a")  # noqa: SIM115
    if fcntl:
        mode = fcntl.LOCK_SH if shared else fcntl.LOCK_EX
        try:
            fcntl.flock(file, mode if wait else mode | fcntl.LOCK_NB)
        except BlockingIOError:
            file.close()
            return None
        except OSError:
            pass  # a file system without locks
    return file


def environments():
    return [folder for folder in ENVIRONMENTS.iterdir() if folder.is_dir()]


def remove(folders):
    """Remove environments, but for those that a command still runs in."""
    for folder in list(folders):
        in_use = lock(folder / IN_USE, wait=False)
        if in_use:
            with in_use:
                with suppress(OSError):  # first: half an environment is none
                    (folder / STAMP).unlink()
                shutil.rmtree(str(folder), ignore_errors=True)


def link():
    """Let .venv lead to the environment, whose own folder cannot move: its scripts name it."""
    if VENV.is_dir() and not VENV.is_symlink():
        if not (VENV / STAMP).exists():
            print(
                f"{VENV} was not made by the lab and is left as it is; the lab uses {home()}.",
                flush=True,
            )
            return
        VENV.rename(ENVIRONMENTS / "of-an-older-lab")  # to be removed with the others
    new = ENVIRONMENTS / "link"
    with suppress(OSError):  # a system without links; nothing here needs them
        if new.is_symlink():
            new.unlink()
        new.symlink_to(os.path.relpath(str(home()), str(ROOT)))
        os.replace(str(new), str(VENV))


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
        old = " beside the old environment" if environments() or VENV.exists() else ""
        raise LabError(
            f"{free:.1f} GB are free in {folder}, and the set-up needs {DISK_GB}{old}; "
            "make room and run this again."
        )


def make_venv():
    """Make the empty environment; return the command that is pip in it."""
    venv = [sys.executable, "-m", "venv", "--without-pip", str(home())]
    if run_logged(venv, "making .venv"):
        raise LabError(why_failed("venv"))
    if run_logged([str(python()), "-m", "ensurepip", "--default-pip"], "installing pip") == 0:
        return [str(python()), "-m", "pip"]
    # Debian and Ubuntu leave ensurepip out; the pip of this Python does as well.
    missing, reason = "No module named ensurepip" in read_log(), why_failed("ensurepip")
    if run_logged([sys.executable, "-m", "pip", "--version"], "looking for pip") == 0:
        return [sys.executable, "-m", "pip", "--python", str(python())]
    if missing:
        reason = (
            "this Python cannot make .venv (ensurepip is missing). On Debian or Ubuntu: "
            "sudo apt-get install python3-venv"
        )
    raise LabError(reason)


def pip_settings(pip):
    """The variables with which pip reaches the reader's index and heeds no other setting.

    `target`, `user`, `dry-run` and their like would leave .venv empty, in a configuration file as
    well as in a variable: pip reads no file, and those settings that it may have as variables.
    """
    config = {"PIP_CONFIG_FILE": os.environ.get("PIP_CONFIG_FILE", ""), "PIP_QUIET": "0"}
    if run_logged([*pip, "config", "list"], "reading pip's configuration", **config):
        raise LabError(why_failed("`pip config list`"))
    found = {}
    for section in ("global", "install"):  # the latter stands over the former
        settings = re.findall(rf"^{section}\.([\w-]+)=(.+)$", read_log(), re.MULTILINE)
        for name, value in settings:
            found["PIP_" + name.upper().replace("-", "_")] = ast.literal_eval(value)
    found.update(os.environ)
    kept = {name: found[name] for name in PIP_KEEPS if found.get(name)}
    return dict(kept, PIP_CONFIG_FILE=os.devnull)


def install(pip, settings):
    install = [*pip, "install", "--disable-pip-version-check", "--progress-bar=off", "--no-input"]
    locked = ["--require-hashes", "-r", str(LOCK)]
    # Editable, so that every kernel finds them and nbconvert their exporters; built by the locked
    # setuptools, so that nothing is fetched whose hash nobody checks.
    ours = ["--no-deps", "--no-build-isolation", "-e", ".", "-e", "./report"]
    count = LOCK.read_text(encoding="utf-8").count("==")
    for packages, what in ((locked, f"{count} packages"), (ours, "normlib and the report")):
        if run_logged([*install, *packages], "installing " + what, **settings):
            raise LabError(why_failed("pip"))


def try_out(pip, settings):
    """See with .venv's own eyes that everything is there, whatever pip says."""
    imports = [str(python()), "-I", "-c", "import " + TRIED]
    for command, what in (([*pip, "check"], "`pip check`"), (imports, "importing the packages")):
        if run_logged(command, what, **dict(settings, KERAS_HOME=keras_home())):
            raise LabError(why_failed(what))


def read_log():
    return LOG.read_text(encoding="utf-8", errors="replace")


def why_failed(what):
    """Why the command failed whose output is in the log."""
    log = read_log()
    if "No space left on device" in log:
        reason = f"the disk is full; make room ({DISK_GB} GB) and run this again"
    elif any(sign in log for sign in NO_NETWORK):
        reason = "the package index is out of reach; check network or proxy and run this again"
    else:
        reason = f"{what} failed"
    end = "\n".join("  " + line for line in log.strip().splitlines()[-5:])
    return f"{reason}. The whole log is {LOG}; it ends:\n{end}"


def run_logged(command, what, **variables):
    """Run the command with its output in the log, showing `what` and the time; return its code."""
    finished = threading.Event()
    ticker = threading.Thread(target=tick, args=(what, finished))
    ticker.start()
    try:
        with open(str(LOG), "wb") as log:
            return call(command, dict(inherited(), **variables), log)
    finally:
        finished.set()
        ticker.join()


def tick(what, finished):
    terminal, begin = sys.stdout.isatty(), time.time()
    while not finished.wait(1 if terminal else 30):
        lines = read_log().splitlines() or [""]
        text = f"{what}, {clock(time.time() - begin)}: {lines[-1].strip()}"[:79]
        print(f"\r{text:79}" if terminal else text, end="" if terminal else "\n", flush=True)
    print("\r" + " " * 79, end="\r") if terminal else None


def clock(seconds):
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d} min"


# Processes ---------------------------------------------------------------------------------------


def run(module, *arguments, **variables):
    """Run a module with .venv's Python, in the repository; return its exit code."""
    with lock(home() / IN_USE, shared=True):
        command = [str(python()), "-m", module, *arguments]
        return call(command, dict(environment(), **variables))


def inherited():
    """The variables of the reader's that a command of ours may have, its text in UTF-8."""
    kept = {name: value for name, value in os.environ.items() if not NOT_OURS.match(name)}
    return dict(kept, PYTHONUTF8="1", PYTHONNOUSERSITE="1")


def environment():
    """What a command of the lab sees of this machine: nothing that changes what it makes."""
    own = {
        "PATH": os.pathsep.join(filter(None, [str(python().parent), os.environ.get("PATH")])),
        "VIRTUAL_ENV": str(home()),  # IPython would add the packages of another
        "IPYTHONDIR": str(home() / "ipython"),
        "JUPYTER_PREFER_ENV_PATH": "1",  # or a kernel of the reader's named python3 comes first
        "KERAS_BACKEND": "tensorflow",
        "KERAS_HOME": keras_home(),
        "MATPLOTLIBRC": os.devnull,
    }
    own.update((name, full(os.environ[name])) for name in FOLDERS if os.environ.get(name))
    for name in (*PIP_KEEPS, "PIP_CONFIG_FILE"):  # for `%pip` in a notebook
        own.update({name: os.environ[name]} if name in os.environ else {})
    return dict(inherited(), **own)


def full(path):
    return os.path.abspath(os.path.expanduser(path))


def keras_home():
    """A KERAS_HOME whose keras.json is not the reader's, and whose data sets are."""
    given = Path(full(os.environ.get("KERAS_HOME") or "~/.keras"))
    if given.parent == home() / "keras":  # of a lab.py around this
        return str(given)
    theirs = given / "datasets"
    ours = home() / "keras" / hashlib.sha256(os.fsencode(str(theirs))).hexdigest()[:8]
    ours.mkdir(parents=True, exist_ok=True)
    with suppress(OSError):  # it is there; or it cannot be, and ours is filled instead
        theirs.mkdir(parents=True, exist_ok=True)
        (ours / "datasets").symlink_to(theirs)
    return str(ours)


def call(command, variables, output=None):
    """Run the command to its end, or to that of our patience after a signal; return its code.

    Whatever it started and left is ended, too, even if this process is killed.
    """
    mark = f"{os.getpid()}-{time.time()}"
    marks = "{} {}".format(os.environ.get(MARK, ""), mark)  # also those of a lab.py around this
    watcher, process = watch(mark), None
    try:
        # In a session of its own it gets a signal from us alone, and once.
        process = subprocess.Popen(
            command,
            cwd=str(ROOT),
            env=dict(variables, **{MARK: marks}),
            stdout=output,
            stderr=output and subprocess.STDOUT,
            start_new_session=True,
        )
        pause_with_us(process)
        return process.wait()
    except KeyboardInterrupt as stop:
        if process:
            pass_on(number_of(stop), process)
        raise
    finally:
        hold_signals(True)  # an impatient Ctrl-C comes after this
        watcher.communicate()
        if process:
            send(KILL, process)
            process.wait()
        hold_signals(False)


def watch(mark):
    """Start the process that ends what has the mark, as soon as its input is closed."""
    watcher = subprocess.Popen(
        [sys.executable, "-B", "-c", WATCHER],
        cwd=str(Path(__file__).resolve().parent),
        env=inherited(),
        stdin=subprocess.PIPE,
        start_new_session=True,
    )
    watcher.stdin.write(mark.encode())
    watcher.stdin.flush()
    return watcher


def pass_on(number, process):
    send(number, process)
    with suppress(subprocess.TimeoutExpired):
        process.wait(GRACE)


def send(number, process):
    """Send a signal to the process and its group; on Windows, which has none, end the process."""
    with suppress(OSError):  # it has ended
        os.killpg(process.pid, number) if hasattr(os, "killpg") else process.terminate()


def pause_with_us(process):
    """Have Ctrl-Z pause the process, too, and `fg` and `bg` resume both."""

    def pause(*_):
        with suppress(OSError):
            os.killpg(process.pid, signal.SIGSTOP)
            os.kill(os.getpid(), signal.SIGSTOP)
            os.killpg(process.pid, signal.SIGCONT)

    if hasattr(signal, "SIGTSTP"):
        signal.signal(signal.SIGTSTP, pause)


def hold_signals(hold):
    if hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(signal.SIG_BLOCK if hold else signal.SIG_UNBLOCK, SIGNALS)


def end_marked(mark):
    """Kill what has the mark in its environment: kernels have sessions and groups of their own."""
    for _ in range(50):  # as long as one may have started another
        found = marked(mark)
        if not found:
            return
        for process in found:
            with suppress(OSError):
                os.kill(process, KILL)
        time.sleep(0.1)


def marked(mark):
    """The processes of this user that have the mark."""
    if Path("/proc/self/environ").exists():
        numbers = filter(str.isdigit, os.listdir("/proc"))
        return [int(n) for n in numbers if mark.encode() in read_if_allowed(f"/proc/{n}/environ")]
    if not shutil.which("ps"):
        return []
    shown = subprocess.run(  # as macOS shows environments
        ["ps", "-A", "-E", "-ww", "-o", "pid=,command="], stdout=subprocess.PIPE, check=False
    )
    return [int(line.split()[0]) for line in shown.stdout.splitlines() if mark.encode() in line]


def read_if_allowed(file):
    try:
        return Path(file).read_bytes()
    except OSError:  # another user's, or it has ended
        return b""


def number_of(stop):
    """The number of the signal that the KeyboardInterrupt stands for."""
    return stop.args[0] if stop.args else signal.SIGINT


def heed_signals():
    """Have every signal that asks us to end do what Ctrl-C does."""

    def stop(number, _):
        raise KeyboardInterrupt(number)

    for number in SIGNALS:
        if signal.getsignal(number) != signal.SIG_IGN:  # as `nohup` has it
            signal.signal(number, stop)


# Commands ----------------------------------------------------------------------------------------


def command_setup(options, rest):
    print(f"Ready: {VENV}")
    return 0


def command_report(options, rest):
    # Find or fetch the images before anything waits for them.
    failed = run("normlib.data") if options.profile == "full" else 0
    return failed or run("report.build", "--profile", options.profile, *publish(options))


def command_test(options, rest):
    """The linter, then the tests and the notebooks, in several processes, a file at a time.

    In their order, for files of few tests, which come last by default, are the longest. One process
    more than there are cores, since tests wait for what they start.
    """
    begin = time.time()
    failed = run("ruff", "check", ".")
    failed |= run("ruff", "format", "--check", "--quiet", ".")
    tests = ["-p", "no:cacheprovider", "tests", "notebooks"]
    nbval = ["--nbval-lax", "--nbval-current-env", "--nbval-cell-timeout=600"]
    testers = min((os.cpu_count() or 1) + 1, MOST_TESTERS)
    cores = [f"--numprocesses={testers}", "--dist=loadfile", "--no-loadscope-reorder"]
    quick = {"NORMLIB_PROFILE": "quick", "NORMLIB_PROGRESS": "off"}
    sample = {"NORMLIB_TESTS": "all"} if options.all else {}
    code = run("pytest", *tests, *nbval, *cores, *rest, **quick, **sample)
    print(f"Tested in {clock(time.time() - begin)}.")
    return failed or code


def command_open(options, rest):
    files = [word for word in rest if os.path.exists(word)]  # as the reader names them
    where = [full(file) for file in files] or ["--notebook-dir=notebooks"]
    others = [word for word in rest if word not in files]
    # JupyterLab would ask after a first Ctrl-C, and wait for a second one.
    return run("jupyterlab", *where, "--ServerApp.answer_yes=True", *others)


def command_sweep(options, rest):
    return run("report.study.sweep_command", *rest, *publish(options))


def command_verify(options, rest):
    return run("report.study.verify", *rest)


def command_bench(options, rest):
    settings = {}
    with suppress(LabError):  # without a pip here, that of .venv-bench has its own settings
        settings = pip_settings([str(python()), "-m", "pip"])
    path = options.torch_python  # from where the reader is; a link stays one, as Python needs it
    other = ["--torch-python", full(path)] if path else []
    return run("report.bench", *publish(options), *other, **settings)


def command_exercises(options, rest):
    return run("report.study.exercises.sheet", os.getcwd(), *rest)


def command_grade(options, rest):
    return run("report.study.exercises.grading", os.getcwd(), *rest)


def publish(options):
    return ["--publish"] if options.publish else []


COMMANDS = {
    "setup": command_setup,
    "report": command_report,
    "test": command_test,
    "open": command_open,
    "sweep": command_sweep,
    "verify": command_verify,
    "bench": command_bench,
    "exercises": command_exercises,
    "grade": command_grade,
}
HAVE_THEIR_OWN_HELP = {"sweep", "verify", "exercises", "grade"}


if __name__ == "__main__":
    if hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(errors="replace")  # where the locale lacks a letter of a path
    heed_signals()
    sys.exit(main())
