"""BlockKFold tests on blocks of time, and trains on no row near them."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from skae.model_selection import BlockKFold


@given(
    n_splits=st.integers(2, 6),
    gap=st.integers(0, 8),
    spans=st.lists(st.tuples(st.integers(1, 9), st.integers(1, 9)), min_size=6),
    labelled=st.booleans(),
)
@settings(max_examples=60, deadline=None)
def test_every_split(n_splits, gap, spans, labelled):
    y = np.concatenate([np.repeat([1, -1], span) for span in spans] + [np.ones(60)])
    splitter = BlockKFold(n_splits, gap=gap)
    X = np.zeros((len(y), 1))
    folds = list(splitter.split(X, y if labelled else None))
    assert len(folds) == splitter.get_n_splits() == n_splits
    # Every row is tested once, in the order of time.
    assert_array_equal(np.concatenate([test for _, test in folds]), np.arange(len(y)))
    n_spans = []
    for train, test in folds:
        assert_array_equal(test, np.arange(test[0], test[-1] + 1))
        near = np.arange(test[0] - gap, test[-1] + gap + 1)
        assert_array_equal(train, np.setdiff1d(np.arange(len(y)), near))
        n_spans.append(np.sum(np.diff(np.r_[1, y[test]]) < 0))
    if labelled:
        assert max(n_spans) - min(n_spans) <= 1
        assert sum(n_spans) == len(spans)  # none is cut
        assert all(set(y[test]) == {1, -1} for _, test in folds)
    else:
        sizes = [len(test) for _, test in folds]
        assert max(sizes) - min(sizes) <= 1


def test_blocks_are_as_even_as_the_spans_allow():
    y = np.ones(100)
    y[[2, 3, 50, 90]] = -1
    tests = [test for _, test in BlockKFold(3, gap=0).split(y, y)]
    assert [len(test) for test in tests] == [33, 33, 34]
    y[[50, 90]] = 1
    y[[6, 8]] = -1
    assert [len(test) for _, test in BlockKFold(3, gap=0).split(y, y)] == [6, 2, 92]


@pytest.mark.parametrize(
    ("params", "n", "labels", "message"),
    [
        ({"n_splits": 1}, 9, None, "n_splits must be an integer of at least 2"),
        ({"gap": -1}, 9, None, "gap must be an integer of at least 0, but is -1"),
        ({"gap": 0.5}, 9, None, "gap must be an integer of at least 0, but is 0.5"),
        ({}, 4, None, "n_splits=5 blocks, but there are 4 rows. Lower"),
        ({"gap": 5}, 9, None, "gap=5 leaves none of 9 rows to train on outside"),
        ({"n_splits": 2}, 9, {4: -1}, "y holds 1 in 9 rows. Lower n_splits"),
        ({"n_splits": 2}, 9, {4: 0}, "labels"),
    ],
)
def test_messages(params, n, labels, message):
    y = None
    if labels is not None:
        y = np.ones(n)
        for row, label in labels.items():
            y[row] = label
    with pytest.raises(ValueError, match=message):
        list(BlockKFold(**params).split(np.zeros((n, 1)), y))


def test_another_number_of_labels():
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        list(BlockKFold(2).split(np.zeros((9, 1)), np.ones(8)))
