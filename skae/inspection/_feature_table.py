"""Feature errors of many rows: the heat map that `FeatureErrorDisplay` draws."""

import numpy as np

MAX_NAMED_ROWS = 40


def draw_feature_table(ax, errors, names, row_names, n_columns):
    """Draw each row's errors as shares of their sum, a line of the heat map per row.

    Parameters
    ----------
    ax : matplotlib Axes

    errors : ndarray of shape (n_rows, n_features)

    names : list of str of length n_features

    row_names : list of str of length n_rows, or None

    n_columns : int
        As many features are drawn, those with the largest mean share first.

    Returns
    -------
    image : matplotlib AxesImage
    """
    from matplotlib.ticker import MaxNLocator, PercentFormatter

    shares = shares_of_rows(errors)
    largest = np.argsort(-shares.mean(axis=0), kind="stable")[:n_columns]
    image = ax.imshow(shares[:, largest], cmap="magma", aspect="auto", vmin=0)
    rotation = 90 if max(len(names[index]) for index in largest) > 3 else 0
    ax.set_xticks(
        np.arange(len(largest)), [names[index] for index in largest], rotation=rotation
    )
    if row_names is not None and len(errors) <= MAX_NAMED_ROWS:
        ax.set_yticks(np.arange(len(errors)), row_names)
    else:
        ax.yaxis.set_major_locator(MaxNLocator(integer=True))
    ax.set(xlabel="feature", ylabel="row")
    ax.figure.colorbar(
        image,
        ax=ax,
        format=PercentFormatter(1.0, decimals=0),
        label="share of the reconstruction error",
    )
    return image


def shares_of_rows(errors):
    """Return errors divided by the sum of their row; a row without errors has none."""
    totals = errors.sum(axis=1, keepdims=True)
    return np.divide(errors, totals, out=np.zeros_like(errors), where=totals > 0)


def check_row_names(row_names, n_rows):
    """Return one name per row, or None, or raise."""
    if row_names is None:
        return None
    if len(row_names) != n_rows:
        raise ValueError(
            f"row_names has {len(row_names)} names, but there are {n_rows} rows. Pass "
            "one name for each row."
        )
    return [str(name) for name in row_names]
