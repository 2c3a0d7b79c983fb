"""From a column of labels to outliers."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skae._cli._table import InputError, label_key, outlier_labels

Y = [-1] * 4 + [1] * 6


def column(abnormal, normal):
    return pd.Series([abnormal] * 4 + [normal] * 6, name="kind")


@pytest.mark.parametrize("given", ["0", "0.0", " 0 ", "-0", "0e5"])
@pytest.mark.parametrize("abnormal", [0, 0.0, "0", np.float32(0), "0.00"])
def test_numbers_compare_as_numbers_whatever_their_spelling(abnormal, given):
    y, outliers = outlier_labels(column(abnormal, 1), given)
    np.testing.assert_array_equal(y, Y)
    assert outliers.endswith("with 0 in column 'kind'") or "-0" in outliers


@pytest.mark.parametrize(
    ("abnormal", "normal"), [("bad", "good"), (True, False), ("1", "one"), (-1, 1)]
)
def test_the_outlier_label_is_found_as_it_is_written(abnormal, normal):
    y, outliers = outlier_labels(column(abnormal, normal), str(abnormal))
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
    y, _ = outlier_labels(labels, "b")
    np.testing.assert_array_equal(y, [1] * 4 + [-1] * 4 + [1] * 4)


@pytest.mark.parametrize(
    ("labels", "given", "words"),
    [
        ([1] * 9 + [None], None, "Column 'kind' lacks 1 of 10 labels. Fill them in"),
        (["x"] * 10, None, "holds only one label, 'x', but labels must tell normal"),
        (
            [0] * 5 + [1] * 5,
            None,
            "holds 0 and 1 equally often, 5 times. Say which one",
        ),
        (
            [0] * 4 + [1] * 3 + [2] * 3,
            None,
            "holds 3 labels: 0 (4 rows), 1 (3 rows), 2 (3 rows). Say which one marks",
        ),
        (list(range(30)), None, "holds 30 labels: 0 (1 rows), 1 (1 rows)"),
        (
            [0] * 4 + [1] * 6,
            "2",
            "--outlier-label '2' is no label in column 'kind', wh",
        ),
        ([0] * 3 + [1] * 9, None, "There are 3 outliers (label 0), but at least 4 are"),
        ([0] * 9 + [1] * 5, "0", "There are 5 normal rows (any other label), but at "),
    ],
)
def test_labels_without_clear_outliers_are_refused(labels, given, words):
    with pytest.raises(InputError) as error:
        outlier_labels(pd.Series(labels, name="kind"), given)
    assert words in str(error.value)
    assert "\n" not in str(error.value)


@settings(max_examples=50, deadline=None)
@given(st.one_of(st.integers(-(2**40), 2**40), st.floats(allow_nan=False)))
def test_a_number_and_its_text_are_one_label(number):
    assert label_key(number) == label_key(str(number)) == label_key(np.float64(number))
