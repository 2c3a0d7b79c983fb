"""The table that is searched: numbers and labels, from a CSV file or generated."""

from __future__ import annotations

import textwrap
import warnings
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from skae.datasets import make_heartbeats

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

# Names that columns of labels usually have, in lower case.
LABEL_NAMES = ("label", "labels", "y", "target", "class", "outlier", "anomaly")
MIN_ROWS = 10
MIN_COLUMNS = 2
MIN_OUTLIERS = 4
MIN_NORMALS = 6
# Beyond this, squares are no longer finite numbers.
LARGEST = 1e150


class InputError(Exception):
    """The user's input cannot be used; the message is one line that says what to do."""


@dataclass(frozen=True)
class Table:
    """A table whose columns hold finite numbers, and its labels where there are any."""

    name: str
    X: pd.DataFrame  # float64, its index counts the rows from 0
    y: NDArray[np.int64] | None = None  # +1 for normal rows, -1 for outliers
    outliers: str | None = None  # which rows are outliers, in words
    notes: tuple[str, ...] = ()  # what looks unintended, in words


def generate_heartbeats(seed: int, n_samples: int = 5000) -> Table:
    """Return labelled heartbeats, which need no download."""
    X, y = make_heartbeats(n_samples, random_state=seed)
    X = pd.DataFrame(X, columns=[f"t{step}" for step in range(X.shape[1])])
    words = "the beats that were generated as abnormal"
    return Table("heartbeats (generated)", X, y, words)


def load_csv(
    path: str,
    *,
    header: bool = True,
    drop: Sequence[str] = (),
    label_column: str | None = None,
    outlier_label: str | None = None,
) -> Table:
    """Read a CSV file; columns are given by name or position, None are no labels."""
    table = _read(Path(path), header)
    left_out = [find_column(table.columns, name, "--drop") for name in drop]
    y = outliers = None
    if label_column is not None:
        label_column = find_column(table.columns, label_column, "--label-column")
        y, outliers = outlier_labels(table[label_column], outlier_label)
        left_out.append(label_column)
    X = _as_numbers(table.drop(columns=left_out), path, header)
    notes = _notes(X, header=header, has_labels=y is not None)
    return Table(Path(path).name, X, y, outliers, notes)


def find_column(columns: Iterable[str], given: str, option: str) -> str:
    """Return the column of this name, else the one at this position."""
    columns = list(columns)
    if given in columns:
        return given
    try:
        return columns[int(given)]
    except (ValueError, IndexError):
        shown = ", ".join(map(repr, columns[:8])) + (", ..." if columns[8:] else "")
        raise InputError(
            f"{option} {given!r} is no column. The {len(columns)} columns are "
            f"{shown}; positions go from 0 to {len(columns) - 1}, and -1 is the last."
        ) from None


def _read(path: Path, header: bool) -> pd.DataFrame:
    """Return the cells of a file; columns without a header are x0, x1, ..."""
    if not path.exists():
        raise InputError(f"{str(path)!r} does not exist. Check the path of the file.")
    if path.is_dir():
        raise InputError(f"{str(path)!r} is a folder. Pass a CSV file.")
    with path.open("rb") as file:
        line = file.readline(2**16).decode("utf-8", errors="replace")
    how: dict[str, Any] = {"sep": max(",;\t", key=line.count), "index_col": False}
    how |= {"header": 0 if header else None, "skipinitialspace": True}
    try:
        with warnings.catch_warnings():
            # pandas would go on without the cells that it has no column for.
            warnings.simplefilter("error", pd.errors.ParserWarning)
            table = pd.read_csv(path, low_memory=False, **how)
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
        advice = ", or --no-header if its first row holds numbers." if header else "."
        raise InputError(
            f"{str(path)!r} has {len(table)} rows of data, but at least {MIN_ROWS} are "
            f"needed. Pass a longer file{advice}"
        )
    return table


def _as_numbers(table: pd.DataFrame, path: str, header: bool) -> pd.DataFrame:
    """Return the table in float64, or raise where a cell is no finite number."""
    if table.shape[1] < MIN_COLUMNS:
        raise InputError(
            f"{str(path)!r} has too few columns of numbers: {table.shape[1]}, but a "
            f"reconstruction needs at least {MIN_COLUMNS}. Pass a file with more "
            "columns, separated by commas, semicolons or tabs."
        )
    # Booleans count as numbers.
    no_numbers = table.apply(pd.to_numeric, errors="coerce").isna()
    is_text = no_numbers & table.notna()
    advice = "Leave it out with --drop {name!r}, or put numbers in its place."
    first = next(iter(table.columns[is_text.any()]), "")
    if first.lower() in LABEL_NAMES:
        advice = "If it holds the labels, pass --label-column {name!r}."
    elif not header and is_text.any().all():
        advice = "If the first row holds the names of the columns, omit --no-header."
    _refuse(
        table,
        is_text,
        "holds text ({value!r} in row {row}, rows count from 0){more}, but every "
        "column must hold numbers. " + advice,
    )
    _refuse(
        table,
        table.isna(),
        "lacks {count} of its values (the first in row {row}){more}. Rows count from "
        "0. Fill them in, or leave the column out with --drop {name!r}.",
    )
    table = table.astype(np.float64)
    _refuse(
        table,
        table.abs() > LARGEST,
        f"goes beyond {LARGEST:g} {{count}} times (first in row {{row}}){{more}}. Rows "
        "count from 0. Correct them, or leave the column out with --drop {name!r}.",
    )
    return table


