"""The recorded data, where their files are available."""

import doctest
import hashlib
import struct

import numpy as np
import pytest

from skae.datasets import fetch_ecg5000, fetch_fashion_mnist, fetch_mnist
from skae.datasets._recorded import ECG5000, FASHION_MNIST, MNIST
from skae.datasets._store import content_hash

# MD5 of the originals, unpacked: an oracle that knows nothing of our npz files.
UNPACKED_MD5 = {
    fetch_mnist: {
        "train": "6bbc9ace898e44ae57da46a324031adb",
        "test": "2646ac647ad5339dbf082846283269ea",
    },
    fetch_fashion_mnist: {
        "train": "f4a8712d7a061bf5bd6d2ca38dc4d50a",
        "test": "8181f5470baa50b63fa0f6fddb340f0a",
    },
}


@pytest.mark.parametrize("fetch", UNPACKED_MD5)
@pytest.mark.parametrize(("subset", "n_samples"), [("train", 60000), ("test", 10000)])
def test_images_are_the_originals(fetch, subset, n_samples, data_folder):
    bunch = fetch(subset=subset, data_home=data_folder, download_if_missing=False)
    assert bunch.data.shape == (n_samples, 28, 28, 1)
    assert bunch.data.dtype == np.float32
    assert bunch.data.min() == 0.0
    assert bunch.data.max() == 1.0
    assert bunch.target.shape == (n_samples,)
    assert set(bunch.target) == set(range(10))
    pixels = np.rint(bunch.data * 255).astype(np.uint8)
    original = struct.pack(">4I", 0x803, n_samples, 28, 28) + pixels.tobytes()
    assert hashlib.md5(original).hexdigest() == UNPACKED_MD5[fetch][subset]


def test_fashion_mnist_has_its_known_moments(data_folder):
    X, y = fetch_fashion_mnist(data_home=data_folder, return_X_y=True)
    assert X.mean(dtype=np.float64) == pytest.approx(0.2860, abs=1e-4)
    assert X.std(dtype=np.float64) == pytest.approx(0.3530, abs=1e-4)
    assert set(np.bincount(y)) == {6000}


def test_all_is_train_then_test(data_folder):
    X, y = fetch_mnist(subset="all", data_home=data_folder, return_X_y=True)
    X_test, y_test = fetch_mnist(subset="test", data_home=data_folder, return_X_y=True)
    assert len(X) == 70000
    assert np.array_equal(X[60000:], X_test)
    assert np.array_equal(y[60000:], y_test)


def test_ecg5000_has_its_known_counts(data_folder):
    bunch = fetch_ecg5000(data_home=data_folder, download_if_missing=False)
    assert bunch.data.shape == (5000, 140)
    assert bunch.data.dtype == np.float32
    assert bunch.target.dtype == np.int64
    assert (bunch.target == 1).sum() == 2919
    assert (bunch.target == -1).sum() == 2081
    np.testing.assert_allclose(bunch.data.mean(axis=1), 0, atol=1e-5)
    np.testing.assert_allclose(bunch.data.std(axis=1, ddof=1), 1, atol=1e-5)


@pytest.mark.parametrize("data_set", [MNIST, FASHION_MNIST, ECG5000])
def test_downloads_are_checked_against_these_very_data(data_set, data_folder):
    with np.load(data_folder / data_set.filename, allow_pickle=False) as npz:
        arrays = {name: npz[name] for name in data_set.layout}
    found = content_hash(arrays, any_row_order=data_set.any_row_order)
    assert found == data_set.content_hash


@pytest.mark.parametrize("fetch", [fetch_ecg5000, fetch_fashion_mnist, fetch_mnist])
def test_examples_run_where_the_data_are(fetch, data_folder, monkeypatch):
    monkeypatch.setenv("SKAE_DATA", str(data_folder))
    text = fetch.__doc__.replace("# doctest: +SKIP", "")
    example = doctest.DocTestParser().get_doctest(text, {}, fetch.__name__, None, 0)
    failed, attempted = doctest.DocTestRunner().run(example)
    assert failed == 0
    assert attempted > 2
