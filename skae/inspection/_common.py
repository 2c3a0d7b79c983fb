"""What the displays share: colours, axes, histograms, and checks of rows and names.

Nothing here imports matplotlib at module level, so that ``import skae`` stays light.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from skae._validation import StrOptions, needs, num_samples, validate_params

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from matplotlib.axes import Axes
    from matplotlib.patches import StepPatch
    from numpy.typing import ArrayLike, NDArray

    Floats = NDArray[np.float64]

# Two colours of Okabe and Ito's palette, distinct in any colour vision and in grey.
BLUE = "#0072B2"
VERMILION = "#D55E00"
DARK = "0.2"
LIGHT = "0.6"
PALE = "0.85"

LABEL_COLORS = {1: BLUE, -1: VERMILION}
LABEL_WORDS = {1: "inlier", -1: "outlier"}

# A series with more channels than this is drawn as a heat map instead of as lines.
MAX_LINE_CHANNELS = 4

AUTO = StrOptions({"auto"})

RESHAPE = "Pass another kind, or row_shape to reshape them."
FLATTEN = "Draw one row, or pass row_shape to flatten the rows."


def validate_options(**constraints: list[Any]) -> Callable[[Callable], Callable]:
    """Return a decorator that checks arguments against scikit-learn's constraints."""
    return validate_params(constraints, prefer_skip_nested_validation=False)


def axes_or_new(ax: Axes | None, figsize: tuple[float, float]) -> Axes:
    """Return `ax`, or the only axes of a new figure where it is None."""
    if ax is not None:
        return ax
    with needs("matplotlib", "Drawing"):
        import matplotlib.pyplot as plt

    return plt.subplots(figsize=figsize, layout="constrained")[1]


def series_colors(n_categories: int) -> Sequence[Any]:
    """Return that many of the ten colours of Petroff's accessible sequence."""
    with needs("matplotlib", "Drawing"):
        import matplotlib as mpl

    return mpl.color_sequences["petroff10"][:n_categories]


def check_same_rows(values: Any, n_samples: int, name: str, other: str) -> Any:
    """Return `values`, or raise where it does not hold one entry for each row."""
    if num_samples(values) != n_samples:
        raise ValueError(
            f"{name} has {num_samples(values)} entries, but {other} has {n_samples} "
            f"rows. Pass one entry of {name} for each row."
        )
    return values


def find_feature_names(X: Any, estimator: Any) -> list[str] | None:
    """Return the column names of `X`, else those seen in fit, else None."""
    names = getattr(X, "columns", None)
    if names is None:
        names = getattr(estimator, "feature_names_in_", None)
    return None if names is None else [str(name) for name in names]


def literal(text: Any, *, keep_math: bool = False) -> str:
    """Return text that is drawn as it is, dollars too; or mathtext that is valid."""
    text = str(text)
    if keep_math:
        with needs("matplotlib", "Drawing"):
            from matplotlib.mathtext import MathTextParser

        with contextlib.suppress(ValueError):
            MathTextParser("path").parse(text)
            return text
    return text.replace("$", r"\$")


def check_names(
    names: Sequence[Any] | None, n_items: int, item: str = "feature"
) -> list[str]:
    """Return one name to draw for each item ("feature", "channel" or "row")."""
    if names is None:
        prefix = "x" if item == "feature" else f"{item} "
        return [f"{prefix}{index}" for index in range(n_items)]
    if len(names) != n_items:
        parameter = "row_names" if item == "row" else "feature_names"
        raise ValueError(
            f"{parameter} has {len(names)} names, but there are {n_items} {item}s. "
            f"Pass one name for each {item}."
        )
    return [literal(name) for name in names]


