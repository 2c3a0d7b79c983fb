import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from sklearn.preprocessing import MinMaxScaler

from skae.inspection import ReconstructionDisplay


def test_lines_and_band_of_one_row(transformer, waves):
    display = ReconstructionDisplay.from_estimator(transformer, waves[:1])
    (before,), (after,) = display.lines_["input"], display.lines_["reconstruction"]
    np.testing.assert_array_equal(before.get_ydata(), waves[0])
    np.testing.assert_array_equal(
        after.get_ydata(), transformer.reconstruct(waves[:1])[0]
    )
    (band,) = display.bands_
    heights = band.get_paths()[0].vertices[:, 1]
    drawn = np.concatenate([before.get_ydata(), after.get_ydata()])
    assert heights.min() == drawn.min()
    assert heights.max() == drawn.max()
    assert display.images_ is None
    assert len(display.figure_.axes) == 1
    error = -transformer.score_samples(waves[:1])[0]
    assert display.ax_.get_title() == f"reconstruction error {error:.3g}"
    assert display.ax_.get_xlabel() == "feature"
    assert display.ax_.get_ylabel() == "value"
    (legend,) = display.figure_.legends
    words = [text.get_text() for text in legend.get_texts()]
    assert words == ["input", "reconstruction", "error"]


def test_a_normal_and_an_abnormal_row_side_by_side(detector, waves, labels):
    display = ReconstructionDisplay.from_estimator(
        detector, waves[[0, -1]], y=labels[[0, -1]]
    )
    assert display.axes_.shape == (2,)
    first, second = display.axes_
    assert first.get_ylim() == second.get_ylim()
    values = np.concatenate([waves[[0, -1]], detector.reconstruct(waves[[0, -1]])])
    assert first.get_ylim()[0] < values.min() < values.max() < first.get_ylim()[1]
    verdicts = {1: "inlier", -1: "outlier"}
    for ax, row, label in [(first, 0, 1), (second, -1, -1)]:
        error = -detector.score_samples(waves[[row]])[0]
        verdict = verdicts[detector.predict(waves[[row]])[0]]
        assert ax.get_title() == (
            f"{verdict} (labelled {verdicts[label]})\n"
            f"reconstruction error {error:.3g}, threshold {detector.threshold_:.3g}"
        )
    assert second.get_title().startswith("outlier")


@pytest.mark.parametrize(
    ("n_samples", "n_panels", "n_columns"), [(1, 1, 1), (3, 3, 3), (4, 4, 2), (9, 5, 3)]
)
def test_as_many_panels_as_rows(detector, waves, n_samples, n_panels, n_columns):
    display = ReconstructionDisplay.from_estimator(detector, waves[:n_samples])
    assert len(display.figure_.axes) == n_panels
    assert display.axes_.shape == (n_panels,)
    assert display.ax_.get_subplotspec().get_gridspec().ncols == n_columns
    below = [ax for ax in display.axes_ if ax.get_xlabel() == "feature"]
    assert len(below) == n_columns


def test_all_rows_without_a_limit(detector, waves):
    display = ReconstructionDisplay.from_estimator(
        detector, waves[:7], max_samples=None, with_error=False
    )
    assert display.axes_.shape == (7,)
    assert display.bands_ == []


def test_names_of_few_features_are_on_the_axis(transformer, waves):
    names = [f"mean of part {index}" for index in range(12)]
    table = pd.DataFrame(waves[:, :12], columns=names, index=np.arange(120.0)[::-1])
    fitted = type(transformer)().fit(table)
    display = ReconstructionDisplay.from_estimator(fitted, table, max_samples=1)
    labels = [label.get_text() for label in display.ax_.get_xticklabels()]
    assert labels == names
    assert display.ax_.get_xlabel() == ""
    np.testing.assert_array_equal(display.lines_["input"][0].get_ydata(), waves[0, :12])


def test_rows_in_scaled_space(transformer, waves):
    fitted = type(transformer)().fit(waves)
    fitted.scaler_ = MinMaxScaler().fit(waves)
    display = ReconstructionDisplay.from_estimator(fitted, waves[:1], scaled=True)
    shown = {"input": waves[:1], "reconstruction": fitted.reconstruct(waves[:1])}
    for name, rows in shown.items():
        (line,) = display.lines_[name]
        scaled = fitted.scaler_.transform(rows)
        np.testing.assert_array_equal(line.get_ydata(), scaled[0])
    plain = ReconstructionDisplay.from_estimator(fitted, waves[:1])
    assert display.ax_.get_title() == plain.ax_.get_title()
    assert display.ax_.get_ylabel() == "scaled value"


def test_short_names_lie_flat():
    display = ReconstructionDisplay([[1, 2]], [[1, 1]], feature_names=["a", "b"]).plot()
    assert [label.get_rotation() for label in display.ax_.get_xticklabels()] == [0, 0]


