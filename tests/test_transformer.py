"""Tests of AutoencoderTransformer in addition to what all estimators share."""

import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import r2_score
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skae import AutoencoderTransformer, DenseNetwork, reconstruction_error


@pytest.fixture(scope="module")
def X():
    return np.random.default_rng(0).normal(size=(80, 6)) * [1, 10, 100, 1, 1, 1]


@pytest.fixture(scope="module")
def fitted(X):
    return AutoencoderTransformer(latent_dim=3, epochs=5, random_state=0).fit(X)


def test_codes_and_back(fitted, X):
    codes = fitted.transform(X)
    assert codes.shape == (80, 3)
    assert fitted.n_components_ == 3
    back = fitted.inverse_transform(codes)
    np.testing.assert_allclose(back, fitted.reconstruct(X), rtol=1e-12)


def test_scores_are_in_the_units_of_X(fitted, X):
    errors = reconstruction_error(X, fitted.reconstruct(X))
    np.testing.assert_allclose(fitted.score_samples(X), -errors)
    assert fitted.score(X) == pytest.approx(-errors.mean())
    assert fitted.reconstruction_err_ == pytest.approx(errors.mean())


def test_r2_is_scikit_learns(fitted, X):
    r2 = r2_score(X, fitted.reconstruct(X), multioutput="variance_weighted")
    assert fitted.r2_ == pytest.approx(r2)


def test_codes_do_not_depend_on_company_or_order(fitted, X):
    codes = fitted.transform(X)
    np.testing.assert_allclose(fitted.transform(X[::-1])[::-1], codes, atol=1e-12)
    one_by_one = np.vstack([fitted.transform(row[np.newaxis]) for row in X])
    np.testing.assert_allclose(one_by_one, codes, atol=1e-12)


def test_default_width(X):
    narrow = AutoencoderTransformer(epochs=1, random_state=0).fit(X)
    assert narrow.n_components_ == 6
    wide = np.random.default_rng(0).normal(size=(40, 50))
    assert AutoencoderTransformer(epochs=1).fit(wide).n_components_ == 32


def test_pandas_out(X):
    frame = pd.DataFrame(X, columns=list("abcdef"), index=np.arange(80) + 7)
    transformer = AutoencoderTransformer(latent_dim=2, epochs=2, random_state=0)
    codes = transformer.set_output(transform="pandas").fit_transform(frame)
    assert codes.index.equals(frame.index)
    assert codes.columns.tolist() == [
        "autoencodertransformer0",
        "autoencodertransformer1",
    ]
    assert transformer.get_feature_names_out().tolist() == codes.columns.tolist()


def test_inverse_transform_checks_the_width(fitted):
    with pytest.raises(ValueError, match="X has 4 columns, but the codes .* width 3"):
        fitted.inverse_transform(np.ones((2, 4)))
    with pytest.raises(ValueError, match="contains NaN"):
        fitted.inverse_transform(np.full((2, 3), np.nan))


def test_workflow_of_a_tuned_pipeline():
    X, y = load_digits(return_X_y=True)
    X, y = X[:400], y[:400]
    pipe = make_pipeline(
        StandardScaler(),
        AutoencoderTransformer(latent_dim=8, epochs=15, random_state=0),
        LogisticRegression(max_iter=500),
    )
    grid = {"autoencodertransformer__latent_dim": [1, 8]}
    search = GridSearchCV(pipe, grid, cv=2).fit(X, y)
    assert search.best_params_ == {"autoencodertransformer__latent_dim": 8}
    assert search.score(X, y) > 0.7


def test_linear_network_is_bounded_by_pca():
    X = load_digits().data[:300]
    pca = PCA(5).fit(X)
    least = ((pca.inverse_transform(pca.transform(X)) - X) ** 2).mean()
    linear = AutoencoderTransformer(
        latent_dim=5,
        network=DenseNetwork((), activation=None),
        scaler=None,
        epochs=1500,
        validation_fraction=None,
        patience=None,
        learning_rate=0.01,
        random_state=0,
    ).fit(X)
    assert least <= linear.reconstruction_err_ <= 1.1 * least


def test_goodness_is_measured_on_some_of_many_rows():
    X = np.random.default_rng(0).normal(size=(10_007, 4))
    transformer = AutoencoderTransformer(2, epochs=1, random_state=0).fit(X)
    some = X[np.linspace(0, 10_006, 10_000).astype(int)]
    assert transformer.reconstruction_err_ == pytest.approx(-transformer.score(some))
