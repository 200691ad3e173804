"""Records on disk: one line of JSON a run, one file an arm, appended whole or not at all.

A line ends in a checksum of the rest of it. The published archive's first lines are older than that
and are never rewritten: a list beside them, checksums.txt, has theirs.
"""

import fcntl
import json
import os
import tempfile
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import fields
from hashlib import sha256
from pathlib import Path

from normlib.arm import Arm
from report.study.record import Record, decode, encode
from report.study.turns import alone_in

ROOT = Path(__file__).parents[1]
COMMITTED = ROOT / "runs"
OWN = ROOT / "build" / "runs"  # everyone's own, git-ignored, read on top of the committed ones
LONGEST_NAME = 200
LIVE = ROOT / "build" / "live"  # trained by notebooks on this machine, to hold against those
CHECKSUMS = "checksums.txt"  # of the lines in its folder that carry none; there are no others there
MARK = b',"checksum":"'


class ArchiveError(RuntimeError):
    """The archive cannot be read, or cannot be written; the message says where and what helps."""


# Writing -----------------------------------------------------------------------------------------


def append(record: Record, folder: Path = OWN) -> None:
    """Add the record to its arm's file in `folder`, whole or not at all; other writers wait."""
    if record.arm.source:
        raise ArchiveError("Runs of a norm of your own, which is code, are not archived.")
    line = json.dumps(encode(record), separators=(",", ":")).encode()
    line = line[:-1] + MARK + _checksum(line) + b'"}\n'
    with _writing(folder), open(folder / file_name(record.arm), "ab+", buffering=0) as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        end = _end_of_whole_lines(file)
        file.truncate(end)  # a torn line, of a process killed while writing, goes
        try:
            _write(file, line)
        except OSError:  # a full disk: take back what part of the line was written
            file.truncate(end)
            raise


def _write(file, content: bytes) -> None:
    while content:
        content = content[file.write(content) :]
    os.fsync(file.fileno())


@contextmanager
def _writing(folder: Path) -> Iterator[None]:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        yield
    except OSError as error:
        raise ArchiveError(
            f"{folder} cannot be written ({error}). Mend its permissions or make room on its disk; "
            "what was written before is kept."
        ) from error


def _checksum(line: bytes) -> bytes:
    return sha256(line).hexdigest()[:16].encode()


def name(arm: Arm) -> str:
    """The arm's name in the archive: every setting that is not the default."""
    changed = (f for f in fields(arm) if getattr(arm, f.name) != f.default)
    return "-".join(f"{f.name}={getattr(arm, f.name)}" for f in changed) or "default"


def file_name(arm: Arm) -> str:
    """The name of the arm's file; one that file systems would refuse is cut, and ends in a hash."""
    whole = name(arm)
    if len(whole) <= LONGEST_NAME:
        return f"{whole}.jsonl"
    return f"{whole[: LONGEST_NAME - 17]}-{sha256(whole.encode()).hexdigest()[:16]}.jsonl"


@contextmanager
def only_writer(folder: Path) -> Iterator[None]:
    """Wait until no other process sweeps into this folder, and keep others out meanwhile."""
    with ExitStack() as stack:
        with _writing(folder):
            waiting = "Another sweep writes to this archive; waiting for it to end."
            stack.enter_context(alone_in(folder, waiting))
        yield


@contextmanager
def room(runs: Collection[tuple[Arm, int]], folder: Path) -> Iterator[Callable[[], None]]:
    """Hold room on the disk for the records of these runs; what it yields gives back that of one.

    Raises ArchiveError if there is not enough, or what they belong to cannot be written.
    """
    most = max(_most_bytes(arm) for arm, _ in runs)
    with ExitStack() as stack:
        with _writing(folder):
            for file in {folder / file_name(arm) for arm, _ in runs}:
                if file.exists():
                    open(file, "ab").close()
            # Without a name, so that it is gone even if this process is killed.
            held = stack.enter_context(tempfile.TemporaryFile(dir=folder, buffering=0))
            _write(held, bytes(most * len(runs)))

        def give_back() -> None:
            left = held.seek(0, os.SEEK_END) - most
            held.truncate(max(0, left))

        yield give_back


def _most_bytes(arm: Arm) -> int:
    """What no record of the arm exceeds: 25 bytes a loss, and all else."""
    return 25 * (arm.epochs * arm.images // arm.batch_size // 10) + 50_000


def _end_of_whole_lines(file) -> int:
    file.seek(0)
    return file.read().rfind(b"\n") + 1


# Reading -----------------------------------------------------------------------------------------


def read(folders: Iterable[Path] | None = None) -> dict[tuple[Arm, int], Record]:
    """Every record by (arm, seed), of the published and own archive or `folders`; the last wins.

    Says so and goes on where a file's last line is torn; raises ArchiveError for any other line
    that is not a record or not what was written, since that file was damaged or edited. What has no
    checksum must be in the folder's list; in a reader's own there is none, and any record counts.
    """
    found = {}
    for folder in (COMMITTED, OWN) if folders is None else folders:
        with _reading(folder):
            there = sorted(folder.iterdir()) if folder.exists() else []
            checksums = folder / CHECKSUMS
            listed = {*checksums.read_bytes().split()} if checksums in there else None
        for file in there:
            if file.suffix == ".jsonl":
                found |= {record.key: record for record in _records(file, listed)}
    return found


def _records(file: Path, listed: set[bytes] | None) -> Iterator[Record]:
    for number, line in enumerate(_lines(file), 1):
        try:
            yield _record(line, listed)
        except Exception as error:  # whatever the values of a line that is no record lead to
            raise ArchiveError(
                f"{file} line {number} is not a record ({error}); restore it or delete the line."
            ) from error


def _lines(file: Path) -> list[bytes]:
    with _reading(file):
        *lines, rest = file.read_bytes().split(b"\n")
    if rest:
        print(
            f"{file.name} line {len(lines) + 1} is incomplete and was skipped; that run is trained "
            "again."
        )
    return lines


@contextmanager
def _reading(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise ArchiveError(
            f"{path} cannot be read ({error}); mend its permissions or restore it."
        ) from error


def _record(line: bytes, listed: set[bytes] | None) -> Record:
    body, mark, rest = line.rpartition(MARK)
    if mark:
        line = body + b"}"
        if rest != _checksum(line) + b'"}':
            raise ValueError("its checksum does not match")
    elif listed is not None and _checksum(line) not in listed:
        raise ValueError(f"its checksum is not in {CHECKSUMS}")
    record = decode(json.loads(line))
    if record.arm.source:
        raise ValueError("a norm of one's own is code, which no archive holds")
    return record
