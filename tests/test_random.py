"""Seeds come from random_state alone, and no two purposes share draws."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skae._random import seed_from, stream

PURPOSES = ("weights", "split", "order", "corruption")


def draws(*place):
    return tuple(stream(*place).integers(2**62, size=3).tolist())


@pytest.mark.parametrize("seed", [0, 42, 2**32 - 1, np.int64(7), np.uint8(3)])
def test_an_int_is_its_own_seed(seed):
    found = seed_from(seed)
    assert type(found) is int
    assert found == seed


def test_none_is_fresh_every_time():
    seeds = [seed_from(None) for _ in range(20)]
    assert len(set(seeds)) > 15
    assert all(0 <= seed < 2**31 for seed in seeds)


def test_a_random_state_is_advanced():
    one, two = np.random.RandomState(0), np.random.RandomState(0)
    first = seed_from(one)
    assert first == seed_from(two)
    assert seed_from(one) != first
    assert seed_from(np.random.RandomState(1)) != first


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32 - 1), st.sampled_from(PURPOSES), st.integers(0, 2**31))
def test_the_same_place_gives_the_same_draws(seed, purpose, counter):
    assert draws(seed, purpose, counter) == draws(seed, purpose, counter)


def test_streams_never_share_draws():
    """No counter is not the counter 0, and a large seed is not a seed and a purpose."""
    seeds = [0, 1, 2, 3, 2**31, 2**32 - 1, 2**32, 2**32 + 1, 2**33, 2**34]
    counters = [(), (0,), (1,), (2,), (0, 0), (0, 1), (1, 0), (2**32 - 1,)]
    places = list(itertools.product(seeds, PURPOSES, counters))
    seen = {draws(seed, purpose, *counter) for seed, purpose, counter in places}
    assert len(seen) == len(places)


def test_an_unknown_purpose_raises():
    with pytest.raises(ValueError):
        stream(0, "noise")
