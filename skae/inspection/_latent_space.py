"""The latent codes of many rows in the plane, as a display."""

from numbers import Integral

import numpy as np
from sklearn.decomposition import PCA
from sklearn.utils import check_array, column_or_1d
from sklearn.utils.validation import check_is_fitted

from skae._random import seed_from
from skae._validation import Interval, num_samples, safe_indexing, validate_params
from skae.inspection._categories import category_groups, is_categorical
from skae.inspection._common import (
    BLUE,
    check_same_rows,
    draw_histogram,
    histogram_edges,
    own_or_new_axes,
)


class LatentSpaceDisplay:
    """Latent codes as points in the plane, coloured by a label.

    Look at it to see whether the latent space keeps apart what differs: classes that
    the network was never told of, or outliers. It is best made with
    :meth:`from_estimator`; all parameters are stored as attributes.

    Parameters
    ----------
    codes : array-like of shape (n_samples, 2) or (n_samples, 1)
        Coordinates of each row. One column is drawn as a histogram, or over `y` where
        that holds numbers.
    y : array-like of shape (n_samples,), default=None
        Label or number of each row, for its colour. Strings and up to 10 different
        whole numbers are categories, with a legend; other numbers get a colour bar.
    axis_names : list of str, default=None
        Names of the columns; `None` is `["latent 0", "latent 1"]`.

    Attributes
    ----------
    scatters_ : list of matplotlib PathCollection
        The points, one artist per category; empty where histograms were drawn.
    histograms_ : list of matplotlib StepPatch
        The histograms of a single column, one per category; else empty.
    colorbar_ : matplotlib Colorbar or None
        The colour bar of two columns whose `y` holds numbers, else `None`.
    ax_ : matplotlib Axes
        The axes drawn on.
    figure_ : matplotlib Figure
        The figure that holds them.

    See Also
    --------
    ReconstructionDisplay : Rows beside their reconstructions.

    Notes
    -----
    Of more than 10 categories the 9 most frequent keep their names and the rest are
    drawn as "other". For another projection than that of :meth:`from_estimator`,
    compute it and pass it as `codes`.

    Examples
    --------
    >>> from skae.inspection import LatentSpaceDisplay
    >>> codes = [[0.0, 1.0], [0.5, 1.5], [3.0, 2.0]]
    >>> display = LatentSpaceDisplay(codes, y=["walk", "walk", "run"]).plot()
    >>> [points.get_label() for points in display.scatters_]
    ['run', 'walk']
    >>> display.ax_.get_xlabel()
    'latent 0'
    """

    def __init__(self, codes, *, y=None, axis_names=None):
        self.codes = codes
        self.y = y
        self.axis_names = axis_names

    @validate_params(
        {"scatter_kwargs": [dict, None]}, prefer_skip_nested_validation=True
    )
    def plot(self, ax=None, *, scatter_kwargs=None):
        """Draw the codes.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Axes to draw on; `None` makes a new figure.
        scatter_kwargs : dict, default=None
            Keywords for matplotlib's `scatter`, such as `{"s": 4}`.

        Returns
        -------
        display : LatentSpaceDisplay
            This display.

        Raises
        ------
        ValueError
            Where `codes` have more than two columns, or `y` another number of rows.
        """
        codes = check_array(self.codes, dtype=float)
        if codes.shape[1] > 2:
            raise ValueError(
                f"codes has {codes.shape[1]} columns, but one or two can be drawn. "
                "Pass two of them, or use from_estimator, which projects them."
            )
        y = self.y
        if y is not None:
            y = column_or_1d(np.asarray(check_same_rows(y, len(codes), "y", "codes")))
        names = self.axis_names or ["latent 0", "latent 1"][: codes.shape[1]]
        categorical = y is not None and is_categorical(y)
        groups = category_groups(y) if categorical else [(None, slice(None), BLUE)]
        style = _point_style(len(codes)) | (scatter_kwargs or {})
        own = ax is None
        ax = own_or_new_axes(ax, (6.0, 4.4))
        self.scatters_, self.histograms_, self.colorbar_ = [], [], None
        if codes.shape[1] == 2 and (y is None or categorical):
            self.scatters_ = _draw_points(ax, codes, groups, style)
        elif codes.shape[1] == 2:
            self.scatters_ = [ax.scatter(*codes.T, c=y, **{"cmap": "viridis"} | style)]
            self.colorbar_ = _add_colorbar(ax, self.scatters_[0], _name_of(self.y))
        elif y is None or categorical:
            self.histograms_ = _draw_histograms(ax, codes[:, 0], groups)
            names = [*names, "number of samples"]
        else:
            points = np.column_stack([codes[:, 0], y])
            self.scatters_ = _draw_points(ax, points, groups, style)
            names = [*names, _name_of(self.y)]
        ax.set(xlabel=names[0], ylabel=names[1])
        if categorical:
            _add_legend(ax, self.scatters_, outside=own)
        self.ax_ = ax
        self.figure_ = ax.figure
        return self

    @classmethod
    @validate_params(
        {
            "dimensions": ["array-like", None],
            "max_samples": [Interval(Integral, 1, None, closed="left"), None],
            "random_state": ["random_state"],
        },
        prefer_skip_nested_validation=False,
    )
    def from_estimator(
        cls,
        estimator,
        X,
        *,
        y=None,
        dimensions=None,
        max_samples=5000,
        random_state=None,
        ax=None,
        scatter_kwargs=None,
    ):
        """Draw the latent codes that a fitted estimator gives to the rows of `X`.

        Parameters
        ----------
        estimator : fitted estimator
            Its `encode`, or else its `transform`, gives the codes.
        X : array-like of shape (n_samples, ...)
            Rows to draw.
        y : array-like of shape (n_samples,), default=None
            Label or number of each row, for its colour.
        dimensions : tuple of one or two int, default=None
            Latent columns to draw. `None` draws codes of one or two columns as they
            are, and wider ones on their first two principal components.
        max_samples : int, default=5000
            Largest number of rows to draw; of more, so many are drawn at random.
            `None` draws all. Principal components are those of the rows drawn.
        random_state : int, RandomState instance or None, default=None
            Chooses the rows where there are more than `max_samples`.
        ax : matplotlib Axes, default=None
            Axes to draw on; `None` makes a new figure.
        scatter_kwargs : dict, default=None
            Keywords for matplotlib's `scatter`.

        Returns
        -------
        display : LatentSpaceDisplay
            The display, already drawn.

        Raises
        ------
        NotFittedError
            Where `estimator` is not fitted.
        TypeError
            Where `estimator` has neither `encode` nor `transform`.
        ValueError
            Where the codes lack one of `dimensions`.
        """
        check_is_fitted(estimator)
        encode = getattr(estimator, "encode", getattr(estimator, "transform", None))
        if encode is None:
            raise TypeError(
                f"{type(estimator).__name__} has neither encode nor transform, so it "
                "gives no latent codes. Pass an AutoencoderTransformer or a "
                "ReconstructionOutlierDetector."
            )
        n_samples = num_samples(X)
        if y is not None:
            check_same_rows(y, n_samples, "y", "X")
        if max_samples is not None and n_samples > max_samples:
            rows = _choose_rows(n_samples, max_samples, random_state)
            X = safe_indexing(X, rows)
            y = None if y is None else safe_indexing(y, rows)
        codes = np.asarray(encode(X), dtype=np.float64)
        codes, names = _project(codes.reshape(len(codes), -1), dimensions)
        display = cls(codes, y=y, axis_names=names)
        return display.plot(ax=ax, scatter_kwargs=scatter_kwargs)


