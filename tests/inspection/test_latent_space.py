import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.base import BaseEstimator
from sklearn.decomposition import PCA

from skae.inspection import LatentSpaceDisplay


def points(display):
    return [np.asarray(scatter.get_offsets()) for scatter in display.scatters_]


def legend(display):
    return [text.get_text() for text in display.ax_.get_legend().get_texts()]


def test_codes_of_width_two_are_drawn_as_they_are(detector, waves):
    display = LatentSpaceDisplay.from_estimator(detector, waves)
    (drawn,) = points(display)
    np.testing.assert_array_equal(drawn, detector.encode(waves))
    assert display.ax_.get_xlabel() == "latent 0"
    assert display.ax_.get_ylabel() == "latent 1"
    assert display.ax_.get_legend() is None
    assert display.figure_ is display.ax_.figure


def test_wider_codes_are_drawn_on_their_principal_components(transformer, waves):
    display = LatentSpaceDisplay.from_estimator(transformer, waves)
    pca = PCA(2, svd_solver="full")
    np.testing.assert_allclose(
        points(display)[0], pca.fit_transform(transformer.transform(waves))
    )
    share = pca.explained_variance_ratio_[0]
    label = f"principal component 1 ({share:.0%} of variance)"
    assert display.ax_.get_xlabel() == label


def test_chosen_dimensions(transformer, waves):
    display = LatentSpaceDisplay.from_estimator(transformer, waves, dimensions=(3, 1))
    codes = transformer.transform(waves)
    np.testing.assert_array_equal(points(display)[0], codes[:, [3, 1]])
    assert display.ax_.get_xlabel() == "latent 3"
    assert display.ax_.get_ylabel() == "latent 1"


def test_constant_codes_are_one_point():
    class Constant(BaseEstimator):
        def fit(self, X, y=None):
            self.n_iter_ = 1
            return self

        def transform(self, X):
            return np.zeros((len(X), 2, 3))

    display = LatentSpaceDisplay.from_estimator(Constant().fit(None), np.zeros((5, 4)))
    np.testing.assert_array_equal(points(display)[0], 0)
    assert "(0% of variance)" in display.ax_.get_xlabel()


def test_outlier_labels_have_their_words(detector, waves, labels):
    display = LatentSpaceDisplay.from_estimator(detector, waves, y=labels)
    codes = detector.encode(waves)
    inliers, outliers = points(display)
    np.testing.assert_array_equal(inliers, codes[labels == 1])
    np.testing.assert_array_equal(outliers, codes[labels == -1])
    assert legend(display) == ["inlier", "outlier"]


@settings(max_examples=20, deadline=None)
@given(y=st.lists(st.sampled_from("abcdefghijklmnop"), min_size=2, max_size=60))
def test_every_point_is_drawn_in_one_category(y):
    codes = np.column_stack([np.arange(len(y)), np.zeros(len(y))])
    display = LatentSpaceDisplay(codes, y=y).plot(plt.figure().subplots())
    drawn = np.concatenate(points(display))[:, 0]
    assert sorted(drawn) == list(range(len(y)))
    named = {s.get_label(): p[:, 0].astype(int) for s, p in zip(
        display.scatters_, points(display), strict=True)}  # fmt: skip
    other = len(set(y)) - 9
    assert (f"other ({other} labels)" in named) == (len(set(y)) > 10)
    for name in set(y) & set(named):
        assert {y[index] for index in named[name]} == {name}
    plt.close("all")


def test_rare_categories_are_drawn_as_one():
    y = np.repeat(np.arange(12).astype(str), [1, 1, 1] + [5] * 9)
    display = LatentSpaceDisplay(np.zeros((len(y), 2)), y=y).plot()
    assert legend(display)[0] == "other (3 labels)"
    assert len(points(display)[0]) == 3


@pytest.mark.parametrize(
    "y", [pd.Categorical(["b", "a", "b"]), [True, False, True], [2.0, 1.0, 2.0]]
)
def test_categories_of_any_type(y):
    display = LatentSpaceDisplay(np.eye(3)[:, :2], y=y).plot()
    assert [len(drawn) for drawn in points(display)] == [1, 2]
    assert display.colorbar_ is None


@pytest.mark.parametrize("n_values", [10, 11])
def test_up_to_ten_whole_numbers_are_categories(n_values):
    display = LatentSpaceDisplay(np.zeros((n_values, 2)), y=np.arange(n_values)).plot()
    assert (display.colorbar_ is None) == (n_values == 10)


def test_numbers_have_a_colour_bar(detector, waves):
    y = pd.Series(waves[:, 0], name="first value")
    display = LatentSpaceDisplay.from_estimator(detector, waves, y=y)
    np.testing.assert_array_equal(display.scatters_[0].get_array(), y)
    assert display.colorbar_.ax.get_ylabel() == "first value"
    assert display.ax_.get_legend() is None


def test_one_column_is_a_histogram(detector, waves, labels):
    display = LatentSpaceDisplay.from_estimator(
        detector, waves, y=labels, dimensions=[1]
    )
    counts = [patch.get_data().values.sum() for patch in display.histograms_]
    assert counts == [117, 3]
    assert display.scatters_ == []
    assert display.ax_.get_xlabel() == "latent 1"
    assert display.ax_.get_ylabel() == "number of samples"
    plain = LatentSpaceDisplay(np.arange(9.0)[:, None]).plot()
    assert plain.histograms_[0].get_data().values.sum() == 9
    assert plain.ax_.get_legend() is None


def test_one_column_is_drawn_over_numbers():
    codes, y = np.arange(20.0)[:, None], np.arange(20) / 7
    display = LatentSpaceDisplay(codes, y=y).plot()
    np.testing.assert_array_equal(points(display)[0], np.column_stack([codes[:, 0], y]))
    assert display.ax_.get_ylabel() == "y"


@pytest.mark.parametrize("random_state", [0, np.random.RandomState(0), None])
def test_a_sample_of_many_rows(detector, waves, labels, random_state):
    display = LatentSpaceDisplay.from_estimator(
        detector,
        pd.DataFrame(waves),
        y=pd.Series(labels),
        max_samples=119,
        random_state=random_state,
    )
    drawn = np.concatenate(points(display))
    assert len(drawn) == len(np.unique(drawn, axis=0)) == 119
    codes = detector.encode(waves)
    assert np.isclose(drawn[:, None], codes).all(axis=2).any(axis=1).all()


def test_the_sample_follows_random_state(detector, waves):
    first, again, other = (
        points(
            LatentSpaceDisplay.from_estimator(
                detector, waves, max_samples=30, random_state=seed
            )
        )[0]
        for seed in (0, 0, 1)
    )
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


def test_axes_and_style_as_given():
    _, ax = plt.subplots()
    display = LatentSpaceDisplay([[0, 1], [1, 0]], y=["a", "b"]).plot(
        ax, scatter_kwargs={"s": 7, "marker": "x"}
    )
    assert display.ax_ is ax
    assert display.scatters_[0].get_sizes().tolist() == [7]
