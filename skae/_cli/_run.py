"""The work from the table to the report: with labels a comparison, else a ranking."""

from __future__ import annotations

import functools
import json
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.model_selection import KFold, train_test_split

from skae import __version__
from skae._cli import _report as report
from skae._cli._search import (
    THRESHOLDS,
    Found,
    contenders,
    latent_dims,
    narrowest_that_keeps,
    search,
)
from skae._cli._table import InputError, Table, generate_heartbeats, load_csv
from skae._validation import threadpool_controller
from skae.metrics import outlier_f1, reconstruction_score
from skae.model_selection import InlierKFold

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Sequence

    Say = Callable[[str], Any]

N_FOLDS = 3
TEST_FRACTION = 0.3


def load(options: argparse.Namespace) -> Table:
    """Return the table of the options, or raise an InputError."""
    if options.file is None:
        return generate_heartbeats(options.seed)
    return load_csv(
        options.file,
        header=not options.no_header,
        drop=options.drop,
        label_column=options.label_column,
        outlier_label=options.outlier_label,
    )


def run(table: Table, say: Say, options: argparse.Namespace) -> None:
    """Search, judge, write the results, and say what came out."""
    folder = Path(options.output)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as exc:
        raise InputError(
            f"--output {options.output!r} cannot be made a folder: {exc.strerror}. "
            "Pass another one."
        ) from exc
    say(report.opening(table))
    work = _run_unlabelled if table.y is None else _run_labelled
    # Small products of matrices gain nothing from threads, and lose much where other
    # processes keep the processors busy: all contenders do them with one.
    one_thread = threadpool_controller().limit(limits=1, user_api="blas")
    cache = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
    with one_thread, cache as memory:
        network = {"epochs": options.epochs, "memory": memory, "seed": options.seed}
        work(table, say, folder, network, options.n_jobs)


def _run_labelled(
    table: Table, say: Say, folder: Path, network: dict[str, Any], n_jobs: int
) -> None:
    """Compare the autoencoder with its rivals on rows that were held out."""
    y: Any = table.y
    seed, rows = network["seed"], np.arange(len(table.X))
    train, test = train_test_split(
        rows, test_size=TEST_FRACTION, stratify=y, random_state=seed
    )
    X_train, X_test = table.X.iloc[train], table.X.iloc[test]
    y_train, y_test = y[train], y[test]
    n_folds = min(N_FOLDS, int(np.sum(y_train == -1)))
    cv = InlierKFold(n_folds, shuffle=True, random_state=seed)
    # No fold trains on fewer rows than this.
    fewest = int(np.sum(y_train == 1)) * (n_folds - 1) // n_folds
    widths = latent_dims(table.X.shape[1], fewest)
    say(report.plan(len(train), len(test), n_folds))
    found = [
        search(one, X_train, y_train, scoring=outlier_f1, cv=cv, n_jobs=n_jobs)
        for one in contenders(widths, THRESHOLDS, **network)
    ]
    compared = report.compare(found, table.X, y, (train, test))
    scores = report.score_table(found[0], X_test, y_test)
    compared.to_csv(folder / "table.csv")
    scores.to_csv(folder / "scores.csv", index=False)
    _write_json(folder, table, seed, found, table=compared.to_dict("index"))
    pictures = report.save_figures(found[0], X_test, y_test, folder)
    say(report.chosen(found))
    say(report.comparison(compared, table, y_test))
    say(report.files(folder, pictures, "the test rows", table=True))


def _run_unlabelled(
    table: Table, say: Say, folder: Path, network: dict[str, Any], n_jobs: int
) -> None:
    """Score and flag all rows with an autoencoder that was trained on them."""
    X, seed = table.X, network["seed"]
    cv = KFold(N_FOLDS, shuffle=True, random_state=seed)
    widths = latent_dims(X.shape[1], len(X) * (N_FOLDS - 1) // N_FOLDS)
    # About the score of predicting the mean: rows are standardized, so that each column
    # that is not constant has a variance of 1.
    baseline = -float(np.mean(X.nunique() > 1))
    choose = functools.partial(narrowest_that_keeps, baseline=baseline)
    # Without labels nothing tells a good threshold from a bad one: the detector's own
    # rule stays, and only the width is searched.
    autoencoder = contenders(widths, (), **network)[0]
    how = {"scoring": reconstruction_score, "cv": cv, "choose": choose}
    winner = search(autoencoder, X, None, n_jobs=n_jobs, **how)
    scores = report.score_table(winner, X)
    # A table of other rows, from an earlier run, would be taken for this one.
    (folder / "table.csv").unlink(missing_ok=True)
    scores.to_csv(folder / "scores.csv", index=False)
    n_flagged = int(np.sum(scores["flag"] == -1))
    _write_json(folder, table, seed, [winner], n_flagged=n_flagged)
    pictures = report.save_figures(winner, X, None, folder)
    say(report.chosen_width(winner))
    say(report.ranking(winner, scores))
    say(report.files(folder, pictures, "all rows", table=False))


def _write_json(
    folder: Path, data: Table, seed: int, found: Sequence[Found], **others: Any
) -> None:
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
                name: value
                for name, value in vars(one).items()
                if name not in ("name", "pipeline")
            }
            for one in found
        },
    }
    text = json.dumps(content, indent=2)
    (folder / "results.json").write_text(text + "\n", encoding="utf-8")
