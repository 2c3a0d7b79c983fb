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

from skae._cli import _contenders as contenders
from skae._cli._progress import progress_bar
from skae._cli._search import (
    KEPT_SHARE,
    best_score,
    in_words,
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


def search_pca(rows, n_jobs=1):
    return search(
        contenders.pca([2, 4], contenders.THRESHOLDS),
        *rows,
        scoring=outlier_f1,
        cv=InlierKFold(3, shuffle=True, random_state=0),
        choose=best_score,
        n_jobs=n_jobs,
    )


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_the_bar_counts_every_fit_in_every_process(rows, n_jobs, capfd):
    found = search_pca(rows, n_jobs)
    shown = capfd.readouterr()
    assert shown.out == ""
    assert "PCA reconstruction" in shown.err
    assert "24/24" in shown.err
    assert found.n_candidates * found.n_folds == 24
    assert len(found.candidates) == 8


def test_the_number_of_processes_changes_nothing(rows):
    one, two = search_pca(rows, 1), search_pca(rows, 2)
    assert one.candidates == two.candidates
    assert one.params == two.params


def test_the_best_candidate_is_fitted_on_the_normal_rows_alone(rows):
    X, y = rows
    found = search_pca(rows)
    scaler = found.pipeline["scale"]
    np.testing.assert_allclose(scaler.mean_, X[y == 1].mean())
    assert scaler.n_samples_seen_ == 60
    assert found.score == max(one["mean_score"] for one in found.candidates)
    assert found.params["latent_dim"] == 2
    assert list(found.detector.feature_names_in_) == list("abcde")


def test_the_bar_moves_while_the_search_runs(monkeypatch):
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    shown = Terminal()
    monkeypatch.setattr(sys, "stderr", shown)
    with progress_bar(3, "name") as counting:
        scorer = counting(lambda estimator, X, y: 7.0)
        assert scorer(None, None) == 7.0
        for _ in range(500):  # until the thread has looked
            if "1/3" in shown.getvalue():
                break
            time.sleep(0.01)
        assert "1/3" in shown.getvalue()
        assert "2/3" not in shown.getvalue()
        scorer(None, None)
    assert "2/3" in shown.getvalue()


def test_an_error_inside_closes_the_bar(capsys):
    with pytest.raises(ZeroDivisionError), progress_bar(3, "name") as counting:
        counting(lambda estimator, X, y: 1 / 0)(None, None)
    assert "0/3" in capsys.readouterr().err


def cv_results(scores):
    return {
        "mean_test_score": np.array(scores),
        "params": [{"detector__latent_dim": 2**i} for i in range(len(scores))],
    }


@settings(max_examples=50, deadline=None)
@given(npst.arrays(float, st.integers(1, 6), elements=st.floats(-3, 0)))
def test_the_chosen_width_keeps_what_is_explained_and_no_narrower_does(scores):
    chosen = narrowest_that_keeps(cv_results(scores), baseline=-1.0)
    explained = scores + 1
    best = explained.max()
    if best <= 0:
        assert explained[chosen] == best
    else:
        assert explained[chosen] >= KEPT_SHARE * best
        assert (explained[:chosen] < KEPT_SHARE * best).all()


def test_of_equal_scores_the_first_is_best():
    assert best_score(cv_results([-2.0, -1.0, -1.0])) == 1


def test_rules_are_told_with_their_defaults():
    assert in_words(Contamination()) == "Contamination(fraction=0.1)"
