"""Debian's package as a source, with scripts in the place of its tools."""

import pytest
from fake_files import ALL, FAULTS, IMAGES, source

from normlib import data, fetch

NEEDS_OWN_LISTS = """case "$*" in
  *Dir::State=*update) touch "${2#Dir::State=}/updated" ;;
  *Dir::State=*download*) test -e "${2#Dir::State=}/updated" && touch dataset-fashion-mnist_1.deb ;;
  *) echo "E: Unable to locate package" >&2; exit 100 ;;
esac"""


def test_debian_package_fills_the_cache_when_the_download_fails(debian, cache, tmp_path):
    debian()
    assert fetch.find(source()) == cache and [f.name for f in sorted(cache.iterdir())] == ALL
    assert (tmp_path / "log").read_text().startswith("download dataset-fashion-mnist\n")


def test_debian_package_is_had_without_package_lists(debian, cache, tmp_path):
    debian(NEEDS_OWN_LISTS)
    assert fetch.find(source()) == cache and [f.name for f in sorted(cache.iterdir())] == ALL
    update = (tmp_path / "log").read_text().splitlines()[1]
    assert f"{cache}/.fetching-" in update and "Dir::Cache=" in update and update.endswith("update")


def test_debian_tools_are_not_used_when_the_download_succeeds(debian, files, web, tmp_path):
    debian()
    files(web)
    fetch.find(source())
    assert not (tmp_path / "log").exists()


@pytest.mark.parametrize("fault", FAULTS)
def test_damaged_debian_package_is_never_kept(fault, debian, cache):
    fault(debian())
    with pytest.raises(data.DataError, match=f"{IMAGES}.gz"):
        fetch.find(source())
    assert list(cache.iterdir()) == []


def test_failing_apt_is_reported_in_its_own_words(debian, cache):
    debian('printf "W: unsandboxed\nE: the mirror is on fire\nE: so\n" >&2; exit 100')
    with pytest.raises(data.DataError, match=r"dataset-fashion-mnist: .*E: the mirror is on fire"):
        fetch.find(source())
    assert list(cache.iterdir()) == []


def test_both_failures_of_apt_are_reported_since_the_first_tells_why(debian):
    why = 'echo "E: no network" >&2'
    debian(f'case "$*" in *Dir::*) echo "E: unable to locate" >&2;; *) {why};; esac; exit 100')
    with pytest.raises(data.DataError, match=r"E: no network.*own.*E: unable to locate"):
        fetch.find(source())
