"""The table that is searched: what each column is used for, the labels, the order.

A `Plan` says which columns of a file become which columns of X. It is made once, from
the file that trains, kept with a saved model, and used again on the rows to score.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from sklearn.model_selection import (
    GroupKFold,
    KFold,
    StratifiedGroupKFold,
    StratifiedKFold,
    train_test_split,
)

from skae._cli._columns import (
    CARRIED,
    GROUP,
    LABEL,
    LARGEST,
    LEFT_OUT,
    NUMBER,
    ONE_HOT,
    TIME,
    Column,
    as_times,
    find_uses,
    label_key,
    label_text,
    questions,
    to_dates,
    to_numbers,
)
from skae._cli._read import InputError, read_file
from skae.datasets import make_heartbeats

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from numpy.typing import NDArray

N_FOLDS = 3
TEST_FRACTION = 0.3
FEWEST_TRAINED = 2  # normal rows of a fold
MIN_OUTLIERS = 4
MIN_NORMALS = 6
WINDOW = 32  # rows that a single column in time order is judged with


@dataclass
class Plan:
    """How the columns of a file become the columns of X; plain text and numbers."""

    numbers: list[str]
    categories: list[str]
    carried: list[str]
    time: str | None = None
    group: str | None = None
    sort: int = 0  # 1 where rows are sorted by time, -1 where the file is newest first
    window: int = 1  # rows in one row of X: itself and those before it


@dataclass(frozen=True)
class Table:
    """Rows to learn from, and their labels where there are any."""

    name: str
    X: pd.DataFrame  # numbers in float64, categories as text; its index: rows of a file
    y: NDArray[np.int64] | None = None  # +1 for normal rows, -1 for outliers
    outliers: str | None = None  # which rows are outliers, in words
    notes: tuple[str, ...] = ()
    columns: tuple[Column, ...] = ()
    plan: Plan = field(default_factory=lambda: Plan([], [], []))
    carried: pd.DataFrame | None = None  # columns for the output only
    groups: NDArray[np.int64] | None = None
    in_time_order: bool = False


@dataclass(frozen=True)
class Split:
    """Rows to search on, with folds of them, and rows to test on: positions."""

    train: NDArray[np.intp]
    test: NDArray[np.intp]
    folds: list[tuple[NDArray[np.intp], NDArray[np.intp]]]  # in the training rows
    words: str


def generate_heartbeats(seed: int, n_samples: int = 5000) -> Table:
    """Return labelled heartbeats, which need no download."""
    X, y = make_heartbeats(n_samples, random_state=seed)
    X = pd.DataFrame(X, columns=[f"t{step}" for step in range(X.shape[1])])
    words = "the beats that were generated as abnormal"
    return Table("heartbeats (generated)", X, y, words, plan=Plan(list(X), [], []))


def load_table(options: argparse.Namespace) -> Table:
    """Read a file, and find a use or a reason for every column."""
    raw, notes = read_file(options)
    columns, values = find_uses(raw, options)
    notes += questions(columns, raw, values)
    y = outliers = None
    if label := next((one.name for one in columns if one.use == LABEL), None):
        y, outliers = outlier_labels(
            raw[label], options.outlier_label, options.normal_label
        )
        if not (known := y != 0).all():
            notes.append(f"{np.sum(~known)} rows without a label were left out.")
            raw, y = raw[known], y[known]
            values = {name: column[known] for name, column in values.items()}
    plan = _plan(columns, raw, values, options, notes)
    X, carried, order = apply_plan(plan, raw, values)
    if not (has_value := X.notna().any(axis=1)).all():
        notes.append(
            f"{np.sum(~has_value)} rows hold no value to learn from: left out."
        )
        X, carried, order = X[has_value], carried[has_value], order[has_value]
    groups = None
    if plan.group is not None:
        groups = pd.factorize(raw[plan.group].loc[X.index])[0]
    name = Path(options.file).name
    y = None if y is None else y[order]
    in_order = plan.sort != 0 or (plan.window > 1)
    return Table(
        name,
        X,
        y,
        outliers,
        tuple(notes),
        tuple(columns),
        plan,
        carried,
        groups,
        in_order and not options.shuffle,
    )


def _plan(
    columns: Sequence[Column],
    raw: pd.DataFrame,
    values: dict[str, pd.Series],
    options: argparse.Namespace,
    notes: list[str],
) -> Plan:
    """Return how X is made, or raise where nothing would be in it."""
    named = {
        use: [one.name for one in columns if one.use == use]
        for use in (NUMBER, ONE_HOT, TIME, GROUP, CARRIED, LEFT_OUT)
    }
    numbers, categories = named[NUMBER], named[ONE_HOT]
    if not numbers and not categories:
        shown = "; ".join(f"{one.name!r}: {one.use}, {one.why}" for one in columns[:8])
        names = ",".join(one.name for one in columns if one.use in (LEFT_OUT, CARRIED))
        raise InputError(
            f"No column is left to learn from ({shown}). To use them all the same, "
            f"pass --keep {names!r} or --categories {names!r}."
        )
    time, group = (next(iter(named[use]), None) for use in (TIME, GROUP))
    plan = Plan(numbers, categories, named[CARRIED], time, group)
    if time is not None:
        times = values[time]
        plan.sort = -1 if times.is_monotonic_decreasing else 1
        if not (times.is_monotonic_decreasing or times.is_monotonic_increasing):
            notes.append(f"Rows were sorted by {time!r}.")
    window = options.window
    if window is None:
        is_alone = len(numbers) == 1 and not categories
        window = min(WINDOW, len(raw) // 4) if is_alone else 1
        if is_alone:
            notes.append(
                f"The only column, {numbers[0]!r}, is taken as a series: each row is "
                f"judged with the {window - 1} rows before it (--window {window})."
            )
    elif window > 1 and categories:
        raise InputError(
            f"--window {window} needs columns of numbers alone. Pass --drop "
            f"{','.join(categories)!r}, too."
        )
    plan.window = window
    return plan


def apply_plan(
    plan: Plan, raw: pd.DataFrame, values: dict[str, pd.Series] | None = None
) -> tuple[pd.DataFrame, pd.DataFrame, NDArray[np.intp]]:
    """Return X, the columns for the output, and the order of the rows of the file."""
    needed = plan.numbers + plan.categories + ([plan.group] if plan.group else [])
    if lacking := [name for name in needed if name not in raw.columns]:
        raise InputError(
            f"The file lacks {len(lacking)} of the model's columns: "
            f"{', '.join(map(repr, lacking))}. Pass a file that has them."
        )
    if values is None:
        values = {name: _numbers_or_missing(raw[name]) for name in plan.numbers}
        if plan.time is not None and plan.time in raw.columns:
            numbers, _ = to_numbers(raw[plan.time])
            dates = None if numbers is not None else to_dates(raw[plan.time])
            values[plan.time] = as_times(plan.time, raw[plan.time], numbers, dates)
    order = np.arange(len(raw))
    if plan.time in values:
        times = values[plan.time]
        # Of equal times, the file's order stays; reversed, where the newest is first.
        is_reversed = (
            times.is_monotonic_decreasing and not times.is_monotonic_increasing
        )
        order = np.argsort(times.to_numpy(), kind="stable")
        if is_reversed:
            order = np.arange(len(raw))[::-1]
    X = pd.DataFrame({name: values[name] for name in plan.numbers}, index=raw.index)
    for name in plan.categories:
        cells = raw[name].astype(object)
        X[name] = cells.map(str, na_action="ignore").where(cells.notna(), np.nan)
    X, shown = X.iloc[order], raw.iloc[order]
    if plan.window > 1:
        whole = X.groupby(shown[plan.group].to_numpy()) if plan.group else X
        earlier = [
            whole.shift(step).add_suffix(f"[-{step}]")
            for step in range(plan.window - 1, 0, -1)
        ]
        X = pd.concat([*earlier, X], axis=1)
    carried = [one for one in (plan.time, plan.group, *plan.carried) if one in shown]
    return X, shown[carried], order


def _numbers_or_missing(column: pd.Series) -> pd.Series:
    """Return a column in float64, missing where a cell is no number."""
    numbers, _ = to_numbers(column)
    if numbers is None:
        numbers = pd.to_numeric(column, errors="coerce").astype(np.float64)
    return numbers.where(numbers.abs() <= LARGEST)


def split_rows(table: Table, seed: int) -> tuple[Table, Split]:
    """Return the rows to search and to test on, and a table of what can be learned."""
    y, groups, rows = table.y, table.groups, np.arange(len(table.X))
    notes, words, in_order = list(table.notes), "folds", table.in_time_order
    shuffled: dict[str, Any] = {"shuffle": True, "random_state": seed}
    group = table.plan.group
    if groups is not None:
        n_groups = len(set(groups if y is None else groups[y == -1]))
        if n_groups < N_FOLDS:
            what = "" if y is None else " with outliers"
            raise InputError(
                f"--group {group!r} has {n_groups} groups{what}, but at least "
                f"{N_FOLDS} are needed. Pass --id {group!r} in place of --group."
            )
    train, test = rows, rows[:0]
    if y is None:
        splitter = GroupKFold(N_FOLDS)
        if groups is None:
            splitter = KFold(N_FOLDS, **({} if in_order else shuffled))
        folds = list(splitter.split(rows, groups=groups))
    elif groups is not None:
        splitter = StratifiedGroupKFold(N_FOLDS, **shuffled)
        train, test = next(splitter.split(rows, y, groups))
        n_folds = min(N_FOLDS, len(set(groups[train][y[train] == -1])))
        splitter = StratifiedGroupKFold(n_folds, **shuffled)
        folds = list(splitter.split(train, y[train], groups[train]))
        words = f"folds of whole groups of {group!r}"
    else:
        cut = _cut_in_time(y) if in_order else None
        if cut is not None:
            # No window is partly in both.
            train, test = rows[: cut - table.plan.window + 1], rows[cut:]
            words, shuffled = "folds in time order", {}
            notes.append(
                f"Rows are in time order: the test rows are the last {len(test)}. "
                "--shuffle draws them at random instead."
            )
        else:
            share = {"test_size": TEST_FRACTION, "random_state": seed}
            train, test = train_test_split(rows, stratify=y, **share)
        if in_order and cut is None:
            notes.append(
                "Rows are in time order, but no time splits them into two parts with "
                "enough normal rows and outliers in each: they were split at random, "
                "which favours detectors that remember their neighbours in time."
            )
        n_folds = min(N_FOLDS, int(np.sum(y[train] == -1)))
        folds = list(StratifiedKFold(n_folds, **shuffled).split(train, y[train]))
    if y is not None:
        words = f"{len(folds)} {words}, trained on normal rows only"
        words = f"Search on {len(train)} rows ({words}), test on the other {len(test)}."
        folds = [(one[y[train][one] == 1], held) for one, held in folds]
    # What has no value in a part that trains cannot be learned.
    parts = [table.X.iloc[train[one]] for one, _ in folds]
    empty = {name for part in parts for name in part if part[name].isna().all()}
    if min(map(len, parts)) < FEWEST_TRAINED or len(empty) == table.X.shape[1]:
        raise InputError(
            "There are too few normal rows to search and to test. Label more rows, or "
            "leave out --label-column or --group."
        )
    why = "no value in a part of the rows that train"
    columns = tuple(
        Column(one.name, LEFT_OUT, why) if one.name in empty else one
        for one in table.columns
    )
    numbers, categories = (
        [name for name in names if name not in empty]
        for names in (table.plan.numbers, table.plan.categories)
    )
    plan = replace(table.plan, numbers=numbers, categories=categories)
    table = replace(table, X=table.X.drop(columns=list(empty)), columns=columns)
    table = replace(table, plan=plan, notes=tuple(notes))
    return table, Split(train, test, folds, words)


def _cut_in_time(y: NDArray[np.int64]) -> int | None:
    """Return the first test row: near 70 % of the rows, or of the outliers."""
    n, outliers = len(y), np.flatnonzero(y == -1)
    later = int(outliers[int((1 - TEST_FRACTION) * len(outliers))])
    for cut in (n - round(TEST_FRACTION * n), later):
        parts = y[:cut], y[cut:]
        enough = all(np.sum(one == label) >= 2 for one in parts for label in (-1, 1))
        if enough and np.sum(y[:cut] == 1) >= N_FOLDS * FEWEST_TRAINED:
            return cut
    return None


def outlier_labels(
    column: pd.Series,
    outlier_label: Sequence[str] = (),
    normal_label: Sequence[str] = (),
) -> tuple[NDArray[np.int64], str]:
    """Return +1, -1 and 0 (no label), and why in words; the rarer of two is -1."""
    keys = [None if pd.isna(value) else label_key(value) for value in column]
    counts = Counter(key for key in keys if key is not None)
    ranked = counts.most_common()
    listed = ", ".join(f"{label_text(key)} ({n} rows)" for key, n in ranked[:10])
    listed += ", ..." * (len(counts) > 10)
    name = column.name
    if len(counts) < 2:
        raise InputError(
            f"Column {name!r} holds only one label, {listed or 'none'}, but labels "
            "must tell normal rows from outliers. To use the table without labels, "
            f"pass --drop {name!r} in place of --label-column."
        )
    given = {}
    for option, labels in (("outlier", outlier_label), ("normal", normal_label)):
        given[option] = {label_key(label) for label in labels}
        unknown = [label for label in labels if label_key(label) not in counts]
        if unknown:
            raise InputError(
                f"--{option}-label {unknown[0]!r} is no label in column {name!r}, "
                f"which holds {listed}."
            )
    is_equal = len(counts) == 2 and ranked[0][1] == ranked[1][1]
    if not any(given.values()) and (len(counts) > 2 or is_equal):
        what = f"{len(counts)} labels: {listed}" if not is_equal else f"{listed}"
        raise InputError(
            f"Column {name!r} holds {what}. Say which mark the outliers with "
            f"--outlier-label (repeated for several), or which are normal, such as "
            f"--label-column {name!r} --normal-label {label_text(ranked[0][0])}."
        )
    outliers, normals = given["outlier"], given["normal"]
    if not outliers and not normals:
        outliers = {ranked[-1][0]}
    if both := outliers & normals:
        raise InputError(f"{label_text(both.pop())} cannot mark both kinds of rows.")
    outliers = outliers or set(counts) - normals
    normals = normals or set(counts) - outliers
    y = np.array(
        [1 if key in normals else -1 if key in outliers else 0 for key in keys]
    )
    for label, least, words in (
        (-1, MIN_OUTLIERS, "outliers (" + _texts(outliers) + ")"),
        (1, MIN_NORMALS, "normal rows (" + _texts(normals) + ")"),
    ):
        if np.sum(y == label) < least:
            raise InputError(
                f"There are {np.sum(y == label)} {words}, but at least {least} are "
                "needed to search and to test. Label more rows, or pass --drop "
                f"{name!r} in place of --label-column."
            )
    words = f"the rows with {_texts(outliers)} in column {name!r}"
    if not any(given.values()):
        words += ", which is the rarer of two labels (no --outlier-label was given)"
    return y, words


def _texts(keys: set[float | str]) -> str:
    """Return some labels as a user would write them."""
    texts = sorted(map(label_text, keys))
    return " or ".join(texts[:5]) + (", ..." if texts[5:] else "")
