import matplotlib.pyplot as plt
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from skae.inspection import ErrorHistogramDisplay
from skae.inspection._common import count_bins, histogram_edges

error_arrays = arrays(
    np.float64,
    st.integers(1, 60),
    elements=st.one_of(st.just(0.0), st.floats(1e-9, 1e12)),
)


def heights(display):
    return [patch.get_data().values for patch in display.histograms_]


@settings(max_examples=40, deadline=None)
@given(errors=error_arrays, log=st.sampled_from([True, False, "auto"]), data=st.data())
def test_every_row_is_counted_once(errors, log, data):
    y = data.draw(arrays(np.int64, len(errors), elements=st.sampled_from([1, -1])))
    display = ErrorHistogramDisplay(errors, threshold=1.0, y=y)
    display.plot(plt.figure().subplots(), log=log)
    classes = [label for label in (1, -1) if (y == label).any()]
    counted = [values.sum() for values in heights(display)]
    assert counted == [np.sum(y == label) for label in classes]
    assert 1 <= len(display.edges_) - 1 <= 80
    plt.close("all")


@settings(max_examples=40, deadline=None)
@given(values=error_arrays, log=st.booleans())
def test_edges_increase_and_hold_all_values(values, log):
    values = np.maximum(values, 1e-9)
    edges = histogram_edges([values], log=log)
    assert (np.diff(edges) > 0).all()
    assert edges[0] <= values.min() <= values.max() <= edges[-1]


def test_automatic_bins_are_those_of_numpy():
    values = np.random.default_rng(0).normal(size=1000)
    expected = np.histogram_bin_edges(values, bins="fd")
    np.testing.assert_allclose(histogram_edges([values]), expected)
    assert count_bins(np.ptp(values) * 1e9, values) == 80


def test_the_training_errors(detector):
    display = ErrorHistogramDisplay.from_estimator(detector)
    (patch,) = display.histograms_
    assert patch.get_data().values.sum() == len(detector.train_errors_)
    assert display.threshold_line_.get_xdata() == [detector.threshold_] * 2
    label = f"threshold {detector.threshold_:.3g}"
    assert display.threshold_line_.get_label() == label
    assert display.ax_.get_xlabel() == "reconstruction error"
    assert display.ax_.get_ylabel() == "number of samples"
    assert display.figure_ is display.ax_.figure


def test_labelled_rows(detector, waves, labels):
    _, ax = plt.subplots()
    display = ErrorHistogramDisplay.from_estimator(detector, waves, labels, ax=ax)
    assert display.ax_ is ax
    words = [text.get_text() for text in ax.get_legend().get_texts()]
    assert words[:2] == ["inliers (117)", "outliers (3)"]
    errors = -detector.score_samples(waves)
    for patch, label in zip(display.histograms_, (1, -1), strict=True):
        values, edges, _ = patch.get_data()
        np.testing.assert_array_equal(edges, display.edges_)
        expected, _ = np.histogram(errors[labels == label], edges)
        np.testing.assert_array_equal(values, expected)


def test_normalized_heights_are_shares(detector, waves, labels):
    display = ErrorHistogramDisplay.from_estimator(
        detector, waves, labels, normalize=True
    )
    np.testing.assert_allclose([values.sum() for values in heights(display)], 1)
    assert display.ax_.get_ylabel() == "share of samples"


@pytest.mark.parametrize(
    ("errors", "threshold", "log", "scale"),
    [
        ([1, 1, 1, 1000], 2.0, "auto", "log"),
        ([1, 1, 1, 1000], None, "auto", "log"),
        ([1, 1, 1, 1000], 0.0, "auto", "linear"),
        ([1, 1, 1, 1000], 2.0, False, "linear"),
        ([1, 2, 3, 4], 2.0, "auto", "linear"),
        ([1, 2, 3, 4], 2.0, True, "log"),
        ([0, 0, 0], 2.0, "auto", "linear"),
    ],
)
def test_log_axis(errors, threshold, log, scale):
    display = ErrorHistogramDisplay(errors, threshold).plot(log=log)
    assert display.ax_.get_xscale() == scale
    assert (display.threshold_line_ is None) == (threshold is None)


@pytest.mark.parametrize("bins", [5, [0.0, 1.0, 2.0, 3.0]])
def test_bins_as_given(bins):
    display = ErrorHistogramDisplay([0.0, 0.5, 2.5, 3.0]).plot(bins=bins)
    assert len(display.edges_) - 1 == (bins if isinstance(bins, int) else 3)
    assert display.edges_[[0, -1]].tolist() == [0, 3]
