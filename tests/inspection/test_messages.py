"""What the displays refuse, and the words that say why."""

import matplotlib.pyplot as plt
import numpy as np
import pytest
from sklearn.base import BaseEstimator
from sklearn.exceptions import NotFittedError

from skae.inspection import (
    ErrorHistogramDisplay,
    FeatureErrorDisplay,
    LatentSpaceDisplay,
    LossCurveDisplay,
    ReconstructionDisplay,
)

TWO_ROWS = np.ones((2, 3))

# Display, parameters of the display, parameters of plot, message.
DATA = [
    (ErrorHistogramDisplay, {"errors": [1, 2], "y": [1]}, {},
     "y has 1 entries, but errors has 2 rows"),
    (ErrorHistogramDisplay, {"errors": [1, 2], "y": [0, 1]}, {},
     r"y must hold only the labels \+1 .* but holds 0, 1\..*np.where"),
    (ErrorHistogramDisplay, {"errors": [1, np.nan]}, {}, "NaN"),
    (ErrorHistogramDisplay, {"errors": []}, {}, "0 sample"),
    (FeatureErrorDisplay, {"errors": np.ones((8, 8))}, {"kind": "bars"},
     r"kind='bars' draws rows with 1 axes.*shape \(8, 8\)"),
    (FeatureErrorDisplay, {"errors": np.ones(8)}, {"kind": "image"},
     r"kind='image' draws rows with 2 or 3 axes.*shape \(8,\)"),
    (FeatureErrorDisplay, {"errors": np.ones((8, 8, 1))}, {"kind": "line"},
     r"kind='line' draws rows with 1 or 2 axes.*row_shape"),
    (FeatureErrorDisplay, {"errors": np.ones((2, 2, 2, 2))}, {},
     "kind='image' draws rows with 2 or 3 axes"),
    (FeatureErrorDisplay, {"errors": np.ones(8)}, {"kind": "table"},
     r"errors of shape \(n_rows, n_features\), but .*\(8,\)"),
    (FeatureErrorDisplay, {"errors": np.ones((8, 8, 1))}, {"kind": "table"},
     r"\(8, 8, 1\). Draw one row, or pass row_shape to flat"),
    (FeatureErrorDisplay, {"errors": np.ones(3), "feature_names": ["a"]}, {},
     "feature_names has 1 names, but there are 3 features. Pass one"),
    (FeatureErrorDisplay, {"errors": np.ones((9, 2)), "feature_names": ["a"]}, {},
     "feature_names has 1 names, but there are 2 channels"),
    (FeatureErrorDisplay, {"errors": TWO_ROWS, "row_names": ["a"]}, {"kind": "table"},
     "row_names has 1 names, but there are 2 rows"),
    (LatentSpaceDisplay, {"codes": np.zeros((4, 3))}, {},
     "codes has 3 columns, but one or two"),
    (LatentSpaceDisplay, {"codes": np.zeros((4, 2)), "y": [1, 2]}, {},
     "y has 2 entries, but codes has 4 rows"),
    (LossCurveDisplay, {"history": {}}, {},
     "history must hold a 'loss'.*Pass the history_"),
    (LossCurveDisplay, {"history": {"loss": []}}, {}, "history must hold a 'loss'"),
    (LossCurveDisplay, {"history": {"val_loss": [1.0]}}, {}, "history must hold a"),
    (ReconstructionDisplay, {"X": np.ones(3), "reconstruction": np.ones(3)}, {},
     "X must hold rows.*reshape"),
    (ReconstructionDisplay, {"X": TWO_ROWS, "reconstruction": np.ones((2, 4))}, {},
     r"reconstruction has rows of shape \(4,\).*do not fit row_shape=\(3,\)"),
    (ReconstructionDisplay, {"X": TWO_ROWS, "reconstruction": TWO_ROWS[:1]}, {},
     "reconstruction has 1 entries, but X has 2 rows"),
    (ReconstructionDisplay, {"X": TWO_ROWS, "reconstruction": TWO_ROWS, "titles": []},
     {}, "titles has 0 entries, but X has 2 rows"),
    (ReconstructionDisplay,
     {"X": np.ones((1, 5, 5, 2)), "reconstruction": np.ones((1, 5, 5, 2))}, {},
     "Images need 1 or 3 channels, but these have 2"),
]  # fmt: skip


