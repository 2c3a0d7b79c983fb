"""Fixtures that every test shares."""

import os
import random
from pathlib import Path

import numpy as np
import pytest
import sklearn.model_selection  # noqa: F401  (its first import draws global numbers)
from hypothesis import settings

# The same examples in every run: what fails for one fails for all.
settings.register_profile("suite", derandomize=True, deadline=None)
settings.load_profile("suite")

os.environ.setdefault("MPLBACKEND", "Agg")

TESTS = Path(__file__).parent
# What `make check` leaves out: files and functions that take more than three seconds.
SLOW = (
    "_engine/test_callbacks.py",
    "_engine/test_missing.py",
    "_engine/test_oracle.py",
    "_series/test_detector.py::test_scikit_learn_checks_of_the_default",
    "benchmarks/test_scripts.py",
    "benchmarks/test_detection.py",
    "cli/test_main.py::test_real_heartbeats",
    "cli/test_main.py::"
    "test_a_process_without_tensorflow_says_nothing_but_report_and_progress",
    "cli/test_main.py::test_the_tutorials_file_is_understood",
    "cli/test_results.py::"
    "test_sigterm_and_a_closed_pipe_leave_neither_traces_nor_halves",
    "cli/test_results.py::test_an_ascii_terminal_and_control_characters",
    "datasets/test_heartbeats.py::"
    "test_the_defaults_are_too_hard_for_pca_and_isolation_forest",
    "networks/test_subclasses.py",
    "networks/keras/test_network.py",
    "networks/keras/test_scikeras.py",
    "test_dask.py::test_a_cluster_gets_an_estimator_once_per_worker",
    "test_dask.py::test_a_search_on_a_cluster_is_that_in_one_process",
    "test_families.py",
    "test_missing.py",
    "test_own_networks.py",
    "thresholds/test_promises.py",
)


@pytest.hookimpl(tryfirst=True)  # before -m reads the markers
def pytest_collection_modifyitems(items):
    for item in items:
        file = os.path.relpath(item.path, TESTS).replace(os.sep, "/")
        if not {file, f"{file}::{getattr(item, 'originalname', None)}"}.isdisjoint(
            SLOW
        ):
            item.add_marker(pytest.mark.slow)


@pytest.fixture
def slow_tests():
    """The list of slow tests, for the test that each is still there."""
    return SLOW


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
    default = Path(__file__).parents[2] / "shared" / "data"
    folder = Path(os.environ.get("SKAE_DATA", default))
    if not (folder / "ecg5000.npz").is_file():
        pytest.skip(f"no real data: set SKAE_DATA (looked in {folder})")
    return folder
