"""Labels as categories: which values are, and the name and colour of each."""

import numpy as np

from skae.inspection._common import LABEL_COLORS, LABEL_WORDS, PALE, series_colors

# So many colours are told apart; of more categories the rarest are drawn as one.
MAX_CATEGORIES = 10


def is_categorical(y):
    """Return whether the values are names, or whole numbers few enough to be."""
    if y.dtype.kind not in "iuf":
        return True
    values = np.unique(y)
    return len(values) <= MAX_CATEGORIES and np.array_equal(values, np.rint(values))


def category_groups(y):
    """Return name, rows and colour of each category, those to draw on top last."""
    y = y.astype(str) if y.dtype.kind == "O" else y
    values, counts = np.unique(y, return_counts=True)
    if set(values.tolist()) == {1, -1}:
        return [(LABEL_WORDS[v], y == v, color) for v, color in LABEL_COLORS.items()]
    rare = []
    if len(values) > MAX_CATEGORIES:
        frequent = np.sort(np.argsort(-counts, kind="stable")[: MAX_CATEGORIES - 1])
        values, rare = values[frequent], np.delete(values, frequent)
    groups = [
        (_category_name(value), y == value, color)
        for value, color in zip(values, series_colors(len(values)), strict=True)
    ]
    if len(rare):
        groups.insert(0, (f"other ({len(rare)} labels)", np.isin(y, rare), PALE))
    return groups


def _category_name(value):
    """Return a category in words; a whole number without its decimals."""
    if isinstance(value, np.floating):
        return str(int(value)) if float(value).is_integer() else f"{value:.3g}"
    return str(value)
