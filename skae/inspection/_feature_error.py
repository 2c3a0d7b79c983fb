"""Which features made the error of a row, or of many, as a display."""

from numbers import Integral

import numpy as np
from sklearn.utils.validation import check_is_fitted

from skae._validation import (
    Interval,
    StrOptions,
    num_samples,
    safe_indexing,
    validate_params,
)
from skae.inspection._common import (
    BLUE,
    check_channel_names,
    check_feature_names,
    check_kind,
    image_aspect,
    kind_of_rows,
    names_of_features,
    own_or_new_axes,
    series_colors,
    to_row_shape,
)
from skae.inspection._feature_table import check_row_names, draw_feature_table

# A row with more features than this is drawn by kind="auto" as a line, not as bars.
MAX_BAR_FEATURES = 40


class FeatureErrorDisplay:
    """Feature errors of a row, or of a table: what made the reconstruction error.

    Look at it to learn why a row was called an outlier. A table's row is drawn as bars
    of its largest errors, a series as a line over time, an image as a heat map, and
    many rows of a table as a heat map of rows and features. It is best made with
    :meth:`from_estimator`; all parameters are stored as attributes.

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
        The bars, the largest first; `None` unless the row was drawn as bars.
    lines_ : list of matplotlib Line2D or None
        One line per channel; `None` unless the row was drawn as lines.
    image_ : matplotlib AxesImage or None
        The heat map; `None` unless the row, or the table, was drawn as one.
    ax_ : matplotlib Axes
        The axes drawn on.
    figure_ : matplotlib Figure
        The figure that holds them.

    See Also
    --------
    ReconstructionDisplay : The row beside its reconstruction.
    ErrorHistogramDisplay : The errors of many rows, and the threshold on them.

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

    def __init__(self, errors, *, feature_names=None, row_names=None):
        self.errors = errors
        self.feature_names = feature_names
        self.row_names = row_names

    @validate_params(
        {
            "kind": [StrOptions({"auto", "bars", "line", "image", "table"})],
            "top_k": [Interval(Integral, 1, None, closed="left")],
        },
        prefer_skip_nested_validation=True,
    )
    def plot(self, ax=None, *, kind="auto", top_k=10):
        """Draw the feature errors.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Axes to draw on; `None` makes a new figure.
        kind : {"auto", "bars", "line", "image", "table"}, default="auto"
            `"bars"` for a table's row, `"line"` for a series, `"image"` for a heat map;
            `"auto"` goes by the row's shape: bars for up to 40 features, a line for
            more of them or for up to 4 channels over time, else a heat map. `"table"`
            for the errors of many rows: a heat map of each row's shares, which tell
            something of odd rows; those of a normal row are shares of very little.
        top_k : int, default=10
            Number of bars, or of features of a table: those with the largest errors.

        Returns
        -------
        display : FeatureErrorDisplay
            This display.

        Raises
        ------
        ValueError
            Where rows of this shape cannot be drawn as `kind`.
        """
        errors = np.asarray(self.errors, dtype=np.float64)
        kind = _auto_kind(errors.shape) if kind == "auto" else kind
        check_kind(kind, errors.shape)
        self.bars_ = self.lines_ = self.image_ = None
        if kind == "bars":
            names = check_feature_names(self.feature_names, errors.size)
            n_bars = min(top_k, errors.size)
            ax = own_or_new_axes(ax, (6.0, 0.9 + 0.32 * n_bars))
            self.bars_ = _draw_bars(ax, errors, names, n_bars)
        elif kind == "line":
            ax = own_or_new_axes(ax, (7.0, 3.2))
            self.lines_ = _draw_lines(ax, errors, self.feature_names)
        elif kind == "table":
            names = check_feature_names(self.feature_names, errors.shape[1])
            row_names = check_row_names(self.row_names, len(errors))
            ax = own_or_new_axes(ax, (6.0, 4.0))
            self.image_ = draw_feature_table(ax, errors, names, row_names, top_k)
        else:
            ax = own_or_new_axes(ax, (4.6, 3.8))
            self.image_ = _draw_image(ax, errors)
        self.ax_ = ax
        self.figure_ = ax.figure
        return self

    @classmethod
    @validate_params(
        {"row": [Integral, None]},
        prefer_skip_nested_validation=False,
    )
    def from_estimator(
        cls,
        detector,
        X,
        *,
        row=0,
        kind="auto",
        top_k=10,
        feature_names=None,
        row_shape=None,
        ax=None,
    ):
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
            How the row is drawn; see :meth:`plot`. With ``row=None`` it is "table".
        top_k : int, default=10
            Number of bars, or of features of a table.
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
        NotFittedError
            Where `detector` is not fitted.
        IndexError
            Where `X` has no such row.
        ValueError
            Where the rows cannot be drawn so.
        """
        check_is_fitted(detector)
        if feature_names is None and row_shape is None:
            feature_names = names_of_features(X, detector)
        if row is None:
            errors = to_row_shape(
                detector.feature_errors(X), row_shape, "feature_errors(X)"
            )
            row_names = list(X.index) if hasattr(X, "iloc") else None
            display = cls(errors, feature_names=feature_names, row_names=row_names)
            kind = "table" if kind == "auto" else kind
            return display.plot(ax=ax, kind=kind, top_k=top_k)
        n_samples = num_samples(X)
        if not -n_samples <= row < n_samples:
            raise IndexError(
                f"row is {row!r}, but X has {n_samples} rows. Pass a row's position, "
                f"from 0 to {n_samples - 1}."
            )
        errors = detector.feature_errors(safe_indexing(X, [row % n_samples]))
        errors = to_row_shape(errors, row_shape, "feature_errors(X)")[0]
        display = cls(errors, feature_names=feature_names)
        return display.plot(ax=ax, kind=kind, top_k=top_k)


