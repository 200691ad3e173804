"""Data: found, verified, fetched whole or not at all; the sample; batch order. No network.

The four files are small fakes here: `files` writes them, and their sums replace Fashion-MNIST's.
"""

import dataclasses
import errno
import gzip
import hashlib
import io
import shutil
import urllib.request
from http.client import BadStatusLine
from pathlib import Path

import numpy as np
import pytest

from normlib import data, fetch
from normlib.arms import Arm
from normlib.datasets import FILES, SOURCES

IMAGES, LABELS, TEST_IMAGES, TEST_LABELS = FILES


def fake_contents() -> dict[str, bytes]:
    """Five training and three test images, behind headers as long as the real ones."""
    rng, header = np.random.default_rng(7), bytes(range(100, 116))
    sizes = {IMAGES: 5 * 784, LABELS: 5, TEST_IMAGES: 3 * 784, TEST_LABELS: 3}
    values = {name: rng.integers(0, 10, size, np.uint8) for name, size in sizes.items()}
    return {n: header[: 16 if "images" in n else 8] + v.tobytes() for n, v in values.items()}


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
    _forget()
    yield fakes
    _forget()


def _forget() -> None:
    fetch.find.cache_clear()
    data.load.cache_clear()


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


def source():
    return SOURCES["Fashion-MNIST"]


def final_names(folder: Path) -> list[str]:
    return sorted(file.name for file in folder.glob("*-ubyte*"))


ALL = sorted(f"{name}.gz" for name in FILES)

# Places and their order


def test_places_are_used_in_their_order(files, cache, web, tmp_path, monkeypatch):
    files(web)
    assert fetch.find() == cache and final_names(cache) == ALL  # only a download is left
    chosen, system = files(tmp_path / "chosen"), files(source().system)
    _forget()
    assert fetch.find() == cache
    shutil.rmtree(cache)
    _forget()
    assert fetch.find() == system and not cache.exists()
    monkeypatch.setenv("NORMLIB_DATA", str(chosen))
    _forget()
    assert fetch.find() == chosen


