"""The panels of a ReconstructionDisplay: lines for series, pictures for images."""

import textwrap

import numpy as np

from skae.inspection._common import (
    BLUE,
    LIGHT,
    VERMILION,
    check_channel_names,
    check_feature_names,
    image_aspect,
)

# Up to so many features are named one by one on the axis.
MAX_NAMED_FEATURES = 30
# With more panels side by side than this, lines go on to a second row of panels.
MAX_COLUMNS = 3


def panel_axes(ax, shape, figsize, n_columns, layout="constrained"):
    """Return axes in an array of `shape`, those given or those of a new figure.

    A new figure has `n_columns` side by side; places without a panel stay empty.
    """
    n_panels = int(np.prod(shape))
    if ax is not None:
        given = np.ravel(np.asarray(ax, dtype=object))
        if len(given) != n_panels:
            raise ValueError(
                f"ax holds {len(given)} axes, but there are {n_panels} panels to draw. "
                f"Pass an array of {n_panels} axes, or ax=None for a new figure."
            )
        return given.reshape(shape)
    import matplotlib.pyplot as plt

    _, axes = plt.subplots(
        -(-n_panels // n_columns),
        n_columns,
        figsize=figsize,
        squeeze=False,
        layout=layout,
    )
    for empty in axes.flat[n_panels:]:
        empty.remove()
    return axes.flat[:n_panels].reshape(shape)


def absolute_error(data):
    """Return the distance to the clean rows, or to the inputs where there are none."""
    return np.abs(data["reconstruction"] - data.get("clean", data["input"]))


def draw_lines(ax, data, titles, feature_names, value_name, *, with_error):
    """Draw each channel of each row as lines in one panel.

    Returns the axes, the lines by name, and the bands of the errors.
    """
    flat = data["input"].ndim == 2
    # From here on every row is (n_timesteps, n_channels).
    data = {name: rows.reshape(*rows.shape[:2], -1) for name, rows in data.items()}
    n_samples, n_steps, n_channels = data["input"].shape
    names = _names_on_axis(feature_names, n_steps) if flat else None
    channels = [value_name]
    if n_channels > 1:
        channels = check_channel_names(feature_names, n_channels)
    columns = _n_columns(n_samples) if n_channels == 1 else n_samples
    shape = (n_samples,) if n_channels == 1 else (n_channels, n_samples)
    figsize = _figsize(n_samples * n_channels, columns, n_channels, names)
    axes = panel_axes(ax, shape, figsize, columns)
    by_channel = axes.reshape(n_channels, n_samples)
    styles = _line_styles(data, marker="." if names else None)
    lines, bands = {name: [] for name in styles}, []
    for sample, channel in np.ndindex(n_samples, n_channels):
        panel = by_channel[channel, sample]
        here = {name: rows[sample, :, channel] for name, rows in data.items()}
        for name, style in styles.items():
            lines[name] += panel.plot(here[name], label=name, **style)
        if with_error:
            target = here.get("clean", here["input"])
            bands.append(_draw_band(panel, target, here["reconstruction"]))
    for channel, row_of_axes in enumerate(by_channel):
        _share_limits(row_of_axes, [rows[..., channel] for rows in data.values()])
    _label_axes(by_channel, flat, names, channels)
    if ax is None:
        _hide_inner_labels(axes.ravel(), columns)
    _add_legend(axes.flat[0], outside=ax is None)
    for panel, title in zip(by_channel[0], titles or (), strict=bool(titles)):
        panel.set_title(title, fontsize="medium")
    return axes, lines, bands


def _n_columns(n_panels):
    """Return a number of columns that makes the figure about as wide as a page."""
    return n_panels if n_panels <= MAX_COLUMNS else min(-(-n_panels // 2), MAX_COLUMNS)


def _figsize(n_panels, n_columns, n_channels, names):
    """Return width and height of a figure, with room for names under the panels."""
    width = {1: 7.0, 2: 5.0}.get(n_columns, 4.2)
    height = 3.2 if n_channels == 1 else 2.0
    longest = max(map(len, names)) if _is_crowded(names) else 0
    n_rows = -(-n_panels // n_columns)
    return width * n_columns, height * n_rows + 0.07 * longest


def _names_on_axis(feature_names, n_features):
    """Return the names to write on the axis, None where there are too many or none."""
    if feature_names is None or n_features > MAX_NAMED_FEATURES:
        return None
    return check_feature_names(feature_names, n_features)


def _is_crowded(names):
    """Return whether the names would overlap, were they written side by side."""
    return names is not None and sum(map(len, names)) + len(names) > 40


def _line_styles(data, marker):
    """Return matplotlib's keywords for each line, in the order of drawing."""
    reconstruction = {"color": VERMILION, "marker": marker}
    if "clean" in data:  # what went in steps back behind what should come out
        return {
            "input": {"color": LIGHT, "marker": marker, "linewidth": 0.8},
            "clean": {"color": BLUE, "marker": marker},
            "reconstruction": reconstruction,
        }
    return {
        "input": {"color": BLUE, "marker": marker},
        "reconstruction": reconstruction,
    }


def _draw_band(ax, target, reconstruction):
    """Fill the room between two lines."""
    steps = np.arange(len(target))
    return ax.fill_between(
        steps,
        target,
        reconstruction,
        color=VERMILION,
        alpha=0.25,
        linewidth=0,
        label="error",
    )


def _share_limits(axes, values):
    """Give all axes the same range, which holds all values and a margin."""
    low, high = min(map(np.nanmin, values)), max(map(np.nanmax, values))
    margin = 0.05 * (high - low) or 0.5
    for ax in axes:
        ax.set_ylim(low - margin, high + margin)
        ax.margins(x=0.01)


def _label_axes(axes, flat, names, channels):
    """Write the names of features and channels on the axes."""
    for row, channel in zip(axes, channels, strict=True):
        for ax in row:
            ax.set(xlabel="feature" if flat else "timestep", ylabel=channel)
            if names is not None:
                rotation = 90 if _is_crowded(names) else 0
                ax.set_xticks(range(len(names)), names, rotation=rotation)
                ax.tick_params(axis="x", labelsize="small")
                ax.set_xlabel("")


def _hide_inner_labels(axes, n_columns):
    """Keep the labels of the panels on the left, and of those with none below."""
    for index, ax in enumerate(axes):
        if index + n_columns < len(axes):
            ax.tick_params(labelbottom=False)
            ax.set_xlabel("")
        if index % n_columns:
            ax.tick_params(labelleft=False)
            ax.set_ylabel("")


def _add_legend(ax, *, outside):
    """Add one legend for all panels, below them where the figure is our own."""
    if not outside:
        ax.legend(loc="best", frameon=False)
        return
    handles, labels = ax.get_legend_handles_labels()
    ax.figure.legend(
        handles,
        labels,
        loc="outside lower center",
        ncols=len(labels),
        frameon=False,
    )


def to_pictures(data):
    """Return what `imshow` draws of each array, and the keywords that all share."""
    inputs = data["input"]
    if inputs.ndim == 4 and inputs.shape[-1] == 3:
        low, high = _color_range(inputs)
        scaled = {name: (rows - low) / (high - low) for name, rows in data.items()}
        return {name: np.clip(rows, 0, 1) for name, rows in scaled.items()}, {}
    if inputs.ndim == 4 and inputs.shape[-1] != 1:
        raise ValueError(
            f"Images need 1 or 3 channels, but these have {inputs.shape[-1]}. "
            "Select some of them, or pass row_shape to reshape the rows."
        )
    pictures = {
        name: rows if rows.ndim == 3 else rows[..., 0] for name, rows in data.items()
    }
    low = min(map(np.nanmin, pictures.values()))
    high = max(map(np.nanmax, pictures.values()))
    return pictures, {"cmap": "gray", "vmin": low, "vmax": high}


def _color_range(images):
    """Return the values that stand for black and for full colour."""
    low, high = np.nanmin(images), np.nanmax(images)
    for ceiling in (1.0, 255.0):
        if low >= 0 and high <= ceiling:
            return 0.0, ceiling
    return low, high


def draw_images(ax, data, titles, *, with_error):
    """Draw each row as pictures side by side: what is in `data`, and the error.

    Returns the axes and the images by name.
    """
    pictures, style = to_pictures(data)
    errors = absolute_error(data)
    if errors.ndim == 4:
        errors = errors.mean(axis=-1)
    names = [*pictures, "absolute error"] if with_error else list(pictures)
    n_samples = len(errors)
    # Beside the pictures there is room for the titles and for the colour bar.
    figsize = (
        1.8 * len(names) + 1.7 * bool(titles) + with_error,
        1.8 * n_samples + 0.4,
    )
    axes = panel_axes(ax, (n_samples, len(names)), figsize, len(names), "compressed")
    images = {name: [] for name in names}
    heat = {"cmap": "magma", "vmin": 0, "vmax": np.nanmax(errors) or 1}
    for row_of_axes, sample in zip(axes, range(n_samples), strict=True):
        for panel, name in zip(row_of_axes, names, strict=True):
            picture = pictures.get(name, errors)[sample]
            look = (style if name in pictures else heat) | {
                "aspect": image_aspect(picture.shape)
            }
            images[name].append(panel.imshow(picture, **look))
            panel.set(xticks=[], yticks=[])
    for panel, name in zip(axes[0], names, strict=True):
        panel.set_title(name, fontsize="medium")
    for panel, title in zip(axes[:, 0], titles or (), strict=bool(titles)):
        lines = [textwrap.fill(line, 22) for line in title.splitlines()]
        panel.set_ylabel("\n".join(lines), rotation=0, ha="right", va="center")
    if with_error:
        last = images["absolute error"][-1]
        last.figure.colorbar(last, ax=list(axes[:, -1]), label="absolute error")
    return axes, images
