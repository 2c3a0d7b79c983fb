"""Threads for NumPy: a team of our own, instead of BLAS's.

With BLAS's threads, the last bits of a product depend on their number, and worker
processes have fewer; on a busy machine they wait for each other many times longer than
they work. Here the work is cut into the same parts on every machine, and a team of any
size does them.
"""

from __future__ import annotations

import contextlib
import contextvars
import ctypes
import functools
import itertools
import os
import threading
import weakref
from collections.abc import Callable, Iterator, Sequence
from queue import SimpleQueue
from typing import Any

from threadpoolctl import ThreadpoolController

Task = Callable[[], Any]
Control = tuple[Callable[[], int], Callable[[int], None]]  # get, and set

_lock = threading.RLock()
_inside: list[int] = []  # the thread of each block that has begun
_before: list[int] = []  # the libraries' numbers of threads outside of all blocks
_is_alone = contextvars.ContextVar("is_alone", default=False)  # in `one_thread`


class OneBlasThread:
    """Let the block's matrix products use one thread; blocks in threads may overlap.

    The setting is the whole process's: the first block to begin makes it, and the last
    one to end puts back what was before.
    """

    def __enter__(self) -> None:
        with _lock:
            if not _inside:
                for get, set_to in _controls():
                    _before.append(get())
                    set_to(1)
            _inside.append(threading.get_ident())

    def __exit__(self, *exc: object) -> None:
        with _lock:
            _inside.remove(threading.get_ident())
            if not _inside:
                for (_, set_to), number in zip(_controls(), _before, strict=True):
                    set_to(number)
                _before.clear()


def _forget_other_threads() -> None:
    """End the blocks of the threads that a forked child lacks."""
    this = threading.get_ident()
    _inside[:] = [thread for thread in _inside if thread == this]
    if not _inside and _before:
        _inside.append(this)
        OneBlasThread().__exit__()
    _lock.release()


if hasattr(os, "register_at_fork"):  # all but Windows
    os.register_at_fork(
        before=_lock.acquire,
        after_in_parent=_lock.release,
        after_in_child=_forget_other_threads,
    )


@functools.cache
def _controls() -> list[Control]:
    """Return functions that get and set the threads of NumPy's BLAS, per library."""
    # Finding them takes milliseconds.
    try:
        found = ThreadpoolController().select(user_api="blas").lib_controllers
    except (AttributeError, OSError):  # a system that does not list its libraries
        return []
    of_numpy = [one for one in found if "numpy" in one.filepath]
    return [_openblas(one) or _by_threadpoolctl(one) for one in of_numpy or found]


def _openblas(library: Any) -> Control | None:
    """Return OpenBLAS's own two functions, or None where the library is another."""
    # A row is scored in less time than a dozen calls of Python around them take.
    if getattr(library, "threading_layer", None) != "pthreads":
        return None
    try:
        loaded = ctypes.CDLL(library.filepath)
    except (AttributeError, OSError):  # a system that opens no library twice
        return None
    for prefix, suffix in itertools.product(("", "scipy_"), ("", "64_", "_64")):
        get = getattr(loaded, f"{prefix}openblas_get_num_threads{suffix}", None)
        set_to = getattr(loaded, f"{prefix}openblas_set_num_threads{suffix}", None)
        if get is not None and set_to is not None:
            return get, set_to
    return None


def _by_threadpoolctl(library: Any) -> Control:
    """Return the two functions for any library."""
    # From version 3.8 on, threadpoolctl heeds one thread, the first one that sets, and
    # silently does nothing for others: their products would take all BLAS threads.
    forget = getattr(library, "clear_controlling_thread", None)  # older ones lack it

    def set_to(number: int) -> None:
        if forget is None:
            library.set_num_threads(number)
            return
        forget(force=True)
        library.set_num_threads(number)
        forget(force=True)

    return library.get_num_threads, set_to


@contextlib.contextmanager
def one_thread() -> Iterator[None]:
    """Let the block work in its own thread alone: others do as much beside it."""
    token = _is_alone.set(True)
    try:
        yield
    finally:
        _is_alone.reset(token)


def allowed_threads() -> int:
    """Return how many threads BLAS would use: joblib's workers have fewer."""
    if _is_alone.get():
        return 1
    with _lock:
        numbers = _before or [get() for get, _ in _controls()]
    return max([1, *numbers])


class Team:
    """Threads that do a list of tasks together.

    A context: the threads end with it, or with the team, where an interrupt came in
    between. The calling thread is one of the team.
    """

    def __init__(self, n_threads: int) -> None:
        self._inboxes: list[SimpleQueue] = [SimpleQueue() for _ in range(n_threads - 1)]
        self._process = os.getpid()
        weakref.finalize(self, _dismiss, self._inboxes).atexit = False

    def __enter__(self) -> Team:
        for inbox in self._inboxes:
            context = contextvars.copy_context()  # NumPy's errstate is in it
            work = functools.partial(context.run, _serve, inbox)
            threading.Thread(target=work, daemon=True).start()
        return self

    def __exit__(self, *exc: object) -> None:
        _dismiss(self._inboxes)

    def run(self, tasks: Sequence[Task]) -> list[Any]:
        """Call all tasks; return what they return, in their order."""
        # A forked child has none of the threads.
        inboxes = self._inboxes if os.getpid() == self._process else []
        size = len(inboxes) + 1
        shares = [tasks[i::size] for i in range(size)]
        # Not the next run's, in case that an interrupt ends this one.
        done: SimpleQueue = SimpleQueue()
        busy = 0
        for inbox, share in zip(inboxes, shares[1:], strict=True):
            if share:
                inbox.put((done, busy + 1, share))
                busy += 1
        results = {0: _call(shares[0])}
        for _ in range(busy):
            place, made = done.get()
            results[place] = made
        failed = [made for made in results.values() if isinstance(made, BaseException)]
        if failed:
            raise failed[0]
        ordered: list[Any] = [None] * len(tasks)
        for place, made in results.items():
            ordered[place::size] = made  # type: ignore[assignment]
        return ordered


def _serve(inbox: SimpleQueue) -> None:
    """Work until there is nothing more to do."""
    # Without a reference to the team, which would keep it, and this thread.
    while (job := inbox.get()) is not None:
        done, place, share = job
        done.put((place, _call(share)))


def _dismiss(inboxes: list[SimpleQueue]) -> None:
    """Let the threads of a team end."""
    for inbox in inboxes:
        inbox.put(None)


def run_in_threads(tasks: Sequence[Task], n_threads: int | None = None) -> None:
    """Call all tasks, which multiply matrices, in so many threads, None as BLAS."""
    # Each thread takes the next task when it has done one: where another process takes
    # half of a core, the thread there does fewer.
    waiting = iter(tasks)

    def work() -> None:
        for task in waiting:
            task()

    with OneBlasThread():
        size = allowed_threads() if n_threads is None else n_threads
        with Team(size) as team:
            team.run([work] * size)


def _call(tasks: Sequence[Task]) -> list[Any] | BaseException:
    """Return the results of tasks, or the exception of one."""
    try:
        return [task() for task in tasks]
    except BaseException as exc:
        return exc
