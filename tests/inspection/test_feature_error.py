import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from skae.inspection import FeatureErrorDisplay


@settings(max_examples=20, deadline=None)
@given(
    errors=arrays(
        np.float64,
        st.integers(1, 30),
        elements=st.floats(0, 1e6, allow_subnormal=False),
    ),
    top_k=st.integers(1, 40),
)
def test_bars_are_the_largest_shares(errors, top_k):
    display = FeatureErrorDisplay(errors).plot(plt.figure().subplots(), top_k=top_k)
    widths = np.array([bar.get_width() for bar in display.bars_])
    assert len(widths) == min(top_k, len(errors))
    largest = np.sort(errors)[::-1][: len(widths)]
    np.testing.assert_allclose(widths * errors.sum(), largest, atol=1e-300)
    names = [label.get_text() for label in display.ax_.get_yticklabels()]
    named = [errors[int(name.removeprefix("x"))] for name in names]
    np.testing.assert_array_equal(named, largest)
    plt.close("all")


def test_names_come_from_the_columns(detector, waves):
    names = [f"f{index}" for index in range(12)]
    table = pd.DataFrame(waves[:, :12], columns=names)
    fitted = type(detector)().fit(table)
    display = FeatureErrorDisplay.from_estimator(fitted, table, row=4, top_k=3)
    errors = np.asarray(fitted.feature_errors(table))[4]
    labels = [label.get_text() for label in display.ax_.get_yticklabels()]
    assert labels == [names[index] for index in np.argsort(-errors)[:3]]
    assert display.ax_.get_xlabel().startswith("share of the reconstruction error")


def test_a_long_row_is_a_line(detector, waves):
    display = FeatureErrorDisplay.from_estimator(detector, waves, row=-1)
    (line,) = display.lines_
    errors = detector.feature_errors(waves)[-1]
    np.testing.assert_allclose(line.get_ydata(), errors)
    np.testing.assert_allclose(
        line.get_ydata().sum(), -detector.score_samples(waves)[-1]
    )
    assert display.ax_.get_xlabel() == "feature"
    assert display.ax_.get_ylabel() == "feature error"
    assert display.bars_ is None
    assert display.image_ is None


@pytest.mark.parametrize("names", [None, ["left", "right"]])
def test_a_series_has_a_line_for_each_channel(names):
    errors = np.random.default_rng(0).uniform(size=(30, 2))
    display = FeatureErrorDisplay(errors, feature_names=names).plot()
    for line, channel in zip(display.lines_, errors.T, strict=True):
        np.testing.assert_array_equal(line.get_ydata(), channel)
    labels = [text.get_text() for text in display.ax_.get_legend().get_texts()]
    assert labels == (names or ["channel 0", "channel 1"])
    assert display.ax_.get_xlabel() == "timestep"


def test_many_channels_still_have_colours():
    display = FeatureErrorDisplay(np.ones((5, 12))).plot(kind="line")
    assert len(display.lines_) == 12


@pytest.mark.parametrize("shape", [(8, 8), (8, 8, 1), (8, 8, 3)])
def test_an_image_is_a_heat_map(shape):
    errors = np.random.default_rng(0).uniform(size=shape)
    display = FeatureErrorDisplay(errors).plot()
    np.testing.assert_allclose(
        display.image_.get_array(), errors.reshape(8, 8, -1).sum(axis=-1)
    )
    assert len(display.figure_.axes) == 2  # the picture and its colour bar
    assert display.figure_.axes[1].get_ylabel() == "feature error"


def test_a_flattened_image_is_reshaped(detector, waves):
    display = FeatureErrorDisplay.from_estimator(detector, waves, row_shape=(6, 10))
    expected = detector.feature_errors(waves)[0].reshape(6, 10)
    np.testing.assert_allclose(display.image_.get_array(), expected)


def test_a_table_is_a_heat_map_of_shares(detector, waves):
    names = [f"feature {index}" for index in range(12)]
    table = pd.DataFrame(waves[-9:, :12], columns=names, index=list("abcdefghi"))
    fitted = type(detector)().fit(table)
    display = FeatureErrorDisplay.from_estimator(fitted, table, row=None, top_k=5)
    errors = np.asarray(fitted.feature_errors(table))
    shares = errors / errors.sum(axis=1, keepdims=True)
    largest = np.argsort(-shares.mean(axis=0))[:5]
    np.testing.assert_allclose(display.image_.get_array(), shares[:, largest])
    ax = display.ax_
    assert [one.get_text() for one in ax.get_xticklabels()] == (
        [names[index] for index in largest]
    )
    assert [one.get_text() for one in ax.get_yticklabels()] == list("abcdefghi")
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("feature", "row")
    bar = display.figure_.axes[1]
    assert bar.get_ylabel() == "share of the reconstruction error"
    assert display.bars_ is display.lines_ is None


def test_rows_of_a_long_table_are_counted(detector, waves):
    display = FeatureErrorDisplay.from_estimator(detector, waves, row=None)
    assert display.image_.get_array().shape == (120, 10)
    display.figure_.canvas.draw()
    labels = [one.get_text() for one in display.ax_.get_yticklabels()]
    assert 2 < len(labels) < 15


def test_a_row_of_a_table_without_errors_has_no_shares():
    display = FeatureErrorDisplay([[0.0, 0.0], [1.0, 3.0]]).plot(kind="table")
    assert display.image_.get_array().tolist() == [[0, 0], [0.75, 0.25]]


@pytest.mark.parametrize("kind", ["auto", "bars", "line"])
def test_axes_and_kind_as_given(kind):
    _, ax = plt.subplots()
    display = FeatureErrorDisplay([1.0, 3.0]).plot(ax, kind=kind)
    assert display.ax_ is ax
    assert display.figure_ is ax.figure
    assert (display.lines_ is not None) == (kind == "line")


def test_errors_of_zero_have_no_share():
    display = FeatureErrorDisplay([0.0, 0.0]).plot()
    assert [bar.get_width() for bar in display.bars_] == [0, 0]
