"""What is written: scores of rows, figures, a report in one file, a model to keep.

All files are written to a folder of their own first and move when all are there, so
that a run that is stopped leaves no half of its results.
"""

from __future__ import annotations

import contextlib
import html
import importlib
import io
import json
import os
import re
import tempfile
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from sklearn.utils import estimator_html_repr

import skae
from skae import inspection
from skae._cli._read import InputError
from skae._cli._table import Plan

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from sklearn.pipeline import Pipeline

    from skae._cli._search import Floats, Labels

# Where the first quartile of the columns' spreads would fill less of a panel's height
# than this, the columns' units are too different to share an axis.
SMALLEST_SPREAD = 0.01
# Up to so many columns have their names written under the panel.
MAX_NAMED = 30
WORDS = {1: "inlier", -1: "outlier"}
OWN_COLUMNS = [
    "row",
    "label",
    "score",
    "flag",
    "feature",
    "value",
    "reconstruction",
    "share",
]
STYLE = """body{font:15px/1.5 sans-serif;max-width:60em;margin:2em auto;padding:0 1em}
table{border-collapse:collapse;margin:1em 0;font-size:14px}
th,td{padding:.2em .7em;border-bottom:1px solid #ddd;text-align:right}
th:first-child,td:first-child,.columns td,.columns th{text-align:left}
.wide{overflow-x:auto}svg{max-width:100%;height:auto}"""


@contextlib.contextmanager
def writing(output: str, names: Sequence[str]) -> Iterator[Path]:
    """Give a folder to write to, whose files move to the output at the end."""
    target = Path(output)
    is_new = not target.exists()
    try:
        target.mkdir(parents=True, exist_ok=True)
        for name in names:
            if (target / name).is_dir() or not os.access(target, os.W_OK):
                raise PermissionError(None, f"{name} cannot be written there")
            if (target / name).exists() and not os.access(target / name, os.W_OK):
                raise PermissionError(None, f"{name} may not be replaced")
        folder = tempfile.TemporaryDirectory(dir=target, prefix=".skae-")
    except OSError as exc:
        raise InputError(
            f"--output {output!r} cannot be made a folder of results: {exc.strerror}. "
            "Pass another one."
        ) from exc
    try:
        with folder as temporary:
            yield Path(temporary)
            for path in sorted(Path(temporary).iterdir()):
                path.replace(target / path.name)
    finally:
        if is_new and not any(target.iterdir()):
            target.rmdir()


