"""The report: pieces of text, in the order in which the job has them."""

import functools
import textwrap

import numpy as np

from skae._cli._comparison import format_table, verdict
from skae._cli._search import KEPT_SHARE, in_words

WIDTH = 88
N_SHOWN = 10


def opening(data):
    """Return what is to be looked at."""
    n_rows, n_columns = data.X.shape
    lines = [f"{data.name}: {n_rows} rows, {n_columns} columns"]
    if data.y is None:
        lines.append("No labels: rows are scored and flagged, not compared.")
    else:
        n_outliers = int(np.sum(data.y == -1))
        share = f"{n_outliers} of {n_rows} ({n_outliers / n_rows:.1%})"
        lines.append(f"Outliers: {data.outliers}; {share}.")
    lines += [f"Note: {words}" for words in data.notes]
    return _wrapped(*lines)


def plan(y_train, y_test, n_folds):
    """Return how the rows are used."""
    return _wrapped(
        f"Search on {len(y_train)} rows ({n_folds} folds, trained on normal rows "
        f"only), test on the other {len(y_test)}."
    )


def chosen(found):
    """Return what each search chose, and how long it took."""
    lines = ["\nChosen by the F1 of the outliers in the search:"]
    width = max(len(one.name) for one in found)
    for one in found:
        params = ", ".join(f"{name}={value}" for name, value in one.params.items())
        lines.append(
            f"  {one.name:<{width}}  {one.score:6.3f}  {params}\n"
            f"  {'':<{width}}          {one.n_candidates} candidates x {one.n_folds} "
            f"folds in {one.search_seconds:.1f} s"
        )
    return "\n".join(lines)


def chosen_width(winner):
    """Return the scores of all widths, and why one was chosen."""
    scores = ", ".join(
        f"{one['latent_dim']}: {one['mean_score']:.3g}" for one in winner.candidates
    )
    width = winner.params["latent_dim"]
    return "\n" + _wrapped(
        "Widths tried, with minus the reconstruction error of rows that were held out: "
        f"{scores} ({winner.n_folds} folds, {winner.search_seconds:.1f} s).",
        f"Chosen: latent_dim={width}, the narrowest that explains at least "
        f"{KEPT_SHARE:.0%} of what the best one explains. A wider code reconstructs "
        "better nearly always, and outliers too.",
    )


def comparison(table, data, y_test):
    """Return the table with its caption and the verdict."""
    n_outliers = int(np.sum(y_test == -1))
    caption = _wrapped(
        f"On {len(y_test)} test rows, {n_outliers} of them outliers: {data.outliers}. "
        "Outliers are the positive class of average precision, F1, precision and "
        "recall. fit s: one fit of the chosen candidate on the normal training rows. "
        "ms/row: predict on all test rows at once, per row. * best of the column. One "
        "split: small differences may be chance."
    )
    return f"\n{format_table(table)}\n\n{caption}\n\n{_wrapped(verdict(table))}"


def ranking(found, scores):
    """Return the share of flagged rows, and the oddest of them."""
    n_flagged = int(np.sum(scores["flag"] == -1))
    rule = in_words(found.detector.threshold_rule_)
    odd = scores.sort_values("score", kind="stable").head(N_SHOWN)
    shown = odd[["row", "score", "flag", "feature", "value", "reconstruction", "share"]]
    text = shown.to_string(
        index=False, float_format="{:.4g}".format, formatters={"share": "{:.0%}".format}
    )
    share = n_flagged / len(scores)
    caption = _wrapped(
        f"{n_flagged} of {len(scores)} rows ({share:.1%}) are flagged by the threshold "
        f"{found.detector.threshold_:.3g}, which {rule} learned from the same rows: "
        "the rule sets their share, not the data. Read the ranking, and choose a "
        "threshold of your own on the score.",
        f"The {len(odd)} oddest rows, and the column with the largest share in each "
        "one's error (rows count from 0):",
    )
    return f"\n{caption}\n\n{text}"


def files(folder, pictures, rows, *, table):
    """Return where the results are."""
    lines = [f"\nWritten to {folder}:"]
    words = {
        "table.csv": "the table" if table else None,
        "scores.csv": f"score, flag and oddest column of {rows}",
        "results.json": "all of this in one file, every candidate included",
    }
    words |= {path.name: "figure" for path in pictures}
    lines += [f"  {name:<20}  {text}" for name, text in words.items() if text]
    return "\n".join(lines)


def _wrapped(*paragraphs):
    """Return paragraphs with lines of readable length."""
    fill = functools.partial(textwrap.fill, width=WIDTH, break_on_hyphens=False)
    return "\n".join(map(fill, paragraphs))
