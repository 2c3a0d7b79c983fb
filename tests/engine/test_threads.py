"""Threads that share tasks."""

import numpy as np
import pytest

from skae.engine import _threads, run_in_threads, total


@pytest.fixture(params=[1, 2, 5], ids=lambda size: f"{size} threads")
def team(request, monkeypatch):
    monkeypatch.setattr(_threads, "allowed_threads", lambda: request.param)


@pytest.mark.parametrize("n_tasks", [0, 1, 40])
def test_every_task_is_done_once(team, n_tasks):
    done = []
    run_in_threads([lambda i=i: done.append(i) for i in range(n_tasks)])
    assert sorted(done) == list(range(n_tasks))


def test_an_error_in_a_thread_is_raised(team):
    def fail():
        raise KeyError("a task failed")

    with pytest.raises(KeyError, match="a task failed"):
        run_in_threads([fail] * 7)


@pytest.mark.parametrize("shape", [(0, 3), (5, 3), (33, 3), (100, 2, 7)])
def test_threads_add_up_all_numbers_once(shape, monkeypatch):
    monkeypatch.setattr(_threads, "_MANY_NUMBERS", 10)
    x = np.random.default_rng(0).integers(9, size=shape).astype(np.float64)
    assert total(x) == x.sum()
    if x.size:
        x[-1, -1] = np.nan
        assert np.isnan(total(x))
