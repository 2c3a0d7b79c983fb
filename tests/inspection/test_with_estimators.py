"""The displays on the real estimators: the contract that the stand-ins stand for."""

import numpy as np
import pytest

from skae import (
    AutoencoderTransformer,
    DenoisingRegressor,
    DenseNetwork,
    ErrorHistogramDisplay,
    FeatureErrorDisplay,
    LatentSpaceDisplay,
    LossCurveDisplay,
    ReconstructionDisplay,
    ReconstructionOutlierDetector,
)

PARAMS = {"latent_dim": 3, "epochs": 4, "random_state": 0}

# Some learn too fast on purpose.
pytestmark = pytest.mark.filterwarnings("ignore:Training ended far worse")


@pytest.fixture(scope="module")
def fitted(waves, labels):
    detector = ReconstructionOutlierDetector(validation_fraction=0.1, **PARAMS)
    return {
        "transformer": AutoencoderTransformer(**PARAMS).fit(waves),
        "detector": detector.fit(waves, labels),
        "denoiser": DenoisingRegressor(**PARAMS).fit(waves + 0.1, waves),
    }


@pytest.mark.parametrize("name", ["transformer", "detector", "denoiser"])
def test_losses_and_reconstructions(fitted, waves, name):
    estimator = fitted[name]
    display = LossCurveDisplay.from_estimator(estimator)
    drawn = display.val_loss_line_.get_ydata()
    np.testing.assert_array_equal(drawn, estimator.history_["val_loss"])
    for scaled in (False, True):
        display = ReconstructionDisplay.from_estimator(
            estimator, waves[:2], scaled=scaled
        )
        denoises = name == "denoiser"
        reconstruct = estimator.predict if denoises else estimator.reconstruct
        rows = reconstruct(waves[:2])
        rows = estimator.scaler_.transform(rows) if scaled else rows
        lines = display.lines_["reconstruction"]
        np.testing.assert_array_equal([line.get_ydata() for line in lines], rows)


@pytest.mark.parametrize("validation_fraction", [None, 0.1])
@pytest.mark.parametrize("fits_before", [False, True])
def test_no_epoch_is_marked_after_partial_fit(waves, fits_before, validation_fraction):
    """It keeps the weights of its last pass, whatever `fit` did before."""
    estimator = AutoencoderTransformer(
        latent_dim=3,
        epochs=60,
        patience=3,
        network=DenseNetwork(),
        learning_rate=0.03,  # so large that the losses soon rise again
        validation_fraction=validation_fraction,
        random_state=0,
    )
    if fits_before:
        estimator.fit(waves)
        marker = LossCurveDisplay.from_estimator(estimator).kept_marker_
        assert marker.get_xdata() == [estimator.n_iter_ - 3]
    estimator.partial_fit(waves).partial_fit(waves)
    assert LossCurveDisplay.from_estimator(estimator).kept_marker_ is None


def test_parameters_set_after_fit_do_not_change_what_is_marked(waves):
    estimator = AutoencoderTransformer(epochs=8, patience=None, learning_rate=0.03)
    estimator.set_params(random_state=0).fit(waves).set_params(patience=3)
    assert np.argmin(estimator.history_["loss"]) < 7
    assert LossCurveDisplay.from_estimator(estimator).kept_marker_ is None


def test_errors_of_a_detector(fitted, waves, labels):
    detector = fitted["detector"]
    display = ErrorHistogramDisplay.from_estimator(detector)
    assert display.histograms_[0].get_data().values.sum() == 117
    display = ErrorHistogramDisplay.from_estimator(detector, waves, labels)
    assert len(display.histograms_) == 2
    display = FeatureErrorDisplay.from_estimator(detector, waves, row=-1)
    error = -detector.score_samples(waves[-1:])[0]
    np.testing.assert_allclose(display.lines_[0].get_ydata().sum(), error)


@pytest.mark.parametrize("name", ["transformer", "detector"])
def test_codes(fitted, waves, labels, name):
    display = LatentSpaceDisplay.from_estimator(
        fitted[name], waves, y=labels, dimensions=(0, 2)
    )
    assert [len(scatter.get_offsets()) for scatter in display.scatters_] == [117, 3]