def in_units(pipeline: Pipeline, X: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return encoded rows and their reconstruction, numbers in the file's units."""
    columns, detector = pipeline["columns"], pipeline["detector"]
    rows = columns.transform(X)
    rebuilt = pd.DataFrame(detector.reconstruct(rows), rows.index, rows.columns)
    _, scaler, numbers = columns.transformers_[0]
    if n := len(numbers):
        rows.iloc[:, :n] = X[numbers].to_numpy()
        rebuilt.iloc[:, :n] = scaler.inverse_transform(rebuilt.iloc[:, :n].to_numpy())
    return rows, rebuilt


def score_table(
    pipeline: Pipeline,
    X: pd.DataFrame,
    y: Labels | None = None,
    carried: pd.DataFrame | None = None,
) -> pd.DataFrame:
    """Return the score, the flag and the column of largest error of each row."""
    top = pipeline["detector"].explain(pipeline["columns"].transform(X), top_k=1)
    rows, rebuilt = in_units(pipeline, X)
    cells = np.arange(len(X)), rows.columns.get_indexer(top["feature"])
    table = pd.DataFrame({"row": X.index})
    for name, column in ({} if carried is None else carried).items():
        new = f"{name} (file)" if name in OWN_COLUMNS else name
        table[new] = column.to_numpy()
    table = table if y is None else table.assign(label=y)
    return table.assign(
        score=pipeline.score_samples(X),
        flag=pipeline.predict(X),
        feature=top["feature"].to_numpy(),
        value=rows.to_numpy()[cells],
        reconstruction=rebuilt.to_numpy()[cells],
        share=top["share"].to_numpy(),
    )


def write_csv(table: pd.DataFrame, path: Path, **how: Any) -> None:
    """Write a table whose texts no spreadsheet takes for formulas."""
    safe = table.rename(columns=without_formula)
    for place, dtype in enumerate(safe.dtypes):
        if dtype.kind not in "fiubM":
            safe.isetitem(place, safe.iloc[:, place].map(without_formula))
    safe.to_csv(path, **how)


def without_formula(cell: Any) -> Any:
    """Return text that a spreadsheet would compute with an apostrophe before it."""
    if not isinstance(cell, str):
        return cell
    cell = cell.replace("\r", " ")  # which would end the line
    if not cell.startswith(tuple("=+-@\t")):
        return cell
    try:
        float(cell)
    except ValueError:
        return f"'{cell}"
    return cell


def make_figures(
    pipeline: Pipeline, X: pd.DataFrame, y: Labels | None, scores: pd.DataFrame
) -> dict[str, Figure]:
    """Return the loss curve, the errors with the threshold, and two reconstructions."""
    # Figures are made without pyplot: no window opens, and the backend stays.
    detector = pipeline["detector"]
    errors = -scores["score"].to_numpy()
    size = 7.0, 4.0
    figures = [Figure(size, layout="constrained") for _ in range(2)]
    loss, histogram = (figure.subplots() for figure in figures)
    inspection.LossCurveDisplay.from_estimator(detector, ax=loss)
    loss.set_title("Training of the chosen autoencoder")
    # Normalized, or the bars of rare outliers would not be visible next to the others.
    display = inspection.ErrorHistogramDisplay(errors, detector.threshold_, y)
    display.plot(histogram, normalize=y is not None)
    rows = "all rows" if y is None else "the test rows"
    histogram.set_title(f"Reconstruction errors of {rows}")
    return {
        "loss_curve": figures[0],
        "error_histogram": figures[1],
        "reconstructions": _reconstructions(pipeline, X, y, scores),
    }


def _reconstructions(
    pipeline: Pipeline, X: pd.DataFrame, y: Labels | None, scores: pd.DataFrame
) -> Figure:
    """Return a figure of a normal and an abnormal row and their reconstructions."""
    errors, threshold = -scores["score"].to_numpy(), pipeline["detector"].threshold_
    chosen = typical_rows(errors, y)
    rows, rebuilt = in_units(pipeline, X.iloc[chosen])
    unit = "value"
    if not share_an_axis(pipeline["columns"], rows):
        rows = pipeline["columns"].transform(X.iloc[chosen])
        rebuilt, unit = pipeline["detector"].reconstruct(rows), "standardized value"
    titles = []
    for row in chosen:
        flag = scores["flag"].iloc[row]
        label = "" if y is None else f", labelled {WORDS[y[row]]}"
        titles.append(
            f"row {X.index[row]}{label}: found {WORDS[flag]} (error {errors[row]:.3g} "
            f"{'>' if flag == -1 else '≤'} threshold {threshold:.3g})"
        )
    names = [name if len(name) <= 40 else name[:37] + "..." for name in rows.columns]
    longest = max(map(len, names)) if len(names) <= MAX_NAMED else 0
    figure = Figure((9.0, 6.4 + 0.07 * longest), layout="constrained")
    axes = figure.subplots(2, 1)
    words: dict[str, Any] = {"titles": titles, "feature_names": names}
    words["value_name"] = unit
    inspection.ReconstructionDisplay(rows, rebuilt, **words).plot(axes)
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


def share_an_axis(columns: Any, drawn: pd.DataFrame) -> bool:
    """Return whether rows can be drawn in their own units without losing columns."""
    _, scaler, numbers = columns.transformers_[0]
    spread = np.sqrt(scaler.var_) if len(numbers) else np.ones(1)
    spread = spread[spread > 0]
    height = np.nanmax(drawn.to_numpy()) - np.nanmin(drawn.to_numpy())
    return spread.size == 0 or np.quantile(spread, 0.25) >= SMALLEST_SPREAD * height


def save_figures(figures: Mapping[str, Figure], folder: Path) -> list[str]:
    """Write the figures as PNG, and return them as SVG to be put into a page."""
    drawn = []
    with warnings.catch_warnings():
        # Names may be in a script that matplotlib's font lacks; a browser has it.
        warnings.filterwarnings("ignore", "Glyph .* missing", UserWarning)
        for name, figure in figures.items():
            figure.savefig(folder / f"{name}.png", dpi=120)
            figure.set_layout_engine("none")  # all has its place now
            buffer = io.StringIO()
            figure.savefig(buffer, format="svg", metadata={"Date": None})
            drawn.append(re.sub(r"(?s)\A.*?(?=<svg)", "", buffer.getvalue()))
    return drawn


def report_page(
    title: str,
    texts: Sequence[str],
    tables: Mapping[str, pd.DataFrame],
    figures: Sequence[str],
    pipeline: Pipeline,
) -> str:
    """Return a page that needs no other file."""
    parts = [f"<h1>{html.escape(title)}</h1>"]
    for text in texts:
        parts += [f"<p>{html.escape(line)}</p>" for line in text.split("\n") if line]
    for heading, table in tables.items():
        kind = "columns" if "used as" in table else "numbers"
        text = table.to_html(
            classes=kind,
            border=0,
            index=table.index.name is not None,
            float_format="{:.4g}".format,
        )
        parts += [f"<h2>{html.escape(heading)}</h2><div class=wide>{text}</div>"]
    parts += ["<h2>Figures</h2>", *figures, "<h2>The pipeline</h2>"]
    parts.append(estimator_html_repr(pipeline))
    head = f'<meta charset="utf-8"><title>{html.escape(title)}</title>'
    body = "\n".join(parts)
    return (
        f"<!DOCTYPE html>\n<html lang=en><head>{head}<style>{STYLE}</style></head>\n"
        f"<body>\n{body}\n</body></html>\n"
    )


def _skops() -> Any:
    """Return the module that keeps models without code."""
    try:
        return importlib.import_module("skops.io")
    except ImportError:
        raise InputError(
            "Saved models need the package skops. Run pip install 'skae[files]'."
        ) from None


def check_save(path: str) -> None:
    """Raise, before the work, where a model could not be saved."""
    _skops()
    folder = Path(path).parent
    if not path.endswith(".skops"):
        raise InputError(f"--save {path!r} must end in .skops. Pass such a name.")
    if not folder.is_dir() or not os.access(folder, os.W_OK) or Path(path).is_dir():
        raise InputError(
            f"--save {path!r} cannot be written. Pass a file in a folder that exists "
            "and may be written to."
        )


def save_model(pipeline: Pipeline, plan: dict[str, Any], path: str) -> None:
    """Write a fitted pipeline, and how the columns of a file become its columns."""
    with tempfile.TemporaryDirectory(dir=Path(path).parent, prefix=".skae-") as folder:
        new = Path(folder) / "model.skops"
        content = {"skae": skae.__version__, "plan": json.dumps(plan)}
        _skops().dump(content | {"pipeline": pipeline}, new)
        new.replace(path)


def load_model(path: str) -> tuple[Pipeline, Plan, dict[str, Any]]:
    """Return a saved pipeline, its plan, and how its file was read."""
    io_ = _skops()
    trusted = skae.SKOPS_TRUSTED
    try:
        unknown = set(io_.get_untrusted_types(file=path)) - set(trusted)
        if unknown:
            raise InputError(
                f"{path!r} holds types that are not skae's and may run code: "
                f"{', '.join(sorted(unknown))}. Pass a model that --save has written."
            )
        content = io_.load(path, trusted=trusted)
        plan = json.loads(content["plan"])
        return content["pipeline"], Plan(**plan["plan"]), plan["reading"]
    except InputError:
        raise
    except Exception as exc:
        raise InputError(
            f"{path!r} is not a model that --save has written with this version of "
            f"skae: {type(exc).__name__}. Train it anew."
        ) from exc
