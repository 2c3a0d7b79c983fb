"""Reconstruction errors: definitions, independence of rows, and error messages."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from numpy.testing import assert_allclose, assert_array_equal

from skae.metrics import elementwise_error, reconstruction_error

# More values than are processed at once.
MANY = 300_000
VALUES = st.floats(-1e3, 1e3)
ERRORS = ["mse", "mae", "standardized"]


@st.composite
def pairs(draw):
    """An array of rows of any shape, one alike, and a scale of a row's shape."""
    shape = draw(array_shapes(min_dims=1, max_dims=4, max_side=5))
    y_true, y_pred = (draw(arrays(np.float64, shape, elements=VALUES)) for _ in "ab")
    scale = draw(arrays(np.float64, shape[1:], elements=st.floats(0.1, 10)))
    return y_true, y_pred, scale


class TestReconstructionError:
    @pytest.mark.parametrize("error", ERRORS)
    @given(pair=pairs())
    @settings(max_examples=40, deadline=None)
    def test_it_is_the_mean_of_the_elementwise_errors(self, error, pair):
        y_true, y_pred, scale = pair
        feature_scale = scale if error == "standardized" else None
        arguments = {"error": error, "feature_scale": feature_scale}
        rows = reconstruction_error(y_true, y_pred, **arguments)
        elements = elementwise_error(y_true, y_pred, **arguments)
        difference = y_true - y_pred
        expected = {
            "mse": difference**2,
            "mae": np.abs(difference),
            "standardized": difference**2 / scale,
        }[error]
        assert_allclose(elements, expected, rtol=1e-12)
        assert_allclose(rows, elements.reshape(len(rows), -1).mean(axis=1), rtol=1e-12)
        assert rows.dtype == elements.dtype == np.float64
        assert elements.shape == y_true.shape
        assert rows.min() >= 0

    @pytest.mark.parametrize("error", ERRORS)
    def test_many_rows_are_one_row_many_times(self, error):
        rng = np.random.default_rng(0)
        y_true, y_pred = rng.normal(size=(2, MANY // 40 + 1, 5, 8))
        scale = rng.uniform(1, 2, size=(5, 8)) if error == "standardized" else None
        rows = reconstruction_error(y_true, y_pred, error=error, feature_scale=scale)
        for i in (0, 1, len(rows) // 2, len(rows) - 1):
            pair = y_true[i : i + 1], y_pred[i : i + 1]
            single = reconstruction_error(*pair, error=error, feature_scale=scale)
            assert_allclose(single, rows[i : i + 1], rtol=1e-13)

    @pytest.mark.parametrize("size", [1e-30, 1.0, 1e30])
    @pytest.mark.parametrize("error", ERRORS)
    def test_float32_rows_are_summed_in_float64(self, error, size):
        rng = np.random.default_rng(0)
        y_true, y_pred = (size * rng.normal(size=(2, 20, 3000))).astype(np.float32)
        scale = rng.uniform(1, 2, size=3000) if error == "standardized" else None
        arguments = {"error": error, "feature_scale": scale}
        rows = reconstruction_error(y_true, y_pred, **arguments)
        wide = y_true.astype(np.float64), y_pred.astype(np.float64)
        assert_allclose(rows, reconstruction_error(*wide, **arguments), rtol=1e-7)
        assert rows.dtype == np.float64

    def test_long_rows(self):
        y_true = np.zeros((3, MANY), dtype=np.float32)
        errors = reconstruction_error(y_true, y_true + np.float32(2))
        assert_array_equal(errors, [4.0, 4.0, 4.0])

    def test_standardized_errors_of_the_training_rows_average_to_one(self):
        rng = np.random.default_rng(0)
        y_true, y_pred = rng.normal(size=(2, 50, 4)) * [1, 10, 100, 1000]
        scale = elementwise_error(y_true, y_pred).mean(axis=0)
        errors = reconstruction_error(
            y_true, y_pred, error="standardized", feature_scale=scale
        )
        assert errors.mean() == pytest.approx(1)

    @pytest.mark.parametrize(
        "dtype", [np.uint8, np.int16, np.float16, np.float32, bool]
    )
    def test_narrow_dtypes_are_subtracted_in_float64(self, dtype):
        y_true, y_pred = np.array([[0, 1]], dtype), np.array([[1, 0]], dtype)
        assert_array_equal(reconstruction_error(y_true, y_pred), [1.0])
        assert_array_equal(elementwise_error(y_true, y_pred, error="mae"), [[1, 1]])

    def test_arguments_are_left_alone(self):
        y_true, y_pred = np.ones((3, 2)), np.zeros((3, 2))
        for error in ("mse", "mae"):
            reconstruction_error(y_true, y_pred, error=error)
            elementwise_error(y_true, y_pred, error=error)
        assert_array_equal(y_true, np.ones((3, 2)))
        assert_array_equal(y_pred, np.zeros((3, 2)))

    @pytest.mark.parametrize("metric", [reconstruction_error, elementwise_error])
    @pytest.mark.parametrize(
        ("y_true", "y_pred", "options", "message"),
        [
            (
                np.ones((2, 3)),
                np.ones((2, 1)),
                {},
                r"same shape, but y_true has \(2, 3\) and y_pred \(2, 1\). Reshape",
            ),
            (
                np.ones((2, 0, 3)),
                np.ones((2, 0, 3)),
                {},
                r"at least one value per row, but has shape \(2, 0, 3\)",
            ),
            (np.ones((0, 3)), np.ones((0, 3)), {}, r"Found array with 0 sample\(s\)"),
            ([[np.nan]], [[1.0]], {}, "Input y_true contains NaN"),
            ([[1.0]], [[np.inf]], {}, "Input y_pred contains infinity"),
            ([[1.0]], [[1.0]], {"error": "rmse"}, "The 'error' parameter of"),
            (
                [[1.0]],
                [[1.0]],
                {"feature_scale": [1.0]},
                "only used by error='standardized', but error is 'mse'. Drop",
            ),
            (
                [[1.0, 2.0]],
                [[1.0, 2.0]],
                {"error": "standardized"},
                r"needs feature_scale, but it is None. Pass .* of shape \(2,\)",
            ),
            (
                [[1.0, 2.0]],
                [[1.0, 2.0]],
                {"error": "standardized", "feature_scale": [1.0]},
                r"the shape of a row, \(2,\), but has shape \(1,\). Pass one scale",
            ),
            (
                [[1.0, 2.0]],
                [[1.0, 2.0]],
                {"error": "standardized", "feature_scale": [1.0, 0.0]},
                "finite and > 0, but its smallest value is 0.0 and its largest 1.0",
            ),
        ],
    )
    def test_refused_arguments(self, metric, y_true, y_pred, options, message):
        with pytest.raises(ValueError, match=message):
            metric(y_true, y_pred, **options)
