"""The features' parts of the error of one row, or of many, as a display."""

from __future__ import annotations

from numbers import Integral
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from sklearn.utils.validation import check_is_fitted

from skae._validation import Interval, StrOptions, num_samples, safe_indexing
from skae.inspection import _common as common

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes
    from matplotlib.container import BarContainer
    from matplotlib.image import AxesImage
    from matplotlib.lines import Line2D
    from numpy.typing import ArrayLike, NDArray

    Floats = NDArray[np.float64]
    Kind = Literal["auto", "bars", "line", "image", "table"]
    Names = Sequence[Any] | None

# A row with more features than this is drawn by kind="auto" as a line, not as bars.
MAX_BAR_FEATURES = 40
# A table with more rows than this has numbers at its rows instead of names.
MAX_NAMED_ROWS = 40
SHARE_LABEL = "share of the reconstruction error"


class FeatureErrorDisplay:
    """Feature errors of a row, or of a table: the parts of the reconstruction error.

    Look at it to learn why a row was called an outlier. Make it with
    :meth:`from_estimator`; all parameters are stored as attributes.

    Read more in the :doc:`User Guide </guide/explaining>`.

    .. versionadded:: 0.1

    Parameters
    ----------
    errors : array-like of shape (n_features,), (n_timesteps, n_channels) or \
            (height, width, n_channels)
        The row's feature errors, whose sum is its reconstruction error; or those of
        many rows, (n_rows, n_features), to be drawn with ``kind="table"``.
    feature_names : list of str of length n_features, default=None
        Names for the bars; `None` names them x0, x1 and so on. They name the channels
        of a series.
    row_names : list of length n_rows, default=None
        Names for the rows of a table; `None` counts them.

    Attributes
    ----------
    bars_ : matplotlib BarContainer or None
        The bars, the largest first; `None` where another kind was drawn.
    lines_ : list of matplotlib Line2D or None
        One line per channel; `None` where another kind was drawn.
    image_ : matplotlib AxesImage or None
        The heat map of the row, or of the table; `None` where another kind was drawn.
    ax_, figure_ : matplotlib Axes, matplotlib Figure
        The axes drawn on, and their figure.

    Examples
    --------
    >>> from skae.inspection import FeatureErrorDisplay
    >>> display = FeatureErrorDisplay(
    ...     [0.25, 0.5, 0.25], feature_names=["speed", "load", "heat"]
    ... ).plot(top_k=2)
    >>> [float(bar.get_width()) for bar in display.bars_]
    [0.5, 0.25]
    >>> [label.get_text() for label in display.ax_.get_yticklabels()]
    ['load', 'speed']
    """

    def __init__(
        self,
        errors: ArrayLike,
        *,
        feature_names: Sequence[str] | None = None,
        row_names: Sequence[Any] | None = None,
    ) -> None:
        self.errors = errors
        self.feature_names = feature_names
        self.row_names = row_names

    @common.validate_options(
        kind=[StrOptions({"auto", "bars", "line", "image", "table"})],
        top_k=[Interval(Integral, 1, None, closed="left")],
    )
    def plot(
        self, ax: Axes | None = None, *, kind: Kind = "auto", top_k: int = 10
    ) -> FeatureErrorDisplay:
        """Draw the feature errors.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Axes to draw on; `None` makes a new figure.
        kind : {"auto", "bars", "line", "image", "table"}, default="auto"
            `"auto"` goes by the row's shape: bars for up to 40 features, a line for
            more of them or for up to 4 channels over time, else a heat map. `"table"`
            is for the errors of many rows: a heat map of each row's shares, which are
            informative for outliers; those of a normal row are shares of very little.
        top_k : int, default=10
            Number of bars, or of features of a table: those with the largest errors.

        Returns
        -------
        display : FeatureErrorDisplay
            This display.
        """
        errors = np.asarray(self.errors, dtype=np.float64)
        how: str = kind
        if kind == "auto":
            is_short = errors.ndim == 1 and errors.size <= MAX_BAR_FEATURES
            how = "bars" if is_short else common.kind_of_rows(errors.shape)
        common.check_kind(how, errors.shape)
        names = self.feature_names
        self.bars_ = self.lines_ = self.image_ = None
        n_bars = min(top_k, errors.size)
        sizes = {"bars": (6.0, 0.9 + 0.32 * n_bars), "line": (7.0, 3.2)}
        sizes |= {"table": (6.0, 4.0), "image": (4.6, 3.8)}
        ax = common.axes_or_new(ax, sizes[how])
        if how == "bars":
            self.bars_ = _draw_bars(ax, errors, names, n_bars)
        elif how == "line":
            self.lines_ = _draw_lines(ax, errors, names)
        elif how == "table":
            self.image_ = _draw_table(ax, errors, names, self.row_names, top_k)
        else:
            total = errors if errors.ndim == 2 else errors.sum(axis=-1)
            aspect = common.image_aspect(total.shape)
            self.image_ = ax.imshow(total, cmap="magma", aspect=aspect, vmin=0)
            ax.set(xticks=[], yticks=[])
            ax.figure.colorbar(self.image_, ax=ax, label="feature error")
        self.ax_, self.figure_ = ax, ax.figure
        return self

    @classmethod
    @common.validate_options(row=[Integral, None])
    def from_estimator(
        cls,
        detector: Any,
        X: ArrayLike,
        *,
        row: int | None = 0,
        kind: Kind = "auto",
        top_k: int = 10,
        feature_names: Sequence[str] | None = None,
        row_shape: tuple[int, ...] | None = None,
        ax: Axes | None = None,
    ) -> FeatureErrorDisplay:
        """Draw the feature errors of one row of `X`, or of all.

        Parameters
        ----------
        detector : fitted ReconstructionOutlierDetector
            It gives the feature errors.
        X : array-like of shape (n_samples, ...)
            Rows, of which one is drawn, or all.
        row : int or None, default=0
            Position of the row in `X`; a negative one counts from the end. `None` draws
            all rows, as a table.
        kind : {"auto", "bars", "line", "image", "table"}, default="auto"
            As in :meth:`plot`; with ``row=None``, "auto" is "table".
        top_k : int, default=10
            Number of bars, or of features of a table: those with the largest errors.
        feature_names : list of str, default=None
            Names of the features; `None` takes the columns of `X`, or those that the
            detector saw in `fit`.
        row_shape : tuple of int, default=None
            Shape to give the row for drawing, such as (28, 28) for a flattened image.
        ax : matplotlib Axes, default=None
            Axes to draw on; `None` makes a new figure.

        Returns
        -------
        display : FeatureErrorDisplay
            The display, already drawn.

        Raises
        ------
        IndexError
            Where `X` has no such row.
        ValueError
            Where rows of this shape cannot be drawn as `kind`.
        """
        check_is_fitted(detector)
        if feature_names is None and row_shape is None:
            feature_names = common.find_feature_names(X, detector)
        n_samples, row_names = num_samples(X), None
        if row is None:
            row_names = list(getattr(X, "index", ())) if hasattr(X, "iloc") else None
            kind = "table" if kind == "auto" else kind
        elif -n_samples <= row < n_samples:
            X = safe_indexing(X, [row % n_samples])
        else:
            raise IndexError(
                f"row is {row!r}, but X has {n_samples} rows. Pass a row's position, "
                f"from 0 to {n_samples - 1}."
            )
        errors = detector.feature_errors(X)
        errors = common.to_row_shape(errors, row_shape, "feature_errors(X)")
        errors = errors if row is None else errors[0]
        display = cls(errors, feature_names=feature_names, row_names=row_names)
        return display.plot(ax=ax, kind=kind, top_k=top_k)


