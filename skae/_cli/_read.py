"""Files as they come: from bytes to a table of cells, and notes on what was found.

Text is looked at after unpacking: encoding, comments, separator, lines before the
table, header and units are what most of its first lines share. pandas reads the rest.
"""

from __future__ import annotations

import bz2
import contextlib
import csv
import gzip
import importlib
import io
import itertools
import lzma
import re
import warnings
import zipfile
import zlib
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable, Iterator

    Line = tuple[int, list[str]]  # number of the line where a row ends, its cells

SEPARATORS = ("\t", ";", "|", ",", " ")  # the last stands for any number of blanks
SEPARATOR_WORDS = {"tab": "\t", "blank": " ", "blanks": " ", "semicolon": ";"}
MISSING = ("?",)  # besides what pandas takes for missing: NA, NaN, null, None, ...
MISSING_WORDS = {"", "?", "na", "n/a", "nan", "null", "none", "-nan", "<na>", "#n/a"}
COMMENTS = ("#", "%", "//")
N_LINES = 500  # of a text that are looked at
MIN_ROWS = 10
NUMBER = re.compile(
    r"[-+]?(\d[\d,.]*|[.,]\d+)([eE][-+]?\d+)?%?|[-+]?inf(inity)?|true|false", re.I
)
UNPACK = {b"\x1f\x8b": gzip, b"BZh": bz2, b"\xfd7zXZ": lzma, b"\x28\xb5\x2f\xfd": None}
ZIP = b"PK\x03\x04"
PIP = "Run pip install 'skae[files]', or save the table as CSV."


class InputError(Exception):
    """The user's input cannot be used; the message is one line that says what to do."""


def read_file(
    options: argparse.Namespace, at_least: int = MIN_ROWS
) -> tuple[pd.DataFrame, list[str]]:
    """Return the cells of a file, in columns of numbers or text, and notes."""
    path = Path(options.file)
    notes: list[str] = []
    if not path.exists():
        raise InputError(f"{str(path)!r} does not exist. Check the path of the file.")
    if path.is_dir():
        raise InputError(f"{str(path)!r} is a folder. Pass a file with rows.")
    broken = OSError, EOFError, zlib.error, zipfile.BadZipFile, lzma.LZMAError
    try:
        table = _read(path.read_bytes(), options, notes)
    except ImportError as exc:
        raise InputError(
            f"{str(path)!r} cannot be read: {_reason(exc)}. {PIP}"
        ) from exc
    except (*broken, ValueError) as exc:
        raise InputError(
            f"{str(path)!r} cannot be read: {_reason(exc)}. Pass a whole file of rows: "
            "text, .npy, .npz, .parquet or .xlsx."
        ) from exc
    table.columns = _clean_names(table.columns, notes)
    missing = {*MISSING, *options.missing, ""}
    numbers = {float(one) for one in options.missing if _is_number(one)}
    for place, dtype in enumerate(table.dtypes):
        column = table.iloc[:, place]
        if dtype.kind in "iuf":
            column = column.mask(column.isin(numbers)) if numbers else column
        elif dtype.kind not in "bM":
            column = column.map(_stripped, na_action="ignore")
            column = column.mask(column.isin(missing))
        table.isetitem(place, column)
    is_row = table.notna().any(axis=1)
    if not is_row.all():
        notes.append(f"{np.sum(~is_row)} rows without any value were left out.")
        table = table[is_row]
    if len(table) < at_least:
        raise InputError(
            f"{str(path)!r} has {len(table)} rows of data, but at least {at_least} are "
            "needed. Pass a longer file, or --no-header if its first row holds data."
        )
    return table, notes


def _reason(exc: BaseException) -> str:
    """Return the first line of an exception's words."""
    return (str(exc) or type(exc).__name__).strip().partition("\n")[0].rstrip(".")


