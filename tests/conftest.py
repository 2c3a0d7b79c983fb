"""Fixtures that every test shares."""

import os
import random
from pathlib import Path

import numpy as np
import pytest
from hypothesis import settings

# The same examples in every run: what fails for one fails for all.
settings.register_profile("suite", derandomize=True, deadline=None)
settings.load_profile("suite")

os.environ.setdefault("MPLBACKEND", "Agg")


@pytest.fixture(autouse=True)
def untouched_global_random_state(request):
    """No function of skae may change the process's random state.

    The marker ``draws_globally`` exempts a test that itself draws from it.
    """
    if request.node.get_closest_marker("draws_globally"):
        yield
        return
    python_before, numpy_before = random.getstate(), np.random.get_state()
    yield
    assert random.getstate() == python_before, "Python's random state was changed"
    for before, after in zip(numpy_before, np.random.get_state(), strict=True):
        assert np.array_equal(before, after), "NumPy's random state was changed"


@pytest.fixture(scope="session")
def data_folder():
    """Folder of the real data, or a skip that says where it was looked for."""
    beside = Path(__file__).parents[2] / "shared" / "data"
    folder = Path(os.environ.get("SKAE_DATA", beside))
    if not (folder / "ecg5000.npz").is_file():
        pytest.skip(f"no real data: set SKAE_DATA (looked in {folder})")
    return folder
