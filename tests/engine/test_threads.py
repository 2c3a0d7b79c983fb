"""Threads that share tasks."""

import pytest

from skae._engine import _threads, run_in_threads


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
