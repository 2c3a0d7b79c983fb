"""Keras, imported the way that skae imports it, and numbers."""

import numpy as np
import pytest

from skae.networks._quiet import import_quietly


@pytest.fixture(scope="session")
def keras():
    import_quietly()
    import keras

    return keras


@pytest.fixture
def rng():
    return np.random.default_rng(0)
