"""Taking times: what is compared is run in turn, so that both meet the same noise."""

import contextlib
import gc
import time


def timed(call, *args, **kwargs):
    """Return the seconds that a call took, and what it returned."""
    with _without_collection():
        start = time.perf_counter()
        result = call(*args, **kwargs)
        return time.perf_counter() - start, result


def in_turn(contenders, turn):
    """Return names and contenders, beginning with another one at every turn.

    Parameters
    ----------
    contenders : dict of str to callable

    turn : int
        Number of the round.

    Returns
    -------
    items : list of (str, callable)
    """
    items = list(contenders.items())
    first = turn % len(items)
    return items[first:] + items[:first]


@contextlib.contextmanager
def _without_collection():
    """Keep one contender's garbage out of another's time, as timeit does."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()
