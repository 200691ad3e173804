"""Damaged files are named and never used; downloads are whole or not at all."""

import errno
import gzip
import hashlib
import io
import urllib.request
from http.client import BadStatusLine
from pathlib import Path

import pytest
from fake_files import FAULTS, IMAGES, TEST_LABELS, final_names, full_disk, source

from normlib import data, fetch
from normlib.fetch import FILES


@pytest.mark.parametrize("fault", FAULTS)
def test_damaged_file_in_normlib_data_is_named_and_refused(fault, files, tmp_path, monkeypatch):
    fault(files(tmp_path / "chosen"))
    monkeypatch.setenv("NORMLIB_DATA", str(tmp_path / "chosen"))
    with pytest.raises(data.DataError, match=f"chosen/{IMAGES}.gz.* SHA-256") as error:
        data.load("full")
    assert source().sums[0] in str(error.value)


@pytest.mark.parametrize("fault", FAULTS)
def test_damaged_file_in_the_cache_is_named_and_replaced(fault, files, cache, web, capsys):
    fault(files(cache))
    files(web)
    assert fetch.find(source()) == cache
    assert (cache / f"{IMAGES}.gz").read_bytes() == (web / f"{IMAGES}.gz").read_bytes()
    (line,) = [line for line in capsys.readouterr().err.splitlines() if "not used" in line]
    assert f"{IMAGES}.gz" in line and source().sums[0] in line


@pytest.mark.parametrize("fault", FAULTS)
def test_damaged_file_is_reported_with_expected_and_found_sum(fault, files, cache):
    fault(files(cache))
    sums = rf"expected SHA-256 {source().sums[0]}, found [0-9a-f]{{64}} of \d+ bytes"
    with pytest.raises(data.DataError, match=sums):
        fetch.find(source())


def test_found_sum_is_that_of_the_decompressed_bytes(files, cache, contents):
    file = files(cache) / f"{IMAGES}.gz"
    file.write_bytes(gzip.compress(contents[IMAGES][:-1]))
    found = (
        f"{hashlib.sha256(contents[IMAGES][:-1]).hexdigest()} of {len(contents[IMAGES]) - 1} bytes"
    )
    with pytest.raises(data.DataError, match=f"found {found}"):
        fetch.find(source())


def test_every_faulty_file_is_named_not_only_the_first(files, cache, web, capsys):
    (files(cache) / f"{IMAGES}.gz").unlink()
    (cache / f"{TEST_LABELS}.gz").write_bytes(b"")
    files(web)
    fetch.find(source())
    assert f"{TEST_LABELS}.gz is wrong" in capsys.readouterr().err


@pytest.mark.parametrize("name", FILES)
def test_a_missing_file_is_named(name, files, cache):
    (files(cache) / f"{name}.gz").unlink()
    with pytest.raises(data.DataError, match=f"{name}.gz is missing"):
        fetch.find(source())


@pytest.mark.parametrize("name", FILES)
def test_each_of_the_four_files_is_verified(name, files, cache):
    (files(cache) / f"{name}.gz").write_bytes(gzip.compress(b"other"))
    with pytest.raises(data.DataError, match=f"{name}.gz is wrong"):
        fetch.find(source())


class DyingAnswer(io.BytesIO):
    """Gives half of a file; `cache` must hold no final name then, whatever kills the process."""

    def __init__(self, stored: bytes, cache: Path):
        super().__init__(stored[: len(stored) // 2])
        self.cache, self.reads = cache, 0

    def read(self, size=-1):
        self.reads += 1
        assert final_names(self.cache) == []
        if self.reads > 2:
            raise ConnectionResetError(errno.ECONNRESET, "reset in mid-download")
        return super().read(10)


def test_download_that_dies_leaves_nothing(files, cache, web, monkeypatch):
    stored = (files(web) / f"{IMAGES}.gz").read_bytes()
    answer = DyingAnswer(stored, cache)
    monkeypatch.setattr(urllib.request, "urlopen", lambda url, timeout: answer)
    with pytest.raises(data.DataError, match=r"reset in mid-download"):
        fetch.find(source())
    assert answer.reads == 3 and list(cache.iterdir()) == []


def test_answer_that_is_not_http_is_one_more_place_that_failed(contents, monkeypatch):
    def garble(url, timeout):
        raise BadStatusLine("220 mail ready")

    monkeypatch.setattr(urllib.request, "urlopen", garble)
    with pytest.raises(data.DataError, match="220 mail ready"):
        fetch.find(source())


@pytest.mark.parametrize("fault", FAULTS)
def test_damaged_download_is_never_kept(fault, files, cache, web):
    fault(files(web))
    with pytest.raises(data.DataError, match=f"{IMAGES}.gz"):
        fetch.find(source())
    assert list(cache.iterdir()) == []


def test_files_arrive_by_rename_from_the_same_folder(files, cache, web, monkeypatch):
    files(web)
    moves, replace = [], fetch.os.replace
    monkeypatch.setattr(fetch.os, "replace", lambda a, b: (moves.append((a, b)), replace(a, b)))
    fetch.find(source())
    assert [b for _, b in moves] == [cache / f"{name}.gz" for name in FILES]
    assert all(cache in Path(a).parents for a, _ in moves)  # one file system: atomic


def test_remains_of_a_killed_fetch_are_not_used(files, cache, web):
    files(cache / ".fetching-killed")
    with pytest.raises(data.DataError):
        fetch.find(source())
    files(web)
    assert fetch.find(source()) == cache


def test_download_has_a_timeout(contents, monkeypatch):
    seen = []
    monkeypatch.setattr(urllib.request, "urlopen", lambda url, timeout=None: seen.append(timeout))
    with pytest.raises(TypeError):  # None is no answer
        fetch.find(source())
    assert 0 < seen[0] <= 60


FULL = ["shutil.copyfileobj", "os.replace", "tempfile.TemporaryDirectory"]


@pytest.mark.parametrize("where", FULL)
def test_full_disk_is_an_error_with_its_remedy(where, files, cache, web, monkeypatch):
    files(web)
    module, name = where.split(".")
    monkeypatch.setattr(getattr(fetch, module), name, full_disk)
    with pytest.raises(data.DataError, match=r"No space left on device") as error:
        fetch.find(source())
    assert "KERAS_HOME" in str(error.value) and "NORMLIB_DATA" in str(error.value)
    assert list(cache.iterdir()) == []


def test_cache_that_cannot_be_written_is_an_error_with_its_remedy(files, web, monkeypatch):
    def refuse(path, **options):
        raise PermissionError(errno.EACCES, "Permission denied", str(path))

    files(web)
    monkeypatch.setattr(fetch.Path, "mkdir", refuse)
    with pytest.raises(data.DataError, match="Permission denied") as error:
        fetch.find(source())
    assert "KERAS_HOME" in str(error.value) and "NORMLIB_DATA" in str(error.value)
