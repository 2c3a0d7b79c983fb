"""Which rows are drawn, and in which units."""

import numpy as np
import pandas as pd
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from skae._cli._report import share_an_axis, typical_rows
from skae._cli._search import encoder

ERRORS = npst.arrays(float, st.integers(2, 20), elements=st.floats(0, 10))


@settings(max_examples=50, deadline=None)
@given(ERRORS, st.randoms())
def test_the_drawn_rows_are_the_middle_of_each_class(errors, random):
    y = np.array([1, -1] + [random.choice([1, -1]) for _ in errors[2:]])
    for row, label in zip(typical_rows(errors, y), (1, -1), strict=True):
        assert y[row] == label
        own = errors[y == label]
        assert (own <= errors[row]).sum() >= len(own) / 2
        assert (own >= errors[row]).sum() >= len(own) / 2


@settings(max_examples=50, deadline=None)
@given(ERRORS)
def test_without_labels_the_extremes_are_drawn(errors):
    normal, abnormal = typical_rows(errors, None)
    assert errors[normal] == errors.min()
    assert errors[abnormal] == errors.max()


def shared(X):
    return share_an_axis(encoder(X).fit(X), X[:2])


def test_columns_of_different_units_do_not_share_an_axis():
    rng = np.random.default_rng(0)
    X = pd.DataFrame(rng.normal(size=(50, 6)), columns=list("abcdef"))
    assert shared(X)
    assert shared(X * 0)
    assert not shared(X * [1, 1, 1, 1000, 1000, 1000])
    assert not shared(X + [0, 0, 0, 0, 0, 5000])