def _read(
    content: bytes, options: argparse.Namespace, notes: list[str]
) -> pd.DataFrame:
    """Return the cells of a file's content, whatever its format."""
    packed = next((one for one in UNPACK if content.startswith(one)), None)
    if packed is not None:
        return _read(
            (UNPACK[packed] or _zstandard()).decompress(content), options, notes
        )
    if content.startswith(b"PAR1"):
        table = pd.read_parquet(io.BytesIO(content))
        return table if isinstance(table.index, pd.RangeIndex) else table.reset_index()
    if content.startswith(b"\x93NUMPY"):
        return _from_arrays({"x": content}, notes)
    if content.startswith(b"\xd0\xcf\x11\xe0"):
        raise InputError("This is an old Excel workbook. Save it as .xlsx or CSV.")
    if not content.startswith(ZIP):
        return _parse(_decode(content, options.encoding, notes), options, notes)
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        sizes = {
            one.filename: one.file_size
            for one in archive.infolist()
            if not one.is_dir() and not one.filename.startswith("__MACOSX")
        }
        if "xl/workbook.xml" in sizes:
            sheets = pd.read_excel(io.BytesIO(content), sheet_name=None, header=None)
            sizes = {name: sheet.size for name, sheet in sheets.items()}
            sheet = sheets[_largest(sizes, options.part, notes)]
            return _parse(sheet.to_csv(index=False, header=False), options, notes)
        if all(name.endswith(".npy") for name in sizes):
            arrays = {name[:-4]: archive.read(name) for name in sizes}
            return _from_arrays(arrays, notes)
        return _read(archive.read(_largest(sizes, options.part, notes)), options, notes)


def _zstandard() -> Any:
    """Return the module that unpacks .zst, which Python has from 3.14 on."""
    for name in ("compression.zstd", "zstandard"):
        with contextlib.suppress(ImportError):
            return importlib.import_module(name)
    raise InputError(
        "This is a .zst file, which needs Python 3.14 or the package zstandard. Run "
        "pip install zstandard, or unpack it with unzstd."
    )


def _largest(sizes: dict[str, int], part: str | None, notes: list[str]) -> str:
    """Return the part that was asked for, else the largest, with a note."""
    if part is None:
        part = max(sizes, key=lambda name: sizes[name])
        others = ", ".join(repr(name) for name in sizes if name != part)
        if others:
            notes.append(f"{part!r} was read. Other parts: {others}; pass --part NAME.")
    if part not in sizes:
        listed = ", ".join(map(repr, sizes))
        raise InputError(f"--part {part!r} is not in the file, which holds {listed}.")
    return part


def _from_arrays(contents: dict[str, bytes], notes: list[str]) -> pd.DataFrame:
    """Return the columns of NumPy's arrays of one length, rows of images flattened."""
    arrays = {
        name: np.load(io.BytesIO(content), allow_pickle=False)
        for name, content in contents.items()
    }
    n_rows = len(max(arrays.values(), key=lambda one: one.ndim and one.size))
    tables = []
    for name, array in arrays.items():
        if array.ndim == 0 or len(array) != n_rows:
            notes.append(f"Array {name!r} of shape {array.shape} was left out.")
            continue
        flat = array.reshape(n_rows, -1)
        names = (
            [f"{name}{i}" for i in range(flat.shape[1])] if array.ndim > 1 else [name]
        )
        tables.append(pd.DataFrame(flat, columns=names))
        if array.ndim > 2:
            notes.append(f"Rows of array {name!r}, {array.shape[1:]}, were flattened.")
    return pd.concat(tables, axis=1)


def _decode(content: bytes, encoding: str | None, notes: list[str]) -> str:
    """Return the text of bytes: UTF-8, UTF-16, or one byte for each letter."""
    sample = content[:4096]
    if encoding is None and sample[:2] in (b"\xff\xfe", b"\xfe\xff"):
        encoding = "utf-16"
    for name, first in (("utf-16-le", 1), ("utf-16-be", 0)):
        # Of UTF-16 without a mark, every other byte of Latin letters is zero.
        if encoding is None and sample[first::2].count(0) > 0.4 * len(sample):
            encoding = name
    try:
        text = content.decode(encoding or "utf-8-sig")
    except LookupError:
        raise InputError(
            f"--encoding {encoding!r} is not known. Pass utf-8, utf-16 or latin-1."
        ) from None
    except UnicodeDecodeError as exc:
        if encoding is not None:
            raise InputError(
                f"The file is not in the encoding {encoding!r}: {_reason(exc)}. Pass "
                "another one with --encoding."
            ) from None
        text = content.decode("latin-1")
        try:
            encoding, text = "cp1252", content.decode("cp1252")
        except UnicodeDecodeError:
            encoding = "latin-1"
        notes.append(f"The file is not UTF-8: it was read as {encoding} (--encoding).")
    control = len(re.findall(r"[\x00-\x08\x0e-\x1f]", text[:4096]))
    if "\0" in text or control > 0.01 * len(text[:4096]):
        raise InputError(
            "The file holds binary data. Pass text, .npy, .npz, .parquet or .xlsx."
        )
    return re.sub("\r\n?", "\n", text.removeprefix("\ufeff"))


