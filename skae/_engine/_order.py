"""The order in which a training sees its rows."""

import numpy as np

from skae._random import stream


def batch_orders(seed, n, first_epoch=0):
    """Yield the row order of each epoch, without end.

    Batches are consecutive slices of it, the last one shorter where it must be. A fit
    begins at ``first_epoch`` 0; each ``partial_fit`` begins where the last one ended.

    Parameters
    ----------
    seed : int
        Seed of the fit.

    n : int
        Number of training rows.

    first_epoch : int, default=0
        Number of earlier passes.

    Yields
    ------
    order : int32 ndarray of shape (n,)
        A permutation of ``range(n)``.
    """
    rng = stream(seed, "order", first_epoch)
    rows = np.arange(n, dtype=np.int32)
    while True:
        yield rng.permutation(rows)
