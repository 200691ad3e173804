"""Fashion-MNIST's four files: found or fetched, and verified.

Places, in this order: the folder NORMLIB_DATA; Keras's cache; /usr/share/datasets/fashion-mnist;
a download from where Keras downloads; Debian's package. Nothing falls back to the sample.
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
from functools import cache
from http.client import HTTPException
from pathlib import Path

# SHA-256 of the decompressed bytes: Debian compresses them anew.
SUMS = {
    "train-images-idx3-ubyte": "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
    "train-labels-idx1-ubyte": "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
    "t10k-images-idx3-ubyte": "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
    "t10k-labels-idx1-ubyte": "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
}
URL = "https://storage.googleapis.com/tensorflow/tf-keras-datasets/"
PACKAGE = "dataset-fashion-mnist"
SYSTEM = Path("/usr/share/datasets/fashion-mnist")
TIMEOUT = 30  # seconds without an answer
WITHOUT_DATA = "The quick profile (--profile quick, or NORMLIB_PROFILE=quick) needs no data."


class DataError(RuntimeError):
    """The data are missing, damaged, or could not be fetched."""


@cache
def find() -> Path:
    """Return the folder that holds the four verified files, fetching them if there is none.

    Raises DataError, which lists every place tried and what to do.
    """
    if os.environ.get("NORMLIB_DATA"):
        return _chosen(Path(os.environ["NORMLIB_DATA"]))
    tried: list[str] = []
    for place, get in _places():
        try:
            folder = get()
            _verify(folder)
        except (DataError, OSError, HTTPException, subprocess.SubprocessError) as error:
            tried.append(f"  {place}: {error}")
        else:
            _warn_of_damage(tried)
            return folder
    raise DataError(_nothing_found(tried))


def _chosen(folder: Path) -> Path:
    try:
        _verify(folder)
    except (DataError, OSError) as error:
        raise DataError(
            f"NORMLIB_DATA is {folder}, which cannot be used: {error}\n"
            "Put the published files there, or unset NORMLIB_DATA to have them found or fetched.\n"
            f"{WITHOUT_DATA}"
        ) from error
    return folder


def _places() -> list[tuple[str, Callable[[], Path]]]:
    home = Path(os.environ.get("KERAS_HOME") or Path.home() / ".keras")
    folder = home / "datasets" / "fashion-mnist"
    return [
        (f"Keras's cache {folder}", lambda: folder),
        (str(SYSTEM), lambda: SYSTEM),
        (f"download from {URL}", lambda: _fetch(_download, folder)),
        (f"Debian's package {PACKAGE}", lambda: _fetch(_debian, folder)),
    ]


def _verify(folder: Path) -> None:
    if not folder.is_dir():
        raise DataError(f"there is no folder {folder}")
    faults = [fault for name in SUMS if (fault := _fault(folder, name))]
    if faults:
        raise DataError("; ".join(faults))


def _fault(folder: Path, name: str) -> str:
    try:
        read(folder, name)
    except DataError as error:
        return str(error)
    return ""


def read(folder: Path, name: str) -> bytes:
    """The decompressed bytes of one file, verified."""
    file = next((f for f in (folder / f"{name}.gz", folder / name) if f.exists()), None)
    if file is None:
        raise DataError(f"{folder / name}.gz is missing")
    content, damage = _decompressed(file)
    found = hashlib.sha256(content).hexdigest()
    if damage or found != SUMS[name]:
        sums = f"expected SHA-256 {SUMS[name]}, found {found} of {len(content)} bytes"
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


def _fetch(get: Callable[[Path], None], folder: Path) -> Path:
    """Let `get` fill a temporary folder, verify it, and move the files into `folder` one by one."""
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder, prefix=".fetching-") as temporary:
        get(Path(temporary))
        _verify(Path(temporary))
        for name in SUMS:
            os.replace(Path(temporary) / f"{name}.gz", folder / f"{name}.gz")
    return folder


def _download(folder: Path) -> None:
    for name in SUMS:
        print(f"downloading {name}.gz", file=sys.stderr, flush=True)
        with (
            urllib.request.urlopen(f"{URL}{name}.gz", timeout=TIMEOUT) as answer,
            open(folder / f"{name}.gz", "wb") as file,
        ):
            shutil.copyfileobj(answer, file)


def _debian(folder: Path) -> None:
    if not (shutil.which("apt-get") and shutil.which("dpkg-deb")):
        raise DataError("this machine has no apt-get")
    print(f"downloading Debian's package {PACKAGE} (31 MB)", file=sys.stderr, flush=True)
    try:
        _run(folder, "apt-get", "download", PACKAGE)
    except DataError as error:
        _download_with_own_lists(folder, error)
    (package,) = folder.glob(f"{PACKAGE}*.deb")
    _run(folder, "dpkg-deb", "-x", str(package), "unpacked")
    unpacked = folder / "unpacked" / SYSTEM.relative_to("/")
    for file in unpacked.iterdir():
        os.replace(file, folder / file.name)


def _download_with_own_lists(folder: Path, first: DataError) -> None:
    """What a machine without package lists, or with old ones, needs; works without root."""
    own = ["-o", f"Dir::State={folder}/state", "-o", f"Dir::Cache={folder}/cache"]
    for part in ("state/lists/partial", "cache/archives/partial"):
        (folder / part).mkdir(parents=True)
    try:
        _run(folder, "apt-get", *own, "update")
        _run(folder, "apt-get", *own, "download", PACKAGE)
    except DataError as error:
        raise DataError(f"{first}; with package lists of its own, {error}") from error


def _run(folder: Path, *command: str) -> None:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=600)
    if done.returncode:
        lines = [line for line in done.stderr.splitlines() if not line.startswith("W:")]
        cause = next(iter(lines), "no message")  # what follows the first error follows from it
        raise DataError(f"{command[0]} failed: {cause}")


def _warn_of_damage(tried: list[str]) -> None:
    for line in tried:
        if "SHA-256" in line:
            print(f"not used:{line}", file=sys.stderr)


def _nothing_found(tried: list[str]) -> str:
    return "\n".join([
        "Fashion-MNIST was not found and could not be fetched. Tried:", *tried,
        "If Keras's cache has no room or may not be written, set KERAS_HOME to another folder.",
        f"Or put {', '.join(f'{name}.gz' for name in SUMS)} into a folder,",
        "and set NORMLIB_DATA to it.",
        WITHOUT_DATA,
    ])  # fmt: skip
