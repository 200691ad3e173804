"""Profiles, the sample, images as arrays, and the order of the minibatches."""

import numpy as np
import pytest
from fake_files import IMAGES, LABELS, TEST_LABELS, forget, full_disk

from normlib import data, fetch
from normlib.arm import Arm


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
    with pytest.raises(
        ValueError, match=r"^NORMLIB_PROFILE must be .*full, quick.*received 'fast'"
    ):
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


def draw_sample(images):
    """How the sample was drawn: 200 training and 100 test images of each class, in their order."""
    rows = [_balanced(images.train_labels, 200), _balanced(images.test_labels, 100)]
    return (*(part[rows[0]] for part in images[:2]), *(part[rows[1]] for part in images[2:]))


def _balanced(labels, per_class):
    rng = np.random.default_rng(0)
    chosen = [rng.choice(np.flatnonzero(labels == c), per_class, replace=False) for c in range(10)]
    return np.sort(np.concatenate(chosen))


def test_sample_is_what_drawing_from_the_full_data_gives(monkeypatch):
    monkeypatch.setattr(fetch, "_fetch", full_disk)  # only what is already on this machine
    forget()
    try:
        full = data.load("full")
    except data.DataError:
        pytest.skip("the four full files are not on this machine")
    finally:
        forget()
    for drawn, stored in zip(draw_sample(full), data.load("quick"), strict=True):
        np.testing.assert_array_equal(drawn, stored)


def test_loading_decodes_the_files_found(files, cache, contents):
    files(cache)
    loaded = data.load("full")
    pixels = np.frombuffer(contents[IMAGES][16:], np.uint8).reshape(5, 28, 28, 1)
    np.testing.assert_array_equal(loaded.train_images, pixels / np.float32(255))
    np.testing.assert_array_equal(loaded.train_labels, list(contents[LABELS][8:]))
    np.testing.assert_array_equal(loaded.test_labels, list(contents[TEST_LABELS][8:]))
    assert [a.dtype.name for a in loaded] == ["float32", "int32", "float32", "int32"]
    assert [a.shape for a in loaded] == [(5, 28, 28, 1), (5,), (3, 28, 28, 1), (3,)]


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


def test_the_orders_are_those_that_the_archive_was_made_with():
    """They are in no hash of the sources: see `provenance.sources`."""
    assert data.buffer_order(3, 1, 8, buffer=3).tolist() == [2, 0, 1, 5, 3, 7, 6, 4]
    labels = np.array([1, 0, 1, 0, 2, 2, 0])
    assert data.sorted_order(3, 1, labels, 2).tolist() == [1, 6, 0, 4, 3, 2]
    held = data.validation_split(data.load("quick")).test_labels
    assert len(held) == 166 and held[:12].tolist() == [0, 3, 0, 6, 0, 9, 7, 7, 8, 1, 5, 1]


def test_more_images_than_there_are_is_an_error():
    with pytest.raises(ValueError, match="examples must be at most 2000; received 2001"):
        data.images(Arm(profile="quick", examples=2001))
