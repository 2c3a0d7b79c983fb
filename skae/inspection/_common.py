"""What the displays share: colours, axes, words, and how rows and labels are read.

Nothing here imports matplotlib at module level, so that ``import skae`` stays light.
"""

import numpy as np

from skae._validation import num_samples

# Two colours of Okabe and Ito's palette, told apart with any colour vision and in grey.
BLUE = "#0072B2"
VERMILION = "#D55E00"
DARK = "0.2"
LIGHT = "0.6"
PALE = "0.85"

LABEL_COLORS = {1: BLUE, -1: VERMILION}
LABEL_WORDS = {1: "inlier", -1: "outlier"}

# A series with more channels than this is drawn as a heat map instead of as lines.
MAX_LINE_CHANNELS = 4


def own_or_new_axes(ax, figsize):
    """Return `ax`, or the only axes of a new figure when it is None."""
    if ax is not None:
        return ax
    import matplotlib.pyplot as plt

    _, ax = plt.subplots(figsize=figsize, layout="constrained")
    return ax


def is_wide(values, factor):
    """Return whether a log axis serves: the largest is `factor` times the typical.

    Zeros have no place on a log axis and do not count as values.
    """
    positive = values[values > 0]
    return positive.size > 0 and values.max() > factor * np.median(positive)


def series_colors(n_categories):
    """Return that many of the ten colours of Petroff's accessible sequence."""
    import matplotlib as mpl

    return mpl.color_sequences["petroff10"][:n_categories]


def check_same_rows(values, n_samples, name, other):
    """Return `values`, or raise where it does not hold one entry for each row."""
    if num_samples(values) != n_samples:
        raise ValueError(
            f"{name} has {num_samples(values)} entries, but {other} has {n_samples} "
            f"rows. Pass one entry of {name} for each row."
        )
    return values


def names_of_features(X, estimator=None):
    """Return the column names of `X`, else those seen in fit, else None."""
    names = getattr(X, "columns", None)
    if names is None:
        names = getattr(estimator, "feature_names_in_", None)
    return None if names is None else [str(name) for name in names]


def check_feature_names(feature_names, n_features):
    """Return one name per feature: those given, or x0, x1, ... as scikit-learn has."""
    if feature_names is None:
        return [f"x{index}" for index in range(n_features)]
    if len(feature_names) != n_features:
        raise ValueError(
            f"feature_names has {len(feature_names)} names, but the rows have "
            f"{n_features} features. Pass one name for each feature."
        )
    return list(feature_names)


def check_channel_names(channel_names, n_channels):
    """Return one name per channel: those given, or a number each."""
    if channel_names is None:
        return [f"channel {index}" for index in range(n_channels)]
    return check_feature_names(channel_names, n_channels)


def to_row_shape(rows, row_shape, name):
    """Return `rows` as a float array of shape (n_samples, *row_shape), or raise."""
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
            f"row_shape={row_shape!r}. All that is drawn together needs rows of one "
            "size."
        )
    return rows.reshape(len(rows), *row_shape)


def kind_of_rows(row_shape):
    """Return "line" or "image": how rows of this shape are drawn.

    Rows with one axis, and those with few channels in the last of two, are lines.
    """
    if len(row_shape) == 1:
        return "line"
    if len(row_shape) == 2:
        return "line" if row_shape[-1] <= MAX_LINE_CHANNELS else "image"
    return "image"


def check_kind(kind, row_shape):
    """Return `kind`, or raise where rows of this shape cannot be drawn so."""
    if kind == "table":
        if len(row_shape) != 2:
            raise ValueError(
                f"kind='table' draws errors of shape (n_rows, n_features), but these "
                f"have shape {tuple(row_shape)!r}. Draw one row, or pass row_shape to "
                "flatten each."
            )
        return kind
    n_axes = {"bars": (1,), "line": (1, 2), "image": (2, 3)}[kind]
    if len(row_shape) not in n_axes:
        wanted = " or ".join(map(str, n_axes))
        raise ValueError(
            f"kind={kind!r} draws rows with {wanted} axes, but these have shape "
            f"{tuple(row_shape)!r}. Pass another kind, or row_shape to reshape them."
        )
    return kind


def image_aspect(row_shape):
    """Return square pixels for pictures, and stretched ones for long thin arrays."""
    height, width = row_shape[:2]
    return "equal" if max(height, width) <= 3 * min(height, width) else "auto"


def count_bins(spread, values, max_bins=80):
    """Return how many bins of Freedman and Diaconis's width for `values` fill `spread`.

    Extreme values do not change the width, but the number: it stays between
    Sturges's and `max_bins`.
    """
    width = 2 * np.ptp(np.quantile(values, [0.25, 0.75])) / np.cbrt(values.size)
    wanted = max_bins if max_bins * width < spread else np.ceil(spread / width)
    return int(np.clip(wanted, np.ceil(np.log2(values.size)) + 1, max_bins))


def histogram_edges(groups, bins="auto", *, log=False):
    """Return bin edges that hold all `groups`, evenly spaced, in log10 with `log`.

    The largest group sets the width: all groups together often have several peaks,
    for which the automatic width would be too coarse.
    """
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
        largest = max(groups, key=len)
        bins = count_bins(high - low, np.log10(largest) if log else largest)
    edges = np.linspace(low, high, bins + 1)
    edges = 10**edges if log else edges
    edges[[0, -1]] = least, most  # rounding must not lose a value
    return edges


def draw_histogram(ax, values, edges, *, color, label, normalize=False):
    """Draw one filled, outlined histogram on `ax` and return the artist."""
    from matplotlib.colors import to_rgba

    counts, _ = np.histogram(values, bins=edges)
    heights = counts / max(len(values), 1) if normalize else counts
    return ax.stairs(
        heights,
        edges,
        fill=True,
        facecolor=to_rgba(color, 0.4),
        edgecolor=color,
        linewidth=1.2,
        label=label,
    )
