"""The latent codes of many rows in the plane, as a display."""

from __future__ import annotations

from numbers import Integral
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.decomposition import PCA
from sklearn.utils.validation import check_is_fitted

from skae._random import seed_from
from skae._validation import (
    Interval,
    check_array,
    column_or_1d,
    num_samples,
    safe_indexing,
    with_nan,
)
from skae.inspection import _common as common

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes
    from numpy.typing import ArrayLike, NDArray

    Floats = NDArray[np.float64]
    # Name, rows and colour of each category.
    Groups = list[tuple[Any, Any, Any]]

# As many categories have colours of their own; of more, the rarest are drawn as one.
MAX_CATEGORIES = 10


class LatentSpaceDisplay:
    """Latent codes as points in the plane, coloured by a label.

    Look at it to see whether the latent space separates groups that the network was
    not trained to separate: classes, or outliers. Make it with
    :meth:`from_estimator`; all parameters are stored as attributes.

    Read more in the :doc:`User Guide </guide/explaining>`.

    .. versionadded:: 0.1

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
        The points of each category; empty where histograms were drawn.
    histograms_ : list of matplotlib StepPatch
        The histogram of each category, of a single column; else empty.
    colorbar_ : matplotlib Colorbar or None
        The colour bar of two columns whose `y` holds numbers, else `None`.
    ax_, figure_ : matplotlib Axes, matplotlib Figure
        The axes drawn on, and their figure.

    Notes
    -----
    Of more than 10 categories the 9 most frequent keep their names and the rest are
    drawn as "other". For another projection, compute it and pass it as `codes`.

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

    def __init__(
        self,
        codes: ArrayLike,
        *,
        y: ArrayLike | None = None,
        axis_names: Sequence[str] | None = None,
    ) -> None:
        self.codes = codes
        self.y = y
        self.axis_names = axis_names

    @common.validate_options(scatter_kwargs=[dict, None])
    def plot(
        self, ax: Axes | None = None, *, scatter_kwargs: dict[str, Any] | None = None
    ) -> LatentSpaceDisplay:
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
        """
        codes = check_array(self.codes, dtype=float)
        if codes.shape[1] > 2:
            raise ValueError(
                f"codes has {codes.shape[1]} columns, but one or two can be drawn. "
                "Pass two of them, or use from_estimator, which projects them."
            )
        y: Any = self.y
        if y is not None:
            common.check_same_rows(y, len(codes), "y", "codes")
            y = column_or_1d(np.asarray(with_nan(y)))
        names = self.axis_names or ["latent 0", "latent 1"][: codes.shape[1]]
        names = [common.literal(name, keep_math=True) for name in names]
        y_name = common.literal(getattr(self.y, "name", None) or "y")
        has_categories = y is not None and _is_categorical(y)
        has_numbers = y is not None and not has_categories
        groups: Groups = [(None, slice(None), common.BLUE)]
        if has_categories:
            groups = _categories(y)
        size = float(np.clip(3000 / len(codes), 5, 30))  # the more, the smaller
        style = {"s": size, "alpha": 0.7, "linewidths": 0} | (scatter_kwargs or {})
        is_new = ax is None
        ax = common.axes_or_new(ax, (6.0, 4.4))
        self.scatters_, self.histograms_, self.colorbar_ = [], [], None
        is_plane = codes.shape[1] == 2
        if has_numbers and not is_plane:
            codes, names = np.column_stack([codes, y]), [*names, y_name]
        if has_numbers and is_plane:
            style = {"c": y, "cmap": "viridis"} | style
            self.scatters_ = [ax.scatter(*codes.T, **style)]
            bar: Any = ax.figure.colorbar(self.scatters_[0], ax=ax, label=y_name)
            self.colorbar_ = bar
            bar.solids.set_alpha(1)  # opaque whatever the points are
        elif codes.shape[1] == 2:
            for name, rows, color in groups:
                look = {"color": color, "label": name} | style
                self.scatters_.append(ax.scatter(*codes[rows].T, **look))
        else:
            values = codes[:, 0]
            edges = common.histogram_edges([values[rows] for _, rows, _ in groups])
            self.histograms_ = [
                common.draw_histogram(ax, values[rows], color, name, edges, False)
                for name, rows, color in groups
            ]
            names = [*names, "number of samples"]
        ax.set(xlabel=names[0], ylabel=names[1])
        if has_categories:
            outside = {"loc": "upper left", "bbox_to_anchor": (1.0, 1.0)}
            place: dict[str, Any] = outside if is_new else {"loc": "best"}
            legend: Any = ax.legend(frameon=not is_new, **place)
            for handle in legend.legend_handles if self.scatters_ else ():
                handle.set(sizes=[30], alpha=1)
        self.ax_, self.figure_ = ax, ax.figure
        return self

    @classmethod
    @common.validate_options(
        dimensions=["array-like", None],
        max_samples=[Interval(Integral, 1, None, closed="left"), None],
        random_state=["random_state"],
    )
    def from_estimator(
        cls,
        estimator: Any,
        X: ArrayLike,
        *,
        y: ArrayLike | None = None,
        dimensions: Sequence[int] | None = None,
        max_samples: int | None = 5000,
        random_state: int | np.random.RandomState | None = None,
        ax: Axes | None = None,
        scatter_kwargs: dict[str, Any] | None = None,
    ) -> LatentSpaceDisplay:
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
            Largest number of rows to draw, chosen at random; `None` draws all.
            Principal components are those of the rows drawn.
        random_state : int, RandomState instance or None, default=None
            Chooses the rows where there are more than `max_samples`.
        ax : matplotlib Axes, default=None
            Axes to draw on; `None` makes a new figure.
        scatter_kwargs : dict, default=None
            Keywords for matplotlib's `scatter`, such as `{"s": 4}`.

        Returns
        -------
        display : LatentSpaceDisplay
            The display, already drawn.

        Raises
        ------
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
            common.check_same_rows(y, n_samples, "y", "X")
        if max_samples is not None and n_samples > max_samples:
            rng = np.random.default_rng(seed_from(random_state))
            rows = np.sort(rng.choice(n_samples, max_samples, replace=False))
            X = safe_indexing(X, rows)
            y = None if y is None else safe_indexing(y, rows)
        codes = np.asarray(encode(X), dtype=np.float64)
        codes, names = _project(codes.reshape(len(codes), -1), dimensions)
        display = cls(codes, y=y, axis_names=names)
        return display.plot(ax=ax, scatter_kwargs=scatter_kwargs)


