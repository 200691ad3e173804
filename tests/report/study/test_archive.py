"""Records on disk: round trip, torn lines, full disks, writers at once."""

import dataclasses
import json
import os
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from made_runs import list_checksums, record

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


def test_an_arm_is_named_by_what_is_not_the_default():
    arm = Arm(batch_size=np.int64(50), learning_rate=np.float64(0.1), epochs=np.int32(2), std=1)
    assert archive.name(arm) == "learning_rate=0.1-batch_size=50-epochs=2-std=1.0"
    assert (
        archive.name(Arm()) == "default" and archive.file_name(Arm("batch")) == "norm=batch.jsonl"
    )


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
    assert "jsonl line 2 is incomplete" in capsys.readouterr().out
    archive.append(record(2), tmp_path)
    assert [key[1] for key in archive.read([tmp_path])] == [0, 2]
    assert capsys.readouterr().out == ""


def test_the_published_lines_are_those_of_the_list():
    assert (archive.COMMITTED / archive.CHECKSUMS).read_text() == list_checksums()


def rewritten(folder, change, checksum=True):
    """The file of one record after a change of its values, with or without a right checksum."""
    archive.append(record(0), folder)
    values = archive.encode(record(0))
    change(values)
    line = json.dumps(values, separators=(",", ":")).encode()
    if checksum:
        line = line[:-1] + archive.MARK + archive._checksum(line) + b'"}'
    file_of(folder).write_bytes(line + b"\n")


def setting(*path):
    """A change of the value at the end of the path, which is the path's last part."""
    *keys, last, value = path

    def change(values):
        for key in keys:
            values = values[key]
        values[last] = value

    return change


NO_RECORDS = [
    setting("train_loss", [[1.0], 2.0]),
    setting("train_loss", "1.25"),
    setting("test_loss", ["1.5", 0.3]),
    setting("test_loss", [True, 0.3]),
    setting("test_loss", [None, 0.3]),
    setting("test_accuracy", []),
    setting("test_accuracy", [0.6]),
    setting("test_accuracy", [0.6, 70.0]),
    setting("train_accuracy", [0.6, float("nan")]),
    setting("train_accuracy", {}),
    setting("loss_every_10", [1.0, {}]),
    setting("loss_every_10", []),
    setting("loss_every_10", 3.5),
    setting("predictions", 7),
    setting("predictions", "AAAA"),
    setting("diverged", "no"),
    setting("diverged", -1),
    setting("seconds", "12"),
    setting("seconds", float("nan")),
    setting("seconds", -1.0),
    setting("seed", 1.5),
    setting("seed", -1),
    setting("seed", "0"),
    setting("seed", True),
    setting("seed", [0]),
    setting("protocol", "2"),
    setting("protocol", 2.0),
    setting("sources", None),
    setting("environment", []),
    setting("environment", {}),
    setting("environment", "cpu", ["a cpu"]),
    setting("telemetry", [[1.0]]),
    setting("telemetry", [{"step": "first"}]),
    setting("arm", []),
    setting("arm", {}),
    setting("arm", "epochs", 2.5),
    setting("arm", "epochs", [2]),
    setting("arm", "learning_rate", 10**400),
    setting("arm", "norm", ["layer"]),
    setting("arm", "colour", "red"),
    setting("colour", "red"),
    dict.clear,
    lambda values: values.pop("sources"),
]


@pytest.mark.parametrize("checksum", [True, False])
@pytest.mark.parametrize("change", NO_RECORDS)
def test_values_that_are_no_record_name_file_and_line(change, checksum, tmp_path):
    rewritten(tmp_path, change, checksum)
    with pytest.raises(
        archive.ArchiveError, match=r"hidden.*\.jsonl line 1 is not a record \(.+\);"
    ):
        archive.read([tmp_path])


