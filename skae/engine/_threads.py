"""Threads for NumPy: a team of our own, instead of BLAS's.

With BLAS's threads, the last bits of a product depend on their number, and worker
processes have fewer; on a busy machine they wait for each other many times longer than
they work. Here the work is cut into the same parts on every machine, and a team of any
size does them.
"""

import contextvars
import functools
import threading
from queue import SimpleQueue

from threadpoolctl import ThreadpoolController

_lock = threading.Lock()
_n_inside = 0
_before = []  # the libraries' numbers of threads outside of all blocks


class OneBlasThread:
    """Let the block's matrix products use one thread; blocks in threads may overlap.

    The setting is the whole process's: the first block to begin makes it, and the last
    one to end puts back what was before.
    """

    def __enter__(self):
        global _n_inside
        with _lock:
            if _n_inside == 0:
                _before[:] = [library.get_num_threads() for library in _libraries()]
                _limit([1] * len(_before))
            _n_inside += 1

    def __exit__(self, *exc):
        global _n_inside
        with _lock:
            _n_inside -= 1
            if _n_inside == 0:
                _limit(_before)
                _forget_who_sets()


def _limit(numbers):
    """Set the libraries' numbers of threads, whichever thread asks for it."""
    _forget_who_sets()
    for library, number in zip(_libraries(), numbers, strict=True):
        library.set_num_threads(number)


def _forget_who_sets():
    """Let the next thread that sets a number of threads be heeded.

    From version 3.8 on, threadpoolctl heeds one thread, the first one that sets, and
    silently does nothing for others: their products would take all of BLAS's threads.
    """
    for forget in _forgetting():
        forget(force=True)


@functools.cache
def _forgetting():
    """Return the libraries' functions for that; older versions have none."""
    name = "clear_controlling_thread"
    return [getattr(one, name) for one in _libraries() if hasattr(one, name)]


@functools.cache
def _libraries():
    """Return the BLAS libraries that NumPy may use; finding them takes milliseconds."""
    found = ThreadpoolController().select(user_api="blas").lib_controllers
    of_numpy = [one for one in found if "numpy" in one.filepath]
    return of_numpy or found


def allowed_threads():
    """Return how many threads BLAS would use: joblib's workers have fewer."""
    with _lock:
        inside = _before if _n_inside else []
        numbers = inside or [one.get_num_threads() for one in _libraries()]
    return max([1, *numbers])


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


def run_in_threads(tasks):
    """Call all tasks, which multiply matrices in NumPy, in as many threads as BLAS.

    Each thread takes the next task when it has done one: where another process takes
    half of a core, the thread there does fewer.
    """
    waiting = iter(tasks)

    def work():
        for task in waiting:
            task()

    with OneBlasThread():
        size = allowed_threads()
        with Team(size) as team:
            team.run([work] * size)


def _call(tasks):
    """Return the results of tasks, or the exception of one."""
    try:
        return [task() for task in tasks]
    except BaseException as exc:
        return exc
