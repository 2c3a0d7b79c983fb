"""Rows and their reconstructions, as a display: lines for series, else pictures."""

from __future__ import annotations

import textwrap
from numbers import Integral
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from sklearn.utils.validation import check_is_fitted

from skae._validation import (
    Interval,
    StrOptions,
    check_outlier_labels,
    needs,
    num_samples,
    safe_indexing,
)
from skae.inspection import _common as common

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes
    from numpy.typing import ArrayLike, NDArray

    Kind = Literal["auto", "line", "image"]
    Size = tuple[float, float]
    Rows = dict[str, NDArray[np.float64]]  # "input", "clean", "reconstruction"

# Up to so many features are named one by one on the axis.
MAX_NAMED_FEATURES = 30
# With more panels than this, lines go on to a second row of panels.
MAX_COLUMNS = 3


class ReconstructionDisplay:
    """Rows and their reconstructions, with the error between them.

    Rows of tables and series are drawn as lines with a band between them, images as
    pictures with a heat map of the error. Make it with :meth:`from_estimator`; all
    parameters are stored as attributes.

    Read more in the :doc:`User Guide </guide/explaining>`.

    .. versionadded:: 0.1

    Parameters
    ----------
    X : array-like of shape (n_samples, n_features), (n_samples, n_timesteps, \
            n_channels) or (n_samples, height, width, n_channels)
        The rows that went into the network.
    reconstruction : array-like of the shape of `X`
        What came out of it.
    clean : array-like of the shape of `X`, default=None
        For a denoiser, what should have come out: the error is then the distance to
        `clean` in place of that to `X`.
    titles : list of str of length n_samples, default=None
        A title for each row; `None` draws none.
    feature_names : list of str of length n_features, default=None
        Names of the features of a table, written on the axis where there are up to 30;
        names of the channels of a series.
    value_name : str, default="value"
        Name of the values of lines with one channel.

    Attributes
    ----------
    lines_ : dict of list of matplotlib Line2D or None
        The lines "input", "reconstruction" and, where given, "clean": all channels of
        the first row, then those of the next. `None` where images were drawn.
    bands_ : list of matplotlib FillBetweenPolyCollection
        The bands between the lines; empty where none was drawn.
    images_ : dict of list of matplotlib AxesImage or None
        The pictures of the same names, and "absolute error"; `None` for lines.
    axes_ : ndarray of matplotlib Axes
        The panels: for lines (n_samples,), or (n_channels, n_samples) where there are
        several channels; for images (n_samples, n_pictures).
    ax_, figure_ : matplotlib Axes, matplotlib Figure
        The first panel, and the figure that holds all of them.

    Notes
    -----
    All lines of a channel share one range of values, so that heights can be compared
    between rows; so do all pictures, and all heat maps. Colour pictures are shown as
    they are where their values lie in [0, 1], divided by 255 where they lie in
    [0, 255], and else stretched over their range. The error of a colour picture is the
    mean over its channels.

    Examples
    --------
    >>> import numpy as np
    >>> from skae.inspection import ReconstructionDisplay
    >>> X = np.sin(np.linspace(0, 6, 50)) * [[1.0], [2.0]]
    >>> display = ReconstructionDisplay(X, 0.9 * X, titles=["low", "high"]).plot()
    >>> display.axes_.shape
    (2,)
    >>> display.ax_.get_ylim() == display.axes_[1].get_ylim()
    True
    """

    def __init__(
        self,
        X: ArrayLike,
        reconstruction: ArrayLike,
        *,
        clean: ArrayLike | None = None,
        titles: Sequence[str] | None = None,
        feature_names: Sequence[str] | None = None,
        value_name: str = "value",
    ) -> None:
        self.X = X
        self.reconstruction = reconstruction
        self.clean = clean
        self.titles = titles
        self.feature_names = feature_names
        self.value_name = value_name

    @common.validate_options(
        kind=[StrOptions({"auto", "line", "image"})],
        row_shape=[tuple, None],
        with_error=["boolean"],
    )
    def plot(
        self,
        ax: Axes | ArrayLike | None = None,
        *,
        kind: Kind = "auto",
        row_shape: tuple[int, ...] | None = None,
        with_error: bool = True,
    ) -> ReconstructionDisplay:
        """Draw the rows.

        Parameters
        ----------
        ax : matplotlib Axes or array-like of them, default=None
            Axes to draw on, as many as there are panels; `None` makes a new figure.
        kind : {"auto", "line", "image"}, default="auto"
            How rows are drawn; `"auto"` goes by their shape: lines where they have one
            axis, or two with up to 4 channels, else images.
        row_shape : tuple of int, default=None
            Shape to give each row for drawing, such as (28, 28) for flattened images;
            `None` takes that of the rows of `X`.
        with_error : bool, default=True
            Whether to draw the error too.

        Returns
        -------
        display : ReconstructionDisplay
            This display.
        """
        rows = {"input": common.to_row_shape(self.X, row_shape, "X")}
        shape = rows["input"].shape[1:]
        others = {"clean": self.clean, "reconstruction": self.reconstruction}
        for name, other in others.items():
            if other is not None:
                common.check_same_rows(other, len(rows["input"]), name, "X")
                rows[name] = common.to_row_shape(other, shape, name)
        if self.titles is not None:
            common.check_same_rows(self.titles, len(rows["input"]), "titles", "X")
        how = common.kind_of_rows(shape) if kind == "auto" else kind
        self.lines_: Any = None
        self.images_: Any = None
        self.bands_: list[Any] = []
        if common.check_kind(how, shape) == "line":
            self._draw_lines(ax, rows, with_error=with_error)
        else:
            self._draw_images(ax, rows, with_error=with_error)
        self.ax_ = self.axes_.flat[0]
        self.figure_ = self.ax_.figure
        return self

    @classmethod
    @common.validate_options(
        max_samples=[Interval(Integral, 1, None, closed="left"), None],
        with_error=["boolean", common.AUTO],
        scaled=["boolean"],
    )
    def from_estimator(
        cls,
        estimator: Any,
        X: ArrayLike,
        *,
        y: ArrayLike | None = None,
        max_samples: int | None = 5,
        titles: Sequence[str] | None = None,
        feature_names: Sequence[str] | None = None,
        kind: Kind = "auto",
        row_shape: tuple[int, ...] | None = None,
        with_error: bool | Literal["auto"] = "auto",
        scaled: bool = False,
        ax: Axes | ArrayLike | None = None,
    ) -> ReconstructionDisplay:
        """Draw the first rows of `X` and their reconstructions by an estimator.

        Parameters
        ----------
        estimator : fitted estimator
            Its `reconstruct`, or the `predict` of a `DenoisingRegressor`, is drawn.
        X : array-like of shape (n_samples, ...)
            Rows to draw; a selection such as `X[[3, 17]]` draws those.
        y : array-like of shape (n_samples,) or of the shape of `X`, default=None
            As in `fit`: a detector's labels, +1 and -1, to be shown in the titles; a
            denoiser's clean rows. Others ignore it.
        max_samples : int, default=5
            Largest number of rows to draw; `None` draws all.
        titles : list of str, default=None
            A title for each row drawn. `None` shows the reconstruction error, where the
            estimator has `score_samples`, and a detector's prediction and threshold.
        feature_names : list of str, default=None
            Names of the features; `None` takes the columns of `X`, or those that the
            estimator saw in `fit`.
        kind : {"auto", "line", "image"}, default="auto"
            How to draw a row, as in :meth:`plot`.
        row_shape : tuple of int, default=None
            Shape to give the rows for drawing, such as (28, 28) for flattened images.
        with_error : bool or "auto", default="auto"
            Whether to draw the error; `"auto"` does, but of a denoiser without `y`.
        scaled : bool, default=False
            Whether to draw the rows after the estimator's `scaler_`: for tables whose
            columns have different units. Titles stay the same.
        ax : matplotlib Axes or array-like of them, default=None
            Axes to draw on; `None` makes a new figure.

        Returns
        -------
        display : ReconstructionDisplay
            The display, already drawn.

        Raises
        ------
        TypeError
            Where `estimator` has neither `reconstruct` nor `predict`.
        """
        check_is_fitted(estimator)
        denoises = not hasattr(estimator, "reconstruct")
        if denoises and not hasattr(estimator, "predict"):
            raise TypeError(
                f"{type(estimator).__name__} has neither reconstruct nor predict, so "
                "there is nothing to draw next to X. Pass one of skae's estimators."
            )
        if y is not None:
            common.check_same_rows(y, num_samples(X), "y", "X")
        if max_samples is not None and num_samples(X) > max_samples:
            X = safe_indexing(X, slice(max_samples))
            y = None if y is None else safe_indexing(y, slice(max_samples))
        if feature_names is None and row_shape is None:
            feature_names = common.find_feature_names(X, estimator)
        if with_error == "auto":
            with_error = not denoises or y is not None
        reconstruct = estimator.predict if denoises else estimator.reconstruct
        rows = {"X": X, "reconstruction": reconstruct(X)}
        if denoises and y is not None:
            rows["clean"] = y
        if scaled:
            scale = estimator.scaler_.transform
            rows = {key: scale(np.asarray(part, float)) for key, part in rows.items()}
        if titles is None:
            titles = _default_titles(estimator, X, y)
        words: dict[str, Any] = {"titles": titles, "feature_names": feature_names}
        display = cls(**rows, **words, value_name="scaled value" if scaled else "value")
        return display.plot(ax, kind=kind, row_shape=row_shape, with_error=with_error)

    def _draw_lines(self, ax: Any, rows: Rows, *, with_error: bool) -> None:
        """Draw each channel of each row as lines in one panel."""
        flat = rows["input"].ndim == 2
        # From here on every row is (n_timesteps, n_channels).
        rows = {name: part.reshape(*part.shape[:2], -1) for name, part in rows.items()}
        n_samples, n_steps, n_channels = rows["input"].shape
        names, channels = None, [common.literal(self.value_name, keep_math=True)]
        if flat and self.feature_names is not None and n_steps <= MAX_NAMED_FEATURES:
            names = common.check_names(self.feature_names, n_steps)
        if n_channels > 1:
            channels = common.check_names(self.feature_names, n_channels, "channel")
        n_columns = n_samples
        if n_channels == 1 and n_samples > MAX_COLUMNS:
            n_columns = min(-(-n_samples // 2), MAX_COLUMNS)
        # Names that would overlap if they were written side by side are turned.
        crowded = names is not None and sum(map(len, names)) + len(names) > 40
        size = {1: 7.0, 2: 5.0}.get(n_columns, 4.2), 3.2 if n_channels == 1 else 2.0
        extra = 0, 0.07 * crowded * max(map(len, names or [""]))
        n_panels = n_samples * n_channels
        axes = _panel_axes(ax, n_panels, n_columns, size, extra, "constrained")
        by_channel = axes.reshape(n_channels, n_samples)
        self.axes_ = axes if n_channels == 1 else by_channel
        marker = "." if names else None
        styles: dict[str, Any] = {name: {"color": common.BLUE} for name in rows}
        styles["reconstruction"] = {"color": common.VERMILION}
        if "clean" in rows:  # the input is drawn thin, behind its target
            styles["input"] = {"color": common.LIGHT, "linewidth": 0.8}
        self.lines_ = {name: [] for name in styles}
        for sample, channel in np.ndindex(n_samples, n_channels):
            panel: Any = by_channel[channel, sample]
            drawn = {name: part[sample, :, channel] for name, part in rows.items()}
            for name, style in styles.items():
                line = panel.plot(drawn[name], label=name, marker=marker, **style)
                self.lines_[name] += line
            if with_error:
                ends = drawn.get("clean", drawn["input"]), drawn["reconstruction"]
                look = {"color": common.VERMILION, "alpha": 0.25, "linewidth": 0}
                look["label"] = "error"
                self.bands_.append(panel.fill_between(range(n_steps), *ends, **look))
        for number, panels in enumerate(by_channel):
            values = [part[..., number] for part in rows.values()]
            low, high = min(map(np.nanmin, values)), max(map(np.nanmax, values))
            margin = 0.05 * (high - low) or 0.5
            for panel in panels:
                panel.set(ylim=(low - margin, high + margin), ylabel=channels[number])
                panel.margins(x=0.01)
                panel.set_xlabel("feature" if flat else "timestep")
                if names is not None:
                    panel.set_xticks(range(n_steps), names, rotation=90 * crowded)
                    panel.tick_params(axis="x", labelsize="small")
                    panel.set_xlabel("")
        if ax is None:
            # Labels stay on the left, and under the panels with none below.
            for index, panel in enumerate(axes):
                if index + n_columns < len(axes):
                    panel.tick_params(labelbottom=False)
                    panel.set_xlabel("")
                if index % n_columns:
                    panel.tick_params(labelleft=False)
                    panel.set_ylabel("")
            handles, labels = axes[0].get_legend_handles_labels()
            place = {"loc": "outside lower center", "ncols": len(labels)}
            axes[0].figure.legend(handles, labels, frameon=False, **place)
        else:
            axes[0].legend(loc="best", frameon=False)
        for panel, title in zip(by_channel[0], self._drawn_titles(), strict=False):
            panel.set_title(title, fontsize="medium")

    def _drawn_titles(self) -> list[str]:
        """Return the titles, dollars as they are where they are no mathtext."""
        return [common.literal(title, keep_math=True) for title in self.titles or ()]

    def _draw_images(self, ax: Any, rows: Rows, *, with_error: bool) -> None:
        """Draw each row as pictures side by side, and the error as a heat map."""
        pictures, style = _as_pictures(rows)
        errors = np.abs(rows["reconstruction"] - rows.get("clean", rows["input"]))
        if errors.ndim == 4:
            errors = errors.mean(axis=-1)
        looks = dict.fromkeys(pictures, style)
        if with_error:
            pictures = pictures | {"absolute error": errors}
            look = {"cmap": "magma", "vmin": 0, "vmax": np.nanmax(errors) or 1}
            looks["absolute error"] = look
        n_samples, n_columns = len(errors), len(pictures)
        # Room for the titles and for the colour bar.
        extra = 1.7 * bool(self.titles) + with_error, 0.4
        n_panels, size = n_samples * n_columns, (1.8, 1.8)
        axes = _panel_axes(ax, n_panels, n_columns, size, extra, "compressed")
        self.axes_ = axes.reshape(n_samples, n_columns)
        self.images_ = {name: [] for name in pictures}
        aspect = common.image_aspect(errors.shape[1:])
        for column, (name, part) in enumerate(pictures.items()):
            for panel, picture in zip(self.axes_[:, column], part, strict=True):
                image = panel.imshow(picture, aspect=aspect, **looks[name])
                self.images_[name].append(image)
                panel.set(xticks=[], yticks=[])
            self.axes_[0, column].set_title(name, fontsize="medium")
        for panel, title in zip(self.axes_[:, 0], self._drawn_titles(), strict=False):
            lines = [textwrap.fill(line, 22) for line in title.splitlines()]
            panel.set_ylabel("\n".join(lines), rotation=0, ha="right", va="center")
        if with_error:
            places = list(self.axes_[:, -1])
            places[0].figure.colorbar(image, ax=places, label="absolute error")


def _default_titles(estimator: Any, X: ArrayLike, y: ArrayLike | None) -> list | None:
    """Return the error and, of a detector, the prediction for each row, or None."""
    if not hasattr(estimator, "score_samples"):
        return None
    titles = [
        f"reconstruction error {error:.3g}" for error in -estimator.score_samples(X)
    ]
    if not hasattr(estimator, "threshold_"):
        return titles
    words = [common.LABEL_WORDS[label] for label in estimator.predict(X)]
    if y is not None:
        labels = [common.LABEL_WORDS[label] for label in check_outlier_labels(y)]
        pairs = zip(words, labels, strict=True)
        words = [f"{word} (labelled {label})" for word, label in pairs]
    return [
        f"{word}\n{title}, threshold {estimator.threshold_:.3g}"
        for word, title in zip(words, titles, strict=True)
    ]


def _panel_axes(
    ax: Any, n_panels: int, n_columns: int, size: Size, extra: Size, layout: str
) -> NDArray[Any]:
    """Return axes of shape (n_panels,), those given or those of a new figure."""
    if ax is not None:
        given = np.ravel(np.asarray(ax, dtype=object))
        if len(given) != n_panels:
            raise ValueError(
                f"ax holds {len(given)} axes, but there are {n_panels} panels to draw. "
                f"Pass an array of {n_panels} axes, or ax=None for a new figure."
            )
        return given
    with needs("matplotlib", "Drawing"):
        import matplotlib.pyplot as plt

    n_rows = -(-n_panels // n_columns)
    figsize = np.multiply(size, (n_columns, n_rows)) + extra
    _, axes = plt.subplots(
        n_rows, n_columns, figsize=figsize, squeeze=False, layout=layout
    )
    for empty in axes.flat[n_panels:]:
        empty.remove()
    return axes.flat[:n_panels]


def _as_pictures(rows: Rows) -> tuple[Rows, dict[str, Any]]:
    """Return what `imshow` draws of each array, and the keywords that all share."""
    inputs = rows["input"]
    low, high = float(np.nanmin(inputs)), float(np.nanmax(inputs))
    if inputs.ndim == 4 and inputs.shape[-1] == 3:
        for ceiling in (1.0, 255.0):  # the values of full colour
            if low >= 0 and high <= ceiling:
                low, high = 0.0, ceiling
                break
        scaled = {name: (part - low) / (high - low) for name, part in rows.items()}
        return {name: np.clip(part, 0, 1) for name, part in scaled.items()}, {}
    if inputs.ndim == 4 and inputs.shape[-1] != 1:
        raise ValueError(
            f"Images need 1 or 3 channels, but these have {inputs.shape[-1]}. "
            "Select some of them, or pass row_shape to reshape the rows."
        )
    pictures = {name: part.reshape(part.shape[:3]) for name, part in rows.items()}
    low, high = (f([f(part) for part in rows.values()]) for f in (np.nanmin, np.nanmax))
    return pictures, {"cmap": "gray", "vmin": low, "vmax": high}
