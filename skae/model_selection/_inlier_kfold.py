"""The splitter for detectors: trained on normal rows, tested on both classes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.model_selection import BaseCrossValidator, StratifiedKFold
from sklearn.utils import indexable

from skae._validation import check_outlier_labels

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray


class InlierKFold(BaseCrossValidator):
    """K-fold cross-validation that trains on inliers and tests on both classes.

    Use it to search a detector on labelled data. The folds are those of
    ``StratifiedKFold``, with the outliers taken out of the training rows.

    Read more in the :doc:`User Guide </guide/searching>`.

    .. versionadded:: 0.1

    Parameters
    ----------
    n_splits : int, default=5
        Number of folds, at least 2.
    shuffle : bool, default=False
        Whether to shuffle the rows of each class before they are split.
    random_state : int or RandomState instance, default=None
        Seed of the shuffling; None draws fresh entropy at every split. Must be None
        with ``shuffle=False``.

    Raises
    ------
    ValueError
        If `n_splits` is below 2 or no integer, or if `random_state` comes without
        `shuffle`.
    TypeError
        If `shuffle` is not a bool.

    Examples
    --------
    >>> import numpy as np
    >>> from skae.model_selection import InlierKFold
    >>> X, y = np.zeros((6, 2)), np.array([1, 1, 1, 1, -1, -1])
    >>> for train, test in InlierKFold(2).split(X, y):
    ...     print(train, test)
    [2 3] [0 1 4]
    [0 1] [2 3 5]
    """

    def __init__(
        self,
        n_splits: int = 5,
        *,
        shuffle: bool = False,
        random_state: int | np.random.RandomState | None = None,
    ) -> None:
        self.n_splits = n_splits
        self.shuffle = shuffle
        self.random_state = random_state
        # As scikit-learn's splitters, it refuses bad values at once, in their words.
        self._stratified_folds()

    def split(
        self, X: ArrayLike, y: ArrayLike | None = None, groups: Any = None
    ) -> Iterator[tuple[NDArray[np.intp], NDArray[np.intp]]]:
        """Generate the row numbers of training and test folds.

        Parameters
        ----------
        X : array-like of shape (n_samples, ...)
            Rows to split; only their number counts.
        y : array-like of shape (n_samples,)
            Labels, +1 (normal) and -1 (outlier). Required, in spite of its default.
        groups : Ignored
            Not used, present for API consistency by convention.

        Yields
        ------
        train : ndarray
            Row numbers of the training inliers, ascending.
        test : ndarray
            Row numbers of the test fold, inliers and outliers, ascending.

        Raises
        ------
        ValueError
            If `y` is None, holds other labels than +1 and -1, differs from `X` in
            length, or holds fewer inliers or fewer outliers than there are folds.
        """
        if y is None:
            raise ValueError(
                "InlierKFold needs y with the labels +1 (normal) and -1 (outlier), but "
                "y is None. Without labels, use KFold and scoring=reconstruction_score."
            )
        X, y = indexable(X, y)
        y = check_outlier_labels(y)
        for label, name in ((1, "inlier"), (-1, "outlier")):
            n_rows = int(np.sum(y == label))
            if n_rows < self.n_splits:  # a test fold would have none
                raise ValueError(
                    f"InlierKFold needs at least one {name} (y == {label:+d}) per test "
                    f"fold, n_splits={self.n_splits!r} in all, but y holds {n_rows!r}. "
                    "Lower n_splits, or label more rows."
                )
        for train, test in self._stratified_folds().split(X, y, groups):
            yield train[y[train] == 1], test

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

    def _stratified_folds(self) -> StratifiedKFold:
        """Return the splitter whose folds are used, or raise on bad parameters."""
        random_state = self.random_state
        if self.shuffle and random_state is None:
            # scikit-learn would draw from the global random state.
            random_state = int(np.random.default_rng().integers(2**32))
        return StratifiedKFold(
            self.n_splits, shuffle=self.shuffle, random_state=random_state
        )
