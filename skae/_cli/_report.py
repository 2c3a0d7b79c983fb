"""What comes out of the work: tables, pictures, and the pieces of the text."""

from __future__ import annotations

import functools
import statistics
import textwrap
import timeit
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from sklearn.frozen import FrozenEstimator

from skae._cli._search import KEPT_SHARE, describe_rule
from skae.inspection import (
    ErrorHistogramDisplay,
    LossCurveDisplay,
    ReconstructionDisplay,
)
from skae.model_selection import compare_detectors

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from skae._cli._search import Floats, Found, Labels
    from skae._cli._table import Table

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


def compare(
    found: Sequence[Found],
    X: pd.DataFrame,
    y: Labels,
    split: tuple[NDArray[np.intp], NDArray[np.intp]],
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


def score_table(
    winner: Found, X: pd.DataFrame, y: Labels | None = None
) -> pd.DataFrame:
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


# ---------------------------------------------------------------------------- pictures


def save_figures(
    winner: Found, X: pd.DataFrame, y: Labels | None, folder: Path
) -> list[Path]:
    """Draw the loss curve, the errors with the threshold, and two reconstructions."""
    # Figures are made without pyplot: no window opens, and the backend stays.
    errors = -winner.pipeline.score_samples(X)
    size = 7.0, 4.0
    loss, histogram = (Figure(size, layout="constrained").subplots() for _ in range(2))
    LossCurveDisplay.from_estimator(winner.detector, ax=loss)
    loss.set_title("Training of the chosen autoencoder")
    # Normalized, or the bars of rare outliers would not be visible next to the others.
    display = ErrorHistogramDisplay(errors, winner.detector.threshold_, y)
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
    looks: dict[str, Any] = {"titles": titles, "feature_names": names}
    ReconstructionDisplay(rows, reconstruction, value_name=unit, **looks).plot(axes)
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


# -------------------------------------------------------------------------------- text


def opening(table: Table) -> str:
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


def plan(n_train: int, n_test: int, n_folds: int) -> str:
    """Return how the rows are used."""
    return _wrapped(
        f"Search on {n_train} rows ({n_folds} folds, trained on normal rows only), "
        f"test on the other {n_test}."
    )


def chosen(found: Sequence[Found]) -> str:
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


def chosen_width(winner: Found) -> str:
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


def comparison(compared: pd.DataFrame, table: Table, y_test: Labels) -> str:
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


def ranking(winner: Found, scores: pd.DataFrame) -> str:
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


def files(folder: Path, pictures: Sequence[Path], rows: str, *, table: bool) -> str:
    """Return where the results are."""
    words = {"table.csv": "the table"} if table else {}
    words["scores.csv"] = f"score, flag and column with the largest error of {rows}"
    words["results.json"] = "all of this in one file, every candidate included"
    words |= {path.name: "figure" for path in pictures}
    lines = [f"  {name:<20}  {text}" for name, text in words.items()]
    return "\n".join([f"\nWritten to {folder}:", *lines])


def _wrapped(*paragraphs: str) -> str:
    """Return paragraphs with lines of readable length."""
    fill = functools.partial(textwrap.fill, width=WIDTH, break_on_hyphens=False)
    return "\n".join(map(fill, paragraphs))
