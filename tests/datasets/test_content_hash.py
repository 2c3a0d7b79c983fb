"""The digest that tells a data set from any other."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from skae.datasets._store import content_hash

tables = hnp.arrays(
    np.float32,
    hnp.array_shapes(min_dims=2, max_dims=3, min_side=1, max_side=5),
    elements=st.floats(-10, 10, width=32),
)


def with_row_numbers(X):
    return {"X": X, "y": np.arange(len(X))}


@settings(max_examples=40, deadline=None)
@given(X=tables, any_row_order=st.booleans())
def test_storage_does_not_matter(X, any_row_order):
    arrays = with_row_numbers(X)
    stored = {
        "y": arrays["y"].astype(">i8"),
        "X": np.asfortranarray(X).astype(X.dtype.newbyteorder(">")),
    }
    expected = content_hash(arrays, any_row_order=any_row_order)
    assert content_hash(stored, any_row_order=any_row_order) == expected


@settings(max_examples=40, deadline=None)
@given(X=tables, data=st.data())
def test_order_of_rows_matters_by_default_only(X, data):
    arrays = with_row_numbers(X)
    order = np.array(data.draw(st.permutations(range(len(X)))))
    moved = {name: array[order] for name, array in arrays.items()}
    assert content_hash(moved, any_row_order=True) == content_hash(
        arrays, any_row_order=True
    )
    same_order = np.array_equal(order, np.arange(len(X)))
    assert (content_hash(moved) == content_hash(arrays)) == same_order


@pytest.mark.parametrize("any_row_order", [False, True])
def test_every_value_name_shape_and_pairing_matters(any_row_order):
    X = np.arange(12, dtype=np.float32).reshape(4, 3)
    y = np.arange(4)
    changed = X.copy()
    changed[2, 1] = np.nextafter(changed[2, 1], np.float32(99))
    variants = [
        {"X": X, "y": y},
        {"X": changed, "y": y},
        {"X": X, "y": y[::-1]},
        {"X": X, "labels": y},
        {"X": X[..., None], "y": y},
        {"X": X, "y": y.astype(np.int32)},
        {"X": X},
    ]
    digests = {content_hash(arrays, any_row_order=any_row_order) for arrays in variants}
    assert len(digests) == len(variants)
