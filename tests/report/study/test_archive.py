"""Records on disk: round trip, torn lines, full disks, writers at once."""

import dataclasses
import json
import os
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from made_runs import record

from normlib.arm import Arm
from report.study import archive


def file_of(folder):
    (file,) = folder.glob("*.jsonl")
    return file


def test_round_trip_keeps_every_bit(tmp_path):
    written = record(3)
    archive.append(written, tmp_path)
    (found,) = archive.read([tmp_path]).values()
    assert archive.encode(found) == archive.encode(written)
    np.testing.assert_array_equal(found.predictions, written.predictions)
    assert found.arm == written.arm


def test_a_diverged_run_comes_back(tmp_path):
    written = record(
        diverged=4,
        loss_every_10=[2.5, float("inf")],
        test_loss=[],
        test_accuracy=[],
        train_loss=[],
        train_accuracy=[],
        predictions=np.zeros(0, np.uint8),
    )
    archive.append(written, tmp_path)
    (found,) = archive.read([tmp_path]).values()
    assert found.diverged == 4 and found.loss_every_10[1] == float("inf")


def test_later_folder_and_later_line_win(tmp_path):
    for folder, seconds in (("a", 1.0), ("b", 2.0), ("b", 3.0)):
        archive.append(record(seconds=seconds), tmp_path / folder)
    (found,) = archive.read([tmp_path / "a", tmp_path / "b"]).values()
    assert found.seconds == 3.0


def test_torn_last_line_is_skipped_said_and_replaced(tmp_path, capsys):
    archive.append(record(0), tmp_path)
    with open(file_of(tmp_path), "ab") as file:
        file.write(json.dumps(archive.encode(record(1))).encode()[:200])
    assert [key[1] for key in archive.read([tmp_path])] == [0]
    assert "torn" in capsys.readouterr().out
    archive.append(record(2), tmp_path)
    assert [key[1] for key in archive.read([tmp_path])] == [0, 2]
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    "damage",
    [
        lambda line: line[:-20] + b"}",
        lambda line: line.replace(b'"seed"', b'"sed"'),
        lambda line: line.replace(b'"predictions":"', b'"predictions":"AAAA'),
        lambda line: b"",
    ],
)
def test_damaged_line_is_an_error_that_names_file_and_line(tmp_path, damage):
    archive.append(record(0), tmp_path)
    archive.append(record(1), tmp_path)
    file = file_of(tmp_path)
    first, second, _ = file.read_bytes().split(b"\n")
    file.write_bytes(damage(first) + b"\n" + second + b"\n")
    with pytest.raises(ValueError, match=r"jsonl line 1 is not a record"):
        archive.read([tmp_path])


def test_a_full_disk_leaves_whole_lines(tmp_path, monkeypatch):
    archive.append(record(0), tmp_path)

    def no_space(_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", no_space)
    with pytest.raises(OSError, match="No space"):
        archive.append(record(1), tmp_path)
    monkeypatch.undo()
    assert file_of(tmp_path).read_bytes().count(b"\n") == 1
    assert [key[1] for key in archive.read([tmp_path])] == [0]


def test_writers_at_once_lose_and_mix_nothing(tmp_path):
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda seed: archive.append(record(seed), tmp_path), range(40)))
    assert sorted(key[1] for key in archive.read([tmp_path])) == list(range(40))


def test_numbers_leave_out_time_and_machine_only():
    one = record()
    other = record(seconds=99.0, sources="others", environment={"cpu": "another"})
    assert one.numbers() == other.numbers()
    for field in dataclasses.fields(archive.Record):
        if field.name not in ("seconds", "sources", "environment", "predictions", "arm"):
            other = dataclasses.replace(one, **{field.name: "changed"})
            assert one.numbers() != other.numbers(), field.name


def test_an_arm_with_every_setting_changed_has_a_file_that_can_be_made(tmp_path):
    long = Arm(
        "batch", "keras", "hidden", "he", 0.0123456789, 0.95, 50, 9, ulps=3, relu="before",
        std=0.123456789, blocks=8, shuffle="sorted", scored_on="validation", examples=12345,
        probe="predictiveness", evaluation="re-estimated",
    )  # fmt: skip
    other = dataclasses.replace(long, examples=12346)
    for arm in (long, other):
        archive.append(record(arm=arm), tmp_path)
    assert len(long.name) > 255 and len(list(tmp_path.glob("*.jsonl"))) == 2
    assert {arm for arm, _ in archive.read([tmp_path])} == {long, other}
