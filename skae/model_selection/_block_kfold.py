"""The splitter for series: blocks of time, with gaps between training and test."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.model_selection import BaseCrossValidator
from sklearn.utils import check_consistent_length

from skae._validation import check_outlier_labels, num_samples

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray


class BlockKFold(BaseCrossValidator):
    """K-fold cross-validation by blocks of time, with gaps around the test fold.

    Rows that are near in time are alike, and windows of a series share them: a search
    over random folds would train on what it tests. Here each test fold is a block of
    consecutive rows, and the rows next to it do not train.

    Read more in the :doc:`User Guide </guide/series>`.

    .. versionadded:: 0.1

    Parameters
    ----------
    n_splits : int, default=5
        Number of blocks, at least 2.
    gap : int, default=32
        Rows on either side of the test fold that are left out of the training rows, at
        least the width of a window less one.

    Raises
    ------
    ValueError
        If `n_splits` is below 2 or `gap` below 0.

    See Also
    --------
    sklearn.model_selection.TimeSeriesSplit : Trains on rows before the test fold only.
    InlierKFold : For rows without an order.

    Notes
    -----
    With labels, the blocks are not of one length: each holds the same number of spans
    of outliers (but for one), whole spans, so that every test fold has both classes.
    Outliers stay among the training rows: a `skae.SlidingWindowDetector` does not train
    on windows that touch them.

    The training rows lie before and after the test fold. A `SlidingWindowDetector` sees
    that from the index of a DataFrame, and cuts no windows across; of an array it
    cannot know, and a few windows go across.

    Examples
    --------
    >>> import numpy as np
    >>> from skae.model_selection import BlockKFold
    >>> for train, test in BlockKFold(3, gap=1).split(np.zeros((9, 1))):
    ...     print(train, test)
    [4 5 6 7 8] [0 1 2]
    [0 1 7 8] [3 4 5]
    [0 1 2 3 4] [6 7 8]
    """

    def __init__(self, n_splits: int = 5, *, gap: int = 32) -> None:
        for name, value, least in (("n_splits", n_splits, 2), ("gap", gap, 0)):
            if not isinstance(value, (int, np.integer)) or value < least:
                raise ValueError(
                    f"{name} must be an integer of at least {least}, but is {value!r}."
                )
        self.n_splits = n_splits
        self.gap = gap

    def split(
        self, X: ArrayLike, y: ArrayLike | None = None, groups: Any = None
    ) -> Iterator[tuple[NDArray[np.intp], NDArray[np.intp]]]:
        """Generate the row numbers of training and test folds.

        Parameters
        ----------
        X : array-like of shape (n_samples, ...)
            Rows in the order of time; only their number counts.
        y : array-like of shape (n_samples,), default=None
            Labels, +1 (normal) and -1 (outlier). None makes blocks of one length.
        groups : Ignored
            Not used, present for API consistency by convention.

        Yields
        ------
        train : ndarray
            Row numbers of the training rows, ascending.
        test : ndarray
            Row numbers of the test fold, consecutive.

        Raises
        ------
        ValueError
            If there are fewer rows, or fewer spans of outliers, than blocks, if no row
            is left to train, or if `y` holds other labels than +1 and -1 or differs
            from `X` in length.
        """
        n = num_samples(X)
        edges = self._edges(n, y)
        rows = np.arange(n)
        for start, stop in pairwise(edges):
            is_train = (rows < start - self.gap) | (rows >= stop + self.gap)
            if not is_train.any():
                raise ValueError(
                    f"gap={self.gap!r} leaves none of {n} rows to train on outside of "
                    f"rows {start} to {stop - 1}. Lower gap, or pass more rows."
                )
            yield rows[is_train], rows[start:stop]

    def get_n_splits(self, X: Any = None, y: Any = None, groups: Any = None) -> int:
        """Return the number of folds.

        Parameters
        ----------
        X, y, groups : Ignored
            Not used, present for API consistency by convention.

        Returns
        -------
        n_splits : int
            The number of folds.
        """
        return self.n_splits

    def _edges(self, n: int, y: Any) -> NDArray[np.intp]:
        """Return the first rows of the blocks, and the end of the last one."""
        edges = np.arange(self.n_splits + 1) * n // self.n_splits
        if n < self.n_splits:
            raise ValueError(
                f"BlockKFold makes n_splits={self.n_splits!r} blocks, but there are "
                f"{n} rows. Lower n_splits, or pass more rows."
            )
        if y is None:
            return edges
        y = check_outlier_labels(y)
        check_consistent_length(np.empty(n), y)
        is_outlier = np.concatenate([[False], y == -1, [False]])
        change = np.flatnonzero(np.diff(is_outlier))
        first, end = change[::2], change[1::2]  # of each span
        if len(first) < self.n_splits:
            raise ValueError(
                f"BlockKFold needs a span of outliers (y == -1) for each of its "
                f"n_splits={self.n_splits!r} test folds, but y holds {len(first)} in "
                f"{n} rows. Lower n_splits, or label more rows; without y, blocks "
                "have one length."
            )
        # Between two spans, as near to blocks of one length as can be.
        last = np.arange(1, self.n_splits) * len(first) // self.n_splits - 1
        edges[1:-1] = np.clip(edges[1:-1], end[last], first[last + 1])
        return edges
