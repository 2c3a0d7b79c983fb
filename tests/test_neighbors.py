"""How far a code lies from others, against scikit-learn's neighbours."""

import numpy as np
import pytest
from sklearn.neighbors import NearestNeighbors

from skae._row_errors._neighbors import Neighbors, WideNeighbors


def by_scikit_learn(codes, others, n=5):
    n_neighbors = min(n, len(others))
    # Other algorithms lose digits where codes are far from 0.
    distances = NearestNeighbors(n_neighbors=n_neighbors, algorithm="kd_tree")
    distances.fit(others)
    return (distances.kneighbors(codes)[0] ** 2).mean(axis=1) / codes.shape[1]


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@pytest.mark.parametrize("n", [1, 4, 5, 30, 1500])
@pytest.mark.parametrize(
    ("width", "offset"),
    [(1, 0), (8, 0), (8, 100), (15, 0), (16, 0), (16, 100), (40, 0), (40, 100)],
)
def test_the_nearest_five(n, width, offset, rng):
    known, codes = rng.normal(size=(n, width)), rng.normal(size=(300, width))
    known, codes = known + offset, codes + offset
    found = Neighbors.of(known).distances(codes)
    np.testing.assert_allclose(found, by_scikit_learn(codes, known), rtol=1e-12)


@pytest.mark.parametrize("width", [6, 20])
def test_a_row_is_no_neighbour_of_itself(width, rng):
    codes = rng.normal(size=(1200, width))
    found = Neighbors.of(codes).distances(codes)
    for i in (0, 77, 1199):
        others = np.delete(codes, i, axis=0)
        expected = by_scikit_learn(codes[i : i + 1], others)
        assert found[i] == pytest.approx(expected[0], rel=1e-12)


@pytest.mark.parametrize("width", [3, 20])
@pytest.mark.parametrize("n", [4, 50])
def test_copies_of_a_row_count_once(width, n, rng):
    known, codes = rng.normal(size=(n, width)), rng.normal(size=(20, width))
    copies = np.repeat(known, rng.integers(1, 9, size=n), axis=0)
    repeated, once = Neighbors.of(copies), Neighbors.of(known)
    for rows in (codes, known, copies):
        np.testing.assert_allclose(
            repeated.distances(rows), once.distances(rows), rtol=1e-12
        )
    assert (repeated.distances(known) > 0).all()


def test_a_single_training_row_is_at_no_distance(rng):
    codes = rng.normal(size=(1, 4))
    assert Neighbors.of(codes).distances(codes).tolist() == [0.0]


def test_many_codes_are_a_sample(rng):
    codes = rng.normal(size=(1000, 2))
    neighbors = Neighbors.of(codes, most=100)
    assert neighbors.codes.shape == (100, 2)
    assert len(np.unique(neighbors.codes, axis=0)) == 100
    again = Neighbors.of(codes, most=100)
    assert np.array_equal(neighbors.codes, again.codes)


@pytest.mark.parametrize("size", [1e-30, 1e30, 1e100, 1e200])
@pytest.mark.parametrize("width", [3, 20])
@pytest.mark.parametrize("kind", [Neighbors, WideNeighbors])
def test_codes_of_any_size(kind, size, width, rng):
    known = rng.normal(size=(700, width))
    found = kind.of(known).distances(size * rng.normal(size=(9, width)))
    assert np.isfinite(found).all()
    scaled = kind.of(size * known).distances(size * known)
    assert np.isfinite(scaled).all()
    if size < 1e150:
        expected = size**2 * kind.of(known).distances(known)
        np.testing.assert_allclose(scaled, expected, rtol=1e-9)


def tight_modes(rng, n, width, dtype=np.float64, spread=1e-4):
    """Return rows of five modes whose spread is a share of the range."""
    modes = rng.uniform(size=(5, width))
    rows = modes[rng.integers(5, size=n)] + spread * rng.normal(size=(n, width))
    return rows.astype(dtype)


@pytest.mark.parametrize("spread", [1e-4, 1e-6])
@pytest.mark.parametrize("width", [8, 20, 140])
def test_the_nearest_of_tight_modes(width, spread, rng):
    rows = tight_modes(rng, 900, width, spread=spread)
    known, codes = rows[:600], rows[600:]
    found = Neighbors.of(known).distances(codes)
    np.testing.assert_allclose(found, by_scikit_learn(codes, known), rtol=1e-9)