def _auto_kind(row_shape):
    """Return the kind for a row of this shape."""
    if len(row_shape) == 1 and row_shape[0] <= MAX_BAR_FEATURES:
        return "bars"
    return kind_of_rows(row_shape)


def _draw_bars(ax, errors, names, n_bars):
    """Draw the largest errors as shares of their sum, the largest on top."""
    from matplotlib.ticker import PercentFormatter

    total = errors.sum()
    largest = np.argsort(-errors, kind="stable")[:n_bars]
    shares = errors[largest] / total if total > 0 else np.zeros(n_bars)
    bars = ax.barh(np.arange(n_bars), shares, height=0.7, color=BLUE)
    ax.set_yticks(np.arange(n_bars), [names[index] for index in largest])
    ax.invert_yaxis()
    ax.bar_label(bars, [f"{share:.0%}" for share in shares], padding=3)
    ax.margins(x=0.12)  # room for the numbers beside the bars
    ax.xaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
    ax.tick_params(axis="y", length=0)
    ax.spines[["top", "right"]].set_visible(False)
    ax.set_xlabel(f"share of the reconstruction error ({total:.3g})")
    return bars


def _draw_lines(ax, errors, names):
    """Draw one line per channel over time, or over the features of a flat row."""
    channels = errors.reshape(len(errors), -1).T
    flat = errors.ndim == 1
    names = check_channel_names(None if flat else names, len(channels))
    colors = [BLUE] if len(channels) == 1 else series_colors(len(channels))
    lines = [
        ax.plot(channel, color=colors[index % len(colors)], label=names[index])[0]
        for index, channel in enumerate(channels)
    ]
    if len(channels) == 1:
        ax.fill_between(np.arange(len(errors)), channels[0], color=BLUE, alpha=0.25)
    else:
        ax.legend(loc="best", frameon=False)
    ax.set(xlabel="feature" if flat else "timestep", ylabel="feature error")
    ax.margins(x=0.01)
    ax.set_ylim(bottom=0)
    return lines


def _draw_image(ax, errors):
    """Draw the heat map, summed over channels, with its colour bar."""
    total = errors if errors.ndim == 2 else errors.sum(axis=-1)
    image = ax.imshow(total, cmap="magma", aspect=image_aspect(total.shape), vmin=0)
    ax.set(xticks=[], yticks=[])
    ax.figure.colorbar(image, ax=ax, label="feature error")
    return image
