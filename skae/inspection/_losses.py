"""The loss per epoch, and the reconstruction errors with the threshold, as displays."""

from __future__ import annotations

from numbers import Integral
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from sklearn.utils.validation import check_is_fitted

from skae._validation import (
    Interval,
    check_array,
    check_outlier_labels,
    column_or_1d,
    needs,
)
from skae.inspection import _common as common

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from matplotlib.axes import Axes
    from matplotlib.lines import Line2D
    from numpy.typing import ArrayLike, NDArray

    Floats = NDArray[np.float64]

# From this ratio of the largest loss to the smallest on, log="auto" takes a log axis.
LOSS_RATIO = 10
# Label, colour and line style of each loss of a history.
CURVES = {
    "loss": ("training loss", common.BLUE, "-"),
    "val_loss": ("validation loss", common.VERMILION, "--"),
}
# From this ratio of the largest error to the median on, log="auto" takes a log axis.
ERROR_RATIO = 20
# On a log axis errors smaller than this part of the median are drawn at its left end.
LOG_FLOOR = 1e-6


class LossCurveDisplay:
    """Loss per epoch, on the training rows and on the validation rows.

    Look at it to see whether training had converged when it stopped, and whether the
    network overfits: then the validation loss rises while the training loss falls. It
    is best made with :meth:`from_estimator`; all parameters are stored as attributes.

    Read more in the :doc:`User Guide </guide/explaining>`.

    .. versionadded:: 0.1

    Parameters
    ----------
    history : dict of list of float
        The losses per epoch, as in `estimator.history_`: `"loss"` and, where rows were
        held out, `"val_loss"`.
    restored : bool, default=True
        Whether the weights of the best epoch were kept, as a `fit` with `patience`
        does. With `False` those of the last epoch were, and none is marked.

    Attributes
    ----------
    loss_line_ : matplotlib Line2D
        The training loss.
    val_loss_line_ : matplotlib Line2D or None
        The validation loss, `None` where there is none.
    kept_marker_ : matplotlib Line2D or None
        The mark at the epoch whose weights were kept, `None` where that is the last.
    ax_, figure_ : matplotlib Axes, matplotlib Figure
        The axes drawn on, and their figure.

    Examples
    --------
    >>> from skae.inspection import LossCurveDisplay
    >>> history = {"loss": [3.0, 2.0, 1.0], "val_loss": [3.0, 2.5, 2.7]}
    >>> display = LossCurveDisplay(history).plot()
    >>> display.ax_.get_xlabel()
    'epoch'
    >>> display.kept_marker_.get_label()
    'weights kept (epoch 2)'
    """

    def __init__(
        self, history: Mapping[str, Sequence[float]], *, restored: bool = True
    ) -> None:
        self.history = history
        self.restored = restored

    @common.validate_options(
        log=["boolean", common.AUTO], name=[str, None], color=[str, tuple, None]
    )
    def plot(
        self,
        ax: Axes | None = None,
        *,
        log: bool | Literal["auto"] = "auto",
        name: str | None = None,
        color: Any = None,
    ) -> LossCurveDisplay:
        """Draw the curves.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Axes to draw on; `None` makes a new figure.
        log : bool or "auto", default="auto"
            Whether the loss has a log axis; `"auto"` takes one where the largest loss
            is more than 10 times the smallest.
        name : str, default=None
            A name to put before the legend's entries, to compare several estimators on
            the same axes.
        color : matplotlib color, default=None
            One colour for both curves, the validation loss dashed; `None` gives each
            its own.

        Returns
        -------
        display : LossCurveDisplay
            This display.
        """
        with needs("matplotlib", "Drawing"):
            from matplotlib.ticker import MaxNLocator

        if not len(self.history.get("loss", ())):
            raise ValueError(
                "history must hold a 'loss' for one epoch or more, but it is "
                f"{self.history!r}. Pass the history_ of a fitted estimator."
            )
        losses = {
            key: np.asarray(self.history[key], dtype=np.float64)
            for key in CURVES
            if len(self.history.get(key, ()))
        }
        ax = common.axes_or_new(ax, (6.0, 4.0))
        prefix = common.literal("" if name is None else f"{name}: ", keep_math=True)
        lines: dict[str, Line2D] = {}
        for key, values in losses.items():
            label, own_color, linestyle = CURVES[key]
            look: dict[str, Any] = {"color": color or own_color, "linestyle": linestyle}
            look["marker"] = "." if len(values) == 1 else None  # one epoch is a point
            epochs = range(1, len(values) + 1)
            (lines[key],) = ax.plot(epochs, values, label=prefix + label, **look)
        self.loss_line_, self.val_loss_line_ = lines["loss"], lines.get("val_loss")
        self.kept_marker_ = None
        monitored = losses.get("val_loss", losses["loss"])
        kept = int(np.argmin(monitored)) + 1
        if self.restored and kept < len(losses["loss"]):
            look = {"markersize": 8, "markerfacecolor": "none", "markeredgewidth": 1.5}
            look |= {"color": color or common.DARK, "zorder": 3}
            look["label"] = f"{prefix}weights kept (epoch {kept})"
            (self.kept_marker_,) = ax.plot([kept], [monitored[kept - 1]], "o", **look)
        if log == "auto":
            values = np.concatenate(list(losses.values()))
            log = values.min() > 0 and values.max() > LOSS_RATIO * values.min()
        if log:
            ax.set_yscale("log")
        ax.xaxis.set_major_locator(MaxNLocator(integer=True, steps=[1, 2, 5, 10]))
        ax.set(xlabel="epoch", ylabel="loss")
        ax.legend(loc="best", frameon=False)
        self.ax_, self.figure_ = ax, ax.figure
        return self

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        *,
        ax: Axes | None = None,
        log: bool | Literal["auto"] = "auto",
        name: str | None = None,
        color: Any = None,
    ) -> LossCurveDisplay:
        """Draw the loss curves of a fitted estimator.

        After `partial_fit` no epoch is marked: it keeps the weights of its last pass.

        Parameters
        ----------
        estimator : fitted estimator
            Any of skae's estimators.
        ax : matplotlib Axes, default=None
            Where to draw, as in :meth:`plot`.
        log : bool or "auto", default="auto"
            Whether the losses have a logarithmic axis.
        name : str, default=None
            A name to put before the legend's entries.
        color : matplotlib color, default=None
            Colour of the curves.

        Returns
        -------
        display : LossCurveDisplay
            The display, already drawn.
        """
        check_is_fitted(estimator)
        display = cls(estimator.history_, restored=estimator.autoencoder_.restored)
        return display.plot(ax=ax, log=log, name=name, color=color)


