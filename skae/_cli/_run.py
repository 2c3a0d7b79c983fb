"""The work from the table to the report: with labels a comparison, else a ranking."""

from __future__ import annotations

import functools
import json
import statistics
import textwrap
import timeit
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from sklearn.frozen import FrozenEstimator

from skae import __version__
from skae._cli import _report as report
from skae._cli._read import InputError, read_file  # noqa: F401
from skae._cli._search import (
    KEPT_SHARE,
    Found,
    contenders,
    describe_rule,
    encoder,
    latent_dims,
    search,
)
from skae._cli._table import (
    Table,
    apply_plan,
    generate_heartbeats,
    load_table,
    split_rows,
)
from skae._validation import threadpool_controller
from skae.model_selection import compare_detectors

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from skae._cli._search import Labels

    Say = Callable[[str], Any]
    from skae._cli._columns import Column
    from skae._cli._table import Split

WIDTH = 88  # of the text
N_SHOWN = 10  # rows of the ranking
TIMING_REPEATS = 5
READING = ("missing", "decimal", "separator", "encoding", "header", "skip_rows")
READING += ("comment", "skip_bad_lines")
QUALITIES = {
    "roc_auc": "ROC AUC",
    "average_precision": "avg. precision",
    "f1": "F1",
    "accuracy": "accuracy",
    "precision": "precision",
    "recall": "recall",
}
TIMES = {"fit_seconds": "fit s", "ms_per_row": "ms/row"}
FILES = {
    "table.csv": "the table",
    "scores.csv": "score, flag and column with the largest error of {rows} rows",
    "report.html": "all of this as a page, in one file",
    "results.json": "all of this in one file, every candidate included",
    "loss_curve.png": "figure",
    "error_histogram.png": "figure",
    "reconstructions.png": "figure",
}


def load(options: argparse.Namespace) -> Table:
    """Return the table of the options, or raise an InputError."""
    if options.file is None:
        return generate_heartbeats(options.seed)
    return load_table(options)


def run(table: Table, say: Say, options: argparse.Namespace) -> None:
    """Search, judge, write the results, and say what came out."""
    if options.save is not None:
        report.check_save(options.save)
    table, split = split_rows(table, options.seed)
    with report.writing(options.output, list(FILES)) as folder:
        say(describe_table(table))
        # Small products of matrices gain nothing from threads, and lose much where
        # other processes keep the processors busy: all contenders do them with one.
        with threadpool_controller().limit(limits=1, user_api="blas"):
            found, scores, compared = _work(table, say, options, split)
        _write(folder, table, options, split.test, found, scores, compared)
        if table.y is None:
            # A table of other rows, from an earlier run, would be taken for this one.
            (Path(options.output) / "table.csv").unlink(missing_ok=True)
    if options.save is not None:
        reading = {name: getattr(options, name) for name in READING}
        content = {"plan": asdict(table.plan), "reading": reading}
        report.save_model(found[0].pipeline, content, options.save)
    say(describe_files(Path(options.output), "all" if table.y is None else "test"))
    if options.save is not None:
        say(f"Saved: python -m skae score {options.save} FILE scores other rows.")


def _work(
    table: Table, say: Say, options: argparse.Namespace, split: Split
) -> tuple[list[Found], pd.DataFrame, pd.DataFrame | None]:
    """Search, judge, say what came out, and return it."""
    X, y = table.X.iloc[split.train], table.y
    fewest = min(len(train) for train, _ in split.folds)
    widths = latent_dims(encoder(X).fit_transform(X).shape[1], fewest)
    rivals = contenders(widths, epochs=options.epochs, seed=options.seed)
    work = functools.partial(search, folds=split.folds, n_jobs=options.n_jobs)
    if y is None:
        winner = work(rivals[0], X, None)
        scores = report.score_table(winner.pipeline, X, None, table.carried)
        say(describe_width(winner))
        say(describe_ranking(winner.pipeline, scores))
        return [winner], scores, None
    say(_wrapped(split.words))
    found = [work(one, X, y[split.train]) for one in rivals]
    compared = compare(found, table.X, y, (split.train, split.test))
    carried = None if table.carried is None else table.carried.iloc[split.test]
    rows = table.X.iloc[split.test], y[split.test]
    scores = report.score_table(found[0].pipeline, *rows, carried)
    say(describe_choices(found))
    say(describe_comparison(compared, table, rows[1]))
    return found, scores, compared


