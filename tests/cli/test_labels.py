"""From a column of labels to outliers."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skae._cli._columns import label_key
from skae._cli._read import InputError
from skae._cli._table import outlier_labels

Y = [-1] * 4 + [1] * 6


def column(abnormal, normal):
    return pd.Series([abnormal] * 4 + [normal] * 6, name="kind")


@pytest.mark.parametrize("given", ["0", "0.0", " 0 ", "-0", "0e5"])
@pytest.mark.parametrize("abnormal", [0, 0.0, "0", np.float32(0), "0.00"])
def test_numbers_compare_as_numbers_whatever_their_spelling(abnormal, given):
    y, outliers = outlier_labels(column(abnormal, 1), [given])
    np.testing.assert_array_equal(y, Y)
    assert outliers.endswith("with 0 in column 'kind'") or "-0" in outliers


@pytest.mark.parametrize(
    ("abnormal", "normal"), [("bad", "good"), (True, False), ("1", "one"), (-1, 1)]
)
def test_the_outlier_label_is_found_as_it_is_written(abnormal, normal):
    y, outliers = outlier_labels(column(abnormal, normal), [str(abnormal)])
    np.testing.assert_array_equal(y, Y)
    assert "rarer" not in outliers


def test_the_rarer_of_two_labels_is_taken_and_named():
    y, outliers = outlier_labels(column("bad", "good"))
    np.testing.assert_array_equal(y, Y)
    assert outliers == (
        "the rows with 'bad' in column 'kind', which is the rarer of two labels (no "
        "--outlier-label was given)"
    )


def test_all_labels_but_one_are_normal():
    labels = pd.Series(["a"] * 4 + ["b"] * 4 + ["c"] * 4, name="kind")
    y, _ = outlier_labels(labels, ["b"])
    np.testing.assert_array_equal(y, [1] * 4 + [-1] * 4 + [1] * 4)


@pytest.mark.parametrize(
    ("labels", "given", "words"),
    [
        (["x"] * 10, None, "holds only one label, 'x' (10 rows), but labels must tell"),
        (
            [0] * 5 + [1] * 5,
            None,
            "holds 0 (5 rows), 1 (5 rows). Say which mark the outliers with",
        ),
        (
            [0] * 4 + [1] * 3 + [2] * 3,
            None,
            "or which are normal, such as --label-column 'kind' --normal-label 0.",
        ),
        (list(range(30)), None, "holds 30 labels: 0 (1 rows), 1 (1 rows)"),
        (
            [0] * 4 + [1] * 6,
            "2",
            "--outlier-label '2' is no label in column 'kind', wh",
        ),
        (
            [0] * 3 + [1] * 9,
            None,
            "There are 3 outliers (0), but at least 4 are needed",
        ),
        ([0] * 9 + [1] * 5, "0", "There are 5 normal rows (1), but at least 6 are nee"),
    ],
)
def test_labels_without_clear_outliers_are_refused(labels, given, words):
    with pytest.raises(InputError) as error:
        outlier_labels(pd.Series(labels, name="kind"), [given] if given else [])
    assert words in str(error.value)
    assert "\n" not in str(error.value)


def test_all_outlier_labels_count_and_a_normal_label_makes_all_others_outliers():
    labels = pd.Series(["a"] * 4 + ["b"] * 4 + ["c"] * 6 + ["d"] * 2, name="kind")
    expected = [-1] * 8 + [1] * 8
    y, outliers = outlier_labels(labels, ["a", "b"])
    np.testing.assert_array_equal(y, expected)
    assert outliers == "the rows with 'a' or 'b' in column 'kind'"
    y, outliers = outlier_labels(labels, (), ["d", "c"])
    np.testing.assert_array_equal(y, expected)
    assert outliers == "the rows with 'a' or 'b' in column 'kind'"


def test_rows_without_one_of_the_given_labels_are_left_out():
    labels = pd.Series(["a"] * 4 + ["b", None] + ["c"] * 6, name="kind")
    y, _ = outlier_labels(labels, ["a"], ["c"])
    np.testing.assert_array_equal(y, [-1] * 4 + [0] * 2 + [1] * 6)


@pytest.mark.parametrize(("option", "flag"), [(0, "outlier"), (1, "normal")])
def test_an_unknown_label_is_refused(option, flag):
    given = [(), ()]
    given[option] = ["a", "z"]
    with pytest.raises(
        InputError, match=f"--{flag}-label 'z' is no label in column 'k"
    ):
        outlier_labels(column("a", "b"), *given)


def test_a_label_cannot_be_both():
    with pytest.raises(InputError, match="'a' cannot mark both kinds of rows"):
        outlier_labels(column("a", "b"), ["a"], ["a"])


@settings(max_examples=50, deadline=None)
@given(st.one_of(st.integers(-(2**40), 2**40), st.floats(allow_nan=False)))
def test_a_number_and_its_text_are_one_label(number):
    assert label_key(number) == label_key(str(number)) == label_key(np.float64(number))