@pytest.mark.parametrize("names", [None, ["left", "right"]])
def test_a_series_has_a_panel_for_each_channel(transformer, waves, names):
    X = waves.reshape(-1, 30, 2)
    fitted = type(transformer)().fit(X)
    display = ReconstructionDisplay.from_estimator(fitted, X[:3], feature_names=names)
    assert display.axes_.shape == (2, 3)
    drawn = [line.get_ydata() for line in display.lines_["input"]]
    np.testing.assert_array_equal(drawn, X[:3].transpose(0, 2, 1).reshape(6, 30))
    words = [ax.get_ylabel() for ax in display.axes_[:, 0]]
    assert words == (names or ["channel 0", "channel 1"])
    assert display.axes_[1, 0].get_xlabel() == "timestep"
    for row_of_axes in display.axes_:
        assert len({ax.get_ylim() for ax in row_of_axes}) == 1


def test_gray_images(image_detector, images):
    display = ReconstructionDisplay.from_estimator(image_detector, images[:2])
    after = image_detector.reconstruct(images[:2])
    expected = {
        "input": images[:2],
        "reconstruction": after,
        "absolute error": np.abs(images[:2] - after),
    }
    assert list(display.images_) == list(expected)
    for name, pictures in expected.items():
        drawn = [image.get_array() for image in display.images_[name]]
        np.testing.assert_allclose(drawn, pictures[..., 0])
        assert len({image.get_clim() for image in display.images_[name]}) == 1
    assert display.axes_.shape == (2, 3)
    assert [ax.get_title() for ax in display.axes_[0]] == list(expected)
    assert len(display.figure_.axes) == 7  # six pictures and a colour bar
    words = " ".join(display.axes_[0, 0].get_ylabel().split())
    error = -image_detector.score_samples(images[:1])[0]
    threshold = image_detector.threshold_
    assert f"reconstruction error {error:.3g}, threshold {threshold:.3g}" in words
    assert display.lines_ is None


@pytest.mark.parametrize("ceiling", [1, 255, 1000])
def test_colour_images_are_scaled_to_be_seen(ceiling):
    X = np.linspace(0, ceiling, 2 * 6 * 6 * 3).reshape(2, 6, 6, 3)
    display = ReconstructionDisplay(X, 2 * X).plot()
    np.testing.assert_allclose(display.images_["input"][1].get_array(), X[1] / ceiling)
    assert display.images_["reconstruction"][1].get_array().max() == 1  # clipped
    np.testing.assert_allclose(
        display.images_["absolute error"][1].get_array(), X[1].mean(axis=-1)
    )


def test_images_without_error(images):
    display = ReconstructionDisplay(images[:2], images[:2]).plot(with_error=False)
    assert display.axes_.shape == (2, 2)
    assert len(display.figure_.axes) == 4


def test_equal_images_have_no_error(images):
    display = ReconstructionDisplay(images[:1], images[:1]).plot()
    assert display.images_["absolute error"][0].get_array().max() == 0


def test_flattened_images_are_reshaped(transformer, waves):
    display = ReconstructionDisplay.from_estimator(
        transformer, waves[:2], row_shape=(6, 10)
    )
    np.testing.assert_array_equal(
        display.images_["input"][1].get_array(), waves[1].reshape(6, 10)
    )


def test_a_denoiser_with_clean_rows(denoiser, waves):
    noisy = waves[:2] + 1
    display = ReconstructionDisplay.from_estimator(denoiser, noisy, y=waves[:2])
    np.testing.assert_array_equal(display.lines_["clean"][1].get_ydata(), waves[1])
    np.testing.assert_array_equal(display.lines_["input"][1].get_ydata(), noisy[1])
    np.testing.assert_array_equal(
        display.lines_["reconstruction"][1].get_ydata(), denoiser.predict(noisy)[1]
    )
    assert len(display.bands_) == 2
    assert display.ax_.get_title() == ""


def test_a_denoiser_without_clean_rows_has_no_error(denoiser, waves):
    display = ReconstructionDisplay.from_estimator(denoiser, waves[:2])
    assert display.bands_ == []
    assert "clean" not in display.lines_


def test_the_error_of_images_is_to_the_clean_ones(images):
    clean, X = images[:1], images[1:2]
    display = ReconstructionDisplay(X, X, clean=clean).plot()
    assert list(display.images_) == [
        "input",
        "clean",
        "reconstruction",
        "absolute error",
    ]
    np.testing.assert_allclose(
        display.images_["absolute error"][0].get_array(), np.abs(X - clean)[0, ..., 0]
    )


def test_axes_as_given(detector, waves):
    _, axes = plt.subplots(1, 2)
    display = ReconstructionDisplay.from_estimator(
        detector, waves[:2], ax=axes, titles=["one", "two"]
    )
    assert list(display.axes_) == list(axes)
    assert display.ax_ is axes[0]
    assert [ax.get_title() for ax in axes] == ["one", "two"]
    assert axes[0].get_ylim() == axes[1].get_ylim()
    _, ax = plt.subplots()
    assert ReconstructionDisplay(waves[:1], waves[:1]).plot(ax).ax_ is ax