def _write(
    folder: Path,
    table: Table,
    options: argparse.Namespace,
    test: NDArray[np.intp],
    found: Sequence[Found],
    scores: pd.DataFrame,
    compared: pd.DataFrame | None,
) -> None:
    """Write tables, figures, results and the report into a folder."""
    report.write_csv(scores, folder / "scores.csv", index=False)
    content = {
        "skae": __version__,
        "data": table.name,
        "n_rows": len(table.X),
        "n_columns": table.X.shape[1],
        "n_outliers": None if table.y is None else int(np.sum(table.y == -1)),
        "outliers": table.outliers,
        "seed": options.seed,
        "notes": table.notes,
        "columns": [asdict(one) for one in table.columns],
    }
    texts, tables = describe_head(table).split("\n"), {}
    if compared is None or table.y is None:
        X, y = table.X, None
        content["n_flagged"] = int(np.sum(scores["flag"] == -1))
    else:
        X, y = table.X.iloc[test], table.y[test]
        report.write_csv(compared, folder / "table.csv")
        content["table"] = compared.to_dict("index")
        texts += [verdict(compared), CAPTION]
        tables["Comparison"] = compared
    content["searches"] = {
        one.name: {k: v for k, v in vars(one).items() if k not in ("name", "pipeline")}
        for one in found
    }
    text = json.dumps(content, indent=2)
    (folder / "results.json").write_text(text + "\n", encoding="utf-8")
    tables[f"The {N_SHOWN} rows with the lowest scores"] = lowest(scores)
    if table.columns:
        uses = pd.DataFrame(content["columns"])
        tables["Columns"] = uses.rename(columns={"use": "used as"})
    pipeline = found[0].pipeline
    drawn = report.save_figures(report.make_figures(pipeline, X, y, scores), folder)
    page = report.report_page(f"skae: {table.name}", texts, tables, drawn, pipeline)
    (folder / "report.html").write_text(page, encoding="utf-8")


def score(say: Say, options: argparse.Namespace) -> None:
    """Score the rows of a file with a saved model."""
    pipeline, plan, reading = report.load_model(options.model)
    for name, value in reading.items():
        if not getattr(options, name):
            setattr(options, name, value)
    raw, notes = read_file(options, at_least=1)
    X, carried, _ = apply_plan(plan, raw)
    for name in plan.numbers:
        if lost := int((X[name].isna() & raw[name].notna()).sum()):
            notes.append(f"{lost} cells of {name!r} are no number: taken as missing.")
    for name in plan.categories:
        one_hot = pipeline["columns"].named_transformers_["categories"]
        known = set(one_hot.categories_[plan.categories.index(name)])
        if new := sorted({*X[name].dropna()} - known):
            notes.append(f"Column {name!r} has values that did not train: {new[:5]}.")
    with report.writing(options.output, ["scores.csv"]) as folder:
        scores = report.score_table(pipeline, X, None, carried)
        report.write_csv(scores, folder / "scores.csv", index=False)
    say(_wrapped(f"{options.file}: {len(X)} rows", *(f"Note: {one}" for one in notes)))
    say(describe_ranking(pipeline, scores))
    say(f"\nWritten to {options.output}: scores.csv")


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


def lowest(scores: pd.DataFrame) -> pd.DataFrame:
    """Return the rows with the lowest scores."""
    return scores.sort_values("score", kind="stable").head(N_SHOWN)


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