def _parse(text: str, options: argparse.Namespace, notes: list[str]) -> pd.DataFrame:
    """Return the cells of a text, after a look at its first lines."""
    if not text.strip():
        raise InputError("The file is empty. Pass a file with rows.")
    if options.skip_rows:
        text = text.split("\n", options.skip_rows)[-1]
    text = _without_comments(text, options.comment, notes)
    separator = options.separator and SEPARATOR_WORDS.get(
        options.separator, options.separator
    )
    sample = {one: _lines(text, one) for one in (separator or SEPARATORS)}
    separator = separator or max(sample, key=lambda one: _fitness(sample[one]))
    lines = sample[separator]
    n_cells = Counter(len(cells) for _, cells in lines)
    width = n_cells.most_common(1)[0][0]
    before, names = _header(lines, width, options.header, notes)
    buffer = io.StringIO(text)
    for _ in range(before):
        buffer.readline()
    how: dict[str, Any] = {"sep": r"\s+" if separator == " " else separator}
    how |= {
        "decimal": options.decimal or ".",
        "na_values": [*MISSING, *options.missing],
    }
    how |= {"header": None, "names": range(len(names)), "index_col": False}
    how |= {"skipinitialspace": True, "low_memory": False}
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        how["on_bad_lines"] = "warn" if options.skip_bad_lines else "error"
        try:
            table = pd.read_csv(buffer, **how)
        except pd.errors.EmptyDataError:
            table = pd.DataFrame(columns=range(len(names)))
        except pd.errors.ParserError as exc:
            found = re.search(
                r"Expected (\d+) fields in line (\d+), saw (\d+)", str(exc)
            )
            if found is None:
                raise
            n, line, seen = map(int, found.groups())
            raise InputError(
                f"Line {line + before} has {seen} cells, but other lines have {n}. To "
                "leave out such lines, pass --skip-bad-lines."
            ) from None
    words = " ".join(str(one.message) for one in caught)
    if "Length of header" in words and not options.skip_bad_lines:
        raise InputError(
            f"The first row has more than {width} cells, but most lines have {width}. "
            "To leave out what is beyond these, pass --skip-bad-lines."
        )
    if n_skipped := words.count("Skipping line"):
        notes.append(f"{n_skipped} lines with too many cells were left out.")
    table.columns = names
    return table


def _stripped(cell: Any) -> Any:
    """Return text without blanks around it."""
    return cell.strip() if isinstance(cell, str) else cell


def _without_comments(text: str, comment: str | None, notes: list[str]) -> str:
    """Return a text without lines of comments; the last one may hold the names."""
    names = re.findall(r"(?mi)^@attribute\s+('[^']*'|\"[^\"]*\"|\S+)", text)
    if names and (data := re.search(r"(?mi)^@data.*\n", text)):  # Weka's format, ARFF
        header = ",".join('"' + name.strip("'\"") + '"' for name in names)
        text, comment = header + "\n" + text[data.end() :], "%"
    first = text.lstrip()
    if comment is None:
        comment = next((one for one in COMMENTS if first.startswith(one)), None)
    if comment is None:
        return text
    pattern = rf"(?m)^[ \t]*{re.escape(comment)}.*(\n|\Z)"
    leading = list(
        itertools.takewhile(lambda one: one.startswith(comment), _strips(text))
    )
    kept, n_comments = re.subn(pattern, "", text)
    if not n_comments or not kept.strip():
        return text
    words = f"{n_comments} lines that begin with {comment!r} were taken as comments."
    if leading:
        header = leading[-1].strip(comment + " \t")
        for separator in SEPARATORS:
            (_, names), *rows = _lines(header + "\n" + kept, separator) or [(0, [])]
            is_names = names and not any(map(_is_number, names))
            if len(names) > 1 and is_names and len(names) == len(rows[0][1]):
                notes.append(f"{words} The last one before the rows holds the names.")
                return header + "\n" + kept
    notes.append(words)
    return kept


def _strips(text: str) -> Iterator[str]:
    """Yield the lines of a text without blanks around them."""
    return (line.strip() for line in io.StringIO(text))


def _lines(text: str, separator: str) -> list[Line]:
    """Return the first rows of a text that are not empty, as pandas will cut them."""
    if separator == " ":
        pattern = re.compile(r'"(?:[^"]|"")*"|\S+')
        found: Iterable[Line] = (
            (number, [cell.strip('"') for cell in pattern.findall(line)])
            for number, line in enumerate(io.StringIO(text), 1)
        )
    else:
        reader = csv.reader(
            io.StringIO(text), delimiter=separator, skipinitialspace=True
        )
        found = ((reader.line_num, [cell.strip() for cell in row]) for row in reader)
    try:
        return list(itertools.islice((one for one in found if any(one[1])), N_LINES))
    except csv.Error as exc:
        raise InputError(
            f"The file cannot be cut into cells: {_reason(exc)}. Pass --separator, or "
            "correct its quotes."
        ) from exc


