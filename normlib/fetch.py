"""The four files of a data set in MNIST's format: found or fetched, and verified.

Places, in this order: the folder that its variable names; Keras's cache; where Debian's package
puts it; a download; Debian's package. Nothing falls back to the sample.
"""

import gzip
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import urllib.request
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from http.client import HTTPException
from pathlib import Path

FILES = (
    "train-images-idx3-ubyte", "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte",
)  # fmt: skip

TIMEOUT = 30  # seconds without an answer
NO_DATA = "`lab.py report --profile quick`, and notebooks with NORMLIB_PROFILE=quick, need no data."


class DataError(RuntimeError):
    """The data are missing, damaged, or could not be fetched."""


@dataclass(frozen=True)
class Source:
    """Where a data set comes from.

    name: its own
    sums: SHA-256 of each decompressed file, in the order of FILES: not all places compress alike
    variable: the environment's, a folder of one's own with the files
    folder: in Keras's cache
    url: what a file's name with .gz follows
    package, system: Debian's, and the folder that it fills; empty if there is none
    """

    name: str
    sums: tuple[str, ...]
    variable: str
    folder: str
    url: str
    package: str = ""
    system: Path = Path()


@cache
def find(source: Source) -> Path:
    """Return the folder that holds the four verified files, fetching them if there is none.

    Raises DataError, which lists every place tried and what to do.
    """
    if chosen := os.environ.get(source.variable):
        return _chosen(source, Path(chosen).expanduser().absolute())
    tried: list[str] = []
    for place, get in _places(source):
        try:
            folder = get()
            _verify(source, folder)
        except (DataError, OSError, HTTPException, subprocess.SubprocessError) as error:
            tried.append(f"  {place}: {error}")
        else:
            for damaged in [line for line in tried if "SHA-256" in line]:
                print(f"not used:{damaged}", file=sys.stderr)
            return folder
    raise DataError(_nothing_found(source, tried))


def _chosen(source: Source, folder: Path) -> Path:
    try:
        _verify(source, folder)
    except (DataError, OSError) as error:
        raise DataError(
            f"{source.variable} is {folder}, which cannot be used: {error}\n"
            f"Put the published files there, or unset {source.variable} to have them found or "
            f"fetched.\n{NO_DATA}"
        ) from error
    return folder


def _places(source: Source) -> list[tuple[str, Callable[[], Path]]]:
    home = Path(os.environ.get("KERAS_HOME") or Path.home() / ".keras")
    folder = (home / "datasets").resolve() / source.folder  # said in full: lab.py's is a link
    found = [
        (f"Keras's cache {folder}", lambda: folder),
        (f"download from {source.url}", lambda: _fetch(source, _download, folder)),
    ]
    if source.package:
        found.insert(1, (str(source.system), lambda: source.system))
        package = f"Debian's package {source.package}"
        found.append((package, lambda: _fetch(source, _debian, folder)))
    return found


def _verify(source: Source, folder: Path) -> None:
    if not folder.is_dir():
        raise DataError(f"there is no folder {folder}")
    faults = []
    for name in FILES:
        try:
            read(source, folder, name)
        except DataError as error:
            faults.append(str(error))
    if faults:
        raise DataError("; ".join(faults))


def read(source: Source, folder: Path, name: str) -> bytes:
    """The decompressed bytes of one file, verified."""
    wanted = source.sums[FILES.index(name)]
    file = next((f for f in (folder / f"{name}.gz", folder / name) if f.exists()), None)
    if file is None:
        raise DataError(f"{folder / name}.gz is missing")
    content, damage = _decompressed(file)
    found = hashlib.sha256(content).hexdigest()
    if damage or found != wanted:
        sums = f"expected SHA-256 {wanted}, found {found} of {len(content)} bytes"
        raise DataError(f"{file} is wrong{damage}: {sums}")
    return content


def _decompressed(file: Path) -> tuple[bytes, str]:
    """The bytes of a file, of a damaged .gz those before the damage, and what the damage is."""
    content = bytearray()
    with gzip.open(file) if file.suffix == ".gz" else open(file, "rb") as stream:
        try:
            while part := stream.read(1 << 20):
                content += part
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            return bytes(content), f" ({error})"
    return bytes(content), ""


def _fetch(source: Source, get: Callable[[Source, Path], None], folder: Path) -> Path:
    """Let `get` fill a temporary folder, verify it, and move the files into `folder` one by one."""
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder, prefix=".fetching-") as temporary:
        get(source, Path(temporary))
        _verify(source, Path(temporary))
        for name in FILES:
            os.replace(Path(temporary) / f"{name}.gz", folder / f"{name}.gz")
    return folder


def _download(source: Source, folder: Path) -> None:
    for name in FILES:
        print(f"downloading {name}.gz", file=sys.stderr, flush=True)
        with (
            urllib.request.urlopen(f"{source.url}{name}.gz", timeout=TIMEOUT) as answer,
            open(folder / f"{name}.gz", "wb") as file,
        ):
            shutil.copyfileobj(answer, file)


def _debian(source: Source, folder: Path) -> None:
    if not (shutil.which("apt-get") and shutil.which("dpkg-deb")):
        raise DataError("this machine has no apt-get")
    print(f"downloading Debian's package {source.package} (31 MB)", file=sys.stderr, flush=True)
    try:
        _run(folder, "apt-get", "download", source.package)
    except DataError as error:
        _download_with_own_lists(source, folder, error)
    (package,) = folder.glob(f"{source.package}*.deb")
    _run(folder, "dpkg-deb", "-x", str(package), "unpacked")
    for file in (folder / "unpacked" / source.system.relative_to("/")).iterdir():
        os.replace(file, folder / file.name)


def _download_with_own_lists(source: Source, folder: Path, first: DataError) -> None:
    """What a machine without package lists, or with old ones, needs; works without root."""
    own = ["-o", f"Dir::State={folder}/state", "-o", f"Dir::Cache={folder}/cache"]
    for part in ("state/lists/partial", "cache/archives/partial"):
        (folder / part).mkdir(parents=True)
    try:
        _run(folder, "apt-get", *own, "update")
        _run(folder, "apt-get", *own, "download", source.package)
    except DataError as error:
        raise DataError(f"{first}; with package lists of its own, {error}") from error


def _run(folder: Path, *command: str) -> None:
    done = subprocess.run(command, cwd=folder, capture_output=True, encoding="utf-8", timeout=600)
    if done.returncode:
        lines = [line for line in done.stderr.splitlines() if not line.startswith("W:")]
        cause = next(iter(lines), "no message")  # what follows the first error follows from it
        raise DataError(f"{command[0]} failed: {cause}")


def _nothing_found(source: Source, tried: list[str]) -> str:
    return "\n".join([
        f"{source.name} was not found and could not be fetched. Tried:", *tried,
        "If Keras's cache has no room or may not be written, set KERAS_HOME to another folder.",
        f"Or put {', '.join(f'{name}.gz' for name in FILES)} into a folder,",
        f"and set {source.variable} to it.",
        NO_DATA,
    ])  # fmt: skip
