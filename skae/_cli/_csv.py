"""From a CSV file to a table of numbers, or to one line that says what is wrong."""

import textwrap
import warnings
from pathlib import Path

import numpy as np
import pandas as pd

from skae._cli._data import Data, InputError
from skae._cli._labels import LABEL_NAMES, outlier_labels

MIN_ROWS = 10
MIN_COLUMNS = 2
SEPARATORS = ",;\t"
# Beyond this, squares are no longer finite numbers.
LARGEST = 1e150


def load_csv(path, *, header=True, drop=(), label_column=None, outlier_label=None):
    """Read a CSV file, with or without labels.

    Parameters
    ----------
    path : str
        The file.

    header : bool, default=True
        Whether its first row holds the names of the columns.

    drop : sequence of str, default=()
        Columns to leave out, by name or position.

    label_column : str, default=None
        Column of the labels, by name or position; None: there are none.

    outlier_label : str, default=None
        Label of the outliers; None: the rarer one of two.

    Returns
    -------
    data : Data

    Raises
    ------
    InputError
        Where the file cannot be read or used.
    """
    table = _read(Path(path), header)
    dropped = [find_column(table.columns, name, "--drop") for name in drop]
    y = outliers = None
    if label_column is not None:
        label_column = find_column(table.columns, label_column, "--label-column")
        y, outliers = outlier_labels(table[label_column], outlier_label)
    features = table.drop(columns=dropped if y is None else [*dropped, label_column])
    X = _as_numbers(features, path, header)
    return Data(Path(path).name, X, y, outliers, _notes(X, header, y is not None))


def find_column(columns, wanted, option):
    """Return the name of a column that is given by name or by position.

    A name wins over a position; positions count from 0, negative ones from the end.
    """
    columns = list(columns)
    if wanted in columns:
        return wanted
    try:
        return columns[int(wanted)]
    except (ValueError, IndexError):
        raise InputError(
            f"{option} {wanted!r} is no column. The {len(columns)} columns are "
            f"{_some(map(repr, columns))}; positions go from 0 to {len(columns) - 1}, "
            "and -1 is the last."
        ) from None


def _read(path, header):
    """Return the cells of a file; columns without a header are x0, x1, ..."""
    if not path.exists():
        raise InputError(f"{str(path)!r} does not exist. Check the path of the file.")
    if path.is_dir():
        raise InputError(f"{str(path)!r} is a folder. Pass a CSV file.")
    try:
        with warnings.catch_warnings():
            # pandas would go on without the cells that it has no column for.
            warnings.simplefilter("error", pd.errors.ParserWarning)
            table = pd.read_csv(
                path,
                header=0 if header else None,
                sep=_separator(path),
                index_col=False,
                skipinitialspace=True,
                low_memory=False,
            )
    except pd.errors.EmptyDataError:
        raise InputError(f"{str(path)!r} is empty. Pass a file with rows.") from None
    except (ValueError, OSError, EOFError, pd.errors.ParserWarning) as exc:
        reason = str(exc).strip().partition("\n")[0].rstrip(".")
        raise InputError(
            f"{str(path)!r} cannot be read as CSV: {reason}. Pass a text file (UTF-8) "
            "with the same number of cells in every row."
        ) from exc
    table.columns = [str(name) if header else f"x{name}" for name in table.columns]
    if len(table) < MIN_ROWS:
        raise InputError(
            f"{str(path)!r} has {len(table)} rows of data, but at least {MIN_ROWS} are "
            "needed. Pass a longer file"
            + (", or --no-header if its first row holds numbers." if header else ".")
        )
    return table


def _separator(path):
    """Return the separator that is found most often in the first line."""
    with path.open("rb") as file:
        line = file.readline(2**16).decode("utf-8", errors="replace")
    return max(SEPARATORS, key=line.count)


def _as_numbers(table, path, header):
    """Return the table in float64, or raise where a cell is no finite number."""
    if table.shape[1] < MIN_COLUMNS:
        raise InputError(
            f"{str(path)!r} has too few columns of numbers: {table.shape[1]}, but a "
            f"reconstruction needs at least {MIN_COLUMNS}. Pass a file with more "
            "columns, separated by commas, semicolons or tabs."
        )
    _refuse_text(table, header)
    _refuse(
        table.isna(),
        "lacks {count} of its values (the first in row {row}){more}",
        "Fill them in, or leave the column out with --drop {name!r}.",
    )
    table = table.astype(np.float64)
    _refuse(
        table.abs() > LARGEST,
        f"goes beyond {LARGEST:g} {{count}} times (first in row {{row}}){{more}}",
        "Correct them, or leave the column out with --drop {name!r}.",
    )
    return table


def _refuse_text(table, header):
    """Raise where a column holds text; booleans count as numbers."""
    text = [name for name in table if _is_text(table[name]).any()]
    if not text:
        return
    first = text[0]
    row = int(np.argmax(_is_text(table[first])))
    value = textwrap.shorten(str(table[first].iloc[row]), 30)
    advice = f"Leave it out with --drop {first!r}, or put numbers in its place"
    if first.lower() in LABEL_NAMES:
        advice = f"If it holds the labels, pass --label-column {first!r}"
    elif not header and len(text) == table.shape[1]:
        advice = "If the first row holds the names of the columns, omit --no-header"
    raise InputError(
        f"Column {first!r} holds text ({value!r} in row {row}, rows count from 0)"
        f"{_and_more(text)}, but every column must hold numbers. {advice}."
    )


def _is_text(column):
    """Return which cells are neither missing nor numbers."""
    return column.notna() & pd.to_numeric(column, errors="coerce").isna()


def _refuse(bad, complaint, advice):
    """Raise where a table of booleans marks a cell as bad."""
    names = list(bad.columns[bad.any()])
    if not names:
        return
    cells = bad[names[0]].to_numpy()
    words = {
        "name": names[0],
        "count": cells.sum(),
        "row": np.argmax(cells),
        "more": _and_more(names),
    }
    complaint = f"Column {names[0]!r} " + complaint.format(**words)
    raise InputError(f"{complaint}. Rows count from 0. {advice.format(**words)}")


def _and_more(names):
    """Return how many other columns have the same trouble."""
    n_others = len(names) - 1
    if n_others == 0:
        return ""
    return (
        ", and so does 1 other" if n_others == 1 else f", and so do {n_others} others"
    )


def _some(words, n_shown=8):
    """Return the first words, and whether there are others."""
    words = list(words)
    shown = ", ".join(words[:n_shown])
    return shown + (", ..." if len(words) > n_shown else "")


def _notes(X, header, labelled):
    """Return what looks unintended, in words."""
    notes = []
    if not labelled:
        notes += [
            f"Column {name!r} may hold labels, but counts as a feature. If it does, "
            f"pass --label-column {name!r}."
            for name in X
            if name.lower() in LABEL_NAMES
        ]
    if header and all(_is_number(name) for name in X):
        notes.append(
            "The first row looks like numbers, but was taken as names. If it holds "
            "data, pass --no-header."
        )
    notes += [
        f"Column {name!r} may count the rows, but is a feature here. If it does, pass "
        f"--drop {name!r}."
        for name in X
        if name.startswith("Unnamed: ")
    ]
    return tuple(notes)


def _is_number(text):
    """Return whether a text reads as a number."""
    try:
        float(text)
    except ValueError:
        return False
    return True
