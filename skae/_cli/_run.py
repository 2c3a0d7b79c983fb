"""The work from the table to the report: with labels a comparison, else a ranking."""

from __future__ import annotations

import functools
import json
import statistics
import tempfile
import textwrap
import timeit
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import KFold, train_test_split

from skae import __version__, inspection
from skae._cli._search import (
    KEPT_SHARE,
    THRESHOLDS,
    Found,
    contenders,
    describe_rule,
    latent_dims,
    narrowest_that_keeps,
    search,
)
from skae._cli._table import InputError, Table, generate_heartbeats, load_csv
from skae._validation import threadpool_controller
from skae.metrics import outlier_f1, reconstruction_score
from skae.model_selection import InlierKFold, compare_detectors

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from skae._cli._search import Floats, Labels

    Say = Callable[[str], Any]
    Split = tuple[NDArray[np.intp], NDArray[np.intp]]

N_FOLDS = 3
TEST_FRACTION = 0.3
WIDTH = 88  # of the text
N_SHOWN = 10  # rows of the ranking
TIMING_REPEATS = 5
# Where the first quartile of the columns' spreads would fill less of a panel's height
# than this, the columns' units are too different to share an axis.
SMALLEST_SPREAD = 0.01
# Up to so many columns have their names written under the panel.
MAX_NAMED = 30
WORDS = {1: "inlier", -1: "outlier"}
QUALITIES = {
    "roc_auc": "ROC AUC",
    "average_precision": "avg. precision",
    "f1": "F1",
    "accuracy": "accuracy",
    "precision": "precision",
    "recall": "recall",
}
TIMES = {"fit_seconds": "fit s", "ms_per_row": "ms/row"}


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
    say(describe_table(table))
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
    how = f"{n_folds} folds, trained on normal rows only"
    plan = f"Search on {len(train)} rows ({how}), test on the other {len(test)}."
    say(_wrapped(plan))
    found = [
        search(one, X_train, y_train, scoring=outlier_f1, cv=cv, n_jobs=n_jobs)
        for one in contenders(widths, THRESHOLDS, **network)
    ]
    compared = compare(found, table.X, y, (train, test))
    scores = score_table(found[0], X_test, y_test)
    compared.to_csv(folder / "table.csv")
    scores.to_csv(folder / "scores.csv", index=False)
    _write_json(folder, table, seed, found, table=compared.to_dict("index"))
    pictures = save_figures(found[0], X_test, y_test, folder)
    say(describe_choices(found))
    say(describe_comparison(compared, table, y_test))
    say(describe_files(folder, pictures, "the test rows"))


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
    scores = score_table(winner, X, None)
    # A table of other rows, from an earlier run, would be taken for this one.
    (folder / "table.csv").unlink(missing_ok=True)
    scores.to_csv(folder / "scores.csv", index=False)
    n_flagged = int(np.sum(scores["flag"] == -1))
    _write_json(folder, table, seed, [winner], n_flagged=n_flagged)
    pictures = save_figures(winner, X, None, folder)
    say(describe_width(winner))
    say(describe_ranking(winner, scores))
    say(describe_files(folder, pictures, "all rows"))


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


def compare(
    found: Sequence[Found], X: pd.DataFrame, y: Labels, split: Split
) -> pd.DataFrame:
    """Return the qualities of each fitted pipeline on the second rows of the split."""
    fitted = {one.name: FrozenEstimator(one.pipeline) for one in found}
    table = compare_detectors(fitted, X, y, cv=[split])[list(QUALITIES)]
    table["fit_seconds"] = [one.fit_seconds for one in found]
    predicts, X_test = [one.pipeline.predict for one in found], X.iloc[split[1]]
    table["ms_per_row"] = [milliseconds_per_row(one, X_test) for one in predicts]
    return table


def milliseconds_per_row(predict: Callable[[pd.DataFrame], Any], X: Any) -> float:
    """Return the median time of a call on all rows, divided by their number."""
    seconds = timeit.repeat(lambda: predict(X), number=1, repeat=TIMING_REPEATS)
    return 1000 * statistics.median(seconds) / len(X)


def score_table(winner: Found, X: pd.DataFrame, y: Labels | None) -> pd.DataFrame:
    """Return the score, the flag and the column of largest error of each row."""
    scaler, detector = winner.pipeline["scale"], winner.detector
    scaled = scaler.transform(X)
    top = detector.explain(scaled, top_k=1)
    cells = np.arange(len(X)), X.columns.get_indexer(top["feature"])
    reconstruction = scaler.inverse_transform(detector.reconstruct(scaled))
    columns = {"row": X.index} | ({} if y is None else {"label": y})
    return pd.DataFrame(columns).assign(
        score=winner.pipeline.score_samples(X),
        flag=winner.pipeline.predict(X),
        feature=top["feature"].to_numpy(),
        value=X.to_numpy()[cells],
        reconstruction=reconstruction[cells],
        share=top["share"].to_numpy(),
    )