def test_cache_is_in_the_home_folder_without_keras_home(files, tmp_path, monkeypatch):
    monkeypatch.delenv("KERAS_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    home_cache = files(tmp_path / ".keras/datasets/fashion-mnist")
    assert fetch.find() == home_cache


def test_unpacked_files_are_as_good_as_gz(files, cache, contents):
    files(cache, ending="")
    assert fetch.find() == cache and fetch.read(source(), cache, IMAGES) == contents[IMAGES]


def test_normlib_data_without_files_is_an_error_though_others_have_them(
    files, cache, tmp_path, monkeypatch
):
    files(cache)
    monkeypatch.setenv("NORMLIB_DATA", str(tmp_path / "nothing"))
    with pytest.raises(data.DataError, match=rf"(?s)NORMLIB_DATA is {tmp_path}/nothing, .*unset"):
        fetch.find()


def test_normlib_data_that_may_not_be_read_is_an_error_in_words(files, tmp_path, monkeypatch):
    def refuse(file):
        raise PermissionError(errno.EACCES, "Permission denied", str(file))

    monkeypatch.setenv("NORMLIB_DATA", str(files(tmp_path / "chosen")))
    monkeypatch.setattr(fetch.Path, "exists", refuse)
    with pytest.raises(data.DataError, match=r"NORMLIB_DATA is .*Permission denied"):
        fetch.find()


def test_loading_decodes_the_files_found(files, cache, contents):
    files(cache)
    loaded = data.load("full")
    pixels = np.frombuffer(contents[IMAGES][16:], np.uint8).reshape(5, 28, 28, 1)
    np.testing.assert_array_equal(loaded.train_images, pixels / np.float32(255))
    np.testing.assert_array_equal(loaded.train_labels, list(contents[LABELS][8:]))
    np.testing.assert_array_equal(loaded.test_labels, list(contents[TEST_LABELS][8:]))
    assert [a.dtype.name for a in loaded] == ["float32", "int32", "float32", "int32"]
    assert [a.shape for a in loaded] == [(5, 28, 28, 1), (5,), (3, 28, 28, 1), (3,)]


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
    assert (fetch.find("MNIST"), fetch.find()) == (other, fashion)
    assert data.images(Arm(dataset="MNIST")).train_labels[-1] == 7
    monkeypatch.setenv("NORMLIB_MNIST", str(fashion))
    _forget()
    with pytest.raises(data.DataError, match=r"NORMLIB_MNIST is .*fashion-mnist.* SHA-256"):
        fetch.find("MNIST")


def test_a_data_set_without_a_package_is_not_asked_of_debian(debian, tmp_path, monkeypatch):
    debian()
    nowhere = dataclasses.replace(SOURCES["MNIST"], url=source().url)
    monkeypatch.setitem(SOURCES, "MNIST", nowhere)
    with pytest.raises(data.DataError, match="MNIST was not found") as error:
        fetch.find("MNIST")
    assert "Debian" not in str(error.value) and not (tmp_path / "log").exists()


# Faults: named, never used


def truncated(folder: Path) -> None:
    file = folder / f"{IMAGES}.gz"
    file.write_bytes(file.read_bytes()[:-200])


def without_last_byte(folder: Path) -> None:
    file = folder / f"{IMAGES}.gz"
    file.write_bytes(file.read_bytes()[:-1])


def flipped(folder: Path) -> None:
    file = folder / f"{IMAGES}.gz"
    stored = bytearray(file.read_bytes())
    stored[len(stored) // 2] ^= 1
    file.write_bytes(stored)


def garbled(folder: Path) -> None:
    file = folder / f"{IMAGES}.gz"
    file.write_bytes(file.read_bytes()[:10] + b"\xff" * 300)  # a gzip header, then no deflate data


def empty(folder: Path) -> None:
    (folder / f"{IMAGES}.gz").write_bytes(b"")


def not_gzip(folder: Path) -> None:
    (folder / f"{IMAGES}.gz").write_text("<html>Please sign in</html>")


def labels_for_images(folder: Path) -> None:
    shutil.copy(folder / f"{LABELS}.gz", folder / f"{IMAGES}.gz")


def other_content(folder: Path) -> None:
    content = bytearray(gzip.decompress((folder / f"{IMAGES}.gz").read_bytes()))
    content[-1] ^= 1
    (folder / f"{IMAGES}.gz").write_bytes(gzip.compress(content))


FAULTS = [truncated, without_last_byte, flipped, garbled, empty, not_gzip]
FAULTS += [labels_for_images, other_content]


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
    assert fetch.find() == cache
    assert (cache / f"{IMAGES}.gz").read_bytes() == (web / f"{IMAGES}.gz").read_bytes()
    (line,) = [line for line in capsys.readouterr().err.splitlines() if "not used" in line]
    assert f"{IMAGES}.gz" in line and source().sums[0] in line


@pytest.mark.parametrize("fault", FAULTS)
def test_damaged_file_is_reported_with_expected_and_found_sum(fault, files, cache):
    fault(files(cache))
    sums = rf"expected SHA-256 {source().sums[0]}, found [0-9a-f]{{64}} of \d+ bytes"
    with pytest.raises(data.DataError, match=sums):
        fetch.find()


def test_found_sum_is_that_of_the_decompressed_bytes(files, cache, contents):
    file = files(cache) / f"{IMAGES}.gz"
    file.write_bytes(gzip.compress(contents[IMAGES][:-1]))
    found = (
        f"{hashlib.sha256(contents[IMAGES][:-1]).hexdigest()} of {len(contents[IMAGES]) - 1} bytes"
    )
    with pytest.raises(data.DataError, match=f"found {found}"):
        fetch.find()


def test_every_faulty_file_is_named_not_only_the_first(files, cache, web, capsys):
    (files(cache) / f"{IMAGES}.gz").unlink()
    (cache / f"{TEST_LABELS}.gz").write_bytes(b"")
    files(web)
    fetch.find()
    assert f"{TEST_LABELS}.gz is wrong" in capsys.readouterr().err


@pytest.mark.parametrize("name", FILES)
def test_a_missing_file_is_named(name, files, cache):
    (files(cache) / f"{name}.gz").unlink()
    with pytest.raises(data.DataError, match=f"{name}.gz is missing"):
        fetch.find()


@pytest.mark.parametrize("name", FILES)
def test_each_of_the_four_files_is_verified(name, files, cache):
    (files(cache) / f"{name}.gz").write_bytes(gzip.compress(b"other"))
    with pytest.raises(data.DataError, match=f"{name}.gz is wrong"):
        fetch.find()


# Fetching: whole or not at all


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
        fetch.find()
    assert answer.reads == 3 and list(cache.iterdir()) == []


def test_answer_that_is_not_http_is_one_more_place_that_failed(contents, monkeypatch):
    def garble(url, timeout):
        raise BadStatusLine("220 mail ready")

    monkeypatch.setattr(urllib.request, "urlopen", garble)
    with pytest.raises(data.DataError, match="220 mail ready"):
        fetch.find()


@pytest.mark.parametrize("fault", FAULTS)
def test_damaged_download_is_never_kept(fault, files, cache, web):
    fault(files(web))
    with pytest.raises(data.DataError, match=f"{IMAGES}.gz"):
        fetch.find()
    assert list(cache.iterdir()) == []


def test_files_arrive_by_rename_from_the_same_folder(files, cache, web, monkeypatch):
    files(web)
    moves, replace = [], fetch.os.replace
    monkeypatch.setattr(fetch.os, "replace", lambda a, b: (moves.append((a, b)), replace(a, b)))
    fetch.find()
    assert [b for _, b in moves] == [cache / f"{name}.gz" for name in FILES]
    assert all(cache in Path(a).parents for a, _ in moves)  # one file system: atomic


def test_remains_of_a_killed_fetch_are_not_used(files, cache, web):
    files(cache / ".fetching-killed")
    with pytest.raises(data.DataError):
        fetch.find()
    files(web)
    assert fetch.find() == cache


def test_download_has_a_timeout(contents, monkeypatch):
    seen = []
    monkeypatch.setattr(urllib.request, "urlopen", lambda url, timeout=None: seen.append(timeout))
    with pytest.raises(TypeError):  # None is no answer
        fetch.find()
    assert 0 < seen[0] <= 60


def full_disk(*args, **options):
    raise OSError(errno.ENOSPC, "No space left on device")


FULL = ["shutil.copyfileobj", "os.replace", "tempfile.TemporaryDirectory"]


@pytest.mark.parametrize("where", FULL)
def test_full_disk_is_an_error_with_its_remedy(where, files, cache, web, monkeypatch):
    files(web)
    module, name = where.split(".")
    monkeypatch.setattr(getattr(fetch, module), name, full_disk)
    with pytest.raises(data.DataError, match=r"No space left on device") as error:
        fetch.find()
    assert "KERAS_HOME" in str(error.value) and "NORMLIB_DATA" in str(error.value)
    assert list(cache.iterdir()) == []


def test_cache_that_cannot_be_written_is_an_error_with_its_remedy(files, web, monkeypatch):
    def refuse(path, **options):
        raise PermissionError(errno.EACCES, "Permission denied", str(path))

    files(web)
    monkeypatch.setattr(fetch.Path, "mkdir", refuse)
    with pytest.raises(data.DataError, match="Permission denied") as error:
        fetch.find()
    assert "KERAS_HOME" in str(error.value) and "NORMLIB_DATA" in str(error.value)


# Debian's package, with scripts in the place of its tools


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


NEEDS_OWN_LISTS = """case "$*" in
  *Dir::State=*update) touch "${2#Dir::State=}/updated" ;;
  *Dir::State=*download*) test -e "${2#Dir::State=}/updated" && touch dataset-fashion-mnist_1.deb ;;
  *) echo "E: Unable to locate package" >&2; exit 100 ;;
esac"""


def test_debian_package_fills_the_cache_when_the_download_fails(debian, cache, tmp_path):
    debian()
    assert fetch.find() == cache and [f.name for f in sorted(cache.iterdir())] == ALL
    assert (tmp_path / "log").read_text().startswith("download dataset-fashion-mnist\n")


def test_debian_package_is_had_without_package_lists(debian, cache, tmp_path):
    debian(NEEDS_OWN_LISTS)
    assert fetch.find() == cache and [f.name for f in sorted(cache.iterdir())] == ALL
    update = (tmp_path / "log").read_text().splitlines()[1]
    assert f"{cache}/.fetching-" in update and "Dir::Cache=" in update and update.endswith("update")


def test_debian_tools_are_not_used_when_the_download_succeeds(debian, files, web, tmp_path):
    debian()
    files(web)
    fetch.find()
    assert not (tmp_path / "log").exists()


@pytest.mark.parametrize("fault", FAULTS)
def test_damaged_debian_package_is_never_kept(fault, debian, cache):
    fault(debian())
    with pytest.raises(data.DataError, match=f"{IMAGES}.gz"):
        fetch.find()
    assert list(cache.iterdir()) == []


def test_failing_apt_is_reported_in_its_own_words(debian, cache):
    debian('printf "W: unsandboxed\nE: the mirror is on fire\nE: so\n" >&2; exit 100')
    with pytest.raises(data.DataError, match=r"dataset-fashion-mnist: .*E: the mirror is on fire"):
        fetch.find()
    assert list(cache.iterdir()) == []


def test_both_failures_of_apt_are_reported_since_the_first_tells_why(debian):
    why = 'echo "E: no network" >&2'
    debian(f'case "$*" in *Dir::*) echo "E: unable to locate" >&2;; *) {why};; esac; exit 100')
    with pytest.raises(data.DataError, match=r"E: no network.*own.*E: unable to locate"):
        fetch.find()


# When nothing works


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


# Profiles and the sample


@pytest.mark.parametrize("name", ["", "Full", "tiny"])
def test_unknown_profile_is_an_error_that_lists_the_valid_ones(name):
    with pytest.raises(ValueError, match=r"full, quick.*received"):
        data.load(name)


def test_profile_comes_from_the_environment(monkeypatch):
    monkeypatch.delenv("NORMLIB_PROFILE")
    assert data.profile() == "full"
    monkeypatch.setenv("NORMLIB_PROFILE", "quick")
    assert data.profile() == "quick"
    monkeypatch.setenv("NORMLIB_PROFILE", "fast")
    with pytest.raises(ValueError, match=r"full, quick.*received 'fast'"):
        data.profile()


def test_sample_is_balanced_and_in_range():
    sample = data.load("quick")
    assert [a.shape for a in sample] == [(2000, 28, 28, 1), (2000,), (1000, 28, 28, 1), (1000,)]
    assert [a.dtype.name for a in sample] == ["float32", "int32", "float32", "int32"]
    assert np.bincount(sample.train_labels).tolist() == [200] * len(data.CLASS_NAMES)
    assert np.bincount(sample.test_labels).tolist() == [100] * len(data.CLASS_NAMES)
    for images in (sample.train_images, sample.test_images):
        assert images.min() == 0 and images.max() == 1
        assert images.std(axis=(1, 2, 3)).min() > 0.01  # no blank image
        assert len(np.unique(images.reshape(len(images), -1), axis=0)) > 0.99 * len(images)


def test_sample_needs_no_files_and_is_never_a_substitute(contents):
    assert len(data.load("quick").train_labels) == 2000
    with pytest.raises(data.DataError):
        data.load("full")


def test_drawing_takes_pairs_of_image_and_label_in_the_order_of_the_data():
    labels = np.random.default_rng(5).permutation(np.repeat(np.arange(10, dtype=np.int32), 210))
    images = np.arange(len(labels), dtype=np.float32).reshape(-1, 1, 1, 1)
    drawn = data.draw_sample(data.Dataset(images, labels, images, labels))
    for chosen, of in [drawn[:2], drawn[2:]]:
        index = chosen.ravel().astype(int)
        assert (np.diff(index) > 0).all() and (labels[index] == of).all()
    assert [len(drawn.train_labels), len(drawn.test_labels)] == [2000, 1000]


def test_sample_is_what_drawing_from_the_full_data_gives(monkeypatch):
    monkeypatch.setattr(fetch, "_fetch", full_disk)  # only what is already on this machine
    _forget()
    try:
        full = data.load("full")
    except data.DataError:
        pytest.skip("the four full files are not on this machine")
    finally:
        _forget()
    for drawn, stored in zip(data.draw_sample(full), data.load("quick"), strict=True):
        np.testing.assert_array_equal(drawn, stored)


# Batch order


def test_batch_order_is_a_permutation_fixed_by_seed_and_epoch():
    order = data.batch_order(3, 1, 1000)
    assert sorted(order) == list(range(1000))
    np.testing.assert_array_equal(order, data.batch_order(3, 1, 1000))
    np.testing.assert_array_equal(order, np.random.default_rng([3, 1]).permutation(1000))


def test_batch_order_differs_by_epoch_by_seed_and_is_not_symmetric_in_them():
    orders = [data.batch_order(*pair, 1000) for pair in [(3, 1), (3, 2), (4, 1), (1, 3)]]
    assert len(np.unique(orders, axis=0)) == 4


def test_two_epochs_have_different_batches_not_reordered_ones():
    first, second = (data.batch_order(0, e, 1000).reshape(10, 100) for e in (0, 1))
    shared = [len(set(a) & set(b)) for a in first for b in second]
    assert max(shared) < 30  # 10 are expected by chance


def test_a_shuffle_buffer_holds_images_back_no_further_than_its_size():
    order = data.buffer_order(3, 1, 5000, buffer=1000)
    assert sorted(order) == list(range(5000))
    assert np.all(order - np.arange(5000) < 1000) and np.ptp(order - np.arange(5000)) > 2000
    assert np.array_equal(order, data.buffer_order(3, 1, 5000, buffer=1000))
    assert sorted(data.buffer_order(3, 1, 60, buffer=1000)) == list(range(60))


def test_sorted_minibatches_are_of_one_class():
    labels = np.random.default_rng(0).permutation(np.repeat(np.arange(10), 60))
    order = data.sorted_order(1, 1, labels, batch=20)
    classes = labels[order].reshape(-1, 20)
    assert sorted(order) == list(range(600)) and np.all(classes == classes[:, :1])
    assert np.any(np.diff(classes[:, 0]) < 0)  # and come in a random order
