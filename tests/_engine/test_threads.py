"""Threads that share tasks, and BLAS's number of threads."""

import gc
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from threadpoolctl import ThreadpoolController, threadpool_info, threadpool_limits

from skae._engine import OneBlasThread, _threads, run_in_threads
from skae.networks import DenseNetwork

SIZES = pytest.mark.parametrize("n_threads", [1, 2, 5])


@SIZES
@pytest.mark.parametrize("n_tasks", [0, 1, 40])
def test_every_task_is_done_once(n_threads, n_tasks):
    done = []
    tasks = [lambda i=i: done.append(i) for i in range(n_tasks)]
    run_in_threads(tasks, n_threads)
    assert sorted(done) == list(range(n_tasks))


@SIZES
def test_an_error_in_a_thread_is_raised(n_threads):
    def fail():
        raise KeyError("a task failed")

    with pytest.raises(KeyError, match="a task failed"):
        run_in_threads([fail] * 7, n_threads)


@SIZES
@pytest.mark.parametrize("n_tasks", [1, 2, 5, 7])
def test_a_team_returns_what_tasks_return_in_their_order(n_threads, n_tasks):
    with _threads.Team(n_threads) as team:
        for _ in range(3):
            found = team.run([lambda i=i: i**2 for i in range(n_tasks)])
            assert found == [i**2 for i in range(n_tasks)]


def n_threads_after_a_wait(expected):
    """Return how many threads there are, once those that end have had a second."""
    for _ in range(100):
        if threading.active_count() <= expected:
            break
        threading.Event().wait(0.01)
    return threading.active_count()


@pytest.mark.parametrize("when", ["entering", "running", "leaving"])
def test_no_thread_stays_after_an_interrupt(when, monkeypatch):
    before = threading.active_count()

    def interrupt(*args):
        raise KeyboardInterrupt

    def enter_and_run():
        with _threads.Team(4) as team:
            if when == "running":
                team.run([interrupt] * 4)

    if when == "leaving":
        monkeypatch.setattr(_threads.Team, "__exit__", interrupt)
    if when == "entering":
        real, started = threading.Thread.start, []

        def start(thread):
            real(thread)
            started.append(thread)
            if len(started) == 2:
                interrupt()

        monkeypatch.setattr(threading.Thread, "start", start)
    with pytest.raises(KeyboardInterrupt):
        enter_and_run()
    gc.collect()
    assert n_threads_after_a_wait(before) <= before


def test_an_interrupted_run_says_nothing_to_the_next():
    go_on = threading.Event()

    def wait():
        go_on.wait(10)
        return "late"

    with _threads.Team(2) as team:
        inbox = team._inboxes[0]
        inbox.put((_threads.SimpleQueue(), 1, [wait]))  # of a run that nobody awaits
        go_on.set()
        assert team.run([lambda: 0, lambda: 1]) == [0, 1]


# ---------------------------------------------------------------------- forks

forks = pytest.mark.filterwarnings("ignore:This process .* is multi-threaded")


@forks
def test_a_child_has_the_blas_threads_that_other_threads_had_taken(in_fork):
    before, inside, leave = blas_threads(), threading.Event(), threading.Event()

    def hold():
        with OneBlasThread():
            inside.set()
            leave.wait(60)

    def check():
        assert blas_threads() == before
        with OneBlasThread():
            assert set(blas_threads()) == {1}
        assert blas_threads() == before

    with ThreadPoolExecutor(1) as pool:
        pool.submit(hold)
        inside.wait(60)
        try:
            assert set(blas_threads()) == {1}
            in_fork(check)
        finally:
            leave.set()
    assert blas_threads() == before


@forks
def test_a_child_ends_the_blocks_that_its_own_thread_began(in_fork):
    before = blas_threads()
    block = OneBlasThread()

    def check():
        assert set(blas_threads()) == {1}
        block.__exit__()
        assert blas_threads() == before

    with block:
        in_fork(check)
    assert blas_threads() == before


@forks
def test_children_are_forked_while_other_threads_enter_and_leave(in_fork):
    stop = threading.Event()

    def enter_and_leave():
        while not stop.is_set():
            with OneBlasThread():
                pass

    def check():
        before = blas_threads()
        with OneBlasThread():
            assert set(blas_threads()) == {1}
        assert blas_threads() == before

    with ThreadPoolExecutor(2) as pool:
        for _ in range(2):
            pool.submit(enter_and_leave)
        try:
            for _ in range(10):
                in_fork(check)
        finally:
            stop.set()


