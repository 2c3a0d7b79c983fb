"""The pipelines that compete: same rows, same size of search, no handicap."""

from math import prod

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.base import clone
from sklearn.decomposition import PCA
from sklearn.utils.estimator_checks import parametrize_with_checks

from skae._cli._search import (
    LATENT_DIMS,
    PCAReconstruction,
    contenders,
    latent_dims,
)
from skae.thresholds import Contamination, Quantile


@settings(max_examples=50, deadline=None)
@given(n_features=st.integers(2, 200), n_rows=st.integers(2, 200))
def test_codes_are_narrower_than_the_table(n_features, n_rows):
    widths = latent_dims(n_features, n_rows)
    assert widths == sorted(set(widths))
    assert 1 <= widths[0] <= widths[-1] < min(n_features, n_rows)


def test_wide_tables_are_searched_over_all_widths():
    assert latent_dims(140, 1000) == list(LATENT_DIMS)


@pytest.mark.parametrize("widths", [[1], [1, 2, 3], [2, 4, 8, 16]])
def test_every_contender_has_as_many_candidates(widths):
    for _, detector, grid in contenders(widths, epochs=1, seed=0):
        assert prod(map(len, grid.values())) == len(widths)
        assert set(grid) <= set(detector.get_params())


def test_the_forest_is_searched_with_its_defaults_among_the_candidates():
    _, _, grid = contenders([1], epochs=1, seed=0)[2]
    assert grid == {"max_features": (1.0,)}


@pytest.mark.draws_globally("scikit-learn's checks shuffle with numpy.random")
@parametrize_with_checks([PCAReconstruction(1)])
def test_pca_passes_the_common_checks(estimator, check):
    check(estimator)


def test_pca_errors_are_those_of_pca():
    X = np.random.default_rng(0).normal(size=(60, 5))
    detector = PCAReconstruction(2).fit(X)
    pca = PCA(2).fit(X)
    errors = ((X - pca.inverse_transform(pca.transform(X))) ** 2).mean(axis=1)
    np.testing.assert_allclose(-detector.score_samples(X), errors)
    assert (detector.predict(X) == -1).sum() == 6  # Contamination(0.1)
    flagged = clone(detector).set_params(threshold=Contamination(0.5)).fit(X).predict(X)
    assert (flagged == -1).sum() == 30
    threshold = -PCAReconstruction(2, threshold=Quantile(1.0)).fit(X).offset_
    assert threshold == pytest.approx(errors.max(), rel=2e-5)  # clear of the error
