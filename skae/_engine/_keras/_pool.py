"""The pool of compiled programs.

Tracing a program takes longer than most small fits, so programs are kept. A program is
shared state: a fit acquires one, which takes it out of the pool, and it goes back when
the fit is done. Two fits that need the same program at the same time, in two threads or
one inside the other's callback, each get their own.
"""

from __future__ import annotations

import contextlib
import gc
import threading
from collections.abc import Callable, Iterator
from typing import Any

_MOST_IDLE = 12
# TensorFlow's graphs are cycles of few but heavy objects: Python's collector, which
# counts objects, would let gigabytes of them pile up. A collection takes longer than
# dropping one program is worth, so it waits for a few.
_COLLECT_EVERY = 4

_lock = threading.Lock()
# Programs with the keys they answer to, least recently used first.
_idle: list[tuple[tuple, Any]] = []
_n_dropped = 0  # since the last collection


@contextlib.contextmanager
def acquired(
    key: Any, build: Callable[[], Any], also: Callable[[], tuple] = tuple
) -> Iterator[Any]:
    """Give the block a program of its own, built by ``build`` where none is idle."""
    # A program answers to `key` and to what `also` returns once it is built; one with
    # None as a key is used once. A program whose block raised is dropped: its state is
    # unknown.
    keys, program = _take(key)
    if program is None:
        program = build()
        keys = key, *also()
    n_dropped = 1  # where the block raises, or the program is for one use
    try:
        yield program
        if key is not None:
            n_dropped = _put_back(keys, program)
    finally:
        del program
        _count_dropped(n_dropped)


def clear() -> None:
    """Forget all idle programs, and free their memory."""
    with _lock:
        _idle.clear()


def n_idle() -> int:
    """Return the number of idle programs."""
    with _lock:
        return len(_idle)


def _take(key: Any) -> tuple[tuple, Any]:
    """Return an idle program and its keys, which leaves the pool, or None."""
    if key is None:
        return (), None
    with _lock:
        for i in reversed(range(len(_idle))):
            if key in _idle[i][0]:
                return _idle.pop(i)
    return (), None


def _put_back(keys: tuple, program: Any) -> int:
    """Add a program to the pool; return how many old ones made room."""
    with _lock:
        _idle.append((keys, program))
        n_dropped = max(0, len(_idle) - _MOST_IDLE)
        del _idle[:n_dropped]
    return n_dropped


def _count_dropped(n_dropped: int) -> None:
    """Free the memory of dropped programs now and then."""
    global _n_dropped
    with _lock:
        _n_dropped += n_dropped
        collect = _n_dropped >= _COLLECT_EVERY
        if collect:
            _n_dropped = 0
    if collect:
        gc.collect()