def format_table(table: pd.DataFrame) -> str:
    """Return the table as text; a star marks the best of each column."""
    columns = {}
    for key, title in (QUALITIES | TIMES).items():
        shown = [_number(key, value) for value in table[key]]
        best = _number(key, table[key].min() if key in TIMES else table[key].max())
        # What reads alike shares the star.
        columns[title] = [text + ("*" if text == best else " ") for text in shown]
    return pd.DataFrame(columns, index=list(table.index)).to_string()


def _number(key: str, value: float) -> str:
    """Return a quality with three decimals, or a time with two significant digits."""
    if key in QUALITIES:
        return f"{value:.3f}"
    return np.format_float_positional(value, 2, fractional=False, trim="-")


def save_figures(
    winner: Found, X: pd.DataFrame, y: Labels | None, folder: Path
) -> list[Path]:
    """Draw the loss curve, the errors with the threshold, and two reconstructions."""
    # Figures are made without pyplot: no window opens, and the backend stays.
    errors = -winner.pipeline.score_samples(X)
    size = 7.0, 4.0
    loss, histogram = (Figure(size, layout="constrained").subplots() for _ in range(2))
    inspection.LossCurveDisplay.from_estimator(winner.detector, ax=loss)
    loss.set_title("Training of the chosen autoencoder")
    # Normalized, or the bars of rare outliers would not be visible next to the others.
    threshold = winner.detector.threshold_
    display = inspection.ErrorHistogramDisplay(errors, threshold, y)
    display.plot(histogram, normalize=y is not None)
    rows = "all rows" if y is None else "the test rows"
    histogram.set_title(f"Reconstruction errors of {rows}")
    pictures: dict[str, Any] = {
        "loss_curve.png": loss.figure,
        "error_histogram.png": histogram.figure,
        "reconstructions.png": _reconstructions(winner, X, y, errors),
    }
    for name, figure in pictures.items():
        figure.savefig(folder / name, dpi=120)
    return [folder / name for name in pictures]


def _reconstructions(
    winner: Found, X: pd.DataFrame, y: Labels | None, errors: Floats
) -> Figure:
    """Return a figure of a normal and an abnormal row and their reconstructions."""
    chosen = typical_rows(errors, y)
    scaler, detector = winner.pipeline["scale"], winner.detector
    drawn = X.iloc[chosen]
    rows = scaler.transform(drawn)
    reconstruction, unit = detector.reconstruct(rows), "standardized value"
    if share_an_axis(X, drawn):
        reconstruction, unit = scaler.inverse_transform(reconstruction), "value"
        rows = drawn
    titles = []
    for row, flag in zip(chosen, winner.pipeline.predict(drawn), strict=True):
        label = "" if y is None else f", labelled {WORDS[y[row]]}"
        titles.append(
            f"row {X.index[row]}{label}: found {WORDS[flag]} (error {errors[row]:.3g} "
            f"{'>' if flag == -1 else '≤'} threshold {detector.threshold_:.3g})"
        )
    names = [str(name) for name in X.columns]
    longest = max(map(len, names)) if len(names) <= MAX_NAMED else 0
    figure = Figure((9.0, 6.4 + 0.07 * longest), layout="constrained")
    axes = figure.subplots(2, 1)
    words: dict[str, Any] = {"titles": titles, "feature_names": names}
    words["value_name"] = unit
    inspection.ReconstructionDisplay(rows, reconstruction, **words).plot(axes)
    axes[0].tick_params(labelbottom=False)
    axes[0].set_xlabel("")
    return figure


