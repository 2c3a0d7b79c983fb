"""The pictures of the tutorials, as figures without a window."""

from __future__ import annotations

from math import ceil, sqrt
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.figure import Figure

from skae.inspection import (
    ErrorHistogramDisplay,
    LatentSpaceDisplay,
    LossCurveDisplay,
    ReconstructionDisplay,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from matplotlib.axes import Axes

    from skae import ReconstructionOutlierDetector

N_SHOWN = 10
STRIP_HEIGHT, PANEL_HEIGHT = 0.8, 3.0  # inches
COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7")
N_PIXELS = 28 * 28
# A legend of ten short names on two lines.
TIGHT = {"frameon": False, "columnspacing": 0.6, "handletextpad": 0.0}


# ------------------------------------------------------------------ whole figures


def strips(
    rows: dict[str, np.ndarray], below: Callable[[Axes], object] | None = None
) -> Figure:
    """Return named strips of pictures under each other, as in all the tutorials.

    The first ten of each are drawn: rows of shape (784,), (28, 28, 1) or (height,
    width). Images of 784 pixels share a scale from 0 to 1, other strips have their own.
    ``below`` draws on axes under the strips.
    """
    height = STRIP_HEIGHT * len(rows)
    if below is None:
        figure = Figure(figsize=(8.8, height + 0.1), layout="constrained")
        _draw_strips(figure, rows)
        return figure
    figure = Figure(figsize=(8.8, height + PANEL_HEIGHT), layout="constrained")
    parts = figure.subfigures(2, 1, height_ratios=(height, PANEL_HEIGHT))
    _draw_strips(parts[0], rows)
    below(parts[1].subplots())
    return figure


def panels(draws: dict[str, Callable[[Axes], object]]) -> Figure:
    """Return named panels side by side, each drawn by a function of its axes."""
    figure = Figure(figsize=(4.6 * len(draws), 4.0), layout="constrained")
    axes = figure.subplots(1, len(draws), squeeze=False)[0]
    for ax, (name, draw) in zip(axes, draws.items(), strict=True):
        draw(ax)
        ax.set_title(name)
    return figure


def beats(
    detector: ReconstructionOutlierDetector, X: np.ndarray, y: np.ndarray
) -> Figure:
    """Return a normal and an anomalous beat, errors shaded, and all errors."""
    figure = Figure(figsize=(8.8, 5.6), layout="constrained")
    above, below = figure.subfigures(2, 1)
    shown = [np.flatnonzero(y == label)[0] for label in (1, -1)]
    ReconstructionDisplay.from_estimator(
        detector, X[shown], y=y[shown], ax=above.subplots(1, 2)
    )
    ErrorHistogramDisplay.from_estimator(detector, X, y, ax=below.subplots())
    return figure


# ---------------------------------------------------------------- on single axes


def draw_losses(
    ax: Axes, losses: dict[str, list[float]], floor: tuple[str, float] | None = None
) -> None:
    """Draw named losses, one value per epoch, and perhaps a (name, value) below."""
    for color, (name, values) in zip(COLORS, losses.items(), strict=False):
        LossCurveDisplay({"loss": values}, restored=False).plot(
            ax, name=name, color=color
        )
    if floor is not None:
        name, value = floor
        ax.axhline(value, color="0.2", linestyle="--", label=name)
        ax.legend(frameon=False)


def draw_counts(ax: Axes, groups: dict[str, np.ndarray], xlabel: str) -> None:
    """Draw named groups of values ≥ 0 as histograms, with a log axis for numbers."""
    edges = np.linspace(0, max(values.max() for values in groups.values()), 60)
    for color, (name, values) in zip(COLORS, groups.items(), strict=False):
        counts, _ = np.histogram(values, edges)
        ax.stairs(counts, edges, color=color, label=name)
    ax.set(xlabel=xlabel, ylabel="number", yscale="log")
    ax.legend(frameon=False)


def draw_map(ax: Axes, points: np.ndarray, labels: np.ndarray) -> None:
    """Draw points in the plane, coloured by label; the axes mean nothing."""
    display = LatentSpaceDisplay(points, y=labels, axis_names=["", ""])
    display.plot(ax, scatter_kwargs={"s": 3})
    ax.set(xticks=[], yticks=[])
    ax.legend(
        loc="upper center", bbox_to_anchor=(0.5, 0), ncols=5, markerscale=4, **TIGHT
    )


def mosaic(codes: np.ndarray) -> np.ndarray:
    """Return spatial codes (n, height, width, channels) as one picture per code.

    The channels stand side by side in a square, with NaN between them.
    """
    n, height, width, n_channels = codes.shape
    n_columns = ceil(sqrt(n_channels))
    n_rows = ceil(n_channels / n_columns)
    tiles = np.full((n, n_rows, n_columns, height + 1, width + 1), np.nan)
    for channel in range(n_channels):
        place = divmod(channel, n_columns)
        tiles[:, *place, :height, :width] = codes[..., channel]
    whole = tiles.transpose(0, 1, 3, 2, 4)
    return whole.reshape(n, n_rows * (height + 1), n_columns * (width + 1))


def _draw_strips(figure: Figure, rows: dict[str, np.ndarray]) -> None:
    """Draw a strip for each entry."""
    axes = figure.subplots(len(rows), N_SHOWN, squeeze=False)
    for ax in axes.flat:
        ax.set(xticks=[], yticks=[])
    for row_of_axes, (name, pictures) in zip(axes, rows.items(), strict=True):
        shown = _as_pictures(np.asarray(pictures)[:N_SHOWN])
        # Codes have no scale of their own.
        top = 1.0 if shown[0].size == N_PIXELS else np.nanmax(shown)
        row_of_axes[0].set_ylabel(name, rotation=0, ha="right", va="center")
        for ax, picture in zip(row_of_axes, shown, strict=True):
            ax.imshow(picture, cmap="gray", vmin=0, vmax=top, interpolation="nearest")


def _as_pictures(rows: np.ndarray) -> np.ndarray:
    """Return rows as images of 28 x 28 where they have as many pixels."""
    return rows.reshape(-1, 28, 28) if rows[0].size == N_PIXELS else rows