def to_row_shape(
    rows: ArrayLike, row_shape: tuple[int, ...] | None, name: str
) -> Floats:
    """Return `rows` as floats of shape (n_samples, *row_shape), or raise."""
    rows = np.asarray(rows, dtype=np.float64)
    if rows.ndim < 2:
        raise ValueError(
            f"{name} must hold rows, but it has shape {rows.shape!r}. For a single row "
            f"pass {name}.reshape(1, -1)."
        )
    row_shape = rows.shape[1:] if row_shape is None else tuple(row_shape)
    if rows[:1].size != np.prod(row_shape):
        raise ValueError(
            f"{name} has rows of shape {rows.shape[1:]!r}, which do not fit "
            f"row_shape={row_shape!r}. Pass rows, and a row_shape, of the same size."
        )
    return rows.reshape(len(rows), *row_shape)


def kind_of_rows(row_shape: tuple[int, ...]) -> str:
    """Return "line" for one axis, or two with few channels, and "image" for others."""
    is_series = len(row_shape) == 2 and row_shape[-1] <= MAX_LINE_CHANNELS
    return "line" if len(row_shape) == 1 or is_series else "image"


def check_kind(kind: str, row_shape: tuple[int, ...]) -> str:
    """Return `kind`, or raise where rows of this shape cannot be drawn in that way."""
    n_axes, expected, advice = {
        "bars": ((1,), "rows with 1 axes", RESHAPE),
        "line": ((1, 2), "rows with 1 or 2 axes", RESHAPE),
        "image": ((2, 3), "rows with 2 or 3 axes", RESHAPE),
        "table": ((2,), "errors of shape (n_rows, n_features)", FLATTEN),
    }[kind]
    if len(row_shape) not in n_axes:
        raise ValueError(
            f"kind={kind!r} draws {expected}, but these have shape "
            f"{tuple(row_shape)!r}. {advice}"
        )
    return kind


def image_aspect(row_shape: tuple[int, ...]) -> Literal["equal", "auto"]:
    """Return square pixels for pictures, and stretched ones for long thin arrays."""
    height, width = row_shape[:2]
    return "equal" if max(height, width) <= 3 * min(height, width) else "auto"


def count_bins(spread: float, values: Floats, max_bins: int = 80) -> int:
    """Count the bins of Freedman and Diaconis's width that fill `spread`."""
    # Extreme values change the number of bins, not their width: it stays between
    # Sturges's number and `max_bins`, which `numpy.histogram_bin_edges` does not bound.
    width = 2 * np.ptp(np.quantile(values, [0.25, 0.75])) / np.cbrt(values.size)
    n_bins = max_bins if max_bins * width < spread else np.ceil(spread / width)
    return int(np.clip(n_bins, np.ceil(np.log2(values.size)) + 1, max_bins))


def histogram_edges(
    groups: Sequence[Floats], bins: Any = "auto", *, log: bool = False
) -> Floats:
    """Return bin edges that hold all `groups`, evenly spaced, in log10 with `log`."""
    if np.ndim(bins) == 1:
        return np.asarray(bins, dtype=np.float64)
    least, most = min(map(np.min, groups)), max(map(np.max, groups))
    low, high = np.log10([least, most]) if log else (least, most)
    size = max(abs(low), abs(high))
    if high - low <= 1e-9 * max(size, float(log)):
        # Nothing but rounding between them: one bin around the only value.
        margin = 0.1 if log else 0.05 * size or 0.5
        edges = np.array([low - margin, high + margin])
        return 10**edges if log else edges
    if isinstance(bins, str):
        # Groups together often have several peaks, which would make bins too wide.
        largest = max(groups, key=len)
        bins = count_bins(high - low, np.log10(largest) if log else largest)
    edges = np.linspace(low, high, bins + 1)
    edges = 10**edges if log else edges
    edges[[0, -1]] = least, most  # rounding must not lose a value
    return edges


def draw_histogram(
    ax: Axes, values: Floats, color: Any, label: str, edges: Floats, shares: bool
) -> StepPatch:
    """Draw one filled, outlined histogram of counts, or of shares of the values."""
    counts, _ = np.histogram(values, bins=edges)
    heights = counts / max(len(values), 1) if shares else counts
    look: dict[str, Any] = {"facecolor": (color, 0.4), "edgecolor": color}
    return ax.stairs(heights, edges, fill=True, linewidth=1.2, label=label, **look)