@pytest.mark.parametrize("line", [b"[]", b"7", b"null", b'"text"', b"{}", b"[" * 10**5, b"\xff"])
def test_json_of_another_kind_is_no_record(line, tmp_path):
    (tmp_path / "default.jsonl").write_bytes(line + b"\n")
    with pytest.raises(archive.ArchiveError, match=r"default\.jsonl line 1 is not a record"):
        archive.read([tmp_path])


def test_a_changed_line_is_refused_though_its_values_are_those_of_a_record(tmp_path):
    archive.append(record(0), tmp_path)
    file = file_of(tmp_path)
    file.write_bytes(file.read_bytes().replace(b'"seconds":12.5', b'"seconds":12.7'))
    with pytest.raises(
        archive.ArchiveError, match=r"line 1 is not a record \(its checksum does not"
    ):
        archive.read([tmp_path])


def test_a_line_without_checksum_must_be_in_its_folders_list_if_there_is_one(tmp_path):
    rewritten(tmp_path, lambda values: None, checksum=False)
    assert len(archive.read([tmp_path])) == 1  # a reader's own, of an earlier version
    (tmp_path / archive.CHECKSUMS).write_text(list_checksums(tmp_path))
    archive.append(record(1), tmp_path)
    assert len(archive.read([tmp_path])) == 2
    file = file_of(tmp_path)
    file.write_bytes(file.read_bytes().replace(b'"seconds":12.5', b'"seconds":12.7', 1))
    with pytest.raises(
        archive.ArchiveError, match=r"line 1 .*its checksum is not in checksums\.txt"
    ):
        archive.read([tmp_path])


OWN = {"norm": "own", "placement": "conv", "source": "def f(x, gamma, beta):\n    return x\n"}


@pytest.mark.parametrize("checksum", [True, False])
def test_a_record_that_carries_code_is_neither_read_nor_written(checksum, tmp_path):
    rewritten(tmp_path, lambda values: values["arm"].update(OWN), checksum)
    with pytest.raises(archive.ArchiveError, match=r"line 1 is not a record \(.* code"):
        archive.read([tmp_path])
    with pytest.raises(archive.ArchiveError, match="code"):
        archive.append(record(arm=Arm(**OWN)), tmp_path)


def test_what_cannot_be_read_is_named(tmp_path):
    (tmp_path / "default.jsonl").mkdir()
    with pytest.raises(
        archive.ArchiveError, match=r"default\.jsonl cannot be read .*Is a directory"
    ):
        archive.read([tmp_path])


def test_what_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    for folder in (tmp_path / "file", tmp_path / "file" / "runs"):
        with pytest.raises(archive.ArchiveError, match=r"file.* cannot be written .*permissions"):
            archive.append(record(), folder)


def test_room_is_held_until_the_records_that_need_it_are_written(tmp_path):
    runs = [(record().arm, seed) for seed in (0, 1)]
    with archive.room(runs, tmp_path) as give:
        give()
        archive.append(record(0), tmp_path)
        give()
        archive.append(record(1), tmp_path)
    assert [file.suffix for file in tmp_path.iterdir()] == [".jsonl"]


def test_no_published_record_is_longer_than_the_room_that_is_held_for_one():
    for file in archive.COMMITTED.glob("*.jsonl"):
        lines = file.read_bytes().splitlines()
        arm = Arm(**json.loads(lines[0])["arm"])
        assert max(map(len, lines)) < archive._most_bytes(arm), file.name


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
    with pytest.raises(archive.ArchiveError, match=r"jsonl line 1 is not a record"):
        archive.read([tmp_path])


def test_a_full_disk_leaves_whole_lines(tmp_path, monkeypatch):
    archive.append(record(0), tmp_path)

    def no_space(_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", no_space)
    with pytest.raises(archive.ArchiveError, match=r"No space .* make room"):
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
    assert len(archive.name(long)) > 255 and len(list(tmp_path.glob("*.jsonl"))) == 2
    assert {arm for arm, _ in archive.read([tmp_path])} == {long, other}
