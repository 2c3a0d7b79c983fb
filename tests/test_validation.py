"""Arrays that count as checked are those that scikit-learn's validation returns."""

import re

import numpy as np
import pandas as pd
import pytest
import scipy.sparse
from sklearn.utils.validation import check_array

from skae import (
    AutoencoderTransformer,
    DenoisingRegressor,
    ReconstructionOutlierDetector,
    SlidingWindowDetector,
)
from skae._validation import check_sample_weight, is_checked

rng = np.random.default_rng(0)
PLAIN = {
    "float64": rng.normal(size=(5, 3)),
    "float32": rng.normal(size=(5, 3)).astype(np.float32),
    "one row": rng.normal(size=(1, 3)),
    "huge, but its sum is not": np.array([[1e308, -1e308, 1.0]]),
}
UNUSUAL = {
    "a list": [[1.0, 2.0, 3.0]],
    "a frame": pd.DataFrame(PLAIN["float64"]),
    "integers": np.ones((5, 3), int),
    "float16": np.ones((5, 3), np.float16),
    "strings": np.array([["a", "b", "c"]]),
    "big-endian": np.ones((5, 3), ">f8"),
    "Fortran order": np.asfortranarray(rng.normal(size=(5, 3))),
    "every second row": rng.normal(size=(10, 3))[::2],
    "a matrix": np.ma.masked_array(rng.normal(size=(5, 3))),
    "no rows": np.empty((0, 3)),
    "too wide": np.ones((5, 4)),
    "one axis": np.ones(3),
    "NaN": np.array([[1.0, np.nan, 3.0]]),
    "infinity": np.array([[1.0, np.inf, 3.0]]),
    "both infinities": np.array([[-np.inf, np.inf, 3.0]]),
}


@pytest.mark.parametrize("name", PLAIN)
def test_plain_arrays_are_checked(name):
    X = PLAIN[name]
    assert is_checked(X, (3,), 1)
    assert check_array(X, dtype=(np.float64, np.float32), order="C") is X
    assert not is_checked(X, (3,), 6)


@pytest.mark.parametrize("name", UNUSUAL)
def test_all_else_is_left_to_scikit_learn(name):
    assert not is_checked(UNUSUAL[name], (3,), 1)


@pytest.mark.parametrize("value", [1.0, np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("n", [1, 5000])
def test_a_single_value_is_noticed_among_few_and_many(n, value):
    X = np.ones((n, 3))
    X[n // 2, 1] = value
    assert is_checked(X, (3,), 1) == np.isfinite(value)


def test_many_rows_with_an_infinite_sum_are_left_to_scikit_learn():
    assert is_checked(np.full((2, 3), 1e308), (3,), 1)
    assert not is_checked(np.full((5000, 3), 1e308), (3,), 1)


def test_names_that_are_missing_are_still_noticed():
    frame = pd.DataFrame(PLAIN["float64"], columns=["a", "b", "c"])
    transformer = AutoencoderTransformer(1, epochs=1).fit(frame)
    with pytest.warns(UserWarning, match="X does not have valid feature names"):
        transformer.transform(PLAIN["float64"])


@pytest.mark.parametrize(
    ("row_shape", "passed"),
    [((3,), (2, 5, 3)), ((3,), (5, 3, 1)), ((4, 2), (5, 8)), ((4, 2), (5, 4, 3))],
)
def test_rows_of_another_shape(row_shape, passed):
    fitted = AutoencoderTransformer(1, epochs=1).fit(rng.normal(size=(5, *row_shape)))
    message = (
        f"X has rows of shape {passed[1:]}, but AutoencoderTransformer was fitted on "
        f"rows of shape {row_shape}. Pass rows of that shape."
    )
    with pytest.raises(ValueError, match=re.escape(message)):
        fitted.transform(rng.normal(size=passed))


def test_tables_of_another_width_get_the_usual_message():
    fitted = AutoencoderTransformer(1, epochs=1).fit(rng.normal(size=(5, 3)))
    with pytest.raises(ValueError, match="X has 4 features, but AutoencoderTransf"):
        fitted.transform(rng.normal(size=(5, 4)))


@pytest.mark.parametrize(
    ("weights", "copies"),
    [
        ([1, 2, 0], [1, 2, 0]),
        ([0.5, 3, 0], [0.5, 3, 0]),
        ([1e6, 3e6, 0], [1e6, 3e6, 0]),
        # No counts: the heaviest row counts as one.
        ([0.1, 0.2, 0], [0.5, 1, 0]),
        ([1e-300, 2e-300, 0], [0.5, 1, 0]),
        ([2e6, 4e6, 0], [0.5, 1, 0]),
        ([1, 1e308, 1e308], [1e-308, 1, 1]),
    ],
)
def test_weights_are_copies_where_they_can_be_counts(weights, copies):
    counted = check_sample_weight(weights, np.zeros(3))
    np.testing.assert_allclose(counted, copies, rtol=1e-12)


def test_weights_must_not_all_be_zero():
    with pytest.raises(ValueError, match="at least one non-zero number"):
        check_sample_weight(np.zeros(3), np.zeros(3))


@pytest.mark.parametrize(
    "cls",
    [
        AutoencoderTransformer,
        DenoisingRegressor,
        ReconstructionOutlierDetector,
        SlidingWindowDetector,
    ],
)
def test_sparse_rows_are_refused_with_a_reason(cls):
    X = scipy.sparse.csr_array(np.eye(40))
    with pytest.raises(TypeError, match=r"every value, zeros included. Use X.toarray"):
        cls().fit(X, np.eye(40))
