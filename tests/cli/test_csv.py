"""Reading a CSV file: what is understood, and what is refused in one line."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skae._cli._table import LARGEST, InputError, find_column, load_csv

N_ROWS = 12


@pytest.fixture
def table():
    rng = np.random.default_rng(0)
    return pd.DataFrame(rng.normal(size=(N_ROWS, 3)), columns=["a", "b", "c"])


@pytest.fixture
def write(tmp_path):
    """Write text or a table to a file, and return its path."""

    def write(content, **options):
        path = tmp_path / "data.csv"
        if isinstance(content, bytes):
            path.write_bytes(content)
        elif isinstance(content, str):
            path.write_text(content, encoding="utf-8")
        else:
            content.to_csv(path, **({"index": False} | options))
        return str(path)

    return write


@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_reads_what_was_written_whatever_the_separator(write, table, separator):
    data = load_csv(write(table, sep=separator))
    pd.testing.assert_frame_equal(data.X, table)
    assert data.y is None
    assert data.outliers is None
    assert data.name == "data.csv"
    assert data.notes == ()


def test_columns_without_a_header_are_called_by_their_position(write, table):
    data = load_csv(
        write(table.assign(label=[0] * 4 + [1] * 8), header=False),
        header=False,
        label_column="-1",
    )
    assert list(data.X.columns) == ["x0", "x1", "x2"]
    np.testing.assert_allclose(data.X, table)
    np.testing.assert_array_equal(data.y, [-1] * 4 + [1] * 8)
    assert "'x3'" in data.outliers


def test_a_byte_order_mark_and_spaces_after_commas_do_not_matter(write, table):
    text = "a, b, c\n" + table.to_csv(index=False, header=False).replace(",", ", ")
    data = load_csv(write(("\ufeff" + text).encode()))
    pd.testing.assert_frame_equal(data.X, table)


def test_booleans_count_as_numbers_and_constant_columns_are_fine(write, table):
    flags = np.arange(N_ROWS) % 2 == 0
    data = load_csv(write(table.assign(flag=flags, constant=1)))
    np.testing.assert_array_equal(data.X["flag"], flags)
    assert (data.X["constant"] == 1).all()
    assert (data.X.dtypes == np.float64).all()


def test_whole_numbers_may_be_huge(write):
    data = load_csv(write("a,b\n" + ROWS + f"1,{10**40}\n"))
    assert data.X["b"].iloc[-1] == 1e40


def test_dropped_columns_are_left_out(write, table):
    path = write(table.assign(text="some words"))
    assert list(load_csv(path, drop=["text", "0"]).X.columns) == ["b", "c"]


def test_labels_may_be_text(write, table):
    path = write(table.assign(kind=["abnormal"] * 4 + ["normal"] * 8))
    data = load_csv(path, label_column="kind", outlier_label="abnormal")
    assert list(data.X.columns) == ["a", "b", "c"]
    assert (data.y == -1).sum() == 4


@pytest.mark.parametrize(
    ("given", "found"), [("b", "b"), ("1", "b"), ("-1", "c"), ("0", "0"), ("2", "0")]
)
def test_a_name_wins_over_a_position(given, found):
    columns = ["a", "b", "c"] if found != "0" else ["a", "b", "0"]
    assert find_column(columns, given, "--drop") == found


@pytest.mark.parametrize("given", ["d", "3", "-4", ""])
def test_an_unknown_column_is_refused_with_a_list_of_the_columns(given):
    with pytest.raises(InputError) as error:
        find_column(["a", "b", "c"], given, "--label-column")
    message = str(error.value)
    assert message.startswith(f"--label-column {given!r} is no column.")
    assert "'a', 'b', 'c'; positions go from 0 to 2" in message


def test_many_columns_are_not_all_listed():
    with pytest.raises(InputError, match=r"The 500 columns are '0', .*, '7', \.\.\.; "):
        find_column([str(i) for i in range(500)], "none", "--drop")


ROWS = "1,2\n" * N_ROWS
BAD_FILES = {
    "empty": ("", "is empty. Pass a file with rows."),
    "header only": ("a,b\n", "has 0 rows of data, but at least 10 are needed"),
    "few rows": ("a,b\n1,2\n", "or --no-header if its first row holds numbers"),
    "one column": ("a\n" + "1\n" * N_ROWS, "has too few columns of numbers: 1, but a"),
    "text": (
        "a,b\n" + ROWS + "1,Braund\n",
        "Column 'b' holds text ('Braund' in row 12, ro",
    ),
    "more text": (
        "a,b,c\n" + "1,u,v\n" * N_ROWS,
        "in row 0, rows count from 0), and so does 1 other, but every column must hold "
        "numbers. Leave it out with --drop 'b', or put numbers in its place.",
    ),
    "text labels": (
        "a,b,Class\n" + "1,2,yes\n" * N_ROWS,
        "If it holds the labels, pass --label-column 'Class'.",
    ),
    "missing": (
        "a,b\n" + ROWS + "1,\n",
        f"Column 'b' lacks 1 of its values (the first in row {N_ROWS}). Rows count "
        "from 0. Fill them in, or leave the column out with --drop 'b'.",
    ),
    "missing in two": (
        "a,b\n" + "nan,\n" * N_ROWS,
        f"'a' lacks {N_ROWS} of its values (the first in row 0), and so does 1 other",
    ),
    "missing boolean": (
        "a,b\n" + "1,True\n" * N_ROWS + "1,\n",
        "Column 'b' lacks 1 of its values",
    ),
    "infinite": (
        "a,b\n" + ROWS + "1,-inf\n",
        f"'b' goes beyond {LARGEST:g} 1 times (first in row",
    ),
    "too large": ("a,b\n" + ROWS + "1e200,1\n", "Correct them, or leave the column"),
    "too many cells": ("a,b\n" + "1,2,3\n" * N_ROWS, "cannot be read as CSV"),
    "ragged": ("a,b\n" + ROWS + "1,2,3\n", "the same number of cells in every row"),
    "binary": (b"\x89PNG\r\n\x1a\n\xff\xfe\xfd" * 50, "cannot be read as CSV"),
}


@pytest.mark.parametrize(("content", "words"), BAD_FILES.values(), ids=BAD_FILES)
def test_a_bad_file_is_refused_in_one_line(write, content, words):
    with pytest.raises(InputError) as error:
        load_csv(write(content))
    message = str(error.value)
    assert words in message
    assert "\n" not in message


def test_a_missing_file_and_a_folder_are_refused(tmp_path):
    with pytest.raises(InputError, match=r"'.*none\.csv' does not exist\. Check"):
        load_csv(str(tmp_path / "none.csv"))
    with pytest.raises(InputError, match="is a folder. Pass a CSV file"):
        load_csv(str(tmp_path))


def test_a_header_taken_for_data_is_recognized(write, table):
    with pytest.raises(InputError, match="holds the names of the columns, omit --no-h"):
        load_csv(write(table), header=False)


@pytest.mark.parametrize("name", ["label", "y", "Target", "class", "outlier"])
def test_a_column_that_may_hold_labels_is_noted_where_it_is_not_used(
    write, table, name
):
    path = write(table.assign(**{name: [0] * 4 + [1] * 8}))
    (note,) = load_csv(path).notes
    assert note.startswith(f"Column {name!r} may hold labels, but counts as a feature")
    assert load_csv(path, label_column=name).notes == ()


def test_data_taken_for_a_header_is_noted(write, table):
    (note,) = load_csv(write(table, header=False)).notes
    assert note.endswith("If it holds data, pass --no-header.")


def test_a_column_that_may_count_the_rows_is_noted(write, table):
    (note,) = load_csv(write(table, index=True)).notes
    assert note.startswith("Column 'Unnamed: 0' may count the rows")


@settings(max_examples=30, deadline=None)
@given(
    name=st.text(st.characters(codec="utf-8"), max_size=5),
    position=st.integers(-3, 2),
)
def test_every_name_and_every_position_is_found(name, position):
    columns = ["first", "second", name]
    assert find_column(columns, name, "--drop") == name
    if str(position) != name:
        assert find_column(columns, str(position), "--drop") == columns[position]
