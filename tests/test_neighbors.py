"""How far rows lie from others, against scikit-learn's neighbours."""

import numpy as np
import pytest
from sklearn.neighbors import NearestNeighbors

from skae._row_errors._learned import Neighbors


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def by_scikit_learn(rows, others):
    """Return distances to the nearest row, and the mean to a tenth, but five rows."""
    n = min(max(5, round(0.1 * len(others))), len(others))
    found = NearestNeighbors(n_neighbors=n, algorithm="kd_tree").fit(others)
    distances = found.kneighbors(rows)[0]
    return distances[:, 0], np.sqrt((distances**2).mean(axis=1))


def factors_of(known, distances):
    """Return the larger distance in units of the medians of the known rows."""
    own = [
        by_scikit_learn(row[None], np.delete(known, i, 0))
        for i, row in enumerate(known)
    ]
    units = np.median(np.array(own)[:, :, 0], axis=0)
    return np.maximum(*(one / unit for one, unit in zip(distances, units, strict=True)))


@pytest.mark.parametrize("n", [3, 30, 300])
@pytest.mark.parametrize(("width", "offset"), [(1, 0), (8, 0), (8, 100), (40, 100)])
def test_the_nearest_row_and_the_nearest_tenth(n, width, offset, rng):
    known, rows = rng.normal(size=(n, width)), rng.normal(size=(100, width))
    known, rows = known + offset, 3 * rows + offset
    expected = factors_of(known, by_scikit_learn(rows, known))
    found = Neighbors.of(known).factors(rows)
    np.testing.assert_allclose(found, np.maximum(expected, 1e-2), rtol=1e-9)


@pytest.mark.parametrize("width", [6, 20])
def test_a_row_is_no_neighbour_of_itself(width, rng):
    known = rng.normal(size=(200, width))
    found = Neighbors.of(known).factors(known)
    for i in (0, 77, 199):
        alone = by_scikit_learn(known[i : i + 1], np.delete(known, i, axis=0))
        assert found[i] == pytest.approx(factors_of(known, alone)[0], rel=1e-9)


def test_copies_of_a_row_are_no_neighbours_of_it(rng):
    known = np.repeat(rng.normal(size=(20, 4)), 5, axis=0)
    found = Neighbors.of(known).factors(known[::5])
    assert (found > 0.1).all()


def test_without_other_rows_all_lie_equally_far():
    known = np.ones((10, 3))
    assert len(set(Neighbors.of(known).factors(known))) == 1
    absurd = Neighbors.of(known).factors(np.array([[1e200, 0, 0]]))
    assert np.isposinf(absurd).all()
