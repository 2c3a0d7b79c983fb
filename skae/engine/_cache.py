"""The pool of compiled programs.

Tracing a program takes longer than most small fits, so programs are kept. A program is
shared state: a fit *borrows* one, which takes it out of the pool, and puts it back when
it is done. Two fits that need the same program at the same time, in two threads or one
inside the other's callback, each get their own.
"""

import contextlib
import threading
from collections import OrderedDict

_MOST_IDLE = 12

_lock = threading.Lock()
_idle = OrderedDict()  # key -> list of programs, least recently used first


@contextlib.contextmanager
def borrowed(key, build):
    """Give the block a program of its own, built by ``build`` where none is idle.

    A program whose block raised is dropped: its state is unknown.

    Parameters
    ----------
    key : hashable or None
        Whatever distinguishes one compiled computation from another. None is a program
        that nobody else may have, before or after.

    build : callable
        Makes a program.
    """
    program = _take(key)
    if program is None:
        program = build()
    yield program
    if key is not None:
        _put_back(key, program)


def clear():
    """Forget all idle programs, and free their memory."""
    with _lock:
        _idle.clear()


def idle_programs():
    """Return how many programs wait to be borrowed."""
    with _lock:
        return _n_idle()


def _take(key):
    """Return an idle program, which leaves the pool, or None."""
    with _lock:
        waiting = _idle.get(key)
        if waiting is None:
            return None
        program = waiting.pop()
        if not waiting:
            del _idle[key]
        return program


def _put_back(key, program):
    """Add a program to the pool; the least recently used ones make room."""
    with _lock:
        _idle.setdefault(key, []).append(program)
        _idle.move_to_end(key)
        while _n_idle() > _MOST_IDLE:
            oldest = next(iter(_idle))
            _idle[oldest].pop(0)
            if not _idle[oldest]:
                del _idle[oldest]


def _n_idle():
    return sum(map(len, _idle.values()))