@pytest.mark.parametrize(("display", "data", "options", "message"), DATA)
def test_data_that_cannot_be_drawn(display, data, options, message):
    with pytest.raises(ValueError, match=message):
        display(**data).plot(**options)


# Display, fixture of the estimator, parameters of from_estimator, error, message.
CALLS = [
    (FeatureErrorDisplay, "detector", {"row": 120}, IndexError,
     "row is 120, but X has 120 rows.*0 to 119"),
    (FeatureErrorDisplay, "detector", {"row": -121}, IndexError, "row is -121"),
    (FeatureErrorDisplay, "detector", {"row_shape": (7, 7)}, ValueError,
     r"rows of shape \(60,\), which do not fit row_shape=\(7, 7\)"),
    (LatentSpaceDisplay, "detector", {"y": [1, 2]}, ValueError,
     "y has 2 entries, but X has 120 rows"),
    (LatentSpaceDisplay, "denoiser", {}, TypeError,
     "LinearDenoiser has neither encode nor transform.*AutoencoderTransformer"),
    *(
        (LatentSpaceDisplay, "transformer", {"dimensions": dimensions}, ValueError,
         "dimensions must be one or two.*from 0 to 3")
        for dimensions in [(0, 9), (-1, 0), (0, 1, 2), ()]
    ),
    (ReconstructionDisplay, "detector", {"y": [1]}, ValueError,
     "y has 1 entries, but X has 120 rows"),
    (ReconstructionDisplay, "detector", {"y": [0] * 120}, ValueError,
     r"y must hold only the labels \+1"),
]  # fmt: skip


@pytest.mark.parametrize(("display", "name", "options", "error", "message"), CALLS)
def test_calls_that_do_not_fit(display, name, options, error, message, request, waves):
    with pytest.raises(error, match=message):
        display.from_estimator(request.getfixturevalue(name), waves, **options)


@pytest.mark.parametrize("n_axes", [1, 3])
def test_another_number_of_axes(detector, waves, n_axes):
    _, axes = plt.subplots(1, n_axes)
    message = f"ax holds {n_axes} axes, but there are 2 panels.*array of 2 axes"
    with pytest.raises(ValueError, match=message):
        ReconstructionDisplay.from_estimator(detector, waves[:2], ax=axes)


def test_an_estimator_without_reconstructions(waves):
    class Other(BaseEstimator):
        def fit(self, X, y=None):
            self.n_iter_ = 1
            return self

    with pytest.raises(TypeError, match="Other has neither reconstruct nor predict"):
        ReconstructionDisplay.from_estimator(Other().fit(waves), waves)


OPTIONS = [
    (ErrorHistogramDisplay([1.0, 2.0]).plot, {"bins": 0}),
    (ErrorHistogramDisplay([1.0, 2.0]).plot, {"log": "x"}),
    (ErrorHistogramDisplay([1.0, 2.0]).plot, {"normalize": "x"}),
    (FeatureErrorDisplay([1.0]).plot, {"top_k": 0}),
    (LossCurveDisplay({"loss": [1.0]}).plot, {"log": "maybe"}),
    (ReconstructionDisplay(TWO_ROWS, TWO_ROWS).plot, {"kind": "bars"}),
]
FROM_ESTIMATOR = [
    (FeatureErrorDisplay, {"row": "first"}),
    (LatentSpaceDisplay, {"max_samples": 0}),
    (ReconstructionDisplay, {"kind": "bars"}),
    (ReconstructionDisplay, {"max_samples": 0}),
]


@pytest.mark.parametrize(("plot", "options"), OPTIONS)
def test_bad_options_of_plot(plot, options):
    with pytest.raises(ValueError, match=f"'{next(iter(options))}' parameter of"):
        plot(**options)


@pytest.mark.parametrize(("display", "options"), FROM_ESTIMATOR)
def test_bad_options_of_from_estimator(display, options, detector, waves):
    with pytest.raises(ValueError, match=f"'{next(iter(options))}' parameter of"):
        display.from_estimator(detector, waves, **options)


def test_estimators_that_are_not_fitted(detector, waves):
    unfitted = type(detector)()
    for display in (ErrorHistogramDisplay, LossCurveDisplay):
        with pytest.raises(NotFittedError):
            display.from_estimator(unfitted)
    for display in (FeatureErrorDisplay, LatentSpaceDisplay, ReconstructionDisplay):
        with pytest.raises(NotFittedError):
            display.from_estimator(unfitted, waves)
