"""Rows beside their reconstructions, as a display."""

from numbers import Integral

import numpy as np
from sklearn.utils.validation import check_is_fitted

from skae._validation import (
    Interval,
    StrOptions,
    check_outlier_labels,
    num_samples,
    safe_indexing,
    validate_params,
)
from skae.inspection import _reconstruction_panels as panels
from skae.inspection._common import (
    LABEL_WORDS,
    check_kind,
    check_same_rows,
    kind_of_rows,
    names_of_features,
    to_row_shape,
)


class ReconstructionDisplay:
    """Rows beside their reconstructions, with the error between them.

    Look at it to see what the network keeps of a row and what it leaves out. Rows of
    tables and series are drawn as lines with a band between them, images as pictures
    with a heat map of the error. It is best made with :meth:`from_estimator`; all
    parameters are stored as attributes.

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
        The lines under `"input"`, `"reconstruction"` and, with `clean`, `"clean"`:
        all channels of the first row, then those of the next. `None` where images were
        drawn.
    bands_ : list of matplotlib FillBetweenPolyCollection
        The bands between the lines; empty where none was drawn.
    images_ : dict of list of matplotlib AxesImage or None
        The pictures under the same names, and under `"absolute error"`; `None` where
        lines were drawn.
    axes_ : ndarray of matplotlib Axes
        The panels: for lines (n_samples,), or (n_channels, n_samples) where there are
        several channels; for images (n_samples, n_pictures).
    ax_ : matplotlib Axes
        The first of them.
    figure_ : matplotlib Figure
        The figure that holds them.

    See Also
    --------
    FeatureErrorDisplay : Which features made the error of one row.
    LatentSpaceDisplay : The latent codes of many rows.

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
        X,
        reconstruction,
        *,
        clean=None,
        titles=None,
        feature_names=None,
        value_name="value",
    ):
        self.X = X
        self.reconstruction = reconstruction
        self.clean = clean
        self.titles = titles
        self.feature_names = feature_names
        self.value_name = value_name

    @validate_params(
        {
            "kind": [StrOptions({"auto", "line", "image"})],
            "row_shape": [tuple, None],
            "with_error": ["boolean"],
        },
        prefer_skip_nested_validation=True,
    )
    def plot(self, ax=None, *, kind="auto", row_shape=None, with_error=True):
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

        Raises
        ------
        ValueError
            Where the arrays do not fit each other, the rows not `kind`, or `ax` not the
            number of panels.
        """
        data = self._data(row_shape)
        shape = data["input"].shape[1:]
        kind = check_kind(kind_of_rows(shape) if kind == "auto" else kind, shape)
        titles = self.titles
        if titles is not None:
            check_same_rows(titles, len(data["input"]), "titles", "X")
        self.lines_, self.images_, self.bands_ = None, None, []
        if kind == "line":
            self.axes_, self.lines_, self.bands_ = panels.draw_lines(
                ax,
                data,
                titles,
                self.feature_names,
                self.value_name,
                with_error=with_error,
            )
        else:
            self.axes_, self.images_ = panels.draw_images(
                ax, data, titles, with_error=with_error
            )
        self.ax_ = self.axes_.flat[0]
        self.figure_ = self.ax_.figure
        return self

    def _data(self, row_shape):
        """Return the arrays by name, all of one shape, in the order of drawing."""
        inputs = to_row_shape(self.X, row_shape, "X")
        data = {"input": inputs}
        others = {"clean": self.clean, "reconstruction": self.reconstruction}
        for name, rows in others.items():
            if rows is not None:
                check_same_rows(rows, len(inputs), name, "X")
                data[name] = to_row_shape(rows, inputs.shape[1:], name)
        return data

    @classmethod
    @validate_params(
        {
            "max_samples": [Interval(Integral, 1, None, closed="left"), None],
            "with_error": ["boolean", StrOptions({"auto"})],
            "scaled": ["boolean"],
        },
        prefer_skip_nested_validation=False,
    )
    def from_estimator(
        cls,
        estimator,
        X,
        *,
        y=None,
        max_samples=5,
        titles=None,
        feature_names=None,
        kind="auto",
        row_shape=None,
        with_error="auto",
        scaled=False,
        ax=None,
    ):
        """Draw the first rows of `X` and what a fitted estimator makes of them.

        Parameters
        ----------
        estimator : fitted estimator
            Its `reconstruct`, or the `predict` of a `DenoisingRegressor`, is drawn.
        X : array-like of shape (n_samples, ...)
            Rows to draw; a selection such as `X[[3, 17]]` draws those.
        y : array-like of shape (n_samples,) or of the shape of `X`, default=None
            As in the estimator's `fit`: for a detector the labels, +1 and -1, which the
            titles then tell; for a denoiser the clean rows. Others ignore it.
        max_samples : int, default=5
            Largest number of rows to draw; `None` draws all.
        titles : list of str, default=None
            A title for each row drawn. `None` tells the reconstruction error, where the
            estimator has `score_samples`, and a detector's verdict and threshold.
        feature_names : list of str, default=None
            Names of the features; `None` takes the columns of `X`, or those that the
            estimator saw in `fit`.
        kind : {"auto", "line", "image"}, default="auto"
            How rows are drawn; see :meth:`plot`.
        row_shape : tuple of int, default=None
            Shape to give each row for drawing; see :meth:`plot`.
        with_error : bool or "auto", default="auto"
            Whether to draw the error; `"auto"` does unless it is unknown, as for a
            denoiser without clean rows.
        scaled : bool, default=False
            Whether to draw the rows as the network sees them, after the estimator's
            `scaler_`: for tables whose columns have different units. Titles stay the
            same.
        ax : matplotlib Axes or array-like of them, default=None
            Axes to draw on; see :meth:`plot`.

        Returns
        -------
        display : ReconstructionDisplay
            The display, already drawn.

        Raises
        ------
        NotFittedError
            Where `estimator` is not fitted.
        TypeError
            Where `estimator` has neither `reconstruct` nor `predict`.
        """
        check_is_fitted(estimator)
        denoises = not hasattr(estimator, "reconstruct")
        if denoises and not hasattr(estimator, "predict"):
            raise TypeError(
                f"{type(estimator).__name__} has neither reconstruct nor predict, so "
                "there is nothing to draw beside X. Pass one of skae's estimators."
            )
        if y is not None:
            check_same_rows(y, num_samples(X), "y", "X")
        if max_samples is not None and num_samples(X) > max_samples:
            X = safe_indexing(X, slice(max_samples))
            y = None if y is None else safe_indexing(y, slice(max_samples))
        if feature_names is None and row_shape is None:
            feature_names = names_of_features(X, estimator)
        rows = [
            X,
            estimator.predict(X) if denoises else estimator.reconstruct(X),
            y if denoises else None,
        ]
        if scaled:
            rows = [_scaled(estimator, part) for part in rows]
        display = cls(
            rows[0],
            rows[1],
            clean=rows[2],
            titles=_titles(estimator, X, y) if titles is None else titles,
            feature_names=feature_names,
            value_name="scaled value" if scaled else "value",
        )
        if with_error == "auto":
            with_error = not denoises or y is not None
        return display.plot(
            ax=ax, kind=kind, row_shape=row_shape, with_error=with_error
        )


def _scaled(estimator, rows):
    """Return rows in scaled space, None where there are none."""
    if rows is None:
        return None
    return estimator.scaler_.transform(np.asarray(rows, dtype=np.float64))


def _titles(estimator, X, y):
    """Return what the estimator says of each row in words, or None."""
    if not hasattr(estimator, "score_samples"):
        return None
    words = [
        f"reconstruction error {error:.3g}" for error in -estimator.score_samples(X)
    ]
    if not hasattr(estimator, "threshold_"):
        return words
    verdicts = [LABEL_WORDS[verdict] for verdict in estimator.predict(X)]
    if y is not None:
        labels = check_outlier_labels(y)
        verdicts = [
            f"{verdict} (labelled {LABEL_WORDS[label]})"
            for verdict, label in zip(verdicts, labels, strict=True)
        ]
    threshold = f"threshold {estimator.threshold_:.3g}"
    return [
        f"{verdict}\n{word}, {threshold}"
        for verdict, word in zip(verdicts, words, strict=True)
    ]
