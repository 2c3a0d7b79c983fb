"""Tests of the choice of a width."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline

from skae.metrics import reconstruction_score, smallest_within_one_se


class ToyTransformer(TransformerMixin, BaseEstimator):
    """PCA with the parameter name of an autoencoder."""

    def __init__(self, latent_dim=None):
        self.latent_dim = latent_dim

    def fit(self, X, y=None):
        self.pca_ = PCA(self.latent_dim).fit(X)
        return self

    def transform(self, X):
        return self.pca_.transform(X)

    def inverse_transform(self, X):
        return self.pca_.inverse_transform(X)


def results_of(scores, **parameters):
    """Make the ``cv_results_`` of a search from the scores per candidate and split."""
    scores = np.array(scores, dtype=float)
    return {
        **{f"param_{name}": column for name, column in parameters.items()},
        **{f"split{i}_test_score": column for i, column in enumerate(scores.T)},
        "mean_test_score": scores.mean(axis=1),
        "std_test_score": scores.std(axis=1),
    }


# Means 0.5, 0.8, 0.85 and 0.2; the best one's standard error is 0.15 / sqrt(2).
SCORES = [[0.5, 0.5], [0.7, 0.9], [0.7, 1.0], [0.2, 0.2]]


class TestSmallestWithinOneSE:
    @given(
        scores=st.lists(
            st.lists(st.floats(-10, 10), min_size=3, max_size=3), min_size=1, max_size=8
        ),
        data=st.data(),
    )
    @settings(max_examples=60, deadline=None)
    def test_no_narrower_candidate_is_good_enough(self, scores, data):
        widths = np.array(
            data.draw(
                st.lists(st.integers(1, 5), min_size=len(scores), max_size=len(scores))
            )
        )
        results = results_of(scores, latent_dim=widths)
        chosen = smallest_within_one_se(results)
        means, stds = results["mean_test_score"], results["std_test_score"]
        best = means.argmax()
        good = means >= means[best] - stds[best] / np.sqrt(3)
        assert good[chosen]
        assert widths[chosen] == widths[good].min()
        alike = good & (widths == widths[chosen])
        assert means[chosen] == means[alike].max()

    @pytest.mark.parametrize(
        ("widths", "expected"),
        [
            ([2, 4, 8, 16], 1),
            ([2, 8, 4, 16], 2),
            # Equally narrow: the better one.
            ([2, 4, 4, 16], 2),
            # The network's own width counts as the widest.
            ([2, None, 8, 16], 2),
            ([2, None, None, 16], 2),
            (np.ma.array([2, 4, 8, 16], mask=[0, 1, 0, 0]), 2),
            (pd.Series([2, None, 8, 16]), 2),
        ],
    )
    @pytest.mark.parametrize("prefix", ["", "step__", "outer__step__"])
    def test_cases(self, widths, expected, prefix):
        results = results_of(SCORES, **{f"{prefix}latent_dim": widths})
        assert smallest_within_one_se(results) == expected
        assert type(smallest_within_one_se(results)) is int

    def test_data_frame_of_results(self):
        frame = pd.DataFrame(results_of(SCORES, latent_dim=[2, None, 8, 16]))
        assert smallest_within_one_se(frame) == 2

    def test_equal_candidates_keep_their_order(self):
        assert (
            smallest_within_one_se(results_of([[1, 1]] * 3, latent_dim=[3, 3, 3])) == 0
        )

    def test_candidates_that_failed_are_left_out(self):
        results = results_of([[np.nan, 1.0], *SCORES[1:3]], latent_dim=[1, 4, 8])
        assert smallest_within_one_se(results) == 1

    def test_search(self):
        # The classes differ along one of three strong directions; the others are noise.
        rng = np.random.default_rng(0)
        codes = rng.normal(size=(200, 3)) * [3, 2, 2]
        X = codes @ rng.normal(size=(3, 12)) + 0.1 * rng.normal(size=(200, 12))
        y = codes[:, 2] > 0
        search = GridSearchCV(
            make_pipeline(ToyTransformer(), LogisticRegression()),
            {"toytransformer__latent_dim": [None, 9, 6, 3, 1]},
            refit=smallest_within_one_se,
            error_score="raise",
        ).fit(X, y)
        assert search.best_params_ == {"toytransformer__latent_dim": 3}
        assert search.predict(X).shape == y.shape

    def test_unlabelled_search(self):
        X = np.random.default_rng(0).normal(size=(60, 5))
        search = GridSearchCV(
            ToyTransformer(),
            {"latent_dim": [1, 2, 3]},
            scoring=reconstruction_score,
            refit=smallest_within_one_se,
            error_score="raise",
        ).fit(X)
        # Equal directions: every one that is left out costs far more than chance.
        assert search.best_params_ == {"latent_dim": 3}

    def test_several_metrics_are_refused(self):
        results = results_of(SCORES, latent_dim=[1, 2, 3, 4])
        results = {
            key.replace("_score", "_f1"): column for key, column in results.items()
        }
        with pytest.raises(ValueError, match=r"holds the metrics \['f1'\]. Pass one"):
            smallest_within_one_se(results)

    @pytest.mark.parametrize(
        ("parameters", "found"),
        [
            ({"alpha": [1, 2, 3, 4]}, r"\['param_alpha'\]"),
            ({"not_latent_dim": [1, 2, 3, 4]}, r"\['param_not_latent_dim'\]"),
            (
                {"a__latent_dim": [1, 2, 3, 4], "b__latent_dim": [1, 2, 3, 4]},
                r"\['param_a__latent_dim', 'param_b__latent_dim'\]",
            ),
        ],
    )
    def test_one_latent_dim_is_needed(self, parameters, found):
        message = f"needs one parameter named latent_dim, .* holds {found}. Search over"
        with pytest.raises(ValueError, match=message):
            smallest_within_one_se(results_of(SCORES, **parameters))

    def test_no_finite_score(self):
        results = results_of([[np.nan, 1.0]] * 2, latent_dim=[1, 2])
        with pytest.raises(ValueError, match="but all 2 scores are nan or infinite"):
            smallest_within_one_se(results)