def _refuse(table: pd.DataFrame, bad: pd.DataFrame, complaint: str) -> None:
    """Raise where `bad` marks a cell of the table, with a complaint about the first."""
    names = list(bad.columns[bad.any()])
    if not names:
        return
    cells = bad[names[0]].to_numpy()
    row = int(np.argmax(cells))
    others = f"{len(names) - 1} other" + ("s" if names[2:] else "")
    words = complaint.format(
        name=names[0],
        count=cells.sum(),
        row=row,
        value=textwrap.shorten(str(table[names[0]].iloc[row]), 30),
        more=f", and so {'do' if names[2:] else 'does'} {others}" if names[1:] else "",
    )
    raise InputError(f"Column {names[0]!r} {words}")


def _notes(X: pd.DataFrame, *, header: bool, has_labels: bool) -> tuple[str, ...]:
    """Return what looks unintended, in words."""
    notes = [
        f"Column {name!r} may hold labels, but counts as a feature. If it does, pass "
        f"--label-column {name!r}."
        for name in X
        if name.lower() in LABEL_NAMES and not has_labels
    ]
    if header and all(isinstance(label_key(name), float) for name in X):
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


def outlier_labels(
    column: pd.Series, outlier_label: str | None = None
) -> tuple[NDArray[np.int64], str]:
    """Return +1 and -1 for labels (None: the rarer of two is -1), and why in words."""
    if column.isna().any():
        raise InputError(
            f"Column {column.name!r} lacks {column.isna().sum()} of {len(column)} "
            "labels. Fill them in, or leave these rows out of the file."
        )
    keys = [label_key(value) for value in column]
    counts = Counter(keys)
    frequent = [f"{_label_text(key)} ({n} rows)" for key, n in counts.most_common(10)]
    listed = ", ".join(frequent) + (", ..." if len(counts) > 10 else "")
    if len(counts) < 2:
        raise InputError(
            f"Column {column.name!r} holds only one label, {_label_text(keys[0])}, but "
            "labels must tell normal rows from outliers. Without --label-column the "
            "table is used as unlabelled."
        )
    if outlier_label is None and len(counts) > 2:
        raise InputError(
            f"Column {column.name!r} holds {len(counts)} labels: {listed}. Say which "
            "one marks the outliers with --outlier-label."
        )
    (common, n_common), (rare, n_rare) = counts.most_common()[:2]
    if outlier_label is None and n_common == n_rare:
        raise InputError(
            f"Column {column.name!r} holds {_label_text(common)} and "
            f"{_label_text(rare)} equally often, {n_rare} times. Say which one marks "
            "the outliers with --outlier-label."
        )
    outlier = rare if outlier_label is None else label_key(outlier_label)
    if outlier not in counts:
        raise InputError(
            f"--outlier-label {outlier_label!r} is no label in column "
            f"{column.name!r}, which holds {listed}."
        )
    y = np.array([-1 if key == outlier else 1 for key in keys])
    for label, least, words in (
        (-1, MIN_OUTLIERS, f"outliers (label {_label_text(outlier)})"),
        (1, MIN_NORMALS, "normal rows (any other label)"),
    ):
        if np.sum(y == label) < least:
            raise InputError(
                f"There are {np.sum(y == label)} {words}, but at least {least} are "
                "needed to search and to test. Label more rows, or leave out "
                "--label-column and drop the labels with --drop."
            )
    words = f"the rows with {_label_text(outlier)} in column {column.name!r}"
    if outlier_label is None:
        words += ", which is the rarer of two labels (no --outlier-label was given)"
    return y, words


def label_key(value: Any) -> float | str:
    """Return a label's number, else its text: 0, 0.0 and "0" are one label."""
    if isinstance(value, (bool, np.bool_)):
        return str(value)
    try:
        return float(value)
    except (TypeError, ValueError):
        return str(value).strip()


def _label_text(key: float | str) -> str:
    """Return a label as a user would write it."""
    return f"{key:g}" if isinstance(key, float) else repr(key)
