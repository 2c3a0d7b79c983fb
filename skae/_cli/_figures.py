"""The pictures that a person wants to see of a search's winner.

Figures are made without pyplot, so that no window opens and nobody's backend changes.
"""

import numpy as np

from skae.inspection import (
    ErrorHistogramDisplay,
    LossCurveDisplay,
    ReconstructionDisplay,
)

# Where the typical column would fill less of the panel's height than this, in the
# table's own units, its units are too different to share an axis.
SMALLEST_SPREAD = 0.01
# Up to so many columns have their names written under the panel.
MAX_NAMED = 30
WORDS = {1: "inlier", -1: "outlier"}


def save_figures(found, X, y, folder):
    """Draw the loss curve, the errors with the threshold, and two reconstructions.

    Parameters
    ----------
    found : Found
        The search's winner, an autoencoder.

    X : DataFrame of shape (n_samples, n_features)
        Rows to draw.

    y : ndarray of shape (n_samples,) or None
        Their labels.

    folder : Path
        Where the pictures go.

    Returns
    -------
    paths : list of Path
    """
    makers = {
        "loss_curve.png": lambda: _loss_curve(found.detector),
        "error_histogram.png": lambda: _error_histogram(found, X, y),
        "reconstructions.png": lambda: _reconstructions(found, X, y),
    }
    for name, make in makers.items():
        make().savefig(folder / name, dpi=120)
    return [folder / name for name in makers]


def _loss_curve(detector):
    """Return a figure of the loss per epoch."""
    figure, ax = _figure((7.0, 4.0))
    LossCurveDisplay.from_estimator(detector, ax=ax)
    ax.set_title("Training of the chosen autoencoder")
    return figure


def _error_histogram(found, X, y):
    """Return a figure of the reconstruction errors with the threshold."""
    errors = -found.pipeline.score_samples(X)
    figure, ax = _figure((7.0, 4.0))
    display = ErrorHistogramDisplay(errors, found.detector.threshold_, y)
    # Where outliers are rare, their bars would not be seen beside the others.
    display.plot(ax, normalize=y is not None)
    rows = "all rows" if y is None else "the test rows"
    ax.set_title(f"Reconstruction errors of {rows}")
    return figure


def _reconstructions(found, X, y):
    """Return a figure of a normal and an abnormal row beside their reconstructions."""
    errors = -found.pipeline.score_samples(X)
    chosen = typical_rows(errors, y)
    scaler = found.pipeline["scale"]
    rows = scaler.transform(X.iloc[chosen])
    reconstruction = found.detector.reconstruct(rows)
    in_own_units = share_an_axis(X, X.iloc[chosen])
    if in_own_units:
        rows = X.iloc[chosen]
        reconstruction = scaler.inverse_transform(reconstruction)
    names = [str(name) for name in X.columns]
    longest = max(map(len, names)) if len(names) <= MAX_NAMED else 0
    figure, axes = _figure((9.0, 6.4 + 0.07 * longest), n_panels=2)
    ReconstructionDisplay(
        rows,
        reconstruction,
        titles=_titles(found, X, y, chosen, errors),
        feature_names=names,
        value_name="value" if in_own_units else "standardized value",
    ).plot(axes)
    axes[0].tick_params(labelbottom=False)
    axes[0].set_xlabel("")
    return figure


def typical_rows(errors, y):
    """Return the positions of a normal and of an abnormal row.

    With labels, of each class the row whose error is its median: neither the best nor
    the worst that there is to show. Without, the rows with the least and the largest
    error.
    """
    if y is None:
        return [int(np.argmin(errors)), int(np.argmax(errors))]
    return [_median_row(errors, np.flatnonzero(y == label)) for label in (1, -1)]


def _median_row(errors, rows):
    """Return the row of middle rank among some rows."""
    return int(rows[np.argsort(errors[rows], kind="stable")[len(rows) // 2]])


def share_an_axis(X, drawn):
    """Return whether rows can be drawn in their own units: no column is lost in it."""
    spread = X.std().to_numpy()
    spread = spread[spread > 0]
    drawn = drawn.to_numpy()
    return spread.size == 0 or bool(
        np.quantile(spread, 0.25) >= SMALLEST_SPREAD * (drawn.max() - drawn.min())
    )


def _titles(found, X, y, chosen, errors):
    """Return a line for each drawn row: which it is, and what the detector says."""
    flags = found.pipeline.predict(X.iloc[chosen])
    titles = []
    for place, row in enumerate(chosen):
        told = "" if y is None else f", labelled {WORDS[y[row]]}"
        sign = ">" if flags[place] == -1 else "≤"
        titles.append(
            f"row {X.index[row]}{told}: found {WORDS[flags[place]]} (error "
            f"{errors[row]:.3g} {sign} threshold {found.detector.threshold_:.3g})"
        )
    return titles


def _figure(size, n_panels=1):
    """Return a figure without a window, and its axes."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=size, layout="constrained")
    return figure, figure.subplots(n_panels, 1)
