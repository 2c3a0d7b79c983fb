"""From a column of labels to +1 (normal) and -1 (outlier)."""

from collections import Counter

import numpy as np

from skae._cli._data import InputError

# What columns of labels are usually called, in lower case.
LABEL_NAMES = ("label", "labels", "y", "target", "class", "outlier", "anomaly")
MIN_OUTLIERS = 4
MIN_NORMALS = 6


def outlier_labels(column, outlier_label=None):
    """Return +1 and -1 for a column of labels, and in words who the outliers are.

    Parameters
    ----------
    column : Series
        Labels of any type. Numbers compare as numbers, whatever their spelling: 0,
        0.0 and "0" are one label.

    outlier_label : str, default=None
        The label of the outliers, all others are normal. None: the rarer one of two.

    Returns
    -------
    y : ndarray of shape (n_samples,)

    outliers : str

    Raises
    ------
    InputError
        Where the labels do not tell which rows are outliers.
    """
    if column.isna().any():
        raise InputError(
            f"Column {column.name!r} lacks {column.isna().sum()} of {len(column)} "
            "labels. Fill them in, or leave these rows out of the file."
        )
    keys = [label_key(value) for value in column]
    counts = Counter(keys)
    if len(counts) < 2:
        raise InputError(
            f"Column {column.name!r} holds only one label, {_shown(keys[0])}, but "
            "labels must tell normal rows from outliers. Without --label-column the "
            "table is used as unlabelled."
        )
    if outlier_label is None:
        outlier, outliers = _rarer_of_two(counts, column.name)
    else:
        outlier = label_key(outlier_label)
        if outlier not in counts:
            raise InputError(
                f"--outlier-label {outlier_label!r} is no label in column "
                f"{column.name!r}, which holds {_listed(counts)}."
            )
        outliers = f"the rows with {_shown(outlier)} in column {column.name!r}"
    y = np.array([-1 if key == outlier else 1 for key in keys])
    _check_sizes(y, outlier)
    return y, outliers


def label_key(value):
    """Return what a label compares by: its number, else its text."""
    if isinstance(value, (bool, np.bool_)):
        return str(value)
    try:
        return float(value)
    except (TypeError, ValueError):
        return str(value).strip()


def _rarer_of_two(counts, name):
    """Return the rarer label, and the words that tell of the choice."""
    if len(counts) > 2:
        raise InputError(
            f"Column {name!r} holds {len(counts)} labels: {_listed(counts)}. Say which "
            "one marks the outliers with --outlier-label."
        )
    (common, n_common), (rare, n_rare) = counts.most_common()
    if n_common == n_rare:
        raise InputError(
            f"Column {name!r} holds {_shown(common)} and {_shown(rare)} equally often, "
            f"{n_rare} times. Say which one marks the outliers with --outlier-label."
        )
    return rare, (
        f"the rows with {_shown(rare)} in column {name!r}, which is the rarer of two "
        "labels (no --outlier-label was given)"
    )


def _check_sizes(y, outlier):
    """Raise where a class has too few rows to train, to search and to test."""
    for label, least, words in (
        (-1, MIN_OUTLIERS, f"outliers (label {_shown(outlier)})"),
        (1, MIN_NORMALS, "normal rows (any other label)"),
    ):
        n_rows = int(np.sum(y == label))
        if n_rows < least:
            raise InputError(
                f"There are {n_rows} {words}, but at least {least} are needed to "
                "search and to test. Label more rows, or leave out --label-column and "
                "drop the labels with --drop."
            )


def _shown(key):
    """Return a label as a user would write it."""
    return f"{key:g}" if isinstance(key, float) else repr(key)


def _listed(counts, n_shown=10):
    """Return labels with the number of their rows, most frequent first."""
    words = [f"{_shown(key)} ({n} rows)" for key, n in counts.most_common(n_shown)]
    return ", ".join(words) + (", ..." if len(counts) > n_shown else "")
