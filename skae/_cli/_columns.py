"""What each column of a file is used for: a use or a reason for every one.

Options decide first, then names and values: labels, times, numbers in all their
spellings, texts of few values, and what only counts or names the rows.
"""

from __future__ import annotations

import re
import warnings
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from skae._cli._read import InputError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable, Sequence

# Words in the names of columns of labels and of times, in lower case.
LABEL_WORDS = set(
    [
        "label",
        "labels",
        "y",
        "target",
        "class",
        "outlier",
        "outliers",
        "anomaly",
        "anomalies",
        "anomalous",
        "abnormal",
        "fraud",
        "attack",
        "fault",
        "faulty",
        "failure",
        "defect",
        "occupancy",
        "malicious",
    ]
)
TIME_WORDS = set(["time", "timestamp", "datetime", "date", "epoch", "unixtime"])
MAX_CATEGORIES = 20
MAX_CLASSES = 50  # of a column that is called a label and takes so few values
MIN_OBSERVED = 0.05  # share of the rows
# Beyond this, squares are no longer finite numbers.
LARGEST = 1e150
# What devices write for "no value", where it is far from all else in the column.
SENTINELS = (-99, -200, -999, -9999, -99999, 999, 9999, 99999)
DATE = re.compile(
    r"\d{4}[-/.]\d{1,2}[-/.]\d{1,2}|\d{1,2}[-/.]\d{1,2}[-/.]\d{4}|\d{8}T\d|"
    r"\d{1,2}[-/ ][A-Za-z]{3,9}[-/ ]\d{2,4}|\d{1,2}/\d{1,2}/\d{2}\b|"
    r"([A-Za-z]{3} )?[A-Za-z]{3,9}\.? \d{1,2},? "
)
NUMBER, ONE_HOT, TIME = "number", "one-hot", "time"
CARRIED, GROUP, LABEL, LEFT_OUT = "carried through", "group", "labels", "left out"


@dataclass(frozen=True)
class Column:
    """What a column of the file is used for, and why."""

    name: str
    use: str
    why: str = ""


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


def _asked_for(raw: pd.DataFrame, options: argparse.Namespace) -> dict[str, str]:
    """Return the columns that options name, and their use; "keep" is one of them."""
    asked: dict[str, str] = {}
    for option, use in (
        ("drop", LEFT_OUT),
        ("keep", "keep"),
        ("categories", ONE_HOT),
        ("id", CARRIED),
        ("time", TIME),
        ("group", GROUP),
        ("label_column", LABEL),
    ):
        given = getattr(options, option) or []
        flag = f"--{option.replace('_', '-')}"
        for item in [given] if isinstance(given, str) else given:
            names = [item] if item in raw.columns else item.split(",")
            for name in names:
                name = find_column(raw.columns, name, flag)
                if asked.setdefault(name, use) != use:
                    raise InputError(
                        f"Column {name!r} is asked for twice, by {flag} and for "
                        "another use. Name it once."
                    )
    return asked


def find_uses(
    raw: pd.DataFrame, options: argparse.Namespace
) -> tuple[list[Column], dict[str, pd.Series]]:
    """Return the use of each column, and the values of the numbers and times."""
    asked, columns, values = _asked_for(raw, options), [], {}
    has_time = TIME in asked.values()
    for name, column in raw.items():
        use, how = asked.get(name), ""
        numbers, how = to_numbers(column)
        dates = to_dates(column) if numbers is None else None
        if use is None:
            use, why = _guess(name, column, numbers, dates)
            if use == TIME and has_time:
                use, why = CARRIED, "a second time"
            has_time |= use == TIME
        elif use == LEFT_OUT:
            why = "--drop"
        elif use == "keep":
            few = column.nunique() <= MAX_CATEGORIES
            use, why = (
                (NUMBER, "--keep") if numbers is not None else (ONE_HOT, "--keep")
            )
            if use == ONE_HOT and not few:
                raise InputError(
                    f"--keep {name!r} is a column of {column.nunique()} different "
                    f"texts. Pass --categories {name!r} for a column of each, or "
                    "--drop it."
                )
        else:
            why = f"asked for; {column.nunique()} values" if use == ONE_HOT else ""
        if use == NUMBER and numbers is not None:
            n_missing = int(numbers.isna().sum())
            why = "; ".join(
                filter(None, [why, how, "values missing" * (n_missing > 0)])
            )
            values[name] = numbers
        if use == TIME:
            values[name] = as_times(name, column, numbers, dates)
        columns.append(Column(name, use, why))
    _refuse_too_large(values, columns)
    return columns, values


