"""The search: its progress, its choice, and what it fits at the end."""

import io
import sys
import time

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

from skae._cli._search import (
    KEPT_SHARE,
    THRESHOLDS,
    contenders,
    describe_rule,
    narrowest_that_keeps,
    search,
)
from skae.metrics import outlier_f1
from skae.model_selection import InlierKFold
from skae.thresholds import Contamination


@pytest.fixture
def rows():
    """Rows near a plane, and outliers far from it, in a table."""
    rng = np.random.default_rng(0)
    plane = rng.normal(size=(60, 2)) @ rng.normal(size=(2, 5))
    X = np.vstack([plane, 5 * rng.normal(size=(12, 5))])
    return pd.DataFrame(X, columns=list("abcde")), np.repeat([1, -1], [60, 12])


def search_pca(rows, n_jobs=1, scoring=outlier_f1):
    return search(
        contenders([2, 4], THRESHOLDS, epochs=1, memory=None, seed=0)[1],
        *rows,
        scoring=scoring,
        cv=InlierKFold(3, shuffle=True, random_state=0),
        n_jobs=n_jobs,
    )


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_the_bar_counts_every_fit_in_every_process(rows, n_jobs, capfd):
    found = search_pca(rows, n_jobs)
    shown = capfd.readouterr()
    assert shown.out == ""
    assert "PCA reconstruction" in shown.err
    assert "24/24" in shown.err
    assert found.n_folds == 3
    assert len(found.candidates) == 8


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_the_scores_are_those_of_a_grid_search(rows, n_jobs):
    found = search_pca(rows, n_jobs)
    _, detector, grid = contenders([2, 4], THRESHOLDS, epochs=1, memory=None, seed=0)[1]
    pipeline = Pipeline([("scale", StandardScaler()), ("detector", detector)])
    grid = {f"detector__{name}": list(values) for name, values in grid.items()}
    cv = InlierKFold(3, shuffle=True, random_state=0)
    grid = GridSearchCV(pipeline, grid, scoring=outlier_f1, cv=cv, refit=False)
    grid.fit(*rows)
    for key in ("mean", "std"):
        scores = [candidate[f"{key}_score"] for candidate in found.candidates]
        np.testing.assert_allclose(scores, grid.cv_results_[f"{key}_test_score"])
    widths = [candidate["latent_dim"] for candidate in found.candidates]
    assert widths == [one["detector__latent_dim"] for one in grid.cv_results_["params"]]


def test_the_number_of_processes_changes_nothing(rows):
    one, two = search_pca(rows, 1), search_pca(rows, 2)
    assert one.candidates == two.candidates
    assert one.chosen == two.chosen


def test_the_best_candidate_is_fitted_on_the_normal_rows_alone(rows):
    X, y = rows
    found = search_pca(rows)
    scaler = found.pipeline["scale"]
    np.testing.assert_allclose(scaler.mean_, X[y == 1].mean())
    assert scaler.n_samples_seen_ == 60
    assert found.mean_score == max(one["mean_score"] for one in found.candidates)
    assert found.chosen["latent_dim"] == 2
    assert list(found.detector.feature_names_in_) == list("abcde")


class Terminal(io.StringIO):
    """A standard error on which a bar is redrawn in place."""

    def isatty(self):
        return True


def test_the_bar_moves_while_the_search_runs(rows, monkeypatch):
    shown, n_scored = Terminal(), 0
    monkeypatch.setattr(sys, "stderr", shown)

    def scoring(*args):
        nonlocal n_scored
        for _ in range(500 if n_scored < 2 else 0):  # until the bar is drawn again
            if f" {n_scored}/24" in shown.getvalue():
                break
            time.sleep(0.01)
        assert f" {n_scored + 1}/24" not in shown.getvalue()
        n_scored += 1
        return outlier_f1(*args)

    search_pca(rows, scoring=scoring)
    for n in (0, 1, 24):
        assert f" {n}/24" in shown.getvalue()


def test_an_error_inside_closes_the_bar(rows, capsys):
    with pytest.raises(ZeroDivisionError):
        search_pca(rows, scoring=lambda *args: 1 / 0)
    assert "0/24" in capsys.readouterr().err


def candidates(n):
    return [{"latent_dim": 2**i} for i in range(n)]


@settings(max_examples=50, deadline=None)
@given(npst.arrays(float, st.integers(1, 6), elements=st.floats(-3, 0)))
def test_the_chosen_width_keeps_what_is_explained_and_no_narrower_does(scores):
    chosen = narrowest_that_keeps(scores, candidates(len(scores)), baseline=-1.0)
    explained = scores + 1
    best = explained.max()
    if best <= 0:
        assert explained[chosen] == best
    else:
        assert explained[chosen] >= KEPT_SHARE * best
        assert (explained[:chosen] < KEPT_SHARE * best).all()


def test_of_equal_scores_the_first_is_best(rows):
    found = search_pca(
        rows, scoring=lambda pipeline, X, y: min(pipeline[1].latent_dim, 3)
    )
    assert found.chosen == {"latent_dim": 4, "threshold": "MeanStd(n_std=1.0)"}


def test_rules_are_described_with_their_defaults():
    assert describe_rule(Contamination()) == "Contamination(fraction=0.1)"