def describe_head(table: Table) -> str:
    """Return what is to be worked on, a paragraph a line."""
    n_rows, n_columns = table.X.shape
    lines = [f"{table.name}: {n_rows} rows, {n_columns} columns"]
    if table.y is None:
        lines.append("No labels: rows are scored and flagged, not compared.")
    else:
        n_outliers = int(np.sum(table.y == -1))
        share = f"{n_outliers} of {n_rows} ({n_outliers / n_rows:.1%})"
        lines.append(f"Outliers: {table.outliers}; {share}.")
    return "\n".join([*lines, *(f"Note: {words}" for words in table.notes)])


def describe_table(table: Table) -> str:
    """Return what is to be worked on, with the use of every column."""
    first, *others = describe_head(table).split("\n")
    return "\n".join([first, *describe_columns(table.columns), _wrapped(*others)])


def describe_columns(columns: Sequence[Column]) -> list[str]:
    """Return the lines of a table of uses, and the columns of each."""
    groups: dict[tuple[str, str], list[str]] = {}
    for one in columns:
        groups.setdefault((one.use, one.why), []).append(one.name)
    lines = []
    for (use, why), names in groups.items():
        shown = ", ".join(names)
        if len(shown) > 60:
            shown = (
                textwrap.shorten(", ".join(names[:-1]), 40, placeholder="") or names[0]
            )
            shown = f"{shown[:40].rstrip(', ')}, ... {names[-1][:20]}"
        lead = f"  {use:<15} {len(names):>4}  "
        indent: Any = {"subsequent_indent": " " * len(lead), "break_on_hyphens": False}
        text = f"{lead}{shown}" + f" ({why})" * bool(why)
        lines += textwrap.wrap(text, WIDTH, drop_whitespace=True, **indent)
    return lines


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


CAPTION = (
    "Outliers are the positive class of average precision, F1, precision and recall. "
    "Thresholds were learned from rows that were held out in the search. fit s: one "
    "fit of the chosen candidate on the normal training rows. ms/row: predict on all "
    "test rows at once, per row. One split: small differences may be chance."
)


def describe_comparison(compared: pd.DataFrame, table: Table, y_test: Labels) -> str:
    """Return the comparison with its caption and the verdict."""
    n_outliers = int(np.sum(y_test == -1))
    caption = _wrapped(
        f"On {len(y_test)} test rows, {n_outliers} of them outliers: {table.outliers}. "
        + CAPTION
        + " * best of the column."
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


def describe_ranking(pipeline: Any, scores: pd.DataFrame) -> str:
    """Return the share of flagged rows, and the rows with the lowest scores."""
    detector, shown = pipeline["detector"], lowest(scores)
    n_flagged = int(np.sum(scores["flag"] == -1))
    rule = describe_rule(detector.threshold_rule_)
    how = {"index": False, "float_format": "{:.4g}".format, "max_colwidth": 30}
    text = shown.to_string(formatters={"share": "{:.0%}".format}, **how)
    share = n_flagged / len(scores)
    caption = _wrapped(
        f"{n_flagged} of {len(scores)} rows ({share:.1%}) are flagged by the threshold "
        f"{detector.threshold_:.3g} ({rule}), learned from rows of this file: about "
        "how many are flagged is the rule's choice, not the data's. Read the ranking, "
        "and choose a threshold of your own on the score.",
        f"The {len(shown)} rows with the lowest scores, and the column with the "
        "largest share of each one's error (rows count from 0):",
    )
    return f"\n{caption}\n\n{text}"


def describe_files(folder: Path, rows: str) -> str:
    """Return where the results are."""
    lines = [
        f"  {name:<20}  {words.format(rows=rows)}"
        for name, words in FILES.items()
        if (folder / name).exists()
    ]
    return "\n".join([f"\nWritten to {folder}:", *lines])


def _wrapped(*paragraphs: str) -> str:
    """Return paragraphs with lines of readable length."""
    fill = functools.partial(textwrap.fill, width=WIDTH, break_on_hyphens=False)
    return "\n".join(map(fill, paragraphs))
