"""The table of the features with the largest errors."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skae import ReconstructionOutlierDetector
from skae._row_errors import explanation_table, feature_names


def table(errors, *, index=None, names=None, top_k=2, X=None):
    errors = np.asarray(errors, dtype=float)
    X = np.arange(errors.size, dtype=float).reshape(errors.shape) if X is None else X
    return explanation_table(X, X + 0.5, errors, index=index, names=names, top_k=top_k)


def test_the_largest_errors_of_each_row_come_first():
    found = table([[1, 6, 3], [0, 0, 2]], names=["a", "b", "c"])
    expected = pd.DataFrame(
        {
            "row": [0, 0, 1, 1],
            "rank": [1, 2, 1, 2],
            "feature": ["b", "c", "c", "a"],
            "value": [1.0, 2.0, 5.0, 3.0],
            "reconstruction": [1.5, 2.5, 5.5, 3.5],
            "error": [6.0, 3.0, 2.0, 0.0],
            "share": [0.6, 0.3, 1.0, 0.0],
        }
    )
    pd.testing.assert_frame_equal(found, expected, check_dtype=False)


@settings(max_examples=40, deadline=None)
@given(
    shape=st.lists(st.integers(1, 4), min_size=2, max_size=4),
    top_k=st.integers(1, 70),
    seed=st.integers(0, 1000),
)
def test_identities(shape, top_k, seed):
    errors = np.random.default_rng(seed).random(shape)
    found = table(errors, top_k=top_k)
    n, width = shape[0], errors[0].size
    kept = min(top_k, width)
    assert list(found.columns) == (
        ["row", "rank", "feature", "value", "reconstruction", "error", "share"]
    )
    assert len(found) == n * kept
    for row, part in found.groupby("row"):
        assert part["rank"].tolist() == list(range(1, kept + 1))
        assert part["error"].is_monotonic_decreasing
        assert part["feature"].is_unique
        # The names are those of the places that the errors come from.
        places = dict(zip(feature_names(shape[1:]), errors[row].ravel(), strict=True))
        assert [places[name] for name in part["feature"]] == part["error"].tolist()
        total = part["share"].sum()
        assert total <= 1 + 1e-12
        if kept == width:
            assert total == pytest.approx(1)
            assert part["error"].sum() == pytest.approx(errors[row].sum())


def test_equal_errors_keep_the_order_of_the_features():
    assert table([[1, 1, 1]], top_k=3)["feature"].tolist() == ["x0", "x1", "x2"]


def test_a_row_without_error_has_no_shares():
    assert table([[0, 0]])["share"].tolist() == [0, 0]


@pytest.mark.parametrize(
    ("shape", "names"),
    [
        ((3,), ["x0", "x1", "x2"]),
        ((2, 2), ["x[0, 0]", "x[0, 1]", "x[1, 0]", "x[1, 1]"]),
        ((1, 2, 1), ["x[0, 0, 0]", "x[0, 1, 0]"]),
    ],
)
def test_features_without_names_are_counted(shape, names):
    assert feature_names(shape).tolist() == names


@pytest.mark.parametrize(
    "index",
    [
        pd.Index(["r", "s"]),
        pd.Index([7, 3]),
        pd.Index([5, 5]),
        pd.date_range("2020", periods=2, tz="UTC"),
        pd.CategoricalIndex(["u", "v"]),
    ],
    ids=lambda index: type(index).__name__,
)
def test_rows_have_the_labels_of_the_table_that_they_come_from(index):
    found = table([[1, 2], [3, 4]], index=index)
    assert found["row"].tolist() == [index[0], index[0], index[1], index[1]]
    assert found["row"].dtype == index.dtype
    assert found.index.tolist() == [0, 1, 2, 3]


def test_labels_of_several_levels_are_tuples():
    index = pd.MultiIndex.from_tuples([("a", 1), ("b", 2)])
    found = table([[1, 2], [3, 4]], index=index, top_k=1)
    assert found["row"].tolist() == [("a", 1), ("b", 2)]


# --------------------------------------------------------- who is to blame, measured


def independent(rng, shape):
    return rng.normal(size=shape)


def correlated(rng, shape):
    """Return columns that three hidden factors move together, with some noise."""
    n_rows, n_columns = shape
    factors = rng.normal(size=(n_rows, 3)) @ rng.normal(size=(3, n_columns))
    return factors + 0.3 * rng.normal(size=shape)


@pytest.mark.parametrize("n_columns", [4, 6, 20])
@pytest.mark.parametrize("make_rows", [independent, correlated])
def test_a_shifted_feature_ranks_first(make_rows, n_columns):
    """One feature of a row, moved by 6 standard deviations, is the first to blame."""
    n_trials = 100
    found = []
    for seed in (0, 1):
        rng = np.random.default_rng(seed)
        X = make_rows(rng, (1000 + n_trials, n_columns))
        normal, outliers = X[:1000], X[1000:]
        detector = ReconstructionOutlierDetector(epochs=60, random_state=seed)
        detector.fit(normal)
        trials, shifted = np.arange(n_trials), rng.integers(n_columns, size=n_trials)
        signs = rng.choice([-1, 1], n_trials)
        outliers[trials, shifted] += 6 * signs * normal.std(axis=0)[shifted]
        errors = detector.feature_errors(outliers)
        np.testing.assert_allclose(
            errors.sum(axis=1), -detector.score_samples(outliers)
        )
        first = detector.explain(outliers, top_k=1)["feature"]
        found.extend(first == feature_names((n_columns,))[shifted])
    assert len(found) == 200
    assert np.mean(found) >= 0.9
