"""How far rows lie from others, against SciPy's distances."""

import numpy as np
import pytest
from scipy.spatial.distance import cdist

from skae._row_errors._learned import Neighbors


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def by_scipy(row, others, group):
    """Return distances to the nearest row, and to the nearest of each group."""
    distances = cdist([row], others)[0]
    nearest = [distances[group == one].min() for one in np.unique(group)]
    return min(nearest), np.sqrt(np.mean(np.square(nearest)))


def factors_of(known, distances):
    """Return the larger distance in units of the medians of the known rows."""
    group = np.arange(len(known)) % -(-len(known) // 16)
    own = [
        by_scipy(row, np.delete(known, i, 0), np.delete(group, i))
        for i, row in enumerate(known)
    ]
    units = np.median(np.array(own), axis=0)
    return (np.array(distances) / units).max(axis=1)


@pytest.mark.parametrize("n", [3, 30, 200])
@pytest.mark.parametrize(("width", "offset"), [(1, 0), (8, 0), (8, 100), (40, 100)])
def test_the_nearest_row_and_the_nearest_ones_of_groups(n, width, offset, rng):
    known, rows = rng.normal(size=(n, width)), rng.normal(size=(40, width))
    known, rows = known + offset, 3 * rows + offset
    group = np.arange(n) % -(-n // 16)
    expected = factors_of(known, [by_scipy(row, known, group) for row in rows])
    found = Neighbors.of(known).factors(rows)
    np.testing.assert_allclose(found, np.maximum(expected, 1e-2), rtol=1e-9)


@pytest.mark.parametrize("width", [6, 20])
def test_a_row_is_no_neighbour_of_itself(width, rng):
    known = rng.normal(size=(200, width))
    found = Neighbors.of(known).factors(known)
    group = np.arange(200) % 13
    for i in (0, 77, 199):
        others = np.delete(known, i, axis=0), np.delete(group, i)
        alone = by_scipy(known[i], *others)
        assert found[i] == pytest.approx(factors_of(known, [alone])[0], rel=1e-9)


def test_copies_of_a_row_are_no_neighbours_of_it(rng):
    known = np.repeat(rng.normal(size=(20, 4)), 5, axis=0)
    found = Neighbors.of(known).factors(known[::5])
    assert (found > 0.1).all()


def test_without_other_rows_all_lie_equally_far():
    known = np.ones((10, 3))
    assert len(set(Neighbors.of(known).factors(known))) == 1
    absurd = Neighbors.of(known).factors(np.array([[1e200, 0, 0]]))
    assert np.isposinf(absurd).all()
