"""Windows of maps: what is seen from every place, and the way back."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from skae._layers._windows import Phases, Windows, multiply, multiply_rows

LENGTHS = st.lists(st.integers(1, 7), min_size=1, max_size=3).map(tuple)
SIZES = st.integers(1, 5)
STRIDES = st.integers(1, 3)


def by_hand(x, size, stride):
    """Return the windows of maps that padding "SAME" makes, place by place."""
    lengths = x.shape[1:-1]
    places = [-(-length // stride) for length in lengths]
    totals = [
        max((n - 1) * stride + size - length, 0)
        for n, length in zip(places, lengths, strict=True)
    ]
    ends = [(total // 2, total - total // 2 + stride) for total in totals]
    padded = np.pad(x, [(0, 0), *ends, (0, 0)])
    seen = np.empty((size ** len(lengths), len(x), *places, x.shape[-1]))
    for i, offset in enumerate(np.ndindex(*(size,) * len(lengths))):
        for place in np.ndindex(*places):
            at = [p * stride + shift for p, shift in zip(place, offset, strict=True)]
            seen[(i, slice(None), *place)] = padded[(slice(None), *at)]
    return seen


def gathered(windows, x):
    columns = np.zeros(windows.columns_shape(len(x), x.shape[-1]))
    windows.gather(x, columns)
    return columns


@given(lengths=LENGTHS, size=SIZES, stride=STRIDES)
def test_windows_are_those_of_same_padding(lengths, size, stride):
    x = np.random.default_rng(0).normal(size=(2, *lengths, 3))
    windows = Windows.same(lengths, size, stride)
    assert np.array_equal(gathered(windows, x), by_hand(x, size, stride))


@given(lengths=LENGTHS, size=SIZES, stride=STRIDES, cut=st.integers(0, 1))
def test_scatter_is_the_transposed_of_gather(lengths, size, stride, cut):
    rng = np.random.default_rng(0)
    kept = tuple(max(1, length - cut) for length in lengths)
    windows = Windows.same(lengths, size, stride, kept)
    x = rng.normal(size=(2, *kept, 3))
    columns = rng.normal(size=windows.columns_shape(2, 3))
    back = np.full_like(x, np.nan)
    windows.scatter(columns, back)
    assert np.vdot(gathered(windows, x), columns) == pytest.approx(
        np.vdot(x, back), abs=1e-9
    )


def test_what_overhangs_is_left_as_it_is():
    windows = Windows.same((3,), 3, 1)
    columns = np.full(windows.columns_shape(1, 1), 7.0)
    windows.gather(np.arange(3.0).reshape(1, 3, 1), columns)
    assert columns.reshape(3, 3).tolist() == [[7, 0, 1], [0, 1, 2], [1, 2, 7]]


@given(lengths=LENGTHS, size=SIZES, stride=STRIDES, cut=st.integers(0, 1))
def test_phases_are_products_that_are_scattered(lengths, size, stride, cut):
    rng = np.random.default_rng(0)
    kept = lengths
    if stride > 1:  # what is cut may not take a whole place
        kept = tuple(n - cut if n % stride != 1 else n for n in lengths)
    windows = Windows.same(lengths, size, stride, kept)
    _, places, *_ = windows.geometry
    kernel = rng.normal(size=(*(size,) * len(lengths), 2, 3))
    x = rng.normal(size=(3, *places, 4))
    columns = kernel.reshape(-1, 3) @ x.reshape(3, -1)
    expected = np.empty((2, *kept, 4))
    windows.scatter(columns.reshape(windows.columns_shape(2, 4)), expected)
    phases = Phases(*windows.geometry)
    memory = phases.memory(3, 2, 4, np.float64)
    for _ in range(2):
        out = np.full_like(expected, np.nan)
        phases.spread(kernel, x, memory, out)
        np.testing.assert_allclose(out, expected, rtol=1e-9, atol=1e-9)
    bias = np.array([2.0, -3.0]).reshape(2, *(1,) * (x.ndim - 1))
    phases.spread(kernel, x, memory, out, bias)
    np.testing.assert_allclose(out, expected + bias, rtol=1e-9, atol=1e-9)
    windows.scatter(columns.reshape(windows.columns_shape(2, 4)), out, bias)
    np.testing.assert_allclose(out, expected + bias, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize(
    ("n_1", "n_2", "length"),
    [
        (3, 5, 7),  # small
        (40, 10, 2500),  # one piece to the number
        (40, 10, 2501),  # a piece more, of one number
        (80, 70, 900),  # where pieces would be too short
    ],
)
def test_products_in_pieces_are_the_products(n_1, n_2, length):
    rng = np.random.default_rng(0)
    tall, wide = rng.normal(size=(n_1, n_2)), rng.normal(size=(n_2, length))
    out = np.full((n_1, length), np.nan)
    multiply(tall, wide, out)
    np.testing.assert_allclose(out, tall @ wide, rtol=1e-9, atol=1e-9)
    found = np.full((n_1, n_2), np.nan)
    multiply_rows(out, wide, found)
    np.testing.assert_allclose(found, out @ wide.T, rtol=1e-9, atol=1e-9)
