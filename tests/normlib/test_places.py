"""Where the data set is looked for, in which order, and what is said when it is nowhere."""

import dataclasses
import errno
import gzip
import hashlib
import shutil

import pytest
from fake_files import ALL, IMAGES, final_names, forget, source

from normlib import data, fetch
from normlib.arm import Arm
from normlib.data import SOURCES


def test_places_are_used_in_their_order(files, cache, web, tmp_path, monkeypatch):
    files(web)
    assert fetch.find(source()) == cache and final_names(cache) == ALL  # only a download is left
    chosen, system = files(tmp_path / "chosen"), files(source().system)
    forget()
    assert fetch.find(source()) == cache
    shutil.rmtree(cache)
    forget()
    assert fetch.find(source()) == system and not cache.exists()
    monkeypatch.setenv("NORMLIB_DATA", str(chosen))
    forget()
    assert fetch.find(source()) == chosen


def test_cache_is_in_the_home_folder_without_keras_home(files, tmp_path, monkeypatch):
    monkeypatch.delenv("KERAS_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    home_cache = files(tmp_path / ".keras/datasets/fashion-mnist")
    assert fetch.find(source()) == home_cache


def test_unpacked_files_are_as_good_as_gz(files, cache, contents):
    files(cache, ending="")
    assert fetch.find(source()) == cache and fetch.read(source(), cache, IMAGES) == contents[IMAGES]


def test_normlib_data_without_files_is_an_error_though_others_have_them(
    files, cache, tmp_path, monkeypatch
):
    files(cache)
    monkeypatch.setenv("NORMLIB_DATA", str(tmp_path / "nothing"))
    with pytest.raises(data.DataError, match=rf"(?s)NORMLIB_DATA is {tmp_path}/nothing, .*unset"):
        fetch.find(source())


def test_normlib_data_that_may_not_be_read_is_an_error_in_words(files, tmp_path, monkeypatch):
    def refuse(file):
        raise PermissionError(errno.EACCES, "Permission denied", str(file))

    monkeypatch.setenv("NORMLIB_DATA", str(files(tmp_path / "chosen")))
    monkeypatch.setattr(fetch.Path, "exists", refuse)
    with pytest.raises(data.DataError, match=r"NORMLIB_DATA is .*Permission denied"):
        fetch.find(source())


def test_another_data_set_has_its_own_places_variable_and_sums(
    files, contents, tmp_path, monkeypatch
):
    fashion, other = files(tmp_path / "keras/datasets/fashion-mnist"), files(tmp_path / "other")
    turned = {name: content[:-1] + b"\x07" for name, content in contents.items()}
    for name, content in turned.items():
        (other / f"{name}.gz").write_bytes(gzip.compress(content))
    sums = tuple(hashlib.sha256(content).hexdigest() for content in turned.values())
    monkeypatch.setitem(SOURCES, "MNIST", dataclasses.replace(SOURCES["MNIST"], sums=sums))
    monkeypatch.setenv("NORMLIB_MNIST", str(other))
    assert (fetch.find(SOURCES["MNIST"]), fetch.find(source())) == (other, fashion)
    assert data.images(Arm(dataset="MNIST")).train_labels[-1] == 7
    monkeypatch.setenv("NORMLIB_MNIST", str(fashion))
    forget()
    with pytest.raises(data.DataError, match=r"NORMLIB_MNIST is .*fashion-mnist.* SHA-256"):
        fetch.find(SOURCES["MNIST"])


def test_a_data_set_without_a_package_is_not_asked_of_debian(debian, tmp_path, monkeypatch):
    debian()
    nowhere = dataclasses.replace(SOURCES["MNIST"], url=source().url)
    monkeypatch.setitem(SOURCES, "MNIST", nowhere)
    with pytest.raises(data.DataError, match="MNIST was not found") as error:
        fetch.find(SOURCES["MNIST"])
    assert "Debian" not in str(error.value) and not (tmp_path / "log").exists()


def test_final_error_names_every_place_and_every_way_out(contents, cache):
    with pytest.raises(data.DataError) as error:
        data.load("full")
    text = str(error.value)
    places = [str(cache), str(source().system), source().url, source().package, "no apt-get"]
    ways = ["NORMLIB_DATA", "--profile quick", "NORMLIB_PROFILE=quick", *ALL]
    assert [word for word in places + ways if word not in text] == []
    assert sorted(places, key=text.index) == places


def test_command_prints_where_the_files_are(files, cache, capsys):
    files(cache)
    data.main()
    assert capsys.readouterr().out == f"Fashion-MNIST: {cache}\n"


def test_command_fails_with_the_error_alone(contents, capsys):
    with pytest.raises(SystemExit) as stop:
        data.main()
    assert "could not be fetched" in str(stop.value.code)  # a text: Python prints it and exits 1
    assert capsys.readouterr().out == ""