def _draw_bars(ax: Axes, errors: Floats, names: Names, n_bars: int) -> BarContainer:
    """Draw the largest errors as shares of their sum, the largest on top."""
    from matplotlib.ticker import PercentFormatter

    names = common.check_names(names, errors.size)
    total = errors.sum()
    largest = np.argsort(-errors, kind="stable")[:n_bars]
    shares = errors[largest] / total if total > 0 else np.zeros(n_bars)
    bars = ax.barh(np.arange(n_bars), shares, height=0.7, color=common.BLUE)
    ax.set_yticks(np.arange(n_bars), [names[index] for index in largest])
    ax.invert_yaxis()
    ax.bar_label(bars, [f"{share:.0%}" for share in shares], padding=3)
    ax.margins(x=0.12)  # room for the numbers next to the bars
    ax.xaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
    ax.tick_params(axis="y", length=0)
    ax.spines[["top", "right"]].set_visible(False)
    ax.set_xlabel(f"{SHARE_LABEL} ({total:.3g})")
    return bars


def _draw_lines(ax: Axes, errors: Floats, names: Names) -> list[Line2D]:
    """Draw one line per channel over time, or over the features of a flat row."""
    channels = errors.reshape(len(errors), -1).T
    flat = errors.ndim == 1
    names = common.check_names(None if flat else names, len(channels), "channel")
    one = len(channels) == 1
    colors = [common.BLUE] if one else common.series_colors(len(channels))
    lines = [
        ax.plot(channel, color=colors[index % len(colors)], label=names[index])[0]
        for index, channel in enumerate(channels)
    ]
    if one:
        steps = np.arange(len(errors))
        ax.fill_between(steps, channels[0], color=common.BLUE, alpha=0.25)
    else:
        ax.legend(loc="best", frameon=False)
    ax.set(xlabel="feature" if flat else "timestep", ylabel="feature error")
    ax.margins(x=0.01)
    ax.set_ylim(bottom=0)
    return lines


def _draw_table(
    ax: Axes, errors: Floats, names: Names, row_names: Names, n_columns: int
) -> AxesImage:
    """Draw each row's errors as shares of their sum, the features with most first."""
    from matplotlib.ticker import MaxNLocator, PercentFormatter

    n_rows, n_features = errors.shape
    names = common.check_names(names, n_features)
    totals = errors.sum(axis=1, keepdims=True)
    shares = np.divide(errors, totals, out=np.zeros_like(errors), where=totals > 0)
    largest = np.argsort(-shares.mean(axis=0), kind="stable")[:n_columns]
    image = ax.imshow(shares[:, largest], cmap="magma", aspect="auto", vmin=0)
    names = [names[index] for index in largest]
    rotation = 90 if max(map(len, names)) > 3 else 0
    ax.set_xticks(np.arange(len(names)), names, rotation=rotation)
    if row_names is not None:
        row_names = common.check_names(row_names, n_rows, "row")
    if row_names is not None and n_rows <= MAX_NAMED_ROWS:
        ax.set_yticks(np.arange(n_rows), row_names)
    else:
        ax.yaxis.set_major_locator(MaxNLocator(integer=True))
    ax.set(xlabel="feature", ylabel="row")
    percent = PercentFormatter(1.0, decimals=0)
    ax.figure.colorbar(image, ax=ax, format=percent, label=SHARE_LABEL)
    return image
