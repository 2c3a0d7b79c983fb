"""Batch orders and the forward pass: NumPy alone."""

import itertools
import sys

import numpy as np
import pytest

from skae import engine


def first_orders(*args, count=3):
    return list(itertools.islice(engine.batch_orders(*args), count))


def test_every_epoch_sees_every_row_once():
    for order in first_orders(0, 20):
        assert order.dtype == np.int32
        assert sorted(order) == list(range(20))


def test_orders_depend_on_seed_epoch_and_beginning():
    orders = first_orders(0, 20)
    assert np.array_equal(orders, first_orders(0, 20))
    others = first_orders(1, 20), first_orders(0, 20, 1), [*orders[1:], orders[0]]
    for other in others:
        assert not any(map(np.array_equal, orders, other))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_forward_is_a_stack_of_dense_layers(dtype):
    rng = np.random.default_rng(0)
    shapes = (4, 3), (3,), (3, 2), (2,)
    weights = [rng.normal(size=shape).astype(np.float32) for shape in shapes]
    x = rng.normal(size=(5, 4)).astype(dtype)
    given = x.copy()
    cast = engine.cast(weights, dtype)
    output = engine.forward(x, cast, ["relu", None])
    hidden = np.maximum(x @ cast[0] + cast[1], 0)
    np.testing.assert_allclose(output, hidden @ cast[2] + cast[3], rtol=1e-6)
    assert output.dtype == dtype
    assert np.array_equal(x, given)


def test_a_cast_copies_only_where_it_must():
    weights = [np.ones(3, np.float32)]
    assert engine.cast(weights, np.float32)[0] is weights[0]
    assert engine.cast(weights, np.float64)[0].dtype == np.float64


def test_describing_what_is_not_keras_imports_nothing(monkeypatch):
    monkeypatch.setattr(
        sys.modules["skae.engine"], "import_quietly", lambda: pytest.fail("imported")
    )
    assert engine.keras_config(np.ones(3)) is None
