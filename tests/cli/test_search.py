"""The search: its progress, its choice, and what it fits at the end."""

import io
import sys

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst
from sklearn.preprocessing import StandardScaler

from skae._cli._search import (
    KEPT_SHARE,
    RULES,
    PCAReconstruction,
    contenders,
    describe_rule,
    learned,
    narrowest_that_keeps,
    search,
)
from skae.metrics import outlier_f1_score
from skae.model_selection import InlierKFold
from skae.thresholds import BestF, Contamination


@pytest.fixture
def rows():
    """Rows near a plane, and outliers far from it, in a table."""
    rng = np.random.default_rng(0)
    plane = rng.normal(size=(60, 2)) @ rng.normal(size=(2, 5))
    X = np.vstack([plane, 5 * rng.normal(size=(12, 5))])
    return pd.DataFrame(X, columns=list("abcde")), np.repeat([1, -1], [60, 12])


def search_pca(rows, n_jobs=1, rules=RULES):
    folds = list(InlierKFold(3, shuffle=True, random_state=0).split(*rows))
    contender = contenders([2, 4], epochs=1, seed=0)[1]
    return search(contender, *rows, folds=folds, n_jobs=n_jobs, rules=rules)


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_the_bar_counts_every_fit_in_every_process(rows, n_jobs, capfd):
    found = search_pca(rows, n_jobs)
    shown = capfd.readouterr()
    assert shown.out == ""
    assert "PCA reconstruction" in shown.err
    assert "6/6" in shown.err
    assert found.n_folds == 3
    assert len(found.candidates) == 2 * len(RULES)


def test_a_threshold_is_learned_from_other_folds_and_judged_on_each(rows):
    X, y = rows
    found = search_pca(rows, rules=[Contamination(0.05)])
    folds = list(InlierKFold(3, shuffle=True, random_state=0).split(X, y))
    scores, errors = [], []
    for train, test in folds:
        scaler = StandardScaler().fit(X.iloc[train])
        pca = PCAReconstruction(2).fit(scaler.transform(X.iloc[train]))
        errors.append(-pca.score_samples(scaler.transform(X.iloc[test])))
    labels = [y[test] for _, test in folds]
    for place in range(3):
        others = [i for i in range(3) if i != place]
        rest = np.concatenate([errors[i][labels[i] == 1] for i in others])
        threshold = Contamination(0.05).fit(rest).threshold_
        flags = np.where(errors[place] > threshold, -1, 1)
        scores.append(outlier_f1_score(labels[place], flags))
    assert found.candidates[0]["mean_score"] == pytest.approx(np.mean(scores))
    assert found.candidates[0]["std_score"] == pytest.approx(np.std(scores))
    threshold = learned(Contamination(0.05), errors, labels)
    if found.chosen["latent_dim"] == 2:
        assert found.detector.offset_ == pytest.approx(-threshold)


def test_rare_outliers_get_a_threshold_that_fits_them():
    """The old rules, for a tenth of the rows or more, flagged too many."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(600, 2)) @ rng.normal(size=(2, 5)) + rng.normal(size=(600, 5))
    y = np.ones(600, int)
    X[::75], y[::75] = 3 * rng.normal(size=(8, 5)), -1
    rows = pd.DataFrame(X, columns=list("abcde")), y
    found = search_pca(rows)
    old = [Contamination(0.1), Contamination(0.05)]
    assert found.mean_score > search_pca(rows, rules=old).mean_score + 0.1
    assert {repr(BestF()), "Contamination(fraction=0.001)"} <= {
        one["threshold"].replace("beta=1.0", "") for one in found.candidates
    }


def test_the_number_of_processes_changes_nothing(rows):
    one, two = search_pca(rows, 1), search_pca(rows, 2)
    assert one.candidates == two.candidates
    assert one.chosen == two.chosen


def test_the_best_candidate_is_fitted_on_the_normal_rows_alone(rows):
    X, y = rows
    found = search_pca(rows)
    scaler = found.pipeline["columns"].named_transformers_["numbers"]
    np.testing.assert_allclose(scaler.mean_, X[y == 1].mean())
    assert scaler.n_samples_seen_ == 60
    assert found.mean_score == max(one["mean_score"] for one in found.candidates)
    assert list(found.detector.feature_names_in_) == list("abcde")


class Terminal(io.StringIO):
    """A standard error on which a bar is redrawn in place."""

    def isatty(self):
        return True


def test_the_bar_is_drawn_in_place_on_a_terminal(rows, monkeypatch):
    shown = Terminal()
    monkeypatch.setattr(sys, "stderr", shown)
    search_pca(rows)
    for n in (0, 6):
        assert f" {n}/6" in shown.getvalue()


def test_an_error_inside_closes_the_bar(rows, capsys):
    X, y = rows
    with pytest.raises(ValueError, match="n_components=2"):
        search_pca((X[["a"]], y))
    assert "0/6" in capsys.readouterr().err


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


def test_rules_are_described_with_their_defaults():
    assert describe_rule(Contamination()) == "Contamination(fraction=0.1)"
