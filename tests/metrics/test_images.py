"""Image metrics: a slow implementation by the definition, and error messages."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.testing import assert_allclose

from skae.metrics import psnr, ssim

BYTES = np.tile(np.linspace(0, 255, 12), (1, 12, 1)).astype(np.uint8)


def slow_ssim(x, y, data_range):
    """Structural similarity of two images, window by window, by its definition."""
    offsets = np.arange(-5, 6)
    window = np.exp(-(offsets[:, None] ** 2 + offsets**2) / (2 * 1.5**2))
    window /= window.sum()
    c1, c2 = (0.01 * data_range) ** 2, (0.03 * data_range) ** 2
    similarities = []
    for i in range(x.shape[0] - 10):
        for j in range(x.shape[1] - 10):
            a, b = x[i : i + 11, j : j + 11], y[i : i + 11, j : j + 11]
            mean_a, mean_b = (window * a).sum(), (window * b).sum()
            var_a = (window * (a - mean_a) ** 2).sum()
            var_b = (window * (b - mean_b) ** 2).sum()
            covariance = (window * (a - mean_a) * (b - mean_b)).sum()
            similarities.append(
                (2 * mean_a * mean_b + c1)
                * (2 * covariance + c2)
                / ((mean_a**2 + mean_b**2 + c1) * (var_a + var_b + c2))
            )
    return np.mean(similarities)


class TestImages:
    @pytest.fixture
    def images(self):
        rng = np.random.default_rng(0)
        clean = rng.uniform(size=(5, 14, 17, 2))
        return clean, np.clip(clean + rng.normal(scale=0.2, size=clean.shape), 0, 1)

    @pytest.mark.parametrize("data_range", [1.0, 255.0])
    def test_ssim_is_its_definition(self, images, data_range):
        clean, noisy = (data_range * values for values in images)
        expected = np.mean(
            [
                slow_ssim(x[..., c], y[..., c], data_range)
                for x, y in zip(clean, noisy, strict=True)
                for c in range(2)
            ]
        )
        assert_allclose(ssim(clean, noisy, data_range=data_range), expected, rtol=1e-9)

    def test_channels_and_images_are_averaged(self, images):
        clean, noisy = images
        flat_clean, flat_noisy = (
            np.moveaxis(values, 3, 1).reshape(10, 14, 17) for values in images
        )
        assert_allclose(ssim(clean, noisy), ssim(flat_clean, flat_noisy))
        assert_allclose(
            psnr(clean, noisy),
            np.mean([psnr(clean[i : i + 1], noisy[i : i + 1]) for i in range(5)]),
        )

    def test_many_images_are_averaged_as_few_are(self, images):
        rows = np.arange(200) % 5
        many = [values[rows] for values in images]
        few = [ssim(*(v[i : i + 20] for v in many)) for i in range(0, 200, 20)]
        assert_allclose(ssim(*many), np.mean(few), rtol=1e-12)

    @given(
        x=arrays(np.float64, (2, 12, 11), elements=st.floats(0, 1)),
        y=arrays(np.float64, (2, 12, 11), elements=st.floats(0, 1)),
    )
    @settings(max_examples=30, deadline=None)
    def test_ssim_is_symmetric_and_bounded(self, x, y):
        assert_allclose(ssim(x, y), ssim(y, x), atol=1e-9)
        assert -1 - 1e-9 <= ssim(x, y) <= 1 + 1e-9
        assert ssim(x, x) == pytest.approx(1)

    @pytest.mark.parametrize("metric", [psnr, ssim])
    def test_more_noise_is_worse_and_units_do_not_matter(self, metric, images):
        clean, noisy = images
        slightly = 0.9 * clean + 0.1 * noisy
        assert metric(clean, noisy) < metric(clean, slightly)
        bytes_ = [(255 * values).round().astype(np.uint8) for values in (clean, noisy)]
        assert_allclose(
            metric(*bytes_, data_range=255), metric(clean, noisy), rtol=0.05
        )
        assert type(metric(clean, noisy)) is float

    def test_psnr_of_a_known_error(self):
        # A mean squared error of a hundredth of the squared range is 20 decibels.
        assert psnr(np.zeros((3, 4)), np.full((3, 4), 0.1)) == pytest.approx(20)

    def test_one_exact_image_makes_the_mean_ratio_infinite(self, images):
        clean, noisy = images
        noisy[0] = clean[0]
        assert psnr(clean, noisy) == np.inf
        assert np.isfinite(psnr(clean[1:], noisy[1:]))

    @pytest.mark.parametrize(
        ("metrics", "y_true", "y_pred", "data_range", "message"),
        [
            ((psnr, ssim), BYTES, BYTES, 1.0, "y_true spans, 255, but is 1.0. Pass"),
            ((psnr, ssim), BYTES, BYTES, 0, "The 'data_range' parameter of"),
            ((psnr, ssim), BYTES, BYTES[:, 1:], 255, "y_true and y_pred must have the"),
            ((psnr,), np.ones(5), np.ones(5), 1.0, r"shape \(5,\). Pass images\["),
            *(
                ((ssim,), np.ones(shape), np.ones(shape), 1.0, "at least 11 x 11 pixe")
                for shape in [(12, 144), (1, 10, 12), (1, 12, 10, 1)]
            ),
        ],
    )
    def test_refused_arguments(self, metrics, y_true, y_pred, data_range, message):
        for metric in metrics:
            with pytest.raises(ValueError, match=message):
                metric(y_true, y_pred, data_range=data_range)
