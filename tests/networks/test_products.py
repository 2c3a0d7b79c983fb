"""Long products in pieces."""

import numpy as np
import pytest
from skae.networks._products import multiply, multiply_rows


@pytest.mark.parametrize(
    ("n_1", "n_2", "length"),
    [
        (3, 5, 7),  # small
        (40, 10, 2500),  # one piece to the number
        (40, 10, 2501),  # a piece more, of one number
        (80, 70, 900),  # where pieces would be too short
    ],
)
def test_products_in_pieces_are_the_products(n_1, n_2, length):
    rng = np.random.default_rng(0)
    tall, wide = rng.normal(size=(n_1, n_2)), rng.normal(size=(n_2, length))
    out = np.full((n_1, length), np.nan)
    multiply(tall, wide, out)
    np.testing.assert_allclose(out, tall @ wide, rtol=1e-9, atol=1e-9)
    found = np.full((n_1, n_2), np.nan)
    multiply_rows(out, wide, found)
    np.testing.assert_allclose(found, out @ wide.T, rtol=1e-9, atol=1e-9)
