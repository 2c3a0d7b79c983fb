"""Data that TensorFlow takes over without copying them."""

import numpy as np
import pytest

from skae import _engine as engine
from skae._engine._data import is_aligned

MANY = 300_000  # numbers in more than a megabyte


@pytest.fixture(scope="module")
def tensor_of():
    engine.import_quietly()
    from skae._engine import _tensors

    return _tensors.tensor_of


@pytest.mark.parametrize("shape", [(1,), (7, 3), (5, 4, 3), (1001, 7)])
def test_memory_is_aligned(shape):
    for _ in range(5):
        array = engine.aligned_empty(shape)
        assert array.shape == shape
        assert array.dtype == np.float32
        assert array.flags.c_contiguous
        assert array.flags.writeable
        assert is_aligned(array)


def shares_memory(tensor, array):
    before = float(tensor[-1])
    array[-1] += 1
    return float(tensor[-1]) != before


def test_large_aligned_arrays_are_not_copied(tensor_of):
    array = engine.aligned_empty((MANY,))
    array[:] = np.arange(MANY)
    tensor = tensor_of(array)
    np.testing.assert_array_equal(tensor.numpy(), array)
    assert shares_memory(tensor, array)
    expected = array.sum(dtype=np.float64)
    del array  # the tensor keeps what it needs
    assert tensor.numpy().sum(dtype=np.float64) == expected


@pytest.mark.parametrize("kind", ["small", "unaligned", "read-only", "float64"])
def test_others_are_copied(kind, tensor_of):
    array = engine.aligned_empty((MANY,))
    array[:] = 1
    array = {
        "small": array[:64],
        "unaligned": array[1:],
        "read-only": array,
        "float64": array.astype(np.float64),
    }[kind]
    if kind == "read-only":
        array.flags.writeable = False
    tensor = tensor_of(array)
    assert tensor.dtype == "float32"
    if kind == "read-only":
        array.flags.writeable = True
    assert not shares_memory(tensor, array)


def test_a_gpu_gets_its_own_copy(tensor_of, monkeypatch):
    import tensorflow as tf

    monkeypatch.setattr(tf.config, "list_logical_devices", lambda kind: [kind])
    array = engine.aligned_empty((MANY,))
    array[:] = 1
    assert not shares_memory(tensor_of(array), array)
