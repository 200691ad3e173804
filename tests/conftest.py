"""Fixtures shared by the tests: the quick profile, the smallest run there is, fakes of the data.

The fakes' sums replace Fashion-MNIST's; no test uses the network. Tests that are marked `slow` run
where every case is asked for, by `lab.py test --all`, which sets NORMLIB_TESTS=all.
"""

import dataclasses
import gzip
import hashlib
import os
import signal
from pathlib import Path

import lab

os.environ["NORMLIB_PROFILE"] = "quick"
os.environ["NORMLIB_PROGRESS"] = "off"
# Without lab.py, the reader's Keras may have another backend, and other settings in its keras.json.
os.environ["KERAS_BACKEND"] = "tensorflow"
os.environ["KERAS_HOME"] = lab.keras_home()
# After `nohup`, or in the background of a shell, what the tests start would ignore these.
signal.signal(signal.SIGINT, signal.default_int_handler)
signal.signal(signal.SIGHUP, signal.SIG_DFL)

import pytest
from fake_files import fake_contents, forget, source

from normlib.arm import Arm
from normlib.data import SOURCES


def pytest_configure(config):
    config.addinivalue_line("markers", "slow: one of many cases, run with NORMLIB_TESTS=all")


def pytest_collection_modifyitems(config, items):
    if os.environ.get("NORMLIB_TESTS") == "all":
        return
    slow = [item for item in items if item.get_closest_marker("slow")]
    config.hook.pytest_deselected(items=slow)
    items[:] = [item for item in items if item not in slow]


@pytest.fixture(scope="session")
def tiny_arm() -> Arm:
    """An arm that trains in seconds."""
    return Arm(norm="batch", epochs=2, batch_size=250, profile="quick")


@pytest.fixture(scope="session")
def tiny_record(tiny_arm):
    """The record of one real run of that arm."""
    from report.study import recording

    return recording.run(tiny_arm, seed=3)


@pytest.fixture(scope="session")
def browser():
    """The browser: one in each process, for Playwright starts no second."""
    from browser import started  # which skips where there is none

    with started() as browser:
        yield browser


@pytest.fixture
def contents(monkeypatch, tmp_path):
    """The fakes' bytes, in a world where no place has files and no fetch can succeed."""
    fakes = fake_contents()
    own = dataclasses.replace(
        SOURCES["Fashion-MNIST"],
        sums=tuple(hashlib.sha256(content).hexdigest() for content in fakes.values()),
        url=f"{(tmp_path / 'web').as_uri()}/",
        system=tmp_path / "usr/share/datasets/fashion-mnist",
    )
    monkeypatch.setitem(SOURCES, "Fashion-MNIST", own)
    monkeypatch.delenv("NORMLIB_DATA", raising=False)
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    (tmp_path / "bin").mkdir()
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))  # no apt-get
    forget()
    yield fakes
    forget()


@pytest.fixture
def files(contents):
    """Writes the four files into a folder, and returns it."""

    def write(folder: Path, ending: str = ".gz") -> Path:
        folder.mkdir(parents=True, exist_ok=True)
        for name, content in contents.items():
            stored = gzip.compress(content) if ending == ".gz" else content
            (folder / f"{name}{ending}").write_bytes(stored)
        return folder

    return write


@pytest.fixture
def cache(tmp_path) -> Path:
    return tmp_path / "keras/datasets/fashion-mnist"


@pytest.fixture
def web(tmp_path) -> Path:
    """The folder that downloads come from."""
    return tmp_path / "web"


@pytest.fixture
def debian(files, tmp_path, monkeypatch):
    """Puts an apt-get and a dpkg-deb on the PATH; the body of apt-get may be given."""

    def install(download: str = "touch dataset-fashion-mnist_1_all.deb") -> Path:
        package = files(tmp_path / "package" / source().system.relative_to("/"))
        unpack = f'cp -r {tmp_path}/package/. "$3"'
        for name, body in {"apt-get": download, "dpkg-deb": f'mkdir -p "$3"\n{unpack}'}.items():
            tool = tmp_path / "bin" / name
            tool.write_text(f'#!/bin/sh\necho "$@" >> {tmp_path}/log\n{body}\n')
            tool.chmod(0o755)
        monkeypatch.setenv("PATH", f"{tmp_path}/bin:/usr/bin:/bin")
        return package

    return install