class ErrorHistogramDisplay:
    r"""Histogram of the reconstruction errors with the threshold on them.

    With labels it shows how far the errors of inliers and outliers overlap, and on
    which side of the threshold they fall. Make it with :meth:`from_estimator`; all
    parameters are stored as attributes.

    Read more in the :doc:`User Guide </guide/explaining>`.

    .. versionadded:: 0.1

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
    ax_, figure_ : matplotlib Axes, matplotlib Figure
        The axes drawn on, and their figure.

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

    def __init__(
        self,
        errors: ArrayLike,
        threshold: float | None = None,
        y: ArrayLike | None = None,
    ) -> None:
        self.errors = errors
        self.threshold = threshold
        self.y = y

    @common.validate_options(
        bins=[Interval(Integral, 1, None, closed="left"), "array-like", common.AUTO],
        log=["boolean", common.AUTO],
        normalize=["boolean"],
    )
    def plot(
        self,
        ax: Axes | None = None,
        *,
        bins: int | ArrayLike | Literal["auto"] = "auto",
        log: bool | Literal["auto"] = "auto",
        normalize: bool = False,
    ) -> ErrorHistogramDisplay:
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
            Whether to draw the share of each class instead of the number of rows, so
            that a few outliers are visible next to many inliers.

        Returns
        -------
        display : ErrorHistogramDisplay
            This display.
        """
        with needs("matplotlib", "Drawing"):
            from matplotlib.ticker import MaxNLocator

        errors = column_or_1d(check_array(self.errors, ensure_2d=False, dtype=float))
        positive = errors[errors > 0]
        median = np.median(positive) if positive.size else 0.0
        if log == "auto":
            is_skewed = positive.size > 0 and errors.max() > ERROR_RATIO * median
            log = is_skewed and (self.threshold is None or self.threshold > 0)
        if log:
            floor = max(positive.min(), LOG_FLOOR * median) if positive.size else 1.0
            errors = np.maximum(errors, floor)
        groups = _groups(errors, self.y)
        ax = common.axes_or_new(ax, (6.4, 4.0))
        values = [values for values, *_ in groups]
        self.edges_ = common.histogram_edges(values, bins, log=log)
        self.histograms_ = [
            common.draw_histogram(ax, *group, self.edges_, normalize)
            for group in groups
        ]
        self.threshold_line_ = None
        if self.threshold is not None:
            label = f"threshold {self.threshold:.3g}"
            self.threshold_line_ = ax.axvline(
                self.threshold, color=common.DARK, linestyle="--", label=label
            )
        if log:
            ax.set_xscale("log")
        if not normalize:
            ax.yaxis.set_major_locator(MaxNLocator(integer=True))
        unit = "share of samples" if normalize else "number of samples"
        ax.set(xlabel="reconstruction error", ylabel=unit)
        ax.margins(y=0.1)
        if self.y is not None or self.threshold is not None:
            ax.legend(loc="best", frameon=False)
        self.ax_, self.figure_ = ax, ax.figure
        return self

    @classmethod
    def from_estimator(
        cls,
        detector: Any,
        X: ArrayLike | None = None,
        y: ArrayLike | None = None,
        *,
        ax: Axes | None = None,
        bins: int | ArrayLike | Literal["auto"] = "auto",
        log: bool | Literal["auto"] = "auto",
        normalize: bool = False,
    ) -> ErrorHistogramDisplay:
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
            Where to draw, as in :meth:`plot`.
        bins : int, array-like or "auto", default="auto"
            Number or edges of the bins, as in :meth:`plot`.
        log : bool or "auto", default="auto"
            Whether the errors have a logarithmic axis.
        normalize : bool, default=False
            Whether to draw the share of each class instead of the number of rows.

        Returns
        -------
        display : ErrorHistogramDisplay
            The display, already drawn.
        """
        check_is_fitted(detector)
        errors = detector.train_errors_ if X is None else -detector.score_samples(X)
        display = cls(errors, threshold=detector.threshold_, y=y)
        return display.plot(ax=ax, bins=bins, log=log, normalize=normalize)


def _groups(errors: Floats, y: ArrayLike | None) -> list[tuple[Floats, Any, str]]:
    """Return the values, the colour and the legend entry of each histogram."""
    if y is None:
        return [(errors, common.BLUE, f"all rows ({len(errors)})")]
    y = common.check_same_rows(y, len(errors), "y", "errors")
    labels: NDArray[Any] = check_outlier_labels(y)
    groups = []
    for label, color in common.LABEL_COLORS.items():
        values = errors[labels == label]
        if len(values):
            name = f"{common.LABEL_WORDS[label]}s ({len(values)})"
            groups.append((values, color, name))
    return groups
