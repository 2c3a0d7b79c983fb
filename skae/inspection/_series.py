"""A series, its reconstruction and its errors over time, as a display."""

from __future__ import annotations

from numbers import Integral
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from sklearn.utils.validation import check_is_fitted

from skae._validation import Interval, check_outlier_labels, needs
from skae.inspection import _common as common

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes
    from numpy.typing import ArrayLike, NDArray

    Floats = NDArray[np.float64]

MAX_CHANNELS = 4


class SeriesDisplay:
    """A series with its reconstruction, and the error of each time step below.

    Spans that are flagged, where the error is above the threshold, are shaded. Make it
    with :meth:`from_estimator`; all parameters are stored as attributes.

    Read more in the :doc:`User Guide </guide/series>`.

    .. versionadded:: 0.1

    Parameters
    ----------
    X : array-like of shape (n_timesteps, n_channels)
        The series.
    reconstruction : array-like of the shape of `X`
        Its reconstruction.
    errors : array-like of shape (n_timesteps,)
        Reconstruction error of each time step.
    threshold : float, default=None
        Largest error of an inlier; `None` flags no step.
    y : array-like of shape (n_timesteps,), default=None
        Labels, +1 for inliers and -1 for outliers, which are marked.
    times : array-like of shape (n_timesteps,), default=None
        Times or numbers of the steps; `None` counts them.
    feature_names : list of str of length n_channels, default=None
        Names of the channels.

    Attributes
    ----------
    lines_, reconstruction_lines_ : list of matplotlib Line2D
        The channels, and their reconstructions.
    error_line_ : matplotlib Line2D
        The errors.
    threshold_line_ : matplotlib Line2D or None
        The threshold, `None` where there is none.
    spans_ : list of list of matplotlib Rectangle
        The shaded spans of each panel.
    label_marks_ : matplotlib PathCollection or None
        The marks of the steps that `y` names outliers, `None` without `y`.
    axes_ : ndarray of matplotlib Axes of shape (n_channels + 1,)
        The panels, that of the errors last.
    ax_, figure_ : matplotlib Axes, matplotlib Figure
        The first panel, and the figure that holds all of them.

    Examples
    --------
    >>> import numpy as np
    >>> from skae.inspection import SeriesDisplay
    >>> X = np.sin(np.arange(50) / 3).reshape(-1, 1)
    >>> errors = np.where(np.arange(50) // 10 == 2, 1.0, 0.1)
    >>> display = SeriesDisplay(X, 0.9 * X, errors, threshold=0.5).plot()
    >>> [len(spans) for spans in display.spans_]
    [1, 1]
    """

    def __init__(
        self,
        X: ArrayLike,
        reconstruction: ArrayLike,
        errors: ArrayLike,
        *,
        threshold: float | None = None,
        y: ArrayLike | None = None,
        times: ArrayLike | None = None,
        feature_names: Sequence[str] | None = None,
    ) -> None:
        self.X = X
        self.reconstruction = reconstruction
        self.errors = errors
        self.threshold = threshold
        self.y = y
        self.times = times
        self.feature_names = feature_names

    def plot(self, ax: ArrayLike | None = None) -> SeriesDisplay:
        """Draw the channels, their reconstructions and the errors.

        Parameters
        ----------
        ax : array-like of matplotlib Axes, default=None
            Axes to draw on, one more than there are channels; `None` makes a new
            figure.

        Returns
        -------
        display : SeriesDisplay
            This display.
        """
        X = common.to_row_shape(self.X, None, "X")
        restored = common.to_row_shape(
            self.reconstruction, X.shape[1:], "reconstruction"
        )
        n, n_channels = X.shape
        common.check_same_rows(restored, n, "reconstruction", "X")
        errors = np.asarray(common.check_same_rows(self.errors, n, "errors", "X"))
        times = np.arange(n) if self.times is None else np.asarray(self.times)
        common.check_same_rows(times, n, "times", "X")
        names = common.check_names(self.feature_names, n_channels, "channel")
        self.axes_ = _panels(ax, n_channels + 1)
        self.lines_, self.reconstruction_lines_ = [], []
        look: dict[str, Any] = {"linewidth": 1.0}
        for panel, name, channel, output in zip(
            self.axes_[:-1], names, X.T, restored.T, strict=True
        ):
            (line,) = panel.plot(times, channel, color=common.DARK, **look)
            (other,) = panel.plot(times, output, color=common.BLUE, alpha=0.8, **look)
            panel.set_ylabel(name, parse_math=False)
            self.lines_.append(line)
            self.reconstruction_lines_.append(other)
        self.ax_, below = self.axes_[0], self.axes_[-1]
        self.ax_.legend([line, other], ["input", "reconstruction"], frameon=False)
        (self.error_line_,) = below.plot(times, errors, color=common.DARK, **look)
        below.set(ylabel="reconstruction error", xlabel="time step")
        self.threshold_line_, self.label_marks_ = None, None
        is_flagged = np.zeros(n, dtype=bool)
        if self.threshold is not None:
            is_flagged = errors > self.threshold
            label = f"threshold {self.threshold:.3g}"
            self.threshold_line_ = below.axhline(
                self.threshold, color=common.VERMILION, linestyle="--", label=label
            )
        if self.y is not None:
            y = common.check_same_rows(self.y, n, "y", "X")
            is_outlier = check_outlier_labels(y) == -1
            self.label_marks_ = below.scatter(
                times[is_outlier],
                np.zeros(is_outlier.sum()),
                marker="|",
                color=common.VERMILION,
                label="outlier (label)",
            )
        self.spans_ = [_shade(panel, times, is_flagged) for panel in self.axes_]
        if below.get_legend_handles_labels()[0]:
            below.legend(frameon=False)
        self.figure_ = self.ax_.figure
        return self

    @classmethod
    @common.validate_options(
        max_channels=[Interval(Integral, 1, None, closed="left")],
    )
    def from_estimator(
        cls,
        detector: Any,
        X: ArrayLike,
        y: ArrayLike | None = None,
        *,
        groups: ArrayLike | None = None,
        max_channels: int = MAX_CHANNELS,
        ax: ArrayLike | None = None,
    ) -> SeriesDisplay:
        """Draw a series as a fitted detector of series sees it.

        Parameters
        ----------
        detector : fitted SlidingWindowDetector
            It gives the reconstruction, the errors and the threshold.
        X : array-like of shape (n_timesteps, n_channels), or Series
            The series; the index of a DataFrame is the time.
        y : array-like of shape (n_timesteps,), default=None
            Labels, +1 for inliers and -1 for outliers.
        groups : array-like of shape (n_timesteps,), default=None
            Which series a step belongs to.
        max_channels : int, default=4
            Where there are more channels, those with the largest errors are drawn, of
            flagged steps if there are some.
        ax : array-like of matplotlib Axes, default=None
            As in :meth:`plot`.

        Returns
        -------
        display : SeriesDisplay
            The display, already drawn.
        """
        check_is_fitted(detector)
        parts = detector.feature_errors(X, groups)
        errors = parts.sum(axis=1)
        is_flagged = errors > detector.threshold_
        shares = parts[is_flagged] if is_flagged.any() else parts
        order = np.argsort(-shares.mean(axis=0), kind="stable")[:max_channels]
        chosen = np.sort(order)
        rows = np.asarray(X, dtype=np.float64).reshape(len(parts), -1)
        names = common.find_feature_names(X, detector)
        display = cls(
            rows[:, chosen],
            detector.reconstruct(X, groups)[:, chosen],
            errors,
            threshold=detector.threshold_,
            y=y,
            times=cast("Any", X).index if hasattr(X, "iloc") else None,
            feature_names=[
                f"channel {place}" if names is None else names[place]
                for place in chosen
            ],
        )
        return display.plot(ax=ax)


def _panels(ax: Any, n_panels: int) -> NDArray[Any]:
    """Return the given axes, or those of a new figure, one below the other."""
    if ax is None:
        with needs("matplotlib", "Drawing"):
            import matplotlib.pyplot as plt

        figure = plt.figure(figsize=(8.0, 1.2 + 1.5 * n_panels), layout="constrained")
        return figure.subplots(n_panels, sharex=True)
    panels = np.asarray(ax, dtype=object).ravel()
    if len(panels) != n_panels:
        raise ValueError(
            f"ax has {len(panels)} axes, but {n_panels} panels are drawn: one for each "
            "channel, and one for the errors. Pass as many axes, or None."
        )
    return panels


def _shade(panel: Axes, times: NDArray[Any], is_flagged: NDArray[np.bool_]) -> list:
    """Shade each run of flagged steps, half-way to the steps around it."""
    change = np.flatnonzero(np.diff(np.r_[False, is_flagged, False]))
    middle = times[:-1] + np.diff(times) / 2
    edges = np.concatenate([times[:1], middle, times[-1:]])
    return [
        panel.axvspan(edges[start], edges[end], color=common.VERMILION, alpha=0.2, lw=0)
        for start, end in change.reshape(-1, 2)
    ]
