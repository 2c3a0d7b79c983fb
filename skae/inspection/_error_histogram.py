"""The reconstruction errors and the threshold on them, as a display."""

from numbers import Integral

import numpy as np
from sklearn.utils import check_array, column_or_1d
from sklearn.utils.validation import check_is_fitted

from skae._validation import (
    Interval,
    StrOptions,
    check_outlier_labels,
    validate_params,
)
from skae.inspection._common import (
    BLUE,
    DARK,
    LABEL_COLORS,
    LABEL_WORDS,
    check_same_rows,
    draw_histogram,
    histogram_edges,
    is_wide,
    own_or_new_axes,
)

# From this ratio of the largest error to the median on, log="auto" takes a log axis.
LOG_RATIO = 20
# On a log axis errors smaller than this part of the median are drawn at its left end.
LOG_FLOOR = 1e-6


class ErrorHistogramDisplay:
    r"""Histogram of the reconstruction errors with the threshold on them.

    Look at it to choose a threshold rule: with labels it shows how far the errors of
    inliers and outliers overlap, and on which side of the threshold they fall. It is
    best made with :meth:`from_estimator`; all parameters are stored as attributes.

    Parameters
    ----------
    errors : array-like of shape (n_samples,)
        Reconstruction error of each row, in the units of the detector's threshold.
    threshold : float, default=None
        Largest error of an inlier; `None` draws no line.
    y : array-like of shape (n_samples,), default=None
        Labels, +1 for inliers and -1 for outliers; `None` draws one histogram.

    Attributes
    ----------
    histograms_ : list of matplotlib StepPatch
        One histogram, or those of the inliers and of the outliers. A class without
        rows has none.
    edges_ : ndarray of shape (n_bins + 1,)
        Edges of the bins, which the histograms share.
    threshold_line_ : matplotlib Line2D or None
        The threshold, `None` where there is none.
    ax_ : matplotlib Axes
        The axes drawn on.
    figure_ : matplotlib Figure
        The figure that holds them.

    See Also
    --------
    FeatureErrorDisplay : Which features made the error of one row.

    Notes
    -----
    ``bins="auto"`` takes bins of width :math:`2\,\mathrm{IQR}\,n^{-1/3}` [1]_ on the
    axis's own scale, at most 80 of them; with labels, the larger class sets the width.
    On a log axis errors below a millionth of the median, zeros included, are counted in
    the first bin.

    References
    ----------
    .. [1] Freedman, D. and Diaconis, P. "On the histogram as a density estimator: L2
       theory." Zeitschrift für Wahrscheinlichkeitstheorie 57, 453-476, 1981.
       :doi:`10.1007/BF01025868`

    Examples
    --------
    >>> from skae.inspection import ErrorHistogramDisplay
    >>> display = ErrorHistogramDisplay(
    ...     [0.1, 0.2, 0.2, 0.9], threshold=0.5, y=[1, 1, 1, -1]
    ... ).plot()
    >>> [patch.get_label() for patch in display.histograms_]
    ['inliers (3)', 'outliers (1)']
    >>> display.threshold_line_.get_label()
    'threshold 0.5'
    """

    def __init__(self, errors, threshold=None, y=None):
        self.errors = errors
        self.threshold = threshold
        self.y = y

    @validate_params(
        {
            "bins": [
                Interval(Integral, 1, None, closed="left"),
                "array-like",
                StrOptions({"auto"}),
            ],
            "log": ["boolean", StrOptions({"auto"})],
            "normalize": ["boolean"],
        },
        prefer_skip_nested_validation=True,
    )
    def plot(self, ax=None, *, bins="auto", log="auto", normalize=False):
        """Draw the histogram and the threshold.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Axes to draw on; `None` makes a new figure.
        bins : int, array-like of shape (n_bins + 1,) or "auto", default="auto"
            Number of bins, or their edges.
        log : bool or "auto", default="auto"
            Whether the errors have a log axis; `"auto"` takes one where the largest is
            more than 20 times the median and the threshold is positive.
        normalize : bool, default=False
            Whether to draw the share of each class in place of the number of rows, so
            that a few outliers are seen beside many inliers.

        Returns
        -------
        display : ErrorHistogramDisplay
            This display.

        Raises
        ------
        ValueError
            Where the errors are not finite, or do not match the labels.
        """
        from matplotlib.ticker import MaxNLocator

        errors = column_or_1d(check_array(self.errors, ensure_2d=False, dtype=float))
        log = log is True or (log == "auto" and self._log_serves(errors))
        if log:
            errors = np.maximum(errors, _log_floor(errors))
        groups = _groups(errors, self.y)
        ax = own_or_new_axes(ax, (6.4, 4.0))
        self.edges_ = histogram_edges([group[0] for group in groups], bins, log=log)
        self.histograms_ = [
            draw_histogram(
                ax, values, self.edges_, color=color, label=label, normalize=normalize
            )
            for values, color, label in groups
        ]
        self.threshold_line_ = None
        if self.threshold is not None:
            self.threshold_line_ = ax.axvline(
                self.threshold,
                color=DARK,
                linestyle="--",
                label=f"threshold {self.threshold:.3g}",
            )
        if log:
            ax.set_xscale("log")
        ax.set(
            xlabel="reconstruction error",
            ylabel="share of samples" if normalize else "number of samples",
        )
        if not normalize:
            ax.yaxis.set_major_locator(MaxNLocator(integer=True))
        ax.margins(y=0.1)
        if self.y is not None or self.threshold is not None:
            ax.legend(loc="best", frameon=False)
        self.ax_ = ax
        self.figure_ = ax.figure
        return self

    def _log_serves(self, errors):
        """Return whether a log axis shows the errors better, and the threshold too."""
        return is_wide(errors, LOG_RATIO) and (
            self.threshold is None or self.threshold > 0
        )

    @classmethod
    def from_estimator(
        cls,
        detector,
        X=None,
        y=None,
        *,
        ax=None,
        bins="auto",
        log="auto",
        normalize=False,
    ):
        """Draw the errors of rows, or of the training rows, of a fitted detector.

        Parameters
        ----------
        detector : fitted ReconstructionOutlierDetector
            It gives the errors and the threshold.
        X : array-like of shape (n_samples, ...), default=None
            Rows to score; `None` takes the training errors that the detector keeps.
        y : array-like of shape (n_samples,), default=None
            Labels of the rows, +1 for inliers and -1 for outliers.
        ax : matplotlib Axes, default=None
            Axes to draw on; `None` makes a new figure.
        bins : int, array-like of shape (n_bins + 1,) or "auto", default="auto"
            Number of bins, or their edges.
        log : bool or "auto", default="auto"
            Whether the errors have a log axis; see :meth:`plot`.
        normalize : bool, default=False
            Whether to draw the share of each class; see :meth:`plot`.

        Returns
        -------
        display : ErrorHistogramDisplay
            The display, already drawn.

        Raises
        ------
        NotFittedError
            Where `detector` is not fitted.
        """
        check_is_fitted(detector)
        errors = detector.train_errors_ if X is None else -detector.score_samples(X)
        display = cls(errors, threshold=detector.threshold_, y=y)
        return display.plot(ax=ax, bins=bins, log=log, normalize=normalize)


def _groups(errors, y):
    """Return the values, the colour and the legend's words of each histogram."""
    if y is None:
        return [(errors, BLUE, f"all rows ({len(errors)})")]
    y = check_outlier_labels(check_same_rows(y, len(errors), "y", "errors"))
    return [
        (errors[y == label], color, f"{LABEL_WORDS[label]}s ({np.sum(y == label)})")
        for label, color in LABEL_COLORS.items()
        if (y == label).any()
    ]


def _log_floor(errors):
    """Return the smallest error that a log axis shows."""
    positive = errors[errors > 0]
    if positive.size == 0:
        return 1.0  # nothing but zeros: any place is as good
    return max(positive.min(), LOG_FLOOR * np.median(positive))
