"""The job from the data to the report: with labels a comparison, without a ranking."""

import functools
import json
import tempfile
from pathlib import Path

import numpy as np
from sklearn.model_selection import KFold, train_test_split

from skae import __version__
from skae._cli import _contenders as contenders
from skae._cli import _report as report
from skae._cli._comparison import compare
from skae._cli._data import InputError
from skae._cli._figures import save_figures
from skae._cli._scores import score_table
from skae._cli._search import best_score, narrowest_that_keeps, search
from skae._validation import threadpool_controller
from skae.metrics import outlier_f1, reconstruction_score
from skae.model_selection import InlierKFold

N_FOLDS = 3
TEST_FRACTION = 0.3


def run(data, say, *, output, seed=0, n_jobs=1, epochs="auto"):
    """Search, judge, write the results, and tell what came out.

    Parameters
    ----------
    data : Data
        The table.

    say : callable
        Takes a piece of the report.

    output : str
        Folder of the results; made where it is not there.

    seed : int, default=0
        Seed of the split, of the folds and of all that is trained.

    n_jobs : int, default=1
        Number of processes of the searches.

    epochs : int or "auto", default="auto"
        Passes of each training.

    Raises
    ------
    InputError
        Where the folder cannot be made.
    """
    folder = _make_folder(output)
    say(report.opening(data))
    job = _unlabelled if data.y is None else _labelled
    # Small products of matrices gain nothing from threads, and lose much where other
    # processes keep the processors busy: all contenders do them with one.
    one_thread = threadpool_controller().limit(limits=1, user_api="blas")
    kept = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
    with one_thread, kept as memory:
        network = {"epochs": epochs, "memory": memory, "seed": seed}
        job(data, say, folder, network=network, n_jobs=n_jobs)


def _labelled(data, say, folder, *, network, n_jobs):
    """Compare the autoencoder with its rivals on rows that none has seen."""
    seed = network["seed"]
    train, test = train_test_split(
        np.arange(len(data.X)),
        test_size=TEST_FRACTION,
        stratify=data.y,
        random_state=seed,
    )
    X_train, X_test = data.X.iloc[train], data.X.iloc[test]
    y_train, y_test = data.y[train], data.y[test]
    n_folds = min(N_FOLDS, int(np.sum(y_train == -1)))
    cv = InlierKFold(n_folds, shuffle=True, random_state=seed)
    # No fold trains on fewer rows than this.
    fewest = int(np.sum(y_train == 1)) * (n_folds - 1) // n_folds
    widths = contenders.latent_dims(data.X.shape[1], fewest)
    rules = contenders.THRESHOLDS
    say(report.plan(y_train, y_test, n_folds))
    found = [
        search(
            contender,
            X_train,
            y_train,
            scoring=outlier_f1,
            cv=cv,
            choose=best_score,
            n_jobs=n_jobs,
        )
        for contender in (
            contenders.autoencoder(widths, rules, **network),
            contenders.pca(widths, rules),
            contenders.isolation_forest(widths, rules, seed=seed),
        )
    ]
    table = compare(found, data.X, data.y, (train, test))
    winner = found[0]
    scores = score_table(winner, X_test, y_test)
    table.to_csv(folder / "table.csv")
    scores.to_csv(folder / "scores.csv", index=False)
    _write_json(folder, data, seed, found, table=table.to_dict("index"))
    pictures = save_figures(winner, X_test, y_test, folder)
    say(report.chosen(found))
    say(report.comparison(table, data, y_test))
    say(report.files(folder, pictures, "the test rows", table=True))


def _unlabelled(data, say, folder, *, network, n_jobs):
    """Score and flag all rows with an autoencoder that was trained on them."""
    seed = network["seed"]
    cv = KFold(N_FOLDS, shuffle=True, random_state=seed)
    widths = contenders.latent_dims(
        data.X.shape[1], len(data.X) * (N_FOLDS - 1) // N_FOLDS
    )
    # Without labels nothing tells a good threshold from a bad one: the detector's own
    # rule stays, and only the width is searched.
    contender = contenders.autoencoder(widths, (), **network)
    winner = search(
        contender,
        data.X,
        None,
        scoring=reconstruction_score,
        cv=cv,
        choose=functools.partial(narrowest_that_keeps, baseline=_mean_score(data.X)),
        n_jobs=n_jobs,
    )
    scores = score_table(winner, data.X)
    # A table of other rows, from an earlier run, would be taken for this one.
    (folder / "table.csv").unlink(missing_ok=True)
    scores.to_csv(folder / "scores.csv", index=False)
    n_flagged = int(np.sum(scores["flag"] == -1))
    _write_json(folder, data, seed, [winner], n_flagged=n_flagged)
    pictures = save_figures(winner, data.X, None, folder)
    say(report.chosen_width(winner))
    say(report.ranking(winner, scores))
    say(report.files(folder, pictures, "all rows", table=False))


def _mean_score(X):
    """Return about what `reconstruction_score` gives to predicting the mean.

    Rows are standardized: each column that is not constant has a variance of 1.
    """
    return -float(np.mean(X.nunique() > 1))


def _make_folder(output):
    """Return the folder of the results, made where it is not there."""
    folder = Path(output)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as exc:
        raise InputError(
            f"--output {output!r} cannot be made a folder: {exc.strerror}. Pass "
            "another one."
        ) from exc
    return folder


def _write_json(folder, data, seed, found, **others):
    """Write what was searched, chosen and measured."""
    content = {
        "skae": __version__,
        "data": data.name,
        "n_rows": len(data.X),
        "n_columns": data.X.shape[1],
        "n_outliers": None if data.y is None else int(np.sum(data.y == -1)),
        "outliers": data.outliers,
        "seed": seed,
        **others,
        "searches": {
            one.name: {
                "chosen": one.params,
                "mean_score": one.score,
                "n_folds": one.n_folds,
                "search_seconds": one.search_seconds,
                "fit_seconds": one.fit_seconds,
                "candidates": one.candidates,
            }
            for one in found
        },
    }
    text = json.dumps(content, indent=2)
    (folder / "results.json").write_text(text + "\n", encoding="utf-8")