def _fitness(lines: list[Line]) -> tuple[bool, float, float]:
    """Return how well a separator fits: rows of one width, and numbers in a row."""
    if not lines:
        return False, 0.0, 0.0
    (width, n_alike), *_ = Counter(len(cells) for _, cells in lines).most_common(1)
    alike = [cells for _, cells in lines if len(cells) == width]
    is_table = width > 1 and n_alike >= 0.5 * len(lines)
    n_numbers = sum(_is_number(cell) for cells in alike for cell in cells)
    others = 0.0 if is_table else width * n_alike
    return is_table, round(n_numbers / len(alike), 1), others


def _is_number(cell: str) -> bool:
    """Return whether a cell reads as a number."""
    return NUMBER.fullmatch(cell) is not None


def _header(
    lines: list[Line], width: int, has_header: bool | None, notes: list[str]
) -> tuple[int, list[str]]:
    """Return after which line the rows begin, and the names of the columns."""
    start = next(i for i, (_, cells) in enumerate(lines) if len(cells) == width)
    rows = [cells for _, cells in lines[start + 1 :] if len(cells) == width]
    columns = [
        [cell for cell in cells if cell.lower() not in MISSING_WORDS]
        for cells in zip(*rows, strict=True)
    ]
    first = lines[start][1]
    is_data = _continues(first, columns)
    # R writes no name above the names of the rows; a separator may end all rows.
    is_short = start > 0 and len(lines[start - 1][1]) == width - 1 > 1 and is_data
    if is_short and has_header is not False:
        start, has_header = start - 1, True
        first = lines[start][1]
        ends_empty = all(not cells[-1] for cells in rows)
        first = [*first, ""] if ends_empty else ["row_name", *first]
    if start:
        notes.append(
            f"{start} lines before the table, from {lines[0][1][0][:40]!r} on, were "
            "left out. For others pass --skip-rows N."
        )
    if has_header is None and (is_data or not rows):
        notes.append(
            "The first row looks like data: columns are called x0, x1, ... If it holds "
            "the names, pass --header."
        )
    if has_header is False or (has_header is None and is_data):
        names = [f"x{place}" for place in range(width)]
        return (lines[start - 1][0] if start else 0), names
    unit = rows[0] if rows[1:] else [""]
    below = [cells[1:] for cells in columns]
    has_digits = any(re.match(r"[-+.]?\d", cell) for cell in unit)
    is_unit = sum(map(_is_numeric, below)) > 1 and not has_digits
    if is_unit and {cell.lower() for cell in unit} - MISSING_WORDS:
        notes.append(f"The line of units below the names was left out: {unit[:4]}.")
        start = next(i for i, (_, cells) in enumerate(lines) if cells is unit)
    return lines[start][0], first


def _is_numeric(cells: list[str]) -> bool:
    """Return whether most of a column's cells are numbers."""
    return sum(map(_is_number, cells)) > 0.7 * len(cells)


def _continues(first: list[str], columns: list[list[str]]) -> bool:
    """Return whether a first row is like the rows below it, and so holds no names."""
    pairs = list(zip(first, columns, strict=False))
    as_numbers = [
        _is_number(cell) or cell.lower() in MISSING_WORDS
        for cell, cells in pairs
        if _is_numeric(cells)
    ]
    if [name for name in first if name] in (
        [str(number) for number in range(begin, begin + len(first) - (not first[0]))]
        for begin in (0, 1)
    ):
        return False  # pandas and R count columns that have no names
    if as_numbers:
        return bool(np.mean(as_numbers) > 0.5)
    # Names are not among the values below them.
    return sum(cell in cells for cell, cells in pairs) > 0.5 * len(first)


def _clean_names(names: Iterable[Any], notes: list[str]) -> list[str]:
    """Return names that can be printed, all different."""
    given = [" ".join(str(name).split()) for name in names]
    clean: list[str] = []
    for place, name in enumerate(given):
        name = "".join(c if c.isprintable() else ascii(c)[1:-1] for c in name)
        name = name or f"Unnamed: {place}"
        copies = (f"{name}.{copy}" for copy in itertools.count(1))
        taken = {*clean, *given[place + 1 :]} if name in clean else ()
        clean.append(next(one for one in copies if one not in taken) if taken else name)
    repeated = [
        new for new, old in zip(clean, given, strict=True) if old and new != old
    ]
    if repeated:
        notes.append(f"Names were made readable and different: {', '.join(repeated)}.")
    return clean
