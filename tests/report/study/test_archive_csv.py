"""The data release: the archive in tables, with every column explained, and a true example."""

import dataclasses
import fnmatch
import json
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from made_runs import record

from normlib.arm import Arm
from report.study import archive, archive_csv

REPORT = Path(__file__).parents[3] / "report"
TABLES = REPORT / "tables"
PAGE = (REPORT / "README.md").read_text()


def sections():
    """The first column of each table of the dictionary, by heading."""
    parts = re.split(r"^## (.*)\n", PAGE, flags=re.M)[1:]
    return {
        name: re.findall(r"^\| `(.*?)` \|", text, re.M)
        for name, text in zip(parts[::2], parts[1::2], strict=True)
    }


@pytest.mark.parametrize("name", ["runs", "epochs", "claims", "answers"])
def test_every_column_is_explained_and_none_that_is_not_there(name):
    assert sections()[f"tables/{name}.csv"] == list(pd.read_csv(TABLES / f"{name}.csv", nrows=0))


def test_every_setting_of_an_arm_is_released():
    found = set(archive_csv.runs([record()]))
    assert {f.name for f in dataclasses.fields(Arm)} - found == {"source"}


def test_every_table_is_explained_and_none_that_is_not_there():
    files = {file.name for file in TABLES.iterdir()}
    own = ("runs.csv", "epochs.csv", "claims.csv", "answers.csv")
    known = [*sections()["The other tables"], *own]
    assert not [file for file in files if not any(fnmatch.fnmatch(file, name) for name in known)]
    assert not [name for name in known if not fnmatch.filter(files, name)]


def test_every_field_of_a_line_is_explained():
    named = set(re.findall(r"`(\w+)`", PAGE.split("## runs/*.jsonl")[1].split("```")[0]))
    line = json.loads((REPORT / "runs" / "default.jsonl").read_text().splitlines()[0])
    assert set(line) <= named and sections()["runs/*.jsonl"][0] == "arm"


def test_the_release_is_of_the_present_archive(tmp_path):
    archive_csv.write(tmp_path, REPORT / "runs")
    for name in ("runs.csv", "epochs.csv"):
        same = (tmp_path / name).read_bytes() == (TABLES / name).read_bytes()
        assert same, "the archive has changed since; run: python -m report.study.archive_csv"


def test_the_rows_are_those_of_the_archive_bit_by_bit():
    lines = {}
    for file in sorted((REPORT / "runs").glob("*.jsonl")):
        for line in map(json.loads, file.read_text().splitlines()):
            lines[file.name.removesuffix(".jsonl"), line["seed"]] = line
    runs, epochs = (pd.read_csv(TABLES / f"{name}.csv") for name in ("runs", "epochs"))
    assert len(runs) == len(lines)
    assert len(epochs) == sum(len(line["test_loss"]) for line in lines.values())
    runs, epochs = runs.set_index(archive_csv.KEY), epochs.set_index(archive_csv.KEY).sort_index()
    sound = [item for item in lines.items() if item[1]["diverged"] is None]
    for key, line in sound[::29]:
        row, curve = runs.loc[key], epochs.loc[[key]]
        assert row["test_accuracy"] == line["test_accuracy"][-1]
        assert row["mean_train_loss"] == pytest.approx(np.mean(line["train_loss"]), rel=1e-14)
        assert row["learning_rate"] == line["arm"]["learning_rate"]
        assert row["cpu"] == line["environment"]["cpu"] and row["sources"] == line["sources"]
        assert curve["train_loss"].tolist() == line["train_loss"]
        assert curve["epoch"].tolist() == list(range(1, len(line["train_loss"]) + 1))


def test_a_row_has_the_results_of_the_last_epoch():
    (row,) = archive_csv.runs([record(4)]).to_dict("records")
    assert (row["arm"], row["seed"]) == ("norm=layer-placement=hidden-epochs=2", 4)
    assert (row["label"], row["threads"]) == ("our LN (hidden)", 1)
    assert (row["train_loss"], row["train_accuracy"]) == (0.1 + 0.2, 0.75)
    assert (row["test_loss"], row["test_accuracy"]) == (1 / 3, 0.7)
    assert row["mean_train_loss"] == (1.25 + (0.1 + 0.2)) / 2
    assert pd.isna(row["diverged"])


def test_a_diverged_run_has_no_results_but_the_epochs_before():
    lost = record(diverged=7, **{name: [0.5] for name in archive_csv.CURVES})
    (row,) = archive_csv.runs([lost]).to_dict("records")
    assert row["diverged"] == 7
    assert all(np.isnan(row[name]) for name in (*archive_csv.CURVES, "mean_train_loss"))
    assert archive_csv.epochs([lost])["epoch"].tolist() == [1]


def test_the_same_bytes_whatever_order_the_runs_came_in(tmp_path):
    records = [record(seed, diverged=5 if seed == 2 else None) for seed in (10, 2, 1)]
    for name, order in (("a", records), ("b", records[::-1])):
        for each in order:
            archive.append(each, tmp_path / name)
        archive_csv.write(tmp_path / name, tmp_path / name)
    for name in ("runs.csv", "epochs.csv"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()
    assert ",5,12.5," in (tmp_path / "a" / "runs.csv").read_text()  # the step is a whole number
    seeds = pd.read_csv(tmp_path / "a" / "epochs.csv")["seed"]
    assert seeds.tolist() == [1, 1, 2, 2, 10, 10]


def test_the_example_of_the_dictionary_runs_and_is_true(monkeypatch, capsys):
    (example,) = re.findall(r"```python\n(.*?)```", PAGE, re.S)
    monkeypatch.chdir(REPORT)
    names: dict = {}
    exec(example, names)
    (seed, *_) = names["loss"].columns
    records = archive.read([REPORT / "runs"])
    assert names["loss"].loc[20, seed] == records[Arm("batch"), seed].loss_every_10[2]
    np.testing.assert_array_equal(names["classes"][0], records[Arm("batch"), seed].predictions)
    finals = [r.test_accuracy[-1] for (arm, _), r in records.items() if arm == Arm("batch")]
    assert names["curves"].mean()["norm=batch", 4] == pytest.approx(np.mean(finals))
    assert "default" in capsys.readouterr().out