def _choose_rows(n_samples, max_samples, random_state):
    """Return the positions of rows drawn at random, in their order."""
    rng = np.random.default_rng(seed_from(random_state))
    return np.sort(rng.choice(n_samples, max_samples, replace=False))


def _project(codes, dimensions):
    """Return one or two columns that stand for the codes, and their names."""
    width = codes.shape[1]
    if dimensions is None and width > 2:
        return _principal_plane(codes)
    dimensions = list(range(width) if dimensions is None else dimensions)
    if len(dimensions) not in (1, 2) or not set(dimensions) <= set(range(width)):
        raise ValueError(
            f"dimensions must be one or two latent columns from 0 to {width - 1}, but "
            f"it is {tuple(dimensions)!r}. Pass None for the principal components."
        )
    return codes[:, dimensions], [f"latent {index}" for index in dimensions]


def _principal_plane(codes):
    """Return the first two principal components of the codes, and their names."""
    pca = PCA(n_components=2, svd_solver="full")
    with np.errstate(invalid="ignore"):  # the shares of a constant code are 0 / 0
        plane = pca.fit_transform(codes)
    shares = np.nan_to_num(pca.explained_variance_ratio_)
    names = [
        f"principal component {rank} ({share:.0%} of variance)"
        for rank, share in enumerate(shares, start=1)
    ]
    return plane, names


def _point_style(n_samples):
    """Return size and opacity for so many points: the more, the smaller."""
    size = float(np.clip(3000 / n_samples, 5, 30))
    return {"s": size, "alpha": 0.7, "linewidths": 0}


def _name_of(y):
    """Return the name of a pandas Series, or "y"."""
    return str(getattr(y, "name", None) or "y")


def _draw_points(ax, points, groups, style):
    """Draw the points of each category."""
    return [
        ax.scatter(*points[rows].T, **{"color": color, "label": name} | style)
        for name, rows, color in groups
    ]


def _add_colorbar(ax, points, name):
    """Add a colour bar, opaque whatever the points are."""
    colorbar = ax.figure.colorbar(points, ax=ax, label=name)
    colorbar.solids.set_alpha(1)
    return colorbar


def _draw_histograms(ax, values, groups):
    """Draw one histogram per category over common bins."""
    edges = histogram_edges([values[rows] for _, rows, _ in groups])
    return [
        draw_histogram(ax, values[rows], edges, color=color, label=name)
        for name, rows, color in groups
    ]


def _add_legend(ax, scatters, *, outside):
    """Name the categories, beside the axes where the figure is our own."""
    place = (
        {"loc": "upper left", "bbox_to_anchor": (1.0, 1.0)}
        if outside
        else {"loc": "best"}
    )
    legend = ax.legend(frameon=not outside, **place)
    for handle in legend.legend_handles if scatters else ():
        handle.set(sizes=[30], alpha=1)
