"""Outlier metrics: outliers are the class that is scored; other labels are refused."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.testing import assert_allclose
from sklearn.exceptions import UndefinedMetricWarning
from sklearn.metrics import average_precision_score, f1_score, roc_auc_score

from skae.metrics import (
    outlier_average_precision_score,
    outlier_f1_score,
    outlier_roc_auc_score,
)

RANKINGS = [outlier_average_precision_score, outlier_roc_auc_score]


@st.composite
def labels_and_scores(draw):
    """Labels of both classes, scores with ties, and whole weights of both classes."""
    n = draw(st.integers(2, 30))
    y = draw(arrays(np.int64, n, elements=st.sampled_from([-1, 1])))
    y[:2] = [-1, 1]
    scores = draw(arrays(np.float64, n, elements=st.integers(-5, 5).map(float)))
    copies = draw(arrays(np.int64, n, elements=st.integers(0, 3)))
    copies[:2] += 1
    return y, scores, copies


class TestOutlierMetrics:
    @given(sample=labels_and_scores())
    @settings(max_examples=50, deadline=None)
    def test_they_are_scikit_learns_with_outliers_as_positives(self, sample):
        y, scores, _ = sample
        predicted = np.where(scores >= 0, 1, -1)
        assert_allclose(
            outlier_f1_score(y, predicted),
            f1_score(y, predicted, pos_label=-1, zero_division=0.0),
        )
        assert_allclose(
            outlier_average_precision_score(y, scores),
            average_precision_score(y, -scores, pos_label=-1),
        )
        assert_allclose(outlier_roc_auc_score(y, scores), roc_auc_score(y, scores))

    @given(sample=labels_and_scores())
    @settings(max_examples=50, deadline=None)
    @pytest.mark.parametrize("metric", [outlier_f1_score, *RANKINGS])
    def test_weight_of_k_is_k_copies(self, metric, sample):
        y, scores, copies = sample
        values = np.where(scores >= 0, 1, -1) if metric is outlier_f1_score else scores
        repeated = metric(np.repeat(y, copies), np.repeat(values, copies))
        assert_allclose(
            metric(y, values, sample_weight=copies), repeated, rtol=1e-9, atol=1e-12
        )

    @pytest.mark.parametrize("metric", RANKINGS)
    def test_low_scores_of_outliers_are_good(self, metric):
        y, scores = [1, 1, 1, -1], np.array([3.0, 2.0, 4.0, 1.0])
        assert metric(y, scores) == 1.0
        assert metric(y, -scores) < 0.5

    @pytest.mark.parametrize(
        ("y_true", "y_pred"), [([1, -1], [1, 1]), ([1, -1, 1], [-1, 1, 1])]
    )
    def test_f1_without_true_positives_is_zero_in_silence(self, y_true, y_pred):
        assert outlier_f1_score(y_true, y_pred) == 0.0

    @pytest.mark.parametrize("metric", [outlier_f1_score, *RANKINGS])
    def test_labels_may_come_as_floats_or_series(self, metric):
        y = np.array([1, -1, 1, -1])
        assert metric(pd.Series(y), y.astype(float)) == 1.0
        assert type(metric(y, y)) is float

    @pytest.mark.parametrize("metric", [outlier_f1_score, *RANKINGS])
    @pytest.mark.parametrize(
        ("y_true", "message"),
        [
            ([0, 1, 1], r"holds 0, 1. If 1 marks .* np.where\(y_true == 1, -1, 1\)"),
            ([False, True, True], r"holds False, True. If 1 marks the outliers"),
            ([True, True, True], r"holds True. If 1 marks the outliers"),
            ([1, -1, 2], r"holds 1, -1, 2. Map outliers to -1"),
            (["1", "-1", "1"], r"holds '1', '-1'. Map outliers to -1"),
            ([1.0, -1.0, np.nan], r"holds 1.0, -1.0, nan. Map outliers to -1"),
        ],
    )
    def test_other_labels_are_refused(self, metric, y_true, message):
        expected = (
            r"y_true must hold only the labels \+1 \(normal\) and -1 .* " + message
        )
        with pytest.raises(ValueError, match=expected):
            metric(y_true, [1, -1, 1])

    def test_many_other_labels_are_named_in_short(self):
        with pytest.raises(ValueError, match=r"holds 0, 1, 2, 3, 4 and others\. Map"):
            outlier_f1_score(np.arange(100), np.ones(100))

    def test_predictions_of_other_labels_are_refused(self):
        with pytest.raises(ValueError, match="y_pred must hold only the labels"):
            outlier_f1_score([1, -1], [1, 0])

    @pytest.mark.parametrize("metric", RANKINGS)
    @pytest.mark.parametrize(
        ("y_true", "weights", "lacking"),
        [
            ([1, 1], None, "outliers"),
            ([-1.0, -1.0], None, "normal rows"),
            ([1, -1], [1, 0], "outliers"),
        ],
    )
    def test_one_class_alone_has_no_ranking(self, metric, y_true, weights, lacking):
        message = f"y_true holds no {lacking} .* are nan"
        with pytest.warns(UndefinedMetricWarning, match=message):
            assert np.isnan(metric(y_true, [0.1, 0.2], sample_weight=weights))

    @pytest.mark.parametrize(
        ("y_pred", "weights"), [([1, 1], None), ([1, -1], None), ([1, -1], [1, 2])]
    )
    def test_normal_rows_alone_have_no_f1(self, y_pred, weights):
        y_true = [1, 1] if weights is None else [1, 1, -1]
        if weights is not None:
            y_pred, weights = [*y_pred, -1], [*weights, 0]
        with pytest.warns(UndefinedMetricWarning, match="holds no outliers"):
            assert np.isnan(outlier_f1_score(y_true, y_pred, sample_weight=weights))

    @pytest.mark.parametrize("metric", [outlier_f1_score, *RANKINGS])
    def test_lengths_and_weights_are_checked(self, metric):
        with pytest.raises(ValueError, match="inconsistent numbers of samples"):
            metric([1, -1], [1, -1, 1])
        with pytest.raises(ValueError, match="Negative values in data"):
            metric([1, -1], [1, -1], sample_weight=[1, -1])