@forks
def test_a_team_works_in_a_child_alone(in_fork):
    with _threads.Team(3) as team:
        in_fork(lambda: team.run([int] * 5) == [0] * 5 or pytest.fail("wrong"))


@forks
def test_a_child_trains_and_scores_in_numpy(train, assert_same, in_fork, rng):
    X = rng.normal(size=(300, 70)).astype(np.float32)
    options = {"network": DenseNetwork((90,)), "engine_name": "numpy"}
    trained = train(X, **options)
    in_fork(lambda: assert_same(train(X, **options), trained))


# ----------------------------------------------------------------------- BLAS


def blas_threads():
    """Return the numbers of threads of NumPy's libraries."""
    blas = [one for one in threadpool_info() if one["user_api"] == "blas"]
    of_numpy = [one for one in blas if "numpy" in one["filepath"]]
    return [one["num_threads"] for one in of_numpy or blas]


def test_blas_gets_its_threads_back():
    before = blas_threads()
    with OneBlasThread():
        assert set(blas_threads()) == {1}
        with OneBlasThread():
            pass
        assert set(blas_threads()) == {1}
    with pytest.raises(KeyError), OneBlasThread():
        raise KeyError
    assert blas_threads() == before


def test_blas_heeds_every_thread():
    def inside():
        with OneBlasThread():
            return set(blas_threads())

    before = blas_threads()
    for _ in range(2):
        assert inside() == {1}
        with ThreadPoolExecutor(1) as pool:
            assert pool.submit(inside).result() == {1}
        assert blas_threads() == before
    with threadpool_limits(2, "blas"):  # by this thread, which is heeded then
        limited = blas_threads()
        with ThreadPoolExecutor(1) as pool:
            assert pool.submit(inside).result() == {1}
        assert blas_threads() == limited
    assert blas_threads() == before


@pytest.mark.parametrize("control", [_threads._openblas, _threads._by_threadpoolctl])
def test_every_way_to_set_a_number_of_threads_heeds_every_thread(control):
    """Some libraries have only the second way."""
    found = ThreadpoolController().select(user_api="blas").lib_controllers
    controls = [control(library) for library in found]
    for get, set_to in filter(None, controls):
        before = get()
        for n_threads in (1, 2, before):
            set_to(n_threads)
            assert get() == n_threads
            with ThreadPoolExecutor(1) as pool:
                pool.submit(set_to, 1).result()
            assert get() == 1
        set_to(before)


@pytest.mark.parametrize(
    "broken",
    [(_threads, "ThreadpoolController"), (ThreadpoolController, "select")]
    + [(_threads.ctypes, "CDLL")],
)
@pytest.mark.parametrize("error", [OSError, AttributeError])
def test_where_blas_cannot_be_asked_nothing_is_set(broken, error, monkeypatch):
    """As on a system whose libraries are not listed, or not opened twice."""

    def refuse(*args, **kwargs):
        raise error("not on this system")

    before = blas_threads()
    _threads._controls.cache_clear()
    try:
        with monkeypatch.context() as patch:
            patch.setattr(*broken, refuse)
            done = []
            run_in_threads([lambda i=i: done.append(i) for i in range(5)])
            assert sorted(done) == list(range(5))
            assert _threads.allowed_threads() >= 1
    finally:
        _threads._controls.cache_clear()
    assert blas_threads() == before


@pytest.mark.parametrize("batch_size", [32, 300])
def test_fits_in_threads_are_the_fits_alone(train, assert_same, rng, batch_size):
    X = rng.normal(size=(300, 70)).astype(np.float32)
    options = {"network": DenseNetwork((90,)), "batch_size": batch_size}
    before = blas_threads()

    def fit(seed):
        return train(X, seed=seed, engine_name="numpy", **options)

    alone = [fit(seed) for seed in range(4)]
    with ThreadPoolExecutor(4) as pool:
        for one, other in zip(alone, pool.map(fit, range(4)), strict=True):
            assert_same(one, other)
    assert blas_threads() == before
