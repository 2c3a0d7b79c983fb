"""How many threads NumPy's matrix products take: one, while a network trains in NumPy.

With more, the last bits of a product depend on their number, and worker processes have
fewer. And the products of small batches are done before a second thread has woken up:
on a busy machine, waiting for it takes many times longer than the work.
"""

import contextlib
import functools
import threading

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