def _project(
    codes: Floats, dimensions: Sequence[int] | None
) -> tuple[Floats, list[str]]:
    """Return one or two columns that stand for the codes, and their names."""
    width = codes.shape[1]
    if dimensions is None and width > 2:
        pca = PCA(n_components=2, svd_solver="full")
        with np.errstate(invalid="ignore"):  # the shares of a constant code are 0 / 0
            plane = pca.fit_transform(codes)
        shares = np.nan_to_num(pca.explained_variance_ratio_)
        return plane, [
            f"principal component {rank} ({share:.0%} of variance)"
            for rank, share in enumerate(shares, start=1)
        ]
    dimensions = list(range(width) if dimensions is None else dimensions)
    if len(dimensions) not in (1, 2) or not set(dimensions) <= set(range(width)):
        raise ValueError(
            f"dimensions must be one or two latent columns from 0 to {width - 1}, but "
            f"it is {tuple(dimensions)!r}. Pass None for the principal components."
        )
    return codes[:, dimensions], [f"latent {index}" for index in dimensions]


def _is_categorical(y: NDArray[Any]) -> bool:
    """Return whether the values are names, or whole numbers few enough to be."""
    if y.dtype.kind not in "iuf":
        return True
    values = np.unique(y)
    return len(values) <= MAX_CATEGORIES and np.array_equal(values, np.rint(values))


def _categories(y: NDArray[Any]) -> Groups:
    """Return name, rows and colour of each category, those to draw on top last."""
    y = y.astype(str) if y.dtype.kind == "O" else y
    values, counts = np.unique(y, return_counts=True)
    if set(values.tolist()) == {1, -1}:
        return [
            (common.LABEL_WORDS[label], y == label, color)
            for label, color in common.LABEL_COLORS.items()
        ]
    groups: Groups = []
    if len(values) > MAX_CATEGORIES:
        frequent = np.sort(np.argsort(-counts, kind="stable")[: MAX_CATEGORIES - 1])
        rare = np.delete(values, frequent)
        groups = [(f"other ({len(rare)} labels)", np.isin(y, rare), common.PALE)]
        values = values[frequent]
    is_number = y.dtype.kind == "f"  # whole: see `_is_categorical`
    for value, color in zip(values, common.series_colors(len(values)), strict=True):
        name = common.literal(int(value) if is_number else value)
        groups.append((name, y == value, color))
    return groups