def typical_rows(errors: Floats, y: Labels | None) -> list[int]:
    """Return the positions of a normal and of an abnormal row."""
    # With labels those of median error: neither the best nor the worst to be shown.
    if y is None:
        return [int(np.argmin(errors)), int(np.argmax(errors))]
    classes = [np.flatnonzero(y == label) for label in (1, -1)]
    ranked = [rows[np.argsort(errors[rows], kind="stable")] for rows in classes]
    return [int(rows[len(rows) // 2]) for rows in ranked]


def share_an_axis(X: pd.DataFrame, drawn: pd.DataFrame) -> bool:
    """Return whether rows can be drawn in their own units without losing columns."""
    spread = X.std().to_numpy()
    spread = spread[spread > 0]
    height = drawn.to_numpy().max() - drawn.to_numpy().min()
    return spread.size == 0 or np.quantile(spread, 0.25) >= SMALLEST_SPREAD * height


def describe_table(table: Table) -> str:
    """Return what is to be worked on."""
    n_rows, n_columns = table.X.shape
    lines = [f"{table.name}: {n_rows} rows, {n_columns} columns"]
    if table.y is None:
        lines.append("No labels: rows are scored and flagged, not compared.")
    else:
        n_outliers = int(np.sum(table.y == -1))
        share = f"{n_outliers} of {n_rows} ({n_outliers / n_rows:.1%})"
        lines.append(f"Outliers: {table.outliers}; {share}.")
    return _wrapped(*lines, *(f"Note: {words}" for words in table.notes))


def describe_choices(found: Sequence[Found]) -> str:
    """Return what each search chose, and how long it took."""
    lines = ["\nChosen by the F1 of the outliers in the search:"]
    width = max(len(one.name) for one in found)
    for one in found:
        params = ", ".join(f"{name}={value}" for name, value in one.chosen.items())
        lines.append(
            f"  {one.name:<{width}}  {one.mean_score:6.3f}  {params}\n"
            f"  {'':<{width}}          {len(one.candidates)} candidates x "
            f"{one.n_folds} folds in {one.search_seconds:.1f} s"
        )
    return "\n".join(lines)


def describe_width(winner: Found) -> str:
    """Return the scores of all widths, and why one was chosen."""
    scores = ", ".join(
        f"{one['latent_dim']}: {one['mean_score']:.3g}" for one in winner.candidates
    )
    width = winner.chosen["latent_dim"]
    return "\n" + _wrapped(
        "Widths tried, with minus the reconstruction error of rows that were held out: "
        f"{scores} ({winner.n_folds} folds, {winner.search_seconds:.1f} s).",
        f"Chosen: latent_dim={width}, the narrowest that explains at least "
        f"{KEPT_SHARE:.0%} of what the best one explains. A wider code nearly always "
        "reconstructs better, outliers included.",
    )


def describe_comparison(compared: pd.DataFrame, table: Table, y_test: Labels) -> str:
    """Return the comparison with its caption and the verdict."""
    n_outliers = int(np.sum(y_test == -1))
    caption = _wrapped(
        f"On {len(y_test)} test rows, {n_outliers} of them outliers: {table.outliers}. "
        "Outliers are the positive class of average precision, F1, precision and "
        "recall. fit s: one fit of the chosen candidate on the normal training rows. "
        "ms/row: predict on all test rows at once, per row. * best of the column. One "
        "split: small differences may be chance."
    )
    return f"\n{format_table(compared)}\n\n{caption}\n\n{_wrapped(verdict(compared))}"


def verdict(compared: pd.DataFrame) -> str:
    """Return in words in which qualities the first method wins, and where it loses."""
    name, rivals = compared.index[0], compared.index[1:]
    ahead, behind = [], []
    for key, title in QUALITIES.items():
        values = compared[key]
        rival = values[rivals].idxmax()
        own, other = _number(key, values[name]), _number(key, values[rival])
        # Numbers that read alike in the table are level.
        if own == other or values[name] > values[rival]:
            ahead.append(title)
        else:
            behind.append(f"{title} ({own}, {rival} {other})")
    if not behind:
        return f"The {name} is best, or level with the best, in every quality."
    if not ahead:
        return f"The {name} is behind in every quality: {', '.join(behind)}."
    return (
        f"The {name} is best, or level with the best, in {', '.join(ahead)}. It is "
        f"behind in {', '.join(behind)}."
    )


def describe_ranking(winner: Found, scores: pd.DataFrame) -> str:
    """Return the share of flagged rows, and the rows with the lowest scores."""
    n_flagged = int(np.sum(scores["flag"] == -1))
    rule = describe_rule(winner.detector.threshold_rule_)
    lowest = scores.sort_values("score", kind="stable").head(N_SHOWN)
    columns = ["row", "score", "flag", "feature", "value", "reconstruction", "share"]
    text = lowest[columns].to_string(
        index=False, float_format="{:.4g}".format, formatters={"share": "{:.0%}".format}
    )
    share = n_flagged / len(scores)
    caption = _wrapped(
        f"{n_flagged} of {len(scores)} rows ({share:.1%}) are flagged by the threshold "
        f"{winner.detector.threshold_:.3g}, which {rule} learned from "
        "the same rows: the rule sets their share, not the data. Read the ranking, and "
        "choose a threshold of your own on the score.",
        f"The {len(lowest)} rows with the lowest scores, and the column with the "
        "largest share of each one's error (rows count from 0):",
    )
    return f"\n{caption}\n\n{text}"


def describe_files(folder: Path, pictures: Sequence[Path], rows: str) -> str:
    """Return where the results are."""
    words = {"table.csv": "the table"} if (folder / "table.csv").exists() else {}
    words["scores.csv"] = f"score, flag and column with the largest error of {rows}"
    words["results.json"] = "all of this in one file, every candidate included"
    words |= {path.name: "figure" for path in pictures}
    lines = [f"  {name:<20}  {text}" for name, text in words.items()]
    return "\n".join([f"\nWritten to {folder}:", *lines])


def _wrapped(*paragraphs: str) -> str:
    """Return paragraphs with lines of readable length."""
    fill = functools.partial(textwrap.fill, width=WIDTH, break_on_hyphens=False)
    return "\n".join(map(fill, paragraphs))