def _guess(
    name: str, column: pd.Series, numbers: pd.Series | None, dates: pd.Series | None
) -> tuple[str, str]:
    """Return the use of a column that no option names, and why."""
    words = set(
        re.findall(r"[a-z]+", re.sub(r"([a-z])([A-Z])", r"\1_\2", name).lower())
    )
    n_values = column.nunique()
    if n_values == 0:
        return LEFT_OUT, "empty"
    is_whole = numbers is None or (numbers.dropna() % 1 == 0).all()
    few = MAX_CLASSES if name.lower() in LABEL_WORDS and is_whole else 2
    if words & LABEL_WORDS and 2 <= n_values <= few and n_values < len(column) / 2:
        return CARRIED, f"may hold labels ({_listed(column)})"
    if column.notna().mean() < MIN_OBSERVED:
        return LEFT_OUT, f"over {1 - MIN_OBSERVED:.0%} missing; --keep uses it"
    ordered = dates if dates is not None else numbers
    if ordered is not None:
        is_complete = ordered.notna().all() and n_values > 1
        is_rising = is_complete and ordered.is_monotonic_increasing
        in_order = is_rising or (is_complete and ordered.is_monotonic_decreasing)
    if dates is not None:
        if in_order:
            return (
                TIME,
                "rows are in its order" if is_rising else "the newest row is first",
            )
        if (dates.diff().dt.total_seconds() < 0).mean() < 0.01 and dates.notna().all():
            return TIME, "rows are nearly in its order"  # clocks are put back
        return CARRIED, "dates, not in order; --time sorts by them"
    if numbers is not None:
        since_1970 = is_whole and any(
            6e8 * unit <= numbers.min() and numbers.max() <= 4e9 * unit
            for unit in (1, 1e3, 1e6, 1e9)
        )
        if in_order and (words & TIME_WORDS or since_1970):
            return (
                TIME,
                "rows are in its order" if is_rising else "the newest row is first",
            )
        if in_order and is_whole and n_values == len(column):
            return LEFT_OUT, "counts the rows; --keep uses it, --id carries it through"
        return NUMBER, ""
    if column.astype(str).str.fullmatch(r"\d{1,2}([:.]\d{2}){1,2}").mean() > 0.9:
        return CARRIED, "times of day"
    if n_values == 1:
        return LEFT_OUT, "one value only"
    if n_values <= min(MAX_CATEGORIES, len(column) // 2):
        return ONE_HOT, "text of few values"
    if n_values == column.notna().sum():
        return LEFT_OUT, "every text is another one; --id carries it through"
    return LEFT_OUT, f"text of over {MAX_CATEGORIES} values; --categories uses it"


def to_numbers(column: pd.Series) -> tuple[pd.Series | None, str]:
    """Return a column in float64 and what was done for it; None where it is text."""
    if pd.api.types.is_bool_dtype(column.dtype):
        return column.astype(np.float64), "true and false are 1 and 0"
    if pd.api.types.is_numeric_dtype(column.dtype):
        return column.astype(np.float64), ""
    known = column.dropna()
    if known.empty or pd.api.types.is_datetime64_any_dtype(column.dtype):
        return None, ""
    if known.map(lambda cell: isinstance(cell, (bool, np.bool_))).all():
        return column.astype(np.float64), "true and false are 1 and 0"
    text = column.astype("str")
    ways = [(text, "")]
    if (
        known.astype("str")
        .str.fullmatch(r"[-+]?[1-9]\d{0,2}(,\d{3})+(\.\d*)?|[-+]?\d{1,3}(\.\d*)?")
        .all()
    ):
        ways.append((text.str.replace(",", ""), "commas between thousands"))
    ways.append((text.str.replace(",", "."), "decimal commas"))
    ways.append((text.str.strip("%$€£ ").str.replace(",", ""), "units taken away"))
    for cells, how in ways:
        numbers = pd.to_numeric(cells, errors="coerce").astype(np.float64)
        if numbers.notna().sum() == len(known):
            return numbers, how
    # A few words among many numbers, such as "error", stand for missing values.
    numbers = pd.to_numeric(text, errors="coerce").astype(np.float64)
    words = known[numbers[known.index].isna()].unique()
    if len(words) <= 3 and numbers.nunique() > MAX_CATEGORIES:
        return numbers, f"{', '.join(map(repr, map(str, words)))} taken as missing"
    return None, ""


def to_dates(column: pd.Series) -> pd.Series | None:
    """Return a column as times, or None where it holds no dates."""
    if pd.api.types.is_datetime64_any_dtype(column.dtype):
        return pd.to_datetime(column, utc=True)
    known = column.dropna().astype("str")
    if known.empty or not known.head(50).map(lambda cell: bool(DATE.match(cell))).all():
        return None
    best: pd.Series | None = None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for how in ({"format": "ISO8601"}, {"dayfirst": False}, {"dayfirst": True}):
            dates = pd.to_datetime(column, errors="coerce", utc=True, **how)
            rank = dates.notna().sum(), dates.is_monotonic_increasing
            if best is None or rank > (
                best.notna().sum(),
                best.is_monotonic_increasing,
            ):
                best = dates
    return (
        best if best is not None and best.notna().sum() >= 0.95 * len(known) else None
    )


def as_times(
    name: str, column: pd.Series, numbers: pd.Series | None, dates: pd.Series | None
) -> pd.Series:
    """Return the values of a time axis, or raise where it is none."""
    times = numbers if dates is None else dates
    if times is None or times.isna().any():
        count = "no" if times is None else f"only {times.notna().sum()}"
        raise InputError(
            f"--time {name!r} needs a date or a number in each of {len(column)} rows, "
            f"but the column holds {count} such values. Pass another column, or --id "
            f"{name!r}."
        )
    return times


def _refuse_too_large(values: dict[str, pd.Series], columns: list[Column]) -> None:
    """Raise where numbers are infinite or too large, with the options that mend it."""
    large: dict[str, str] = {}
    for column in columns:
        if column.use == NUMBER:
            cells = values[column.name]
            large |= {
                f"{cell:g}": column.name for cell in cells[cells.abs() > LARGEST][:5]
            }
    if large:
        names = ",".join(dict.fromkeys(large.values()))
        options = " ".join(f"--missing={value}" for value in large)
        raise InputError(
            f"Columns hold numbers beyond {LARGEST:g}: {names}. If they stand for "
            f"missing values, pass {options}; else --drop {names!r}."
        )


def questions(
    columns: Sequence[Column], raw: pd.DataFrame, values: dict[str, pd.Series]
) -> list[str]:
    """Return what looks unintended, in words, with the option that mends it."""
    notes = []
    has_labels = any(one.use == LABEL for one in columns)
    for column in columns:
        if column.why.startswith("may hold labels") and not has_labels:
            notes.append(
                f"Does column {column.name!r} hold labels "
                f"({_listed(raw[column.name])})? Then pass --label-column "
                f"{column.name!r}. --keep {column.name!r} uses it as a measurement."
            )
    found: dict[int, list[str]] = {}
    for name, cells in values.items():
        if next(one.use for one in columns if one.name == name) != NUMBER:
            continue
        for value in SENTINELS:
            n, others = int((cells == value).sum()), cells[cells != value].dropna()
            is_extreme = value in (cells.min(), cells.max()) and len(others)
            if n > 1 and is_extreme and (others - value).abs().min() > abs(value) / 2:
                found.setdefault(value, []).append(f"{name} ({n})")
    for value, where in found.items():
        shown = ", ".join(where[:6]) + (", ..." if where[6:] else "")
        notes.append(
            f"{value} stands far from all other values of {len(where)} columns: "
            f"{shown}. If it means a missing value, pass --missing={value}."
        )
    return notes


def label_key(value: Any) -> float | str:
    """Return a label's number, else its text: 0, 0.0 and "0" are one label."""
    if isinstance(value, (bool, np.bool_)):
        return str(value)
    try:
        return float(value)
    except (TypeError, ValueError):
        return str(value).strip()


def label_text(key: float | str) -> str:
    """Return a label as a user would write it."""
    return f"{key:g}" if isinstance(key, float) else repr(key)


def _listed(column: pd.Series) -> str:
    """Return the most frequent values of a column, and how often they come."""
    counts = Counter(label_key(value) for value in column.dropna()).most_common()
    shown = ", ".join(f"{label_text(key)}: {n}" for key, n in counts[:4])
    return shown + (", ..." if counts[4:] else "")