def test_the_nearest_among_many_at_the_same_distance(rng):
    """Neither precision tells which they are, and it does not matter."""
    known = np.unique(rng.integers(3, size=(1500, 12)).astype(float), axis=0)
    codes = rng.integers(3, size=(200, 12)) + 0.25
    found = Neighbors.of(known).distances(codes)
    np.testing.assert_allclose(found, by_scikit_learn(codes, known), rtol=1e-12)


def test_the_nearest_of_codes_far_from_all_others(rng):
    known = np.concatenate([rng.normal(size=(900, 20)), np.full((9, 20), 1e6)])
    known[-9:] += 1e-3 * rng.normal(size=(9, 20))
    codes = np.concatenate([rng.normal(size=(20, 20)), np.full((3, 20), 1e6 + 1e-3)])
    found = Neighbors.of(known).distances(codes)
    np.testing.assert_allclose(found, by_scikit_learn(codes, known), rtol=1e-9)


@pytest.mark.parametrize("width", [8, 16])
@pytest.mark.parametrize("kind", [Neighbors, WideNeighbors])
def test_rows_alone_have_the_same_distances_as_in_a_batch(kind, width, rng):
    known, codes = rng.normal(size=(2000, width)), rng.normal(size=(600, width))
    found = kind.of(known)
    alone = [found.distances(codes[i : i + 1])[0] for i in range(0, 600, 37)]
    np.testing.assert_allclose(found.distances(codes)[::37], alone, rtol=1e-13)


def test_distances_that_float32_cannot_tell_apart(rng):
    # On a circle all are equally far from the middle, but for the last digits.
    angle = rng.uniform(0, 7, size=400)
    circle = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    known = circle * (1 + 1e-9 * rng.random((400, 1)))
    found = WideNeighbors.of(known).distances(np.zeros((30, 2)))
    expected = np.sort((known**2).sum(axis=1))[:40].mean() / 2
    np.testing.assert_allclose(found, expected, rtol=1e-12)


# ------------------------------------------------------------------ wide neighbours


def n_counted(n):
    return max(5, round(0.1 * n))


@pytest.mark.parametrize("n", [1, 4, 5, 6, 30, 77, 500])
@pytest.mark.parametrize("width", [1, 8])
def test_the_nearest_tenth(n, width, rng):
    known, codes = rng.normal(size=(n, width)), rng.normal(size=(300, width))
    found = WideNeighbors.of(known).distances(codes)
    expected = by_scikit_learn(codes, known, n_counted(n))
    np.testing.assert_allclose(found, expected, rtol=1e-9)


@pytest.mark.parametrize("n", [2, 5, 6, 7, 90])
def test_a_row_is_no_wide_neighbour_of_itself(n, rng):
    codes = rng.normal(size=(n, 6))
    found = WideNeighbors.of(codes).distances(codes)
    for i in (0, n - 1):
        others = np.delete(codes, i, axis=0)
        expected = by_scikit_learn(codes[i : i + 1], others, n_counted(n))
        assert found[i] == pytest.approx(expected[0], rel=1e-9)


@pytest.mark.parametrize("n", [3, 80, 200])
def test_weights_count_copies_among_wide_neighbours(n, rng):
    known, codes = rng.normal(size=(n, 4)), rng.normal(size=(20, 4))
    weight = rng.integers(1, 3, size=n)
    repeated = WideNeighbors.of(np.repeat(known, weight, axis=0))
    weighted = WideNeighbors.of(known, weight)
    for rows in (codes, known):
        expected = repeated.distances(rows)
        np.testing.assert_allclose(weighted.distances(rows), expected, rtol=1e-9)


def test_only_ratios_of_small_weights_count(rng):
    known, codes = rng.normal(size=(80, 4)), rng.normal(size=(20, 4))
    small = WideNeighbors.of(known, np.full(80, 1 / 80)).distances(codes)
    assert np.array_equal(small, WideNeighbors.of(known).distances(codes))


@pytest.mark.parametrize("kind", [Neighbors, WideNeighbors])
def test_rows_are_encoded_where_they_are_kept(kind, rng):
    X = rng.normal(size=(6000, 2, 3))
    codes = kind.of(X, encode=lambda rows: rows.sum(axis=2)).codes
    assert codes.shape == ({Neighbors: 5000, WideNeighbors: 500}[kind], 2)
    assert {tuple(code) for code in codes} < {tuple(code) for code in X.sum(axis=2)}


def test_many_wide_codes_are_a_sample(rng):
    weight = np.arange(1, 1001)
    wide = WideNeighbors.of(rng.normal(size=(1000, 2)), weight, most=100)
    assert wide.codes.shape == (100, 2)
    assert len(np.unique(wide.codes, axis=0)) == 100
