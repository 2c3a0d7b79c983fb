import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator

from skae.inspection import SeriesDisplay

N = 40


class LinearSeriesDetector(BaseEstimator):
    """A stand-in: the reconstruction of a channel is its mean."""

    threshold_ = 1.0

    def fit(self, X, y=None):
        return self

    def __sklearn_is_fitted__(self):
        return True

    def reconstruct(self, X, groups=None):
        rows = np.asarray(X, dtype=float).reshape(len(X), -1)
        return np.zeros_like(rows) + rows.mean(axis=0)

    def feature_errors(self, X, groups=None):
        rows = np.asarray(X, dtype=float).reshape(len(X), -1)
        return (rows - self.reconstruct(X)) ** 2 / rows.shape[1]


@pytest.fixture
def X():
    X = np.random.default_rng(0).normal(scale=0.1, size=(N, 6))
    X[10:13, 4] += 9
    X[30, 1] += 9
    return X


def test_flagged_spans_are_shaded_in_every_panel(X):
    display = SeriesDisplay.from_estimator(LinearSeriesDetector(), X, max_channels=2)
    assert display.axes_.shape == (3,)
    for spans in display.spans_:
        found = [(span.get_x(), span.get_x() + span.get_width()) for span in spans]
        assert found == [(9.5, 12.5), (29.5, 30.5)]
    names = [panel.get_ylabel() for panel in display.axes_]
    assert names == ["channel 1", "channel 4", "reconstruction error"]
    assert display.threshold_line_.get_label() == "threshold 1"
    assert display.label_marks_ is None
    assert display.figure_ is display.ax_.figure


def test_lines_are_the_series_its_reconstruction_and_its_errors(X):
    detector = LinearSeriesDetector()
    display = SeriesDisplay.from_estimator(detector, X[:, :2])
    drawn = np.transpose([line.get_ydata() for line in display.lines_])
    np.testing.assert_array_equal(drawn, X[:, :2])
    drawn = np.transpose([line.get_ydata() for line in display.reconstruction_lines_])
    np.testing.assert_array_equal(drawn, detector.reconstruct(X[:, :2]))
    errors = detector.feature_errors(X[:, :2]).sum(axis=1)
    np.testing.assert_array_equal(display.error_line_.get_ydata(), errors)


def test_the_index_is_the_time_and_labels_are_marked(X):
    times = pd.date_range("2026-01-01", periods=N, freq="h")
    frame = pd.DataFrame(X[:, [4]], index=times, columns=["cost $x_{$"])
    y = np.where(np.arange(N) == 11, -1, 1)
    display = SeriesDisplay.from_estimator(LinearSeriesDetector(), frame, y)
    assert (display.lines_[0].get_xdata() == times.to_numpy()).all()
    assert display.ax_.get_ylabel() == r"cost \$x_{\$"
    assert len(display.label_marks_.get_offsets()) == 1
    display.figure_.canvas.draw()
    series = SeriesDisplay.from_estimator(LinearSeriesDetector(), frame.iloc[:, 0])
    assert len(series.spans_[0]) == 1


def test_given_axes_are_used(X):
    axes = plt.figure().subplots(2)
    display = SeriesDisplay(X[:, :1], X[:, :1], np.ones(N)).plot(axes)
    assert display.axes_.tolist() == axes.tolist()
    assert display.spans_ == [[], []]
    assert display.threshold_line_ is None
    with pytest.raises(ValueError, match="ax has 2 axes, but 3 panels are drawn"):
        SeriesDisplay(X[:, :2], X[:, :2], np.ones(N)).plot(axes)


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"errors": np.ones(3)}, "errors has 3 entries, but X has 40 rows"),
        ({"reconstruction": np.ones((3, 6))}, "reconstruction has 3 entries"),
        ({"times": np.ones(3)}, "times has 3 entries, but X has 40 rows"),
        ({"y": np.ones(3)}, "y has 3 entries, but X has 40 rows"),
        ({"y": np.zeros(N)}, r"y must hold only the labels \+1"),
        ({"feature_names": ["a"]}, "has 1 names, but there are 6 channels"),
    ],
)
def test_messages(X, params, message):
    given = {"X": X, "reconstruction": X, "errors": np.ones(N), **params}
    with pytest.raises(ValueError, match=message):
        SeriesDisplay(**given).plot()
