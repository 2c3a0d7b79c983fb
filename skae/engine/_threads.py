"""Threads for training in NumPy: a team of our own, instead of BLAS's.

With BLAS's threads, the last bits of a product depend on their number, and worker
processes have fewer; on a busy machine they wait for each other many times longer than
they work. Here the work is cut into the same parts on every machine, and a team of any
size does them.
"""

import contextlib
import contextvars
import functools
import threading
from queue import SimpleQueue

from threadpoolctl import ThreadpoolController

_lock = threading.Lock()
_n_inside = 0
_limiter = None


@contextlib.contextmanager
def one_blas_thread():
    """Let the block's matrix products use one thread; blocks in threads may overlap.

    The setting is the whole process's: the first block to begin makes it, and the last
    one to end puts back what was before.
    """
    _enter()
    try:
        yield
    finally:
        _leave()


def _enter():
    global _n_inside, _limiter
    with _lock:
        if _n_inside == 0:
            _limiter = _blas().limit(limits=1)
        _n_inside += 1


def _leave():
    global _n_inside, _limiter
    with _lock:
        _n_inside -= 1
        if _n_inside == 0:
            _limiter.restore_original_limits()
            _limiter = None


@functools.cache
def _blas():
    """Return the controller of the BLAS libraries that are loaded; finding takes ms."""
    return ThreadpoolController().select(user_api="blas")


def allowed_threads():
    """Return how many threads BLAS would use: joblib's workers have fewer."""
    with _lock:
        if _limiter is not None:  # a training has set it to one
            original = _limiter.get_original_num_threads().values()
        else:
            original = [one["num_threads"] for one in _blas().info()]
    return max([1, *(n for n in original if n)])


class Team:
    """Threads that do a list of tasks together.

    A context: the threads end with it. The thread that asks is one of the team.

    Parameters
    ----------
    n_threads : int
    """

    def __init__(self, n_threads):
        self._inboxes = [SimpleQueue() for _ in range(n_threads - 1)]
        self._done = SimpleQueue()

    def __enter__(self):
        for inbox in self._inboxes:
            context = contextvars.copy_context()  # NumPy's errstate is in it
            work = functools.partial(context.run, self._serve, inbox)
            threading.Thread(target=work, daemon=True).start()
        return self

    def __exit__(self, *exc):
        for inbox in self._inboxes:
            inbox.put(None)

    def run(self, tasks):
        """Call all tasks; return what they return, in their order."""
        size = len(self._inboxes) + 1
        shares = [tasks[i::size] for i in range(size)]
        busy = 0
        for inbox, share in zip(self._inboxes, shares[1:], strict=True):
            if share:
                inbox.put((busy + 1, share))
                busy += 1
        results = {0: _call(shares[0])}
        for _ in range(busy):
            place, made = self._done.get()
            results[place] = made
        for made in results.values():
            if isinstance(made, BaseException):
                raise made
        ordered = [None] * len(tasks)
        for place, made in results.items():
            ordered[place::size] = made
        return ordered

    def _serve(self, inbox):
        """Work until there is nothing more to do."""
        while (job := inbox.get()) is not None:
            place, share = job
            self._done.put((place, _call(share)))


def _call(tasks):
    """Return the results of tasks, or the exception of one."""
    try:
        return [task() for task in tasks]
    except BaseException as exc:
        return exc
