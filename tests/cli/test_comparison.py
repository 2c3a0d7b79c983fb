"""The table and its words."""

import numpy as np
import pandas as pd

from skae._cli._run import (
    QUALITIES,
    TIMES,
    format_table,
    milliseconds_per_row,
    verdict,
)

NAMES = ["autoencoder", "PCA reconstruction", "IsolationForest"]


def table(own, pca, forest):
    """Return a table in which each method has one number in all qualities."""
    values = pd.DataFrame(
        {key: [own, pca, forest] for key in QUALITIES}, index=NAMES, dtype=float
    )
    return values.assign(fit_seconds=[1.0, 0.02, 0.3], ms_per_row=[0.004, 0.01, 120])


def test_the_table_is_aligned_narrow_and_marks_the_best():
    text = format_table(table(0.91, 0.9, 0.8))
    lines = text.splitlines()
    assert len(lines) == 4
    assert len({len(line) for line in lines}) == 1
    assert len(lines[0]) <= 100
    for title in (QUALITIES | TIMES).values():
        assert title in lines[0]
    assert lines[1].count("0.910*") == len(QUALITIES)
    assert lines[2].count("0.900 ") == len(QUALITIES)
    assert "0.02*" in lines[2]
    assert lines[3].rstrip().endswith("120")
    assert "e-" not in text


def test_what_reads_alike_shares_the_star():
    lines = format_table(table(0.90001, 0.90004, 0.1)).splitlines()
    assert lines[1].count("0.900*") == lines[2].count("0.900*") == len(QUALITIES)


def test_the_verdict_names_losses():
    assert verdict(table(0.9, 0.8, 0.7)) == (
        "The autoencoder is best, or level with the best, in every quality."
    )
    assert verdict(table(0.90001, 0.90004, 0.7)).endswith("in every quality.")
    words = verdict(table(0.7, 0.8, 0.9))
    assert words.startswith("The autoencoder is behind in every quality: ROC AUC (0.70")
    assert words.count("IsolationForest 0.900") == len(QUALITIES)
    mixed = table(0.9, 0.8, 0.7)
    mixed.loc["PCA reconstruction", "recall"] = 0.95
    assert verdict(mixed).endswith(
        "It is behind in recall (0.900, PCA reconstruction 0.950)."
    )


def test_the_time_of_a_row_is_the_time_of_all_divided_by_their_number():
    calls = []
    spent = milliseconds_per_row(calls.append, np.zeros((50, 2)))
    assert spent > 0
    assert all(len(rows) == 50 for rows in calls)
