"""The pool of compiled programs.

Tracing a program takes longer than most small fits, so programs are kept. A program is
shared state: a fit *borrows* one, which takes it out of the pool, and puts it back when
it is done. Two fits that need the same program at the same time, in two threads or one
inside the other's callback, each get their own.
"""

import contextlib
import gc
import threading
from collections import OrderedDict

_MOST_IDLE = 12
# TensorFlow's graphs are cycles of few but heavy objects: Python's collector, which
# counts objects, would let gigabytes of them pile up. A collection takes longer than
# dropping one program is worth, so it waits for a few.
_COLLECT_EVERY = 4

_lock = threading.Lock()
_idle = OrderedDict()  # key -> list of programs, least recently used first
_n_dropped = 0  # since the last collection


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
    n_dropped = 1  # where the block raises, or the program is for one use
    try:
        yield program
        if key is not None:
            n_dropped = _put_back(key, program)
    finally:
        del program
        _count_dropped(n_dropped)


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
    """Add a program to the pool; return how many old ones made room."""
    n_dropped = 0
    with _lock:
        _idle.setdefault(key, []).append(program)
        _idle.move_to_end(key)
        while _n_idle() > _MOST_IDLE:
            oldest = next(iter(_idle))
            _idle[oldest].pop(0)
            n_dropped += 1
            if not _idle[oldest]:
                del _idle[oldest]
    return n_dropped


def _count_dropped(n_dropped):
    """Free the memory of dropped programs now and then."""
    global _n_dropped
    with _lock:
        _n_dropped += n_dropped
        collect = _n_dropped >= _COLLECT_EVERY
        if collect:
            _n_dropped = 0
    if collect:
        gc.collect()


def _n_idle():
    return sum(map(len, _idle.values()))
